/* server/data/hash/hash_type.h - what the table of types asks for, of hashes.
 * Threads: mutator. */
#ifndef SERVER_DATA_HASH_HASH_TYPE_H
#define SERVER_DATA_HASH_HASH_TYPE_H

#include "server/data/db/type.h"

extern const struct type_ops hash_type;

/* load_hash: the hash's events (type.h). */
void load_hash(struct rdb_events *events);

#endif
