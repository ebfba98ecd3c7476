/* server/commands/scripting/kill.h - what SCRIPT KILL and FUNCTION KILL have in common.
 * Threads: mutator. */
#ifndef SERVER_COMMANDS_SCRIPTING_KILL_H
#define SERVER_COMMANDS_SCRIPTING_KILL_H

#include <stdbool.h>

struct client;

/* scripting_kill: end the script, or the function, that runs, and reply what became of that. */
void scripting_kill(struct client *c, bool is_function);

#endif
