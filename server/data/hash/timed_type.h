/* server/data/hash/timed_type.h - what the type table knows of hashes with fields that expire: to
 * the outside they are hashes.
 * Threads: see type.h. */
#ifndef SERVER_DATA_HASH_TIMED_TYPE_H
#define SERVER_DATA_HASH_TIMED_TYPE_H

#include "server/data/db/type.h"

extern const struct type_ops timed_hash_type;

#endif
