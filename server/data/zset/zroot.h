/* server/data/zset/zroot.h - a large sorted set ("skiplist" to OBJECT ENCODING): the root, from
 * which a tree gives the entries in order and a hash table finds them by member.  All of it lives
 * in the values heap.
 *
 *   ZR1  Table and tree hold the same entries, and the tree has their scores; but while ZADD
 *        changes several members, scores that are about to go stand in the tree beside the new
 *        ones, until zroot_commit().
 *
 * Threads: mutator; the sweep reads the same structures through a view (save_zset.c). */
#ifndef SERVER_DATA_ZSET_ZROOT_H
#define SERVER_DATA_ZSET_ZROOT_H

#include "server/data/db/ltable.h"
#include "server/data/zset/ztree.h"

LT_DEFINE(ztable, const);

struct zroot {
    struct ztree tree;
    struct ztable table;
};

typedef void (*ztable_visitor)(void *ctx, const void *entry);

/* zroot_new: an empty one; NULL: no memory.  Owner: the record that will point to it.
 * zroot_expect: the table of an empty one gets buckets for so many members as are going to come, or
 * for some. */
const struct zroot *zroot_new(void);
void zroot_expect(const struct zroot *z, uint64_t members);
/* zroot_free: all of it at once; zroot_drop() in steps: about so many entries or nodes; where[]
 * begins as zeros. True: all is gone. */
void zroot_free(const struct zroot *z);
bool zroot_drop(const struct zroot *z, uint64_t where[16], uint64_t entries);
/* zroot_move: from next (zeros at first) on: see type_ops. */
struct mover;
bool zroot_move(const struct zroot *z, struct mover *m, uint64_t next[4]);
/* zroot_copy: NULL: no memory. */
const struct zroot *zroot_copy(const struct zroot *z);
uint64_t zroot_weigh(const struct zroot *z, uint64_t samples);
void zroot_verify(const struct zroot *z);

static inline uint64_t
zroot_count(const struct zroot *z)
{
    return z->table.count;
}

/* zroot_get: the entry of a member; NULL: there is none. */
const struct zentry *zroot_get(const struct zroot *z, struct slice member);
/* zroot_walk: one step as in htable_walk(). */
uint64_t zroot_walk(const struct zroot *z, uint64_t cursor, ztable_visitor visit, void *ctx);

/* ---- change one member ---- */

/* zroot_add: a member that is not there.  0 or -ENOMEM. */
int zroot_add(const struct zroot *z, double score, struct slice member);
/* zroot_enter: a fresh entry, whose member has this hash.  0; -EEXIST: the member is there;
 * -ENOMEM; then nothing has changed, and the entry is the caller's.
 * zroot_warm: a hint that one with this hash is going to be entered. */
int zroot_enter(const struct zroot *z, uint64_t hash, const struct zentry *e);
void zroot_warm(const struct zroot *z, uint64_t hash);
/* zroot_remove: false: it was not there. */
bool zroot_remove(const struct zroot *z, struct slice member);
/* zroot_cut: the entries of ranks [from, from + count). */
void zroot_cut(const struct zroot *z, uint64_t from, uint64_t count);

/* ---- change several, or none ---- */

/* What was done to one member.  zroot_put() notes it; zroot_commit() makes all that was noted
 * final, zroot_take_back() undoes it, neither can fail. */
struct zchange {
    const struct zentry *entry;
    double old_score;
    enum zchange_kind { ZCHANGE_NONE, ZCHANGE_ADDED, ZCHANGE_MOVED, ZCHANGE_IN_PLACE } kind;
};

/* zroot_put: the member, whose entry is `old` (NULL: none), gets this score.  0 or -ENOMEM: nothing
 * was done. */
int zroot_put(const struct zroot *z, const struct zentry *old, double score, struct slice member,
              struct zchange *ret);
void zroot_commit(const struct zroot *z, const struct zchange *changes, uint64_t count);
void zroot_take_back(const struct zroot *z, const struct zchange *changes, uint64_t count);

/* ---- build: entries into the table alone, then the tree over all ---- */

/* zroot_collect: a member with this score, not in the tree yet: its entry, NULL: no memory. */
const struct zentry *zroot_collect(const struct zroot *z, double score, struct slice member);
/* zroot_each: every entry of the table, in no order; visit must not change it. */
void zroot_each(const struct zroot *z, ztable_visitor visit, void *ctx);
/* zentry_sort: bring entries into order: by score, then member.  false: no memory.  Cost O(n) but
 * for entries of equal score. */
bool zentry_sort(const struct zentry **entries, uint64_t count);
/* zroot_sorted: all entries of the table in order, for the caller to free(); NULL: no memory. */
const struct zentry **zroot_sorted(const struct zroot *z);
/* zroot_plant: the tree over these sorted entries, in the place of an empty one.  false: no
 * memory. */
bool zroot_plant(const struct zroot *z, const struct zentry *const *sorted);

#endif
