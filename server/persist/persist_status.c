/* server/persist/persist_status.c - what became of the saves until now, and who must know. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mm/base/clock.h"
#include "mm/base/log.h"
#include "mm/mm.h"
#include "server/config/config.h"
#include "server/exec/exec.h"
#include "server/persist/error_name.h"
#include "server/persist/persist.h"
#include "server/persist/persist_impl.h"

struct persist persist; /* as persist_init() begins it */

enum {
    RETRY_S = 5, /* after a failed save, as Redis does */
    /* after one that was given up for its memory, twice as long each time, but no longer than this:
     * a load that no save gets through is not to be slowed down all the time */
    RETRY_MAX_S = 300
};

/* Commands that write ask whether they may only while there is a reason to. */
void
persist_set_last_ok(bool ok)
{
    /* It is asked whatever stop-writes-on-bgsave-error says, which may be set meanwhile. */
    persist.last_ok = ok;
    persist.refuses_writes = !ok;
    persist.retry_after_s = RETRY_S;
    exec_gates.write_error = ok ? NULL : persist_write_error;
}

/* describe: one line, whatever bytes the dump's name has. */
static void
describe(char *ret, int error, const char *text)
{
    const char *name = error_name(-error);

    snprintf(ret, PERSIST_CAUSE_BYTES, "%.256s (%s, %s)", text, name != NULL ? name : "?",
             persist.path);
    for (; *ret != '\0'; ret++)
        if ((unsigned char)*ret < ' ')
            *ret = '?';
}

void
persist_note_failure(int error, const char *what, const char *text)
{
    describe(persist.cause, error, text);
    log_line(LOG_WARNING, "%s: %s", what, persist.cause);
    persist.last_error = error;
    persist.failures++;
    if (persist.background) {
        memcpy(persist.status_cause, persist.cause, sizeof persist.status_cause);
        persist_set_last_ok(false);
    }
}

void
persist_note_success(const struct snapshot_end *end)
{
    struct mm_figures f;

    mm_figures(&f);
    persist.last_save_s = clock_now.ms / 1000;
    persist.last_error = 0;
    persist.status_cause[0] = '\0';
    persist.saves += !persist.for_flush;
    persist.last_peak_bytes = f.peak_bytes;
    persist.last_good = *end;
    persist.last_good_threads = persist.threads;
    persist_set_last_ok(true);
}

static void
raise_to(size_t *peak, size_t now)
{
    if (now > *peak)
        *peak = now;
}

void
persist_note_peaks(void)
{
    struct mm_figures f;

    mm_figures(&f);
    raise_to(&persist.peaks.preserved, f.preserved_bytes);
    raise_to(&persist.peaks.retired, f.retired_bytes);
    raise_to(&persist.peaks.newborn, f.newborn_bytes);
}

void
persist_note_given_up(const char *reason)
{
    int64_t twice = 2 * persist.retry_after_s;

    snprintf(persist.given_up_why, sizeof persist.given_up_why, "%s", reason);
    snprintf(persist.status_cause, sizeof persist.status_cause, "%s", reason);
    log_line(LOG_WARNING, "Background saving cancelled: %s", reason);
    persist.last_cancel_why = persist.given_up_why;
    persist.last_error = -ENOMEM; /* what it was for is not done: it is tried again */
    persist.cancels++;
    if (!persist.last_ok)
        persist.retry_after_s = twice < RETRY_MAX_S ? twice : RETRY_MAX_S;
    persist.last_ok = false;
}

bool
persist_saves_by_itself(void)
{
    return config.save_point_count > 0 || config.save_bytes > 0 || config.save_idle_s > 0 ||
           config.snapshot_schedule.len > 0;
}

bool
persist_is_saving(void)
{
    return persist.running;
}

const char *
persist_write_error(void)
{
    static char text[PERSIST_CAUSE_BYTES + 512];

    if (!persist.refuses_writes || !config.stop_writes_on_bgsave_error ||
        !persist_saves_by_itself())
        return NULL;
    snprintf(
        text, sizeof text,
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error. The cause was: %s",
        persist.status_cause);
    return text;
}

const char *
persist_cause(void)
{
    return persist.cause;
}

int64_t
persist_last_save_s(void)
{
    return persist.last_save_s;
}

void
persist_reset_stats(void)
{
    persist.last_begin_us = 0;
}

int64_t
persist_last_begin_us(void)
{
    return persist.last_begin_us;
}

const char *
persist_cancel_reason(void)
{
    return persist.last_cancel_why != NULL ? persist.last_cancel_why : "";
}
