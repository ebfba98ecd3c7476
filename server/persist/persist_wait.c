/* server/persist/persist_wait.c - saves that everybody waits for: SAVE's and the one at the end. */
#include <errno.h>
#include <string.h>

#include "mm/base/log.h"
#include "server/persist/persist.h"
#include "server/persist/persist_impl.h"
#include "snapshot/snapshot.h"

/* wait_for_end: serve nobody until the running save has ended. */
static void
wait_for_end(void)
{
    while (persist.running) {
        snapshot_wait();
        persist_log_progress();
        persist_poll_blocks(UINT32_MAX);
    }
}

int
persist_save_now(void)
{
    int r;

    wait_for_end();
    persist.background = persist.for_flush = false;
    if ((r = persist_begin()) < 0) {
        persist_note_failure(r, "Can't save", strerror(-r));
        return r;
    }
    wait_for_end();
    return persist.last_error;
}

int
persist_shutdown(bool save, bool nosave)
{
    if (persist.running) {
        log_line(LOG_NOTICE, "A background save is running: cancelling it");
        persist_cancel_because("the server ends");
        wait_for_end();
    }
    if (!save && (nosave || !persist_has_save_points()))
        return 0;
    log_line(LOG_NOTICE, "Saving the final RDB snapshot before exiting.");
    if (persist_save_now() == 0)
        return 0;
    log_line(LOG_WARNING, "Error trying to save the DB, can't exit.");
    return -EIO;
}
