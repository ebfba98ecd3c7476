/* server/process/signals.h - SIGTERM and SIGINT ask for a shutdown; SIGPIPE, SIGHUP and
 * SIGXFSZ are ignored.
 * The handler sets a flag and wakes the loop, which shuts down as configured, if it can; a second
 * SIGINT, or a signal while loading, ends the process at once.
 * Threads: mutator; the handler runs wherever the system likes. */
#ifndef SERVER_PROCESS_SIGNALS_H
#define SERVER_PROCESS_SIGNALS_H

/* signals_ignore: those that would end the process for what is an error of one call: a peer that is
 * gone, a file at the limit of sizes (RLIMIT_FSIZE).  Before anything is written. */
void signals_ignore(void);
/* signals_init: install the handlers and put the wake-up, and the task that answers, into the loop.
 * 0 or -errno. */
int signals_init(void);

#endif
