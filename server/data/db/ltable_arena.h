/* server/data/db/ltable_arena.h - buckets and segments of hash tables in the arena, for
 * ltable_arena.inc.h.
 *
 * A segment doubles its table.  A large one is a run whose address space is there at once, and
 * whose memory counts as splits reach it: else a table that grows at maxmemory would drive out keys
 * for memory that it does not use yet.
 * Threads: mutator. */
#ifndef SERVER_DATA_DB_LTABLE_ARENA_H
#define SERVER_DATA_DB_LTABLE_ARENA_H

#include "mm/mm.h"
#include "server/data/db/ltable.h"

enum {
    ARENA_EXPECT_MOST = 1 << 17,                       /* buckets: 8 MiB */
    LT_PAGE_BUCKETS = 4096 / sizeof(struct lt_bucket), /* so many count at a time */
    LT_SEGMENT_COUNTED = MM_SLOT_MAX_BYTES + 4096      /* of a large segment, from the start */
};

static inline struct lt_bucket *
lt_write_bucket(const struct lt_bucket *b)
{
    return mm_modify(b, sizeof *b);
}

/* lt_segment_alloc: room for so many buckets; NULL: no memory. */
static inline void *
lt_segment_alloc(uint64_t buckets)
{
    size_t bytes = buckets * sizeof(struct lt_bucket);
    void *p;

    if (bytes <= 2 * MM_SLOT_MAX_BYTES)
        return mm_alloc(MM_VALUE, bytes);
    if ((p = mm_alloc_roomy(LT_SEGMENT_COUNTED, bytes)) == NULL || mm_usable(p) >= bytes)
        return p;
    mm_free(p); /* address space is short */
    return mm_alloc(MM_VALUE, bytes);
}

/* lt_segment_count: bucket number `bucket` of a table, in this segment, is about to be used: it and
 * some more count. */
static inline void
lt_segment_count(const struct lt_bucket *segment, uint64_t bucket)
{
    uint64_t at = bucket - lt_segment_buckets(lt_segment_of(bucket));

    if (at % LT_PAGE_BUCKETS == 0 && at * sizeof *segment >= LT_SEGMENT_COUNTED)
        mm_grow(segment, (at + LT_PAGE_BUCKETS) * sizeof *segment);
}

#endif
