/* mm/base/supervisor.h - what a service manager is told of this process: that it is ready, what it
 * does just now, that it ends.
 * Source: sd_notify(3) and systemd.service(5), Type=notify: datagrams of lines NAME=value to the
 * socket that the environment names.
 * Threads: the main thread. */
#ifndef MM_BASE_SUPERVISOR_H
#define MM_BASE_SUPERVISOR_H

#include <stdbool.h>

/* supervisor_open: where NOTIFY_SOCKET names one, it is told from now on.  1; 0: the
 * environment names none; -errno: it cannot be reached.  Without one the calls below do nothing. */
int supervisor_open(void);
bool supervisor_is_there(void);

/* supervisor_ready: clients are served.  supervisor_stopping: they are not any more.  Both wait up
 * to a second for a manager that is slow to listen: it acts on these. */
void supervisor_ready(void);
void supervisor_stopping(void);
/* supervisor_status: one line for people, "Loading the dump: 40 %".  Never waits; what the manager
 * has no room for is left out.
 * supervisor_busy: the same, and that the start or the end, which has not stood still, may take at
 * least SUPERVISOR_MORE_S from now on: whatever limits it there begins anew. */
enum { SUPERVISOR_MORE_S = 60 };
void supervisor_status(const char *line);
void supervisor_busy(const char *line);

#endif
