/* server/data/hash/htable.h - a large hash: field -> value, wholly in the arena's values heap, so
 * that a snapshot can read it as it was at the cut: root, segments of buckets, overflow buckets,
 * and one block for each pair of field and value.
 *
 *   H1  Everything is read through pointers to const and changed through mm_modify(), bucket by
 *       bucket.
 *   H2  A pair's field never changes; its value may change in place.
 *
 * Threads: mutator.  The sweep reads the same structures through a view (save_table.c,
 * hash_type.c). */
#ifndef SERVER_DATA_HASH_HTABLE_H
#define SERVER_DATA_HASH_HTABLE_H

#include "mm/base/slice.h"
#include "server/data/db/ltable.h"

LT_DEFINE(htable, const);

/* A field and its value: field_len bytes, then value_len bytes. */
struct hash_pair {
    uint32_t field_len, value_len;
    char bytes[];
};

typedef void (*htable_visitor)(void *ctx, const void *pair);

/* htable_new: an empty table; NULL: no memory.  Owner: the record that will point to it.
 * htable_expect: an empty table gets buckets for so many pairs as are going to come, or for
 * some. */
const struct htable *htable_new(void);
void htable_expect(const struct htable *t, uint64_t pairs);
/* htable_free: all of it, at once; htable_drop() does it in steps: about `pairs` of what is left,
 * from *next (begins as 0) on.  True: all done. */
void htable_free(const struct htable *t);
bool htable_drop(const struct htable *t, uint64_t *next, uint64_t pairs);

static inline uint64_t
htable_count(const struct htable *t)
{
    return t->count;
}

/* htable_get: the pair with this field, NULL if there is none. */
const struct hash_pair *htable_get(const struct htable *t, struct slice field);
/* htable_put: a fresh pair, over the one with the same field, which the caller gets back in
 * *ret_old (NULL: there was none) and frees.  false: no memory, nothing has changed; never so when
 * the field is there. */
bool htable_put(const struct htable *t, const struct hash_pair *p,
                const struct hash_pair **ret_old);
/* htable_enter: a fresh pair, whose field has this hash.  0; -EEXIST: the field is there; -ENOMEM;
 * then nothing has changed, and the pair is the caller's.
 * htable_warm: a hint that one with this hash is going to be entered. */
int htable_enter(const struct htable *t, uint64_t hash, const struct hash_pair *p);
void htable_warm(const struct htable *t, uint64_t hash);
/* htable_take: the pair with this field leaves the table for the caller, who frees it; NULL: there
 * was none. */
const struct hash_pair *htable_take(const struct htable *t, struct slice field);

/* htable_draw: a pair at random; the table has some. */
const struct hash_pair *htable_draw(const struct htable *t);
/* htable_walk: as ktable's. */
uint64_t htable_walk(const struct htable *t, uint64_t cursor, htable_visitor visit, void *ctx);
/* htable_each: every pair. */
void htable_each(const struct htable *t, htable_visitor visit, void *ctx);
/* htable_copy: another table with copies of all pairs; NULL: no memory. */
const struct htable *htable_copy(const struct htable *t);
/* htable_weigh: bytes that it takes, reckoned from a sample of so many pairs; 0: from all. */
uint64_t htable_weigh(const struct htable *t, uint64_t samples);
/* htable_verify: see ktable_verify(). */
void htable_verify(const struct htable *t);

/* hash_pair_new: NULL: no memory. */
const struct hash_pair *hash_pair_new(struct slice field, struct slice value);
void hash_pair_free(const struct hash_pair *p);
/* hash_pair_set: change the value in place.  false, and nothing has changed: it would not fit, or
 * another block would cost less. */
bool hash_pair_set(const struct hash_pair *p, struct slice value);

static inline struct slice
hash_pair_field(const struct hash_pair *p)
{
    return (struct slice){.ptr = p->bytes, .len = p->field_len};
}

static inline struct slice
hash_pair_value(const struct hash_pair *p)
{
    return (struct slice){.ptr = p->bytes + p->field_len, .len = p->value_len};
}

#endif
