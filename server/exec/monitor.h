/* server/exec/monitor.h - MONITOR: clients that are shown every command.
 * Threads: mutator. */
#ifndef SERVER_EXEC_MONITOR_H
#define SERVER_EXEC_MONITOR_H

struct client;

extern unsigned monitor_count;

/* monitor_add: the client, which has a connection, is shown every command from now on. */
void monitor_add(struct client *c);
/* monitor_init: a client that goes is no monitor. */
void monitor_init(void);
/* monitor_feed: show c's command (argv) to all monitors. */
void monitor_feed(const struct client *c);
/* monitor_forget: the client is a monitor no longer (its end, RESET). */
void monitor_forget(struct client *c);

#endif
