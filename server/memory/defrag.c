/* server/memory/defrag.c - see defrag.h. */
#include "server/memory/defrag.h"

#include "mm/base/clock.h"
#include "mm/base/log.h"
#include "mm/base/os.h"
#include "mm/compact.h"
#include "mm/cut.h"
#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/data/db/db_move.h"
#include "server/figures/latency.h"
#include "server/net/loop.h"

enum {
    /* pointers between two looks at the clock: about 50 us, see bench_growth's slices */
    STEP_MAX = 1000,
    MARK_SLABS = 64, /* the same, of slabs that are chosen, or left */
    LEAVE_SLABS = 256,
    PURGE_PERCENT = 50, /* somebody has asked, and waits for memory */
    SAVE_PERCENT = 5,   /* nobody has */
    /* After a save a pass is worth it where it gives back one block in so many, and so many bytes;
     * for MEMORY PURGE less is enough. */
    SAVE_PART = 20,
    SAVE_BYTES = 4 << 20,
    PURGE_PART = 100,
    PURGE_BYTES = 256 << 10,
    /* Where a pass went through everything and less than a quarter of the slabs that it had chosen
     * ran dry, the next one will not do better: none begins until there is a quarter more to gain,
     * or for a minute. */
    PATIENCE_US = 60000000
};

enum reason { NO_REASON, ACTIVE, PURGE, AFTER_SAVE };

bool defrag_is_running;

/* In each turn of a pass: a cut may have begun (DF1). */
static struct loop_task task = {
    .place = LOOP_MOVING, .is_slice = true, .due_ms = LOOP_NEVER, .run = defrag_work};

static struct {
    enum { MARKING, WALKING, LEAVING } phase;
    enum reason reason;
    unsigned percent;
    int64_t begun_us, next_us; /* next_us: no slice before that */
    size_t expected, left;     /* what it was to give back; in which something has stayed */
    bool is_whole;             /* it has walked from the first key to the last */
    bool is_done;              /* in contrast to: broken off */
} pass;
static bool purge_is_asked;
static epoch_t looked_at; /* what the saves up to this epoch have left was looked at */
static size_t futile_gain;
static int64_t futile_until_us;
static uint64_t total_us;

/* ---- reasons ---- */

static bool
is_worth(size_t gain, size_t least, size_t part)
{
    return gain >= least && gain > mm_used_bytes() / part;
}

/* fragmentation: in percent of what is live: what moving would give back. */
static uint64_t
fragmentation(size_t gain)
{
    struct mm_figures f;

    mm_figures(&f);
    return f.live_bytes == 0 ? 0 : (uint64_t)gain * 100 / f.live_bytes;
}

static bool
is_active_due(size_t gain)
{
    if (!config.activedefrag || gain < config.active_defrag_ignore_bytes)
        return false;
    if (gain <= futile_gain + futile_gain / 4 && os_monotonic_us() < futile_until_us)
        return false;
    return fragmentation(gain) >= (uint64_t)config.active_defrag_threshold_lower;
}

/* active_percent: from cycle-min at the lower threshold to cycle-max at the upper one. */
static unsigned
active_percent(size_t gain)
{
    int64_t lower = config.active_defrag_threshold_lower,
            upper = config.active_defrag_threshold_upper, min = config.active_defrag_cycle_min,
            max = config.active_defrag_cycle_max, at = (int64_t)fragmentation(gain);

    if (max < min)
        max = min;
    if (at >= upper || upper <= lower)
        return (unsigned)max;
    return (unsigned)(min + (max - min) * (at - lower) / (upper - lower));
}

/* may_move: no cut is open (DF1), and no dump is made in slices (DS2). */
static bool
may_move(void)
{
    return mm_cut_is_ready() && db_state.sliced_dumps == 0;
}

/* find_reason: none while nothing may move. */
static enum reason
find_reason(size_t gain)
{
    struct mm_figures f;

    if (!may_move() || db_state.loading)
        return NO_REASON;
    if (purge_is_asked && is_worth(gain, PURGE_BYTES, PURGE_PART))
        return PURGE;
    purge_is_asked = false;
    if (is_active_due(gain))
        return ACTIVE;
    mm_figures(&f);
    if (f.epoch != looked_at && is_worth(gain, SAVE_BYTES, SAVE_PART))
        return AFTER_SAVE;
    looked_at = f.epoch;
    return NO_REASON;
}

/* ---- a pass ---- */

static const char *const reason_names[] = {
    [ACTIVE] = "activedefrag", [PURGE] = "MEMORY PURGE", [AFTER_SAVE] = "a save"};

static void
begin(enum reason reason, size_t gain)
{
    if (reason == NO_REASON || !mm_compact_begin())
        return;
    pass.phase = MARKING;
    pass.reason = reason;
    pass.percent = reason == PURGE    ? PURGE_PERCENT
                   : reason == ACTIVE ? active_percent(gain)
                                      : SAVE_PERCENT;
    pass.expected = gain;
    pass.is_whole = db_move_is_at_begin();
    pass.is_done = false;
    pass.begun_us = pass.next_us = os_monotonic_us();
    must(pass.percent > 0 && pass.percent <= 100); /* DF2 divides by it */
    defrag_is_running = true;
    log_line(LOG_VERBOSE,
             "Sparse memory (%s): %zu bytes may go back, %u%% of the loop are used for that",
             reason_names[reason], gain, pass.percent);
}

/* is_most: of what was expected. */
static bool
is_most(size_t bytes)
{
    return bytes > pass.expected - pass.expected / 4;
}

static void
end(void)
{
    size_t gain = mm_compact_gain();
    int64_t now_us = os_monotonic_us();

    must(pass.phase == LEAVING); /* or slabs that were chosen would stay marked */
    defrag_is_running = false;
    total_us += (uint64_t)(now_us - pass.begun_us);
    log_line(LOG_VERBOSE,
             "Sparse memory (%s): the pass %s after %lld ms; %zu bytes may still go back",
             reason_names[pass.reason], pass.is_done ? "ended" : "was broken off",
             (long long)(now_us - pass.begun_us) / 1000, gain);
    if (!pass.is_done || !pass.is_whole)
        return; /* what is left is looked at again */
    if (is_most(pass.left)) {
        futile_gain = gain;
        futile_until_us = now_us + PATIENCE_US;
    }
    if (!is_most(gain))
        return;
    /* Or as much has become sparse meanwhile: that is no longer what MEMORY PURGE or a save have to
     * see to. */
    purge_is_asked = false;
    if (pass.reason == AFTER_SAVE) {
        struct mm_figures f;

        mm_figures(&f);
        looked_at = f.epoch;
    }
}

/* adjust: what has become of the reason for the pass that is under way.  More has become sparse: it
 * takes more of the loop; not less, or it would never end. */
static void
adjust(void)
{
    unsigned percent;

    if (pass.reason != ACTIVE)
        return;
    if (!config.activedefrag)
        pass.phase = LEAVING;
    else if ((percent = active_percent(mm_compact_gain() + mm_compact_left())) > pass.percent)
        pass.percent = percent;
}

int
defrag_wait_ms(void)
{
    int64_t us = pass.next_us - os_monotonic_us();

    return us <= 0 || pass.phase == LEAVING ? 0 : (int)((us + 999) / 1000);
}

/* When there is something to do, for the loop. */
static void
note_due(void)
{
    loop_task_each_turn(&task, defrag_is_running);
    loop_task_at(&task, defrag_is_running ? clock_now.ms + defrag_wait_ms() : LOOP_NEVER);
}

void
defrag_cron(void)
{
    size_t gain;

    if (defrag_is_running) {
        adjust();
    } else {
        gain = mm_compact_gain();
        begin(find_reason(gain), gain);
    }
    note_due();
}

void
defrag_purge(void)
{
    purge_is_asked = true;
    futile_until_us = 0;
    if (defrag_is_running && pass.percent < PURGE_PERCENT)
        pass.percent = PURGE_PERCENT;
    defrag_cron();
}

/* step: a part of the pass.  False: it is over. */
static bool
step(void)
{
    int64_t work = config.active_defrag_max_scan_fields;

    switch (pass.phase) {
    case MARKING:
        if (!mm_compact_mark(MARK_SLABS))
            pass.phase = WALKING;
        return true;
    case WALKING:
        if (!db_move(work < STEP_MAX ? work : STEP_MAX)) {
            pass.phase = LEAVING;
            pass.is_done = true;
            pass.left = mm_compact_left();
        }
        return true;
    case LEAVING:
        return mm_compact_leave(LEAVE_SLABS);
    }
    never("a phase");
}

void
defrag_work(unsigned budget_us)
{
    int64_t begin_us = os_monotonic_us(), now_us = begin_us;

    must(defrag_is_running && mm_compact_is_open());
    if (pass.phase != LEAVING && !may_move())
        pass.phase = LEAVING; /* DF1, DS2 */
    if (pass.phase != LEAVING && begin_us < pass.next_us) {
        note_due();
        return;
    }
    while (step() && now_us < begin_us + budget_us)
        now_us = os_monotonic_us();
    if (!mm_compact_is_open())
        end();
    now_us = os_monotonic_us();
    pass.next_us = now_us + (now_us - begin_us) * (100 - pass.percent) / pass.percent; /* DF2 */
    latency_add("active-defrag-cycle", (uint64_t)(now_us - begin_us) / 1000);
    note_due();
}

void
defrag_init(void)
{
    loop_task_add(&task);
}

/* ---- figures ---- */

void
defrag_figures(struct defrag_figures *ret)
{
    uint64_t current_us = defrag_is_running ? (uint64_t)(os_monotonic_us() - pass.begun_us) : 0;

    *ret = (struct defrag_figures){.running_percent = defrag_is_running ? pass.percent : 0,
                                   .total_ms = (total_us + current_us) / 1000,
                                   .current_ms = current_us / 1000};
}

void
defrag_reset_figures(void)
{
    total_us = 0;
    db_move_reset_figures();
}
