/* server/data/string/string_type.h - strings: a number, or bytes as a blob (value.h), so that
 * server/data/db/ reads and writes them itself; here is what the table of types asks for.
 * Threads: mutator. */
#ifndef SERVER_DATA_STRING_STRING_TYPE_H
#define SERVER_DATA_STRING_STRING_TYPE_H

#include "server/data/db/type.h"

extern const struct type_ops string_type;

/* load_string: the string's events (type.h). */
void load_string(struct rdb_events *events);

#endif
