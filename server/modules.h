/* server/modules.h - the floors below are told of what stands above them: data types, commands,
 * what features keep with a client, who hears of changes of the data.
 * Threads: mutator. */
#ifndef SERVER_MODULES_H
#define SERVER_MODULES_H

/* modules_init: first of all, in every program that executes commands; again: nothing changes.
 * What needs the arena, sockets or the loop has an init of its own. */
void modules_init(void);

#endif
