/* server/data/hash/thash.h - a large hash with fields that expire: the table of a large hash
 * (htable.h), and a tree of the pairs that have a time, in its order.  All of it lives in the
 * values heap.
 *
 *   H3  A pair without a time is the plain pair of a large hash.  One with a time says
 *       TPAIR_TIMED where the plain one says the length of its value, and has a struct tpair_tail
 *       between field and value.  So a table becomes one with times, and a plain one again, without
 *       a look at its pairs: the root alone is another.
 *   H4  The tree holds the address of each pair with a time, and of no other, under the time and
 *       the pair's number.
 *
 * Threads: mutator.  The sweep reads the same structures through a view (timed_type.c). */
#ifndef SERVER_DATA_HASH_THASH_H
#define SERVER_DATA_HASH_THASH_H

#include "server/data/db/idtree.h"
#include "server/data/hash/hash.h"

struct thash {
    struct htable table; /* first: what knows large hashes reads this one */
    struct idtree times; /* (time, number) -> struct hash_pair * */
};

#define TPAIR_TIMED UINT32_MAX

/* Between field and value, not aligned. */
struct tpair_tail {
    int64_t expire_at_ms; /* unix */
    uint64_t number;      /* tells pairs of one time apart (thash_number()) */
    uint32_t value_len;
} __attribute__((packed));

static inline bool
tpair_is_timed(const struct hash_pair *p)
{
    return p->value_len == TPAIR_TIMED;
}

/* tpair_tail: of a pair with a time.
 * tpair_value, tpair_expire: of any; RECORD_NO_EXPIRE: it has no time. */
static inline struct tpair_tail
tpair_tail(const struct hash_pair *p)
{
    struct tpair_tail t;

    memcpy(&t, p->bytes + p->field_len, sizeof t);
    return t;
}

static inline struct slice
tpair_value(const struct hash_pair *p)
{
    struct tpair_tail t;

    if (!tpair_is_timed(p))
        return hash_pair_value(p);
    t = tpair_tail(p);
    return (struct slice){.ptr = p->bytes + p->field_len + sizeof t, .len = t.value_len};
}

static inline int64_t
tpair_expire(const struct hash_pair *p)
{
    return tpair_is_timed(p) ? tpair_tail(p).expire_at_ms : RECORD_NO_EXPIRE;
}

/* tpair_new: a fresh pair; with RECORD_NO_EXPIRE a plain one.  NULL: no memory. */
const struct hash_pair *tpair_new(struct slice field, struct slice value, int64_t expire_at_ms,
                                  uint64_t number);

/* thash_new: an empty one; NULL: no memory.
 * thash_of: one that has taken over all that is in t, whose root alone is the caller's to free once
 * nobody reads it any more; t must not be used beside it.  NULL: no memory. */
const struct thash *thash_new(void);
const struct thash *thash_of(const struct htable *t);
/* thash_free, thash_drop, thash_copy, thash_weigh, thash_verify, thash_move: as type_ops says. */
void thash_free(const struct thash *t);
bool thash_drop(const struct thash *t, uint64_t where[16], uint64_t pairs);
const struct thash *thash_copy(const struct thash *t);
uint64_t thash_weigh(const struct thash *t, uint64_t samples);
void thash_verify(const struct thash *t);
bool thash_move(const struct thash *t, struct mover *m, uint64_t next[4]);

static inline uint64_t
thash_count(const struct thash *t)
{
    return t->table.count;
}

/* thash_first: the smallest time; RECORD_NO_EXPIRE: no pair has one.  O(log n) */
int64_t thash_first(const struct thash *t);
/* thash_earliest: the pair with it; NULL. */
const struct hash_pair *thash_earliest(const struct thash *t);

/* thash_set: all of these, or -ENOMEM and nothing has changed.  An item without a value keeps the
 * field's, which is there.  *ret_added: how many were not there before, or had expired by
 * now_ms. */
int thash_set(const struct thash *t, const struct hash_item *items, int count, int64_t now_ms,
              int64_t *ret_added);
/* thash_enter: loading: a fresh pair whose field has this hash, and with thash_number()
 * if it has a time.  0; -EEXIST, -ENOMEM: it is the caller's still. */
int thash_enter(const struct thash *t, uint64_t hash, const struct hash_pair *p);
/* thash_number: one that no pair has; of all tables, so that none writes to its root for it. */
uint64_t thash_number(void);
/* thash_remove: the pair goes.  It is in the table. */
void thash_remove(const struct thash *t, const struct hash_pair *p);

#endif
