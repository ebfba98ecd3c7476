/* server/data/set/mtable.h - a large set: members, wholly in the arena's values heap, so that a
 * snapshot can read it as it was at the cut: root, segments of buckets, overflow buckets, and one
 * block for each member.
 *
 *   M1  Everything is read through pointers to const and changed through mm_modify(), bucket by
 *       bucket.
 *   M2  A member never changes.
 *
 * A member's block: its length in one byte, or MEMBER_LONG and four bytes (little endian); then its
 * bytes.
 *
 * Threads: mutator.  The sweep reads the same structures through a view (save_table.c,
 * set_type.c). */
#ifndef SERVER_DATA_SET_MTABLE_H
#define SERVER_DATA_SET_MTABLE_H

#include "mm/base/slice.h"
#include "server/data/db/ltable.h"

LT_DEFINE(mtable, const);

enum { MEMBER_LONG = 255, MEMBER_HEAD_BYTES = 1, MEMBER_LONG_HEAD_BYTES = 5, MTABLE_BATCH = 16 };

struct set_member; /* opaque: bytes as above */

/* set_member_text: of a block, or of its staged first MEMBER_LONG_HEAD_BYTES bytes: then only the
 * length counts. */
static inline struct slice
set_member_text(const void *member)
{
    const uint8_t *p = member;
    uint32_t len;

    if (likely(p[0] != MEMBER_LONG))
        return (struct slice){.ptr = (const char *)p + MEMBER_HEAD_BYTES, .len = p[0]};
    len = p[1] | (uint32_t)p[2] << 8 | (uint32_t)p[3] << 16 | (uint32_t)p[4] << 24;
    return (struct slice){.ptr = (const char *)p + MEMBER_LONG_HEAD_BYTES, .len = len};
}

/* set_member_new: NULL: no memory. */
const struct set_member *set_member_new(struct slice text);
void set_member_free(const struct set_member *m);

typedef void (*mtable_visitor)(void *ctx, const void *member);

/* mtable_new: an empty table; NULL: no memory.  Owner: the record that will point to it.
 * mtable_expect: an empty table gets buckets for so many members as are going to come, or for
 * some. */
const struct mtable *mtable_new(void);
void mtable_expect(const struct mtable *t, uint64_t members);
/* mtable_free: all of it, at once; mtable_drop() does it in steps: about `members` of what is left,
 * from *next (begins as 0) on.  True: all done. */
void mtable_free(const struct mtable *t);
bool mtable_drop(const struct mtable *t, uint64_t *next, uint64_t members);

/* mtable_hash: of a member, as the calls below want it. */
uint64_t mtable_hash(struct slice text);
/* mtable_has: is it a member? */
bool mtable_has(const struct mtable *t, uint64_t hash, struct slice text);
/* mtable_add: a fresh member that is not there.  false: no memory, nothing has changed. */
bool mtable_add(const struct mtable *t, uint64_t hash, const struct set_member *m);
/* mtable_take: the member with these bytes leaves the table for the caller, who frees it; NULL:
 * there was none.
 * mtable_take_this: this very one, which is there.  Cannot fail. */
const struct set_member *mtable_take(const struct mtable *t, struct slice text);
void mtable_take_this(const struct mtable *t, const struct set_member *m);

/* mtable_warm: hints for lookups soon to come: the buckets of these hashes; count <=
 * MTABLE_BATCH.
 * mtable_probe: which of the texts in `asked` (bit i: texts[i] with hashes[i]) are members?  Their
 * buckets and blocks are loaded side by side. */
void mtable_warm(const struct mtable *t, const uint64_t *hashes, unsigned count);
uint32_t mtable_probe(const struct mtable *t, const struct slice *texts, const uint64_t *hashes,
                      uint32_t asked);

/* Going through all members, in order of buckets; the table must not change meanwhile. */
struct mtable_at {
    uint64_t bucket, path;        /* path: of the bucket's next chain, where it has several */
    const struct lt_bucket *link; /* of the chain; NULL: not begun */
    unsigned slot;
};
/* mtable_next: the next members, up to `most`; begins with an *at of zeros.  Their blocks are on
 * the way to the cache.  0: that was all. */
unsigned mtable_next(const struct mtable *t, struct mtable_at *at, const struct set_member **ret,
                     unsigned most);
/* mtable_draw: a member at random; the table has some. */
const struct set_member *mtable_draw(const struct mtable *t);

/* mtable_walk: as ktable's. */
uint64_t mtable_walk(const struct mtable *t, uint64_t cursor, mtable_visitor visit, void *ctx);
/* mtable_copy: another table with copies of all members; NULL: no memory. */
const struct mtable *mtable_copy(const struct mtable *t);
/* mtable_weigh: bytes that it takes, reckoned from a sample of so many members; 0: from all. */
uint64_t mtable_weigh(const struct mtable *t, uint64_t samples);
/* mtable_verify: see ktable_verify(). */
void mtable_verify(const struct mtable *t);

static inline uint64_t
mtable_count(const struct mtable *t)
{
    return t->count;
}

#endif
