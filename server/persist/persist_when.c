/* server/persist/persist_when.c - when a save begins by itself: save points, a save that was put
 * off, and when one that failed is tried again. */
#include "mm/base/clock.h"
#include "mm/base/log.h"
#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/net/loop.h"
#include "server/persist/persist.h"
#include "server/persist/persist_impl.h"

enum {
    CRON_MS = 100, /* between two looks at the save points */
    RETRY_S = 5    /* after a failed save, as Redis does */
};

static void look_at_save_points(unsigned slice_us);

static struct loop_task cron_task = {
    .place = LOOP_SAVE_CRON, .longest_ms = 10 * CRON_MS, .run = look_at_save_points};

void
persist_when_init(void)
{
    loop_task_add(&cron_task);
}

int64_t
persist_retry_s(void)
{
    bool is_to_come = persist.scheduled || persist_has_save_points();

    return persist.last_ok || !is_to_come ? -1 : persist.last_try_s + RETRY_S + 1;
}

static bool
save_point_is_due(void)
{
    int64_t now = clock_now.ms / 1000;

    if (!persist.last_ok && now - persist.last_try_s <= RETRY_S)
        return false;
    for (int i = 0; i < config.save_point_count; i++) {
        const struct save_point *p = &config.save_points[i];

        if (db_state.dirty >= (uint64_t)p->changes && now - persist.last_save_s > p->seconds) {
            log_line(LOG_NOTICE, "%d changes in %d seconds. Saving...", (int)p->changes,
                     (int)p->seconds);
            return true;
        }
    }
    return false;
}

void
persist_cron(void)
{
    if (db_state.loading)
        return;
    if (persist.running) {
        persist_log_progress();
        return;
    }
    if (persist.wanted) { /* by a client that waits, or would: now, whatever became of the last */
        (void)persist_begin_in_background(false);
        return;
    }
    if (persist.scheduled && clock_now.ms / 1000 - persist.last_try_s <= RETRY_S &&
        !persist.last_ok)
        return;
    if (persist.scheduled || save_point_is_due())
        (void)persist_begin_in_background(persist.scheduled);
}

static void
look_at_save_points(unsigned slice_us)
{
    (void)slice_us;
    loop_task_at(&cron_task, clock_now.ms + CRON_MS);
    loop_run_cron(persist_cron);
}

void
persist_bgsave_next(void)
{
    persist.wanted = true;
}

void
persist_flushed(void)
{
    if (!persist_has_save_points())
        return;
    persist.scheduled = true;
    /* of the running save's, too, if it fails: the next one covers them */
    persist.flushed += db_state.dirty;
    db_state.dirty = persist.dirty_at_begin = 0;
}
