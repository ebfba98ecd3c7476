/* server/persist/persist_wait.c - saves that everybody waits for: SAVE's and the one at the end. */
#include <errno.h>
#include <string.h>

#include "mm/base/log.h"
#include "server/config/config.h"
#include "server/data/db/db.h"
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

static int
save_now(void)
{
    int r;

    wait_for_end();
    persist.background = persist.for_flush = false;
    if ((r = persist_begin(NULL)) < 0) {
        persist_note_failure(r, "Can't save", strerror(-r));
        return r;
    }
    wait_for_end();
    return persist.last_error;
}

int
persist_save_now(void)
{
    int r;

    if (persist.running && persist.copy != NULL)
        persist_cancel_because("a save that everybody waits for"); /* a reader may be slow */
    snapshot_rate(0); /* the limit is for the sake of those who are served meanwhile */
    r = save_now();
    snapshot_rate(config.snapshot_rate_limit);
    return r;
}

/* end_running: the save of the end, if there is one, is of a later instant: who waits for the
 * running one is told of that. */
static void
end_running(bool saves)
{
    static const char why[] = "the server ends";

    if (persist.running) {
        log_line(LOG_NOTICE, "A background save is running: cancelling it");
        if (saves && persist.copy == NULL && persist_waiters_put_off())
            persist.wanted = true;
        persist_cancel_because(why);
        wait_for_end();
    }
    if (!saves)
        persist_drop_wanted(why);
}

int
persist_shutdown(bool save, bool nosave)
{
    bool saves = save || (!nosave && persist_saves_by_itself());

    end_running(saves);
    if (!saves) {
        log_line(
            LOG_NOTICE,
            nosave
                ? "Nothing is saved, as asked for: %llu keys in memory, %llu changes since the last save"
                : "Nothing is saved, as there is no save point: %llu keys in memory, %llu changes since the last save",
            (unsigned long long)db_total_keys(), (unsigned long long)db_state.dirty);
        return 0;
    }
    log_line(LOG_NOTICE, "Saving the final RDB snapshot before exiting.");
    if (persist_save_now() == 0)
        return 0;
    log_line(LOG_WARNING, "Error trying to save the DB, can't exit.");
    return -EIO;
}
