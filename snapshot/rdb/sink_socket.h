/* snapshot/rdb/sink_socket.h - a snapshot's bytes to readers behind sockets, several at a time.
 *
 * Each reader gets the same: a head, the bytes, and at the commit a tail that says that they were
 * all.  A piece has gone when every reader has taken it; so the slowest one sets the pace, and the
 * snapshot's memory grows meanwhile.  Therefore a reader is dropped, and the others go on,
 *
 *   - whose connection has ended: -EPIPE, -ECONNRESET, ...
 *   - that has taken nothing for a whole timeout: -ETIMEDOUT
 *   - that has been waited for a whole patience long, in all, while the memory was short: -EDQUOT
 *
 * Without a reader left, the sink has the last one's error.
 * Threads: one at a time; the flags of the options are others' to set. */
#ifndef SNAPSHOT_RDB_SINK_SOCKET_H
#define SNAPSHOT_RDB_SINK_SOCKET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "snapshot/rdb/sink.h"

enum { SINK_READERS_MAX = 64 };

/* The caller's; the sink's as long as that is open. */
struct sink_reader {
    int fd;                           /* [borrowed] neither closed nor made blocking by the sink */
    int error;                        /* 0; else it was dropped */
    size_t done;                      /* of the piece in hand */
    int64_t progress_us, patience_us; /* when it took something last; patience that is left */
};

struct sink_socket_options {
    struct sink_reader *readers; /* .fd is set */
    unsigned count;              /* 1 .. SINK_READERS_MAX */
    const char *head, *tail;     /* [borrowed] until it is closed */
    int64_t timeout_us, patience_us;
    const _Atomic bool *is_short; /* of memory; may be NULL */
};

/* sink_socket_open: 0 and *ret, or -ENOMEM.  The head is sent with the first piece. */
int sink_socket_open(const struct sink_socket_options *o, struct sink **ret);

#endif
