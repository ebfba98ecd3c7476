/* server/persist/persist_limit.c - snapshot-memory-limit: how much larger the process may become by
 * a save, and what becomes of writers, or of the save, when it comes to that.
 *
 *     memory taken  0 ........... slow ............... stop ....... limit
 *     writers       go on freely | in small steps,    | wait       | no copy is made: the save
 *                                | fewer and fewer    |            | is given up (C2)
 *
 * Between slow and stop writers go on up to a level, and the level rises with time: so fast that
 * the room that is left lasts until the sweep's end, as far as that can be foreseen.  So a write is
 * held for a millisecond or a few, not until the end.  The room between stop and limit belongs to
 * the command that was running when the others were stopped.
 *
 * A save for which writers would have to wait for longer than snapshot-throttle-timeout is given
 * up, and so is, with snapshot-memory-policy cancel, any that comes to stop. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mm/base/clock.h"
#include "mm/base/log.h"
#include "mm/base/must.h"
#include "mm/base/text.h"
#include "mm/cut.h"
#include "mm/page.h"
#include "server/config/config.h"
#include "server/data/db/listener.h"
#include "server/exec/exec.h"
#include "server/exec/pause.h"
#include "server/figures/latency.h"
#include "server/net/net.h"
#include "server/persist/persist.h"
#include "server/persist/persist_impl.h"
#include "snapshot/snapshot.h"

enum {
    LEAST_BYTES = 16 << 20, /* of a limit in percent: what a small data set needs anyway */
    /* between stop and limit: this part of the limit, or so many bytes, if half of it is more */
    HEADROOM_PART = 8,
    HEADROOM_BYTES = 6 << 20,
    AHEAD_BYTES = 2 << 20,            /* what the sweep fetches ahead of the copies */
    BURST_PART = 8,                   /* of what is left: so much may be used up at once */
    DEBT_NS = 100 * 1000 * 1000,      /* what one command took too much is paid in so long */
    STEP_NS = 100 * 1000 * 1000,      /* more time than this at once does not count */
    LEFT_MIN_NS = 10 * 1000 * 1000,   /* the sweep is never thought to end sooner */
    QUIET_NS = 100 * 1000 * 1000,     /* without a held writer: the throttling is over */
    LOG_EACH_NS = 1000 * 1000 * 1000, /* times LOG_EACH: between two lines that it begins */
    LOG_EACH = 5
};

/* What may be believed of the part that is swept: early on a little says nothing yet, and what is
 * nearly done by its keys may end in a large one. */
static const double PART_LEAST = 0.05, PART_MOST = 0.8;

static struct {
    size_t at_cut;                      /* live bytes of the arena when the cut began */
    size_t limit;                       /* of the running save; 0: none */
    size_t slow, stop;                  /* of limit */
    double level;                       /* of held_bytes: above it writers wait */
    int64_t begin_ns;                   /* of the save */
    int64_t moved_ns;                   /* when the level was moved */
    int64_t not_before_ns;              /* what waited until then did not wait for memory alone */
    bool throttled, is_told;            /* writers are held now and then; the log says so */
    int64_t since_ns, held_ns, told_ns; /* it began; the last look that found one held; last line */
    char reason[PERSIST_REASON_BYTES];  /* why the running save is given up; "": it is not */
    struct persist_limit_figures sum;
} state;

/* ---- the limit ---- */

/* setting: as config.snapshot_memory_limit; data_bytes: what a percentage is of. */
static size_t
limit_of(int64_t setting, size_t data_bytes)
{
    size_t bytes;

    if (setting >= 0)
        return (size_t)setting;
    bytes = (size_t)((double)data_bytes * (double)-setting / 100);
    return bytes > LEAST_BYTES ? bytes : LEAST_BYTES;
}

static void
set_limit(int64_t setting)
{
    size_t head;

    state.limit = limit_of(setting, state.at_cut);
    head = state.limit / HEADROOM_PART;
    if (head < HEADROOM_BYTES)
        head = state.limit / 2 < HEADROOM_BYTES ? state.limit / 2 : HEADROOM_BYTES;
    state.stop = state.limit - head;
    state.slow = state.stop / 2;
    state.level = (double)state.slow;
    pages_limit(state.limit > 4 * AHEAD_BYTES ? state.limit - AHEAD_BYTES : state.limit);
}

static bool
apply(const struct config *next, const char **why)
{
    (void)why;
    if (persist.running && state.reason[0] == '\0')
        set_limit(next->snapshot_memory_limit);
    return true;
}

/* What counts: as a rule by how much memory has grown.  That does not come down while the save
 * runs, but writers for whom the sweep gives enough back do not make it grow any more. */
static size_t
used_bytes(void)
{
    struct mm_cut_memory m = mm_cut_memory();

    return m.held_bytes > m.grown_bytes ? m.held_bytes : m.grown_bytes;
}

/* ---- the level ---- */

/* How long the sweep will still take, if it goes on as until now.  One that stands still takes ever
 * longer, so that writers go on ever more slowly. */
static double
left_ns(void)
{
    struct snapshot_status s;
    double elapsed = (double)(clock_now.turn_ns - state.begin_ns), part, left;

    snapshot_status(&s);
    part = snapshot_part_swept(&s);
    part = part < PART_LEAST ? PART_LEAST : part > PART_MOST ? PART_MOST : part;
    left = elapsed * (1 - part) / part;
    return left > LEFT_MIN_NS ? left : LEFT_MIN_NS;
}

static void
move_level(size_t used)
{
    double now = (double)(used > state.slow ? used : state.slow), room, per_ns;
    int64_t passed = clock_now.turn_ns - state.moved_ns;

    room = now < (double)state.stop ? (double)state.stop - now : 0;
    per_ns = room / left_ns();
    state.level += per_ns * (double)(passed < STEP_NS ? passed : STEP_NS);
    if (state.level < now - per_ns * DEBT_NS)
        state.level = now - per_ns * DEBT_NS;
    if (state.level > now + room / BURST_PART)
        state.level = now + room / BURST_PART;
    if (state.level < (double)state.slow)
        state.level = (double)state.slow;
    state.moved_ns = clock_now.turn_ns;
}

/* Must writers wait at this moment?  While they must, nothing expires and nothing is evicted. */
static bool
is_closed(void)
{
    size_t used = used_bytes();
    bool closed = false;

    if (state.limit != 0 && mm_barrier_on && config.snapshot_memory_policy == MEMORY_THROTTLE) {
        if (used >= state.slow && clock_now.turn_ns > state.moved_ns)
            move_level(used);
        closed = (double)used >= state.level;
    }
    db_held_for_save = closed;
    return closed;
}

/* ---- giving the save up ---- */

static bool
may_give_up(void)
{
    return persist.running && persist.background && persist.cancel_why == NULL &&
           state.reason[0] == '\0';
}

/* From now on no memory is taken for it; what it has comes back after a grace period (C1). */
static __attribute__((format(printf, 1, 2))) void
give_up(const char *format, ...)
{
    va_list args;

    must(may_give_up());
    va_start(args, format);
    vsnprintf(state.reason, sizeof state.reason, format, args);
    va_end(args);
    pages_limit(1);
    snapshot_cancel();
}

static void
look_at_policy(void)
{
    if (config.snapshot_memory_policy == MEMORY_CANCEL && state.limit != 0 && mm_barrier_on &&
        may_give_up() && used_bytes() >= state.stop)
        give_up("snapshot-memory-limit (%zu bytes) was reached", state.limit);
}

/* How long has the first of those who are held waited for memory? */
static void
look_at_waits(void)
{
    int64_t since = net_held_since_ns(), timeout = config.snapshot_throttle_timeout;

    if (pause_is_on())
        state.not_before_ns = clock_now.turn_ns;
    if (since < state.not_before_ns)
        since = state.not_before_ns;
    if (timeout == 0 || net_delayed_count() == 0 || !mm_barrier_on || !may_give_up() ||
        clock_now.turn_ns - since < timeout * 1000000)
        return;
    give_up("a write has waited for %lld ms at snapshot-memory-limit (%zu bytes)",
            (long long)(clock_now.turn_ns - since) / 1000000, state.limit);
}

static void
look_at_copies(void)
{
    if (mm_cut_is_over_limit() && may_give_up())
        give_up("one command needed more than snapshot-memory-limit (%zu bytes) leaves to it",
                state.limit);
}

/* ---- throttling begins and ends ---- */

static void
begin_throttling(void)
{
    state.throttled = true;
    state.since_ns = clock_now.turn_ns;
    state.sum.throttles++;
    state.is_told =
        state.told_ns == 0 || clock_now.turn_ns - state.told_ns >= (int64_t)LOG_EACH * LOG_EACH_NS;
    if (!state.is_told)
        return;
    state.told_ns = clock_now.turn_ns;
    log_line(LOG_NOTICE,
             "Writes are slowed down: the running save has taken %.1f MB of the %.1f MB that "
             "snapshot-memory-limit allows",
             (double)used_bytes() / 1e6, (double)state.limit / 1e6);
}

static void
end_throttling(void)
{
    uint64_t us = (uint64_t)(state.held_ns - state.since_ns) / 1000;

    if (!state.throttled)
        return;
    state.throttled = false;
    state.sum.throttled_us += us;
    latency_add("snapshot-throttle", us / 1000);
    if (state.is_told)
        log_line(LOG_NOTICE, "Writes go on as usual, %.3f seconds after they were slowed down",
                 (double)us / 1e6);
}

static void
note_held(void)
{
    if (!state.throttled)
        begin_throttling();
    state.held_ns = clock_now.turn_ns;
}

/* ---- who asks ---- */

/* Before a command that writes.  Who comes new stands behind those who are held already, or these
 * would never have their turn. */
static bool
writers_wait(void)
{
    if (state.limit == 0)
        return false;
    look_at_policy();
    if (!is_closed() && !(state.throttled && net_delayed_count() > 0 && !net_is_resuming()))
        return false;
    note_held();
    return true;
}

/* The sweep ends whatever the writers do. */
static struct net_gate memory_gate = {.is_closed = is_closed, .opens_by_itself = true};

void
persist_limit_init(void)
{
    memset(&state, 0, sizeof state);
    exec_gates.writers_wait = writers_wait;
    net_gate_add(&memory_gate);
    config_on_change("snapshot-memory-limit", apply);
}

void
persist_limit_begin(void)
{
    state.at_cut = mm_live_bytes();
    state.begin_ns = state.moved_ns = state.not_before_ns = clock_now.turn_ns;
    state.reason[0] = '\0';
    set_limit(config.snapshot_memory_limit);
}

void
persist_limit_poll(void)
{
    bool closed;

    look_at_copies();
    look_at_policy();
    look_at_waits();
    closed = is_closed();
    if (!state.throttled)
        return;
    if (closed && net_delayed_count() > 0)
        state.held_ns = clock_now.turn_ns;
    else if (!mm_barrier_on || clock_now.turn_ns - state.held_ns > QUIET_NS)
        end_throttling();
}

bool
persist_slows_writers(void)
{
    return state.throttled;
}

const char *
persist_limit_end(bool failed)
{
    look_at_copies(); /* the sweep may have met it first */
    end_throttling();
    state.limit = 0;
    db_held_for_save = false;
    if (state.reason[0] == '\0' || !failed) /* it was too late to give it up */
        return NULL;
    state.sum.given_up++;
    return state.reason;
}

void
persist_limit_figures(struct persist_limit_figures *ret)
{
    *ret = state.sum;
    ret->limit_bytes =
        persist.running ? state.limit : limit_of(config.snapshot_memory_limit, mm_live_bytes());
    ret->throttled = state.throttled;
    if (state.throttled)
        ret->throttled_us += (uint64_t)(state.held_ns - state.since_ns) / 1000;
}
