/* snapshot/rdb/byte_walk.h - a walk over the bytes of an old small form (ziplist, zipmap), which
 * are not trusted.
 * Threads: [any]. */
#ifndef SNAPSHOT_RDB_BYTE_WALK_H
#define SNAPSHOT_RDB_BYTE_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/base/le.h"
#include "snapshot/rdb/rdb_dec.h"

struct byte_walk {
    const uint8_t *at, *end;
};

/* walk_take: the next n bytes, or NULL if there are not so many. */
static inline const uint8_t *
walk_take(struct byte_walk *w, uint64_t n)
{
    const uint8_t *p = w->at;

    if ((uint64_t)(w->end - w->at) < n)
        return NULL;
    w->at += n;
    return p;
}

/* walk_len: a length as both forms have it: a byte below 254, or 254 and four bytes, little
 * endian. */
static inline bool
walk_len(struct byte_walk *w, uint32_t *ret)
{
    enum { BIG_LEN = 254 };
    const uint8_t *p = walk_take(w, 1);

    if (p == NULL || *p > BIG_LEN)
        return false;
    *ret = *p;
    if (*p < BIG_LEN)
        return true;
    if ((p = walk_take(w, 4)) == NULL)
        return false;
    *ret = (uint32_t)le_load(p, 4);
    return true;
}

/* walk_slice: the next len bytes. */
static inline bool
walk_slice(struct byte_walk *w, uint64_t len, struct slice *ret)
{
    *ret = slice_of(walk_take(w, len), (size_t)len);
    return ret->ptr != NULL;
}

#endif
