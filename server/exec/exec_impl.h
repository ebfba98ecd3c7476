/* server/exec/exec_impl.h - between the call of a handler and what executes commands.
 * Threads: mutator. */
#ifndef SERVER_EXEC_EXEC_IMPL_H
#define SERVER_EXEC_EXEC_IMPL_H

#include <stdbool.h>

struct client;

/* Others execute commands within one: exec_let_others(). */
extern bool exec_others_run;

/* exec_running: exec_client(), for who executes something within its command. */
struct client *exec_running(void);
/* exec_go_on: the handler of c's command goes on after a command of another client. */
void exec_go_on(struct client *c);

#endif
