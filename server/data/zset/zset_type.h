/* server/data/zset/zset_type.h - what the table of types asks for, of sorted sets.
 * Threads: mutator. */
#ifndef SERVER_DATA_ZSET_ZSET_TYPE_H
#define SERVER_DATA_ZSET_ZSET_TYPE_H

#include "server/data/db/type.h"

extern const struct type_ops zset_type;

/* load_zset: the sorted set's events (type.h). */
void load_zset(struct rdb_events *events);

#endif
