/* server/data/stream/stream_type.h - what the table of types asks for, of streams.
 * Threads: mutator. */
#ifndef SERVER_DATA_STREAM_STREAM_TYPE_H
#define SERVER_DATA_STREAM_STREAM_TYPE_H

#include "server/data/db/type.h"

extern const struct type_ops stream_type;

/* load_stream: the stream's events (type.h). */
void load_stream(struct rdb_events *events);

#endif
