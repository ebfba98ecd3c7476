/* server/process/signals.h - SIGTERM and SIGINT ask for a shutdown; SIGPIPE is ignored.
 * The handler sets a flag and wakes the loop; a second SIGINT, or a signal while loading, ends the
 * process at once.
 * Threads: mutator; the handler runs wherever the system likes. */
#ifndef SERVER_PROCESS_SIGNALS_H
#define SERVER_PROCESS_SIGNALS_H

#include <stdbool.h>

/* signals_init: install the handlers and put the wake-up into the loop.  0 or -errno. */
int signals_init(void);
/* signals_shutdown_asked: the flag; it stays set until signals_forget(). */
bool signals_shutdown_asked(void);
/* signals_forget: the shutdown was not possible; the next signal asks anew. */
/* signals_was_interrupt: the last such signal was SIGINT. */
bool signals_was_interrupt(void);
void signals_forget(void);

#endif
