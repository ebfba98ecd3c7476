/* server/exec.h - one command of a client: may it run, is it queued, then run it.
 * Threads: mutator. */
#ifndef SERVER_EXEC_H
#define SERVER_EXEC_H

struct client;
struct cmd;

/* exec_command: execute c->argv.  cmd: what cmd_find(argv[0]) says, NULL too.  Counts calls, not time.
 * Returns the command that the time belongs to (the subcommand, say); NULL: none was found. */
struct cmd *exec_command(struct client *c, struct cmd *cmd);

/* exec_call: run cmd's handler and count it, with no questions asked: EXEC. */
void exec_call(struct client *c, struct cmd *cmd);

#endif
