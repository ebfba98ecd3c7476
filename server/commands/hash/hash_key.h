/* server/commands/hash/hash_key.h - the hash that a command names, whether its fields expire or
 * not.
 * Threads: mutator. */
#ifndef SERVER_COMMANDS_HASH_HASH_KEY_H
#define SERVER_COMMANDS_HASH_HASH_KEY_H

#include "server/data/db/db.h"
#include "server/net/client.h"

/* hash_key_other: argument 1 is a key that is no plain hash. */
bool hash_key_other(struct client *c, struct db_ref *ref);

/* hash_key: as key_of_type(), of argument 1.  Fields whose time has passed go on this occasion, or
 * some of them. */
static inline bool
hash_key(struct client *c, unsigned flags, struct db_ref *ref)
{
    if (db_lookup(c->db, c->argv[1], flags, ref) == NULL || record_type(ref->rec) == TYPE_HASH)
        return true;
    return hash_key_other(c, ref);
}

#endif
