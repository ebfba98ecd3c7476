/* server/exec/exec_impl.h - between the call of a handler and what executes commands: who runs, who
 * looks on, what running clients are owed.
 * Threads: mutator. */
#ifndef SERVER_EXEC_EXEC_IMPL_H
#define SERVER_EXEC_EXEC_IMPL_H

#include <stdbool.h>

struct client;

/* Who looks at each command after it ran. */
enum exec_onlooker { ONLOOKER_MONITOR = 1 << 0, ONLOOKER_TRACKING = 1 << 1 };
/* What waits until a running client's reply is complete. */
enum exec_owed { OWED_INVALIDATIONS = 1 << 0, OWED_MESSAGES = 1 << 1 };

extern struct exec_state {
    struct client *running;  /* whose command runs, or ran last; NULL: nobody's, or it is gone */
    struct client *sender;   /* who sent the command within which running's runs; NULL: running */
    struct client *served;   /* who has waited and is being answered; NULL: nobody */
    struct client *beginner; /* memory is freed for its next command: it may still be told of that
                                before the reply; NULL: nobody */
    unsigned onlookers;      /* enum exec_onlooker */
    unsigned owed;           /* enum exec_owed */
} exec_state;

/* Others execute commands within one: exec_let_others(). */
extern bool exec_others_run;

/* exec_running: exec_client(), for who executes something within its command. */
struct client *exec_running(void);
/* exec_go_on: the handler of c's command goes on after a command of another client. */
void exec_go_on(struct client *c);

#endif
