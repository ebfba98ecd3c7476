/* server/data/set/set_type.h - what the table of types asks for, of sets.
 * Threads: mutator. */
#ifndef SERVER_DATA_SET_SET_TYPE_H
#define SERVER_DATA_SET_SET_TYPE_H

#include "server/data/db/type.h"

extern const struct type_ops set_type;

/* load_set: the set's events (type.h). */
void load_set(struct rdb_events *events);

#endif
