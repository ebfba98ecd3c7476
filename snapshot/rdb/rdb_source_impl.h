/* snapshot/rdb/rdb_source_impl.h - the decoder's own view of its input: a stretch of bytes that can
 * be asked to be longer. Opening and closing: rdb_dec.h.
 * Threads: one at a time. */
#ifndef SNAPSHOT_RDB_RDB_SOURCE_IMPL_H
#define SNAPSHOT_RDB_RDB_SOURCE_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/base/must.h"
#include "snapshot/rdb/rdb_dec.h"

enum { SOURCE_BUFFER_BYTES = 256 * 1024 };

struct rdb_source {
    const uint8_t *data; /* the stretch in hand: all of a memory source, a window on a file */
    size_t at, end;      /* [at, end) of it are not consumed yet */
    uint64_t base;       /* the stretch's offset in the whole */
    uint64_t size;       /* of the whole */
    int fd;              /* -1: memory */
    uint8_t *buf;        /* [owned] a file's: data points here */
    bool with_crc;
    uint64_t crc; /* of all bytes before base + crc_at */
    size_t crc_at;
};

/* source_fill: 0; -ENODATA: the input ends before n more bytes; or reading's -errno. */
int source_fill(struct rdb_source *s, size_t n);
/* source_crc: of everything consumed so far; meaningful when with_crc was set from the start. */
uint64_t source_crc(struct rdb_source *s);

/* source_need: at least n <= SOURCE_BUFFER_BYTES unconsumed bytes in hand.  As source_fill(). */
static inline int
source_need(struct rdb_source *s, size_t n)
{
    return likely(s->end - s->at >= n) ? 0 : source_fill(s, n);
}

static inline const uint8_t *
source_here(const struct rdb_source *s)
{
    return s->data + s->at;
}

/* source_ready: bytes in hand; source_left: bytes that the whole still has by its size. */
static inline size_t
source_ready(const struct rdb_source *s)
{
    return s->end - s->at;
}

static inline uint64_t
source_left(const struct rdb_source *s)
{
    return s->size - (s->base + s->at);
}

static inline void
source_skip(struct rdb_source *s, size_t n)
{
    debug_check(n <= s->end - s->at);
    s->at += n;
}

#endif
