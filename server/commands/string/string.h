/* server/commands/string/string.h - what the commands on strings share.
 * Threads: mutator. */
#ifndef SERVER_COMMANDS_STRING_STRING_H
#define SERVER_COMMANDS_STRING_STRING_H

#include <stdbool.h>

#include "server/data/db/db.h"

struct client;

/* string_find_key: the string at the client's argument i, in ref.  False, and an error was replied:
 * it is of another type.  ref->rec is NULL where there is no key. */
bool string_find_key(struct client *c, int i, unsigned flags, struct db_ref *ref);
/* reply_string: the string that a record holds. */
void reply_string(struct client *c, const struct record *r);
/* reply_string_direct: the same; a large one goes from the arena to the socket without a copy, as
 * far as the socket takes it. */
void reply_string_direct(struct client *c, const struct record *r);

#endif
