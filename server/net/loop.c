/* server/net/loop.c - the event loop. */
#include "server/net/loop.h"
#include "mm/base/os.h"
#include "server/exec/keywait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "mm/base/clock.h"
#include "mm/base/log.h"
#include "mm/mm.h"
#include "server/config/config.h"
#include "server/cron.h"
#include "server/data/db/db.h"
#include "server/exec/block.h"
#include "server/figures/stats.h"
#include "server/memory/defrag.h"
#include "server/memory/evict.h"
#include "server/net/client.h"
#include "server/net/client_evict.h"
#include "server/net/net.h"
#include "server/persist/persist.h"
#include "server/process/shutdown.h"
#include "server/process/signals.h"
#include "snapshot/snapshot.h"

enum {
    EVENTS_MAX = 256, /* per wait */
    SLICE_US = 500,   /* background work in one turn */
    PERSIST_CRON_MS = 100,
    SHORT_WAIT_MS = 1 /* while clients wait for the snapshot's memory, or free memory goes back */
};

struct loop_state loop_state;

static int epoll_fd = -1;
static int64_t next_cron_ms, next_persist_ms;
static bool db_has_work, evict_has_work;
static enum mm_tidy tidy;

static int
control(int how, int fd, uint32_t events, struct loop_source *s)
{
    struct epoll_event e = {.events = events, .data.ptr = s};

    return epoll_ctl(epoll_fd, how, fd, &e) == 0 ? 0 : -errno;
}

int
loop_add(int fd, uint32_t events, struct loop_source *s)
{
    return control(EPOLL_CTL_ADD, fd, events, s);
}

int
loop_change(int fd, uint32_t events, struct loop_source *s)
{
    return control(EPOLL_CTL_MOD, fd, events, s);
}

void
loop_remove(int fd)
{
    control(EPOLL_CTL_DEL, fd, 0, NULL);
}

/* The snapshot's eventfd only has to wake the loop: persist_poll() follows in every turn. */
static void
take_snapshot_event(struct loop_source *s, uint32_t events)
{
    (void)s;
    (void)events;
}

int
loop_init(void)
{
    static struct loop_source snapshot_source = {.ready = take_snapshot_event};

    if ((epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0)
        return -errno;
    return loop_add(snapshot_event_fd(), EPOLLIN, &snapshot_source);
}

/* ---- a turn ---- */

static int
wait_ms(void)
{
    int64_t until;

    if (db_has_work || tidy == MM_TIDY_MORE || persist_wants_poll() || loop_state.stopping ||
        signals_shutdown_asked())
        return 0;
    if (net_has_pending_writes() || evict_has_work)
        return 0;
    until = next_cron_ms < next_persist_ms ? next_cron_ms : next_persist_ms;
    if (block_next_ms() < until)
        until = block_next_ms();
    until -= clock_now.ms;
    if (until < 0)
        return 0;
    if (until > PERSIST_CRON_MS)
        until = PERSIST_CRON_MS; /* the clock was set back */
    if (unlikely(defrag_is_running) && defrag_wait_ms() < until)
        until = defrag_wait_ms();
    return (net_has_delayed() || tidy == MM_TIDY_WAITS) && until > SHORT_WAIT_MS ? SHORT_WAIT_MS
                                                                                 : (int)until;
}

/* Wait and serve.  The sweep's grace periods must not wait for a sleeping mutator, so it is offline
 * meanwhile. Returns when the wait was over, in monotonic nanoseconds. */
static int64_t
serve_ready(int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int64_t begin_ns;
    int n;

    snapshot_offline();
    n = epoll_wait(epoll_fd, events, EVENTS_MAX, timeout_ms);
    snapshot_online();
    clock_refresh();
    begin_ns = clock_now.turn_ns;
    for (int i = 0; i < n && !loop_state.stopping; i++) {
        struct loop_source *s = events[i].data.ptr;
        s->ready(s, events[i].events);
    }
    return begin_ns;
}

static void
run_cron(void (*job)(void))
{
    int64_t begin_ns = os_monotonic_ns();

    if (loop_state.cron_paused)
        return;
    job();
    stats.cron_sum_us += (uint64_t)(os_monotonic_ns() - begin_ns) / 1000;
}

static void
run_timers(void)
{
    if (block_next_ms() <= clock_now.ms)
        block_run_deadlines();
    if (clock_now.ms >= next_cron_ms || clock_now.ms < next_cron_ms - 1000) {
        next_cron_ms = clock_now.ms + 1000 / config.hz;
        run_cron(cron);
        db_has_work = true; /* look whether there is any */
        tidy = MM_TIDY_MORE;
    }
    if (clock_now.ms >= next_persist_ms || clock_now.ms < next_persist_ms - 1000) {
        next_persist_ms = clock_now.ms + PERSIST_CRON_MS;
        run_cron(persist_cron);
    }
}

static void
run_background(void)
{
    /* A huge key that goes is freed while the pages it leaves are tidied up, and others move:
     * together they may take one slice. */
    unsigned kinds = (unsigned)db_has_work + (tidy == MM_TIDY_MORE) + defrag_is_running;
    unsigned slice_us = kinds > 1 ? SLICE_US / kinds : SLICE_US;

    persist_poll();
    if (db_has_work)
        db_has_work = db_work(slice_us);
    keywait_serve_all(); /* keys that have expired; a pause that is over */
    if (unlikely(defrag_is_running))
        defrag_work(slice_us);
    if (tidy != MM_TIDY_DONE)
        tidy = mm_tidy(slice_us);
    evict_has_work = config.maxmemory != 0 && evict_work(slice_us);
    if (net_has_delayed())
        net_resume_delayed();
}

static void
answer_signals(void)
{
    struct shutdown_request rq = {.save = false};
    const char *how;

    if (!signals_shutdown_asked() || loop_state.stopping)
        return;
    how = signals_was_interrupt() ? config.shutdown_on_sigint.at : config.shutdown_on_sigterm.at;
    rq.nosave = strstr(how, "nosave") != NULL;
    rq.save = !rq.nosave && strstr(how, "save") != NULL;
    rq.force = strstr(how, "force") != NULL;
    if (shutdown_begin(&rq) == 0)
        return;
    log_line(
        LOG_WARNING,
        "SIGTERM received but errors trying to shut down the server, check the logs for more information");
    signals_forget();
}

/* note_turn: what INFO says of turns; commands: executed before this one began. */
static void
note_turn(int64_t begin_ns, uint64_t commands)
{
    uint64_t us = (uint64_t)(os_monotonic_ns() - begin_ns) / 1000;

    stats.turns++;
    stats.turn_sum_us += us;
    if (us > stats.turn_max_us)
        stats.turn_max_us = us;
    if (stats.commands > commands && stats.commands - commands > stats.turn_max_commands)
        stats.turn_max_commands = stats.commands - commands;
}

static void
one_turn(void)
{
    uint64_t commands = stats.commands;
    int64_t begin_ns = serve_ready(wait_ms());

    run_timers();
    run_background();
    answer_signals();
    client_evict_run();
    net_write_pending();
    client_free_closed();
    note_turn(begin_ns, commands);
}

void
loop_run(void)
{
    next_cron_ms = next_persist_ms = clock_now.ms;
    while (!loop_state.stopping)
        one_turn();
}

void
loop_turn_while_loading(void)
{
    serve_ready(0);
    if (!loop_state.stopping)
        return;
    shutdown_finish(); /* SHUTDOWN while loading: nobody waits for the rest */
    exit(loop_state.exit_code);
}
