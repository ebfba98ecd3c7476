/* server/exec/exec.h - one command of a client: may it run, is it queued, then run it.
 * Threads: mutator. */
#ifndef SERVER_EXEC_EXEC_H
#define SERVER_EXEC_EXEC_H

#include <stdbool.h>
#include <stdint.h>

struct client;
struct cmd;
struct slice;

/* What stands above is asked before a command runs; NULL: nobody there objects.  Set by who
 * answers, at its start or when its answer may change: a command then costs a look at the
 * pointer. */
struct exec_gates {
    /* free memory until it is within maxmemory; false: it is not, and commands that need memory
     * must be refused.  Asked before each command.  [evict_init, while there is a limit] */
    bool (*make_room)(void);
    /* why writes are refused: the reply, without "-"; NULL: they are not.  Asked before each write.
     * [persist_status.c, only while the last save in the background has failed] */
    const char *(*write_error)(void);
    /* must writers wait until a snapshot has memory for what they change?  Asked before each
     * command that changes data, of a client that can wait, while the write barrier is up: true,
     * and it is held.  [persist_init] */
    bool (*writers_wait)(void);
    /* not a question: while a command lets others be heard (exec_let_others), what they are told
     * whose command is not CMD_ALLOW_BUSY; NULL: none does.  [scripts/run.c] */
    const char *busy;
};
extern struct exec_gates exec_gates;

/* exec_init: this folder executes what clients send (server/net/net.h), and what it keeps with them
 * is made known (server/net/attachment.h).  At start, before the first client; what depends on the
 * configuration has an init of its own (auth.h, keyevent.h). */
void exec_init(void);

/* exec_refused_loading: true, and the client was told so, while a dump is loaded: for what a
 * command that may run then must not do. */
bool exec_refused_loading(struct client *c);
/* exec_client: whose command runs, or ran last; NULL: nobody's yet, or it is gone. */
const struct client *exec_client(void);
/* exec_forget: the client is going. */
void exec_forget(const struct client *c);
/* exec_begin: a batch of commands begins: the first one's time counts from here. */
void exec_begin(void);
/* exec_command: execute c->argv.  cmd: what cmd_find(argv[0]) says, NULL too.  c->postponed
 * afterwards: it was not executed, and is to be tried again later. */
void exec_command(struct client *c, struct cmd *cmd);

/* exec_words: execute these words as the client's next command (arity, MULTI queueing, MISCONF,
 * statistics).  What it had as its command is its command again afterwards.  Of a client without a
 * connection the reply goes to its sink (server/net/output.h), or is appended to c->out. */
void exec_words(struct client *c, int argc, const struct slice *argv);

/* exec_nested: the same within the handler of another client's command: as a part of it.  c,
 * which is not the other client, has no socket; it has its own database and, if it began one,
 * transaction. Both commands are counted, the outer one with the time of the inner one.  Who
 * waits for a key is served, and gets its messages, only after the outermost command. */
void exec_nested(struct client *c, int argc, const struct slice *argv);

/* exec_nested_call: the same, and nothing is asked before: whoever runs a script has asked.  cmd is
 * what the words name, and their number is good. */
void exec_nested_call(struct client *c, struct cmd *cmd, int argc, const struct slice *argv);

/* exec_let_others: the running command takes long: turn() executes what others send.  Who waits for
 * a key is not served meanwhile: what the command has done is not whole yet.  exec_gates.busy is
 * set. */
void exec_let_others(void (*turn)(void));

/* exec_count: the command that c's words name was executed, in so long: statistics, SLOWLOG,
 * LATENCY. */
void exec_count(struct client *c, struct cmd *cmd, uint64_t ns);

/* exec_call: run cmd's handler and count it, with no questions asked: EXEC. */
void exec_call(struct client *c, struct cmd *cmd);

/* exec_verify: assert what this folder keeps with clients and keys: watch_verify() and its kin;
 * slow, for tests.  Between two commands. */
void exec_verify(void);

#endif
