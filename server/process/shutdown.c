/* server/process/shutdown.c - the orderly end, and the pid file that stands from start to end. */
#include "server/process/shutdown.h"

#include <stdio.h>
#include <unistd.h>

#include "mm/base/log.h"
#include "mm/base/supervisor.h"
#include "mm/mm.h"
#include "server/config/config.h"
#include "server/data/db/carried.h"
#include "server/data/db/db.h"
#include "server/net/loop.h"
#include "server/net/net.h"
#include "server/persist/persist.h"
#include "snapshot/snapshot.h"

int
shutdown_begin(const struct shutdown_request *rq)
{
    int r;

    log_line(LOG_WARNING, "User requested shutdown...");
    supervisor_busy("Saving the data before the end");
    r = persist_shutdown(rq->save, rq->nosave);
    if (r < 0 && !rq->force) {
        log_line(LOG_WARNING,
                 "Errors trying to shut down: the data could not be saved, so the server goes on.");
        supervisor_status("Ready to accept connections; the save at the end failed");
        return r;
    }
    if (r < 0)
        log_line(LOG_WARNING, "The data could not be saved; ending all the same, as asked for.");
    loop_state.stopping = true;
    return 0;
}

/* In debug builds everything is given back, so that a leak checker sees what is lost; otherwise the
 * system does that, and faster. */
static void
give_back(void)
{
#ifdef STILLFRAME_DEBUG
    carried_clear();
    db_fini();
    mm_fini();
    config_fini();
#endif
}

void
shutdown_finish(void)
{
    supervisor_stopping();
    net_stop();
    snapshot_stop();
    if (config.pidfile[0] != '\0') {
        log_line(LOG_NOTICE, "Removing the pid file.");
        shutdown_remove_pidfile();
    }
    log_line(LOG_WARNING, "Stillframe is now ready to exit, bye bye...");
    give_back();
}

void
shutdown_init(void)
{
    loop_at_end(shutdown_finish);
}

void
shutdown_remove_pidfile(void)
{
    if (config.pidfile[0] != '\0')
        unlink(config.pidfile);
}

void
shutdown_write_pidfile(void)
{
    FILE *f;

    if (config.pidfile[0] == '\0')
        return;
    if ((f = fopen(config.pidfile, "we")) == NULL || fprintf(f, "%d\n", (int)getpid()) < 0)
        log_line(LOG_WARNING, "The pid file %s cannot be written", config.pidfile);
    if (f != NULL)
        fclose(f);
}
