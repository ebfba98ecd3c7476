/* server/persist/persist_status.c - what became of the saves until now, and who must know. */
#include "mm/base/log.h"
#include "server/config/config.h"
#include "server/exec/exec.h"
#include "server/persist/persist.h"
#include "server/persist/persist_impl.h"

struct persist persist; /* as persist_init() begins it */

/* Commands that write ask whether they may only while there is a reason to. */
void
persist_set_last_ok(bool ok)
{
    /* It is asked whatever stop-writes-on-bgsave-error says, which may be set meanwhile. */
    persist.last_ok = ok;
    exec_gates.write_error = ok ? NULL : persist_write_error;
}

void
persist_note_failure(int error, const char *what, const char *text)
{
    log_line(LOG_WARNING, "%s: %s", what, text);
    persist.last_error = error;
    if (persist.background)
        persist_set_last_ok(false);
}

bool
persist_has_save_points(void)
{
    return config.save_point_count > 0;
}

bool
persist_is_saving(void)
{
    return persist.running;
}

const char *
persist_write_error(void)
{
    if (persist.last_ok || !config.stop_writes_on_bgsave_error || !persist_has_save_points())
        return NULL;
    return "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.";
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
