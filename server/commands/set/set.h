/* server/commands/set/set.h - what the commands on sets share.
 * Threads: mutator. */
#ifndef SERVER_COMMANDS_SET_SET_H
#define SERVER_COMMANDS_SET_SET_H

#include "server/data/set/set_combine.h"

/* set_reply_members: a set_sink that replies each as a bulk string; the context is the client. */
bool set_reply_members(void *client, struct set_batch *b, uint32_t which);

#endif
