/* server/cron.c - what is done now and then. */
#include "server/cron.h"

#include "mm/base/clock.h"
#include "mm/base/ticks.h"
#include "mm/mm.h"
#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/figures/stats.h"
#include "server/memory/defrag.h"
#include "server/memory/trim.h"
#include "server/memory/usage.h"
#include "server/net/client.h"
#include "server/net/loop.h"
#include "server/net/net.h"

enum {
    LONGEST_PERIOD_MS = 1000, /* hz 1 */
    TIDY_WAIT_MS = 1          /* while a thread gives memory back */
};

static void run_cron(unsigned slice_us), run_data(unsigned slice_us), run_pages(unsigned slice_us);

static struct loop_task cron_task = {
    .place = LOOP_CRON, .longest_ms = LONGEST_PERIOD_MS, .run = run_cron};
/* Whether there is work for these is looked at when cron's time has come; then they go on until
 * there is none. */
static struct loop_task data_task = {
    .place = LOOP_DATA, .is_slice = true, .due_ms = LOOP_NEVER, .run = run_data};
static struct loop_task pages_task = {
    .place = LOOP_PAGES, .is_slice = true, .due_ms = LOOP_NEVER, .run = run_pages};

static void
cron(void)
{
    stats_sample();
    memory_watch();
    memory_trim_watch();
    client_check_some();
    net_retry_accept();
    ticks_refresh();
    defrag_cron();
}

static void
run_cron(unsigned slice_us)
{
    (void)slice_us;
    loop_task_at(&cron_task, clock_now.ms + 1000 / config.hz);
    loop_run_cron(cron);
    loop_task_at(&data_task, LOOP_NOW);
    loop_task_at(&pages_task, LOOP_NOW);
}

static void
run_data(unsigned slice_us)
{
    loop_task_at(&data_task, db_work(slice_us) ? LOOP_NOW : LOOP_NEVER);
}

static void
run_pages(unsigned slice_us)
{
    enum mm_tidy left = mm_tidy(slice_us);

    loop_task_at(&pages_task, left == MM_TIDY_MORE    ? LOOP_NOW
                              : left == MM_TIDY_WAITS ? clock_now.ms + TIDY_WAIT_MS
                                                      : LOOP_NEVER);
}

void
cron_init(void)
{
    loop_task_add(&cron_task);
    loop_task_add(&data_task);
    loop_task_add(&pages_task);
}
