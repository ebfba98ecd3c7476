/* server/data/zset/zset_small.h - sorted sets in a listpack: pairs of member and score, in order;
 * read, and edited in the caller's memory.  Cost O(members) each.
 * Threads: any. */
#ifndef SERVER_DATA_ZSET_ZSET_SMALL_H
#define SERVER_DATA_ZSET_ZSET_SMALL_H

#include "mm/base/real.h"
#include "server/data/zset/zset.h"
#include "snapshot/rdb/listpack.h"

/* A place in a walk: member and score at offset `at`; 0: the end. */
struct zsmall {
    const uint8_t *lp;
    uint32_t at;
    struct slice member;
    double score;
    char scratch[LP_INT_TEXT_BYTES];
};

static inline uint64_t
zsmall_count(const uint8_t *lp)
{
    return lp_count(lp) / 2;
}

/* zsmall_first, _next, _last, _previous: false: there is none. */
bool zsmall_first(struct zsmall *z, const uint8_t *lp);
bool zsmall_next(struct zsmall *z);
bool zsmall_last(struct zsmall *z, const uint8_t *lp);
bool zsmall_previous(struct zsmall *z);
/* zsmall_find: the element of this member. */
bool zsmall_find(struct zsmall *z, const uint8_t *lp, struct slice member);

/* zsmall_bytes: so much room an insertion needs at most.
 * zsmall_insert: at its place; the member is not there.
 * zsmall_remove: count elements from offset at. */
size_t zsmall_bytes(size_t member_len);
void zsmall_insert(uint8_t *lp, double score, struct slice member);
void zsmall_append(uint8_t *lp, double score, struct slice member);
void zsmall_remove(uint8_t *lp, uint32_t at, uint32_t count);
/* zsmall_verify: assert the order, and that each member stands there once; for tests.  O(n^2) */
void zsmall_verify(const uint8_t *lp, size_t bytes);

#endif
