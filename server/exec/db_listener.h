/* server/exec/db_listener.h - what databases tell (server/data/db/listener.h) reaches watches,
 * notifications and clients that wait.
 * Threads: mutator. */
#ifndef SERVER_EXEC_DB_LISTENER_H
#define SERVER_EXEC_DB_LISTENER_H

/* db_listener_init: after that, commands may run.  Again is harmless. */
void db_listener_init(void);

#endif
