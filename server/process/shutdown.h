/* server/process/shutdown.h - the orderly end.
 * Threads: mutator. */
#ifndef SERVER_PROCESS_SHUTDOWN_H
#define SERVER_PROCESS_SHUTDOWN_H

#include <stdbool.h>

struct shutdown_request {
    bool save, nosave, force; /* force: end even if the save fails */
};

/* shutdown_init: the loop ends this way, too, when it is left while a dump is loaded. */
void shutdown_init(void);
/* shutdown_begin: save where that is due and let the loop stop after this turn.  0, or -errno: the
 * save failed and the server goes on. */
int shutdown_begin(const struct shutdown_request *rq);
/* shutdown_finish: after the loop: close what is open, remove the pid file.  Only exit() may
 * follow. */
void shutdown_finish(void);
/* shutdown_write_pidfile: at start; a failure is a log line. */
void shutdown_write_pidfile(void);
/* shutdown_remove_pidfile: if there is one to be.  Also from a signal handler. */
void shutdown_remove_pidfile(void);

#endif
