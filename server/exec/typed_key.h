/* server/exec/typed_key.h - the key that a command names, of the type that it wants.
 * Threads: mutator. */
#ifndef SERVER_EXEC_TYPED_KEY_H
#define SERVER_EXEC_TYPED_KEY_H

#include "server/data/db/db.h"
#include "server/net/client.h"
#include "server/net/reply.h"

/* key_of_type: look up the key at an argument (flags: enum db_lookup_flag).  True: ref->rec is of
 * that type, or NULL where there is no key.  False: it is of another type, and WRONGTYPE was
 * replied. */
static inline bool
key_of_type(struct client *c, int arg, enum value_type type, unsigned flags, struct db_ref *ref)
{
    if (db_lookup(c->db, c->argv[arg], flags, ref) == NULL || record_type(ref->rec) == type)
        return true;
    reply_wrong_type(c);
    return false;
}

#endif
