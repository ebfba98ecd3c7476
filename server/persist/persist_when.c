/* server/persist/persist_when.c - when a save begins by itself: save points, so many bytes, a pause
 * of the writers, a time of the day, a save that was put off; and when one that failed is tried
 * again.
 *
 * A time of snapshot-schedule is due from its minute on until a save that began then or later has
 * succeeded, whoever asked for it, or was cancelled.  So one that comes while a save runs begins
 * behind it, and one that fails is tried again; of several that were missed, one save is made. */
#include <errno.h>
#include <time.h>

#include "mm/base/clock.h"
#include "mm/base/cron_form.h"
#include "mm/base/log.h"
#include "mm/base/text.h"
#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/net/loop.h"
#include "server/persist/persist.h"
#include "server/persist/persist_impl.h"

enum {
    CRON_MS = 100,  /* between two looks at the reasons */
    SET_BACK_S = 60 /* a clock that is set back by more is not waited for */
};

static struct {
    bool is_set;
    struct cron_form form;
    int64_t next_s;   /* the next time; unix time, as all of these */
    int64_t due_s;    /* the last time that has come, and no save covers; -1: none */
    int64_t looked_s; /* the last look at the clock */
} schedule;

static void look_at_reasons(unsigned slice_us);

static struct loop_task cron_task = {
    .place = LOOP_SAVE_CRON, .longest_ms = 10 * CRON_MS, .run = look_at_reasons};

static int64_t
now_s(void)
{
    return clock_now.ms / 1000;
}

/* ---- the schedule ---- */

static bool
apply_schedule(const struct config *next, const char **why)
{
    static char text[256];
    struct slice form = {.ptr = next->snapshot_schedule.at, .len = next->snapshot_schedule.len};

    schedule.is_set = false;
    if (form.len == 0)
        return true;
    *why = text;
    if (!cron_form_parse(form, &schedule.form, text, sizeof text))
        return false; /* it was checked: config.def */
    schedule.is_set = true;
    schedule.looked_s = now_s();
    schedule.next_s = cron_form_next(&schedule.form, schedule.looked_s);
    schedule.due_s = -1;
    return true;
}

/* is_covered: by the last save that began and is over. */
static bool
is_covered(int64_t due_s)
{
    return !persist.running && persist.dump_begin_s >= due_s &&
           (persist.last_error == 0 || persist.last_error == -ECANCELED);
}

static void
look_at_schedule(void)
{
    int64_t now = now_s();

    if (!schedule.is_set)
        return;
    if (now >= schedule.next_s)
        schedule.due_s = schedule.next_s;
    if (now >= schedule.next_s || now < schedule.looked_s - SET_BACK_S)
        schedule.next_s = cron_form_next(&schedule.form, now);
    schedule.looked_s = now;
    if (schedule.due_s >= 0 && is_covered(schedule.due_s))
        schedule.due_s = -1;
}

static bool
schedule_is_due(void)
{
    time_t due = (time_t)schedule.due_s;
    char text[40];
    struct tm tm;

    if (!schedule.is_set || schedule.due_s < 0)
        return false;
    localtime_r(&due, &tm);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M", &tm);
    log_line(LOG_NOTICE, "It is time for the save of %s (snapshot-schedule). Saving...", text);
    return true;
}

/* ---- the other reasons ---- */

static bool
save_point_is_due(void)
{
    for (int i = 0; i < config.save_point_count; i++) {
        const struct save_point *p = &config.save_points[i];

        if (db_state.dirty >= (uint64_t)p->changes && now_s() - persist.last_save_s > p->seconds) {
            log_line(LOG_NOTICE, "%d changes in %d seconds. Saving...", (int)p->changes,
                     (int)p->seconds);
            return true;
        }
    }
    return false;
}

static bool
bytes_are_due(void)
{
    uint64_t bytes = persist_count_bytes();

    if (config.save_bytes == 0 || bytes < config.save_bytes)
        return false;
    log_line(LOG_NOTICE, "%llu bytes of changes since the last save (save-bytes). Saving...",
             (unsigned long long)bytes);
    return true;
}

static bool
idle_is_due(void)
{
    int64_t idle_ms = persist_idle_ms();

    if (config.save_idle_s == 0 || db_state.dirty == 0 || idle_ms < 1000 * config.save_idle_s)
        return false;
    log_line(LOG_NOTICE, "No change for %lld seconds, and %llu before (save-idle). Saving...",
             (long long)(idle_ms / 1000), (unsigned long long)db_state.dirty);
    return true;
}

static bool
is_due(void)
{
    return save_point_is_due() || bytes_are_due() || schedule_is_due() || idle_is_due();
}

static bool
was_tried_lately(void)
{
    return now_s() - persist.last_try_s <= persist.retry_after_s;
}

/* begins_now: not at once after one that failed, or that was cancelled, for the same reason. */
static bool
begins_now(void)
{
    if (!persist.last_ok && was_tried_lately())
        return false;
    if (persist.scheduled)
        return true;
    return !(persist.last_error == -ECANCELED && was_tried_lately()) && is_due();
}

int64_t
persist_retry_s(void)
{
    bool is_to_come = persist.scheduled || persist_saves_by_itself();

    return persist.last_ok || !is_to_come ? -1 : persist.last_try_s + persist.retry_after_s + 1;
}

void
persist_cron(void)
{
    if (db_state.loading)
        return;
    persist_count_look();
    look_at_schedule();
    if (persist.running) {
        persist_log_progress();
        return;
    }
    if (persist.wanted) { /* by a client that waits, or would: now, whatever became of the last */
        (void)persist_begin_in_background(false);
        return;
    }
    if (begins_now())
        (void)persist_begin_in_background(persist.scheduled);
}

static void
look_at_reasons(unsigned slice_us)
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
persist_when_init(void)
{
    config_follow("snapshot-schedule", apply_schedule);
    loop_task_add(&cron_task);
}

void
persist_flushed(void)
{
    if (config.save_point_count == 0) /* who names a time or a size means that */
        return;
    persist.scheduled = true;
    /* of the running save's, too, if it fails: the next one covers them */
    persist.flushed += db_state.dirty;
    persist_count_adjust(0);
    persist.dirty_at_begin = 0;
}

void
persist_info_when(struct text *out)
{
    text_addf(out, "rdb_bytes_since_last_save:%llu\r\nrdb_next_scheduled_save_time:%lld\r\n",
              (unsigned long long)persist_count_bytes(),
              (long long)(schedule.is_set ? schedule.next_s : -1));
}
