/* server/data/zset/zset.h - the sorted set type: a listpack (member, score, member, score, ...) in
 * order while it is small, a tree and a table (zroot.h) beyond.
 *
 * The limits are zset-max-listpack-entries (members) and zset-max-listpack-value (bytes of a
 * member); what has become large stays so.  A sorted set is never empty: the key goes with its last
 * member.  Every range, be it of ranks, scores or members, is one of ranks here: zset_from()
 * and zset_to() tell the ranks at which its bounds stand.
 * Threads: mutator. */
#ifndef SERVER_DATA_ZSET_ZSET_H
#define SERVER_DATA_ZSET_ZSET_H

#include "server/data/db/db.h"
#include "server/data/zset/zroot.h"

/* What a listpack may hold: zset-max-listpack-entries, zset-max-listpack-value. */
struct zset_limits {
    uint64_t listpack_members;
    uint64_t listpack_member_bytes; /* the longest member */
};
extern struct zset_limits zset_limits;

struct zmember {
    double score;
    struct slice member;
};

typedef void (*zset_visitor)(void *ctx, struct slice member, double score);

/* ---- read ---- */

uint64_t zset_len(const struct record *r);
/* zset_score: false: no such member. */
bool zset_score(const struct record *r, struct slice member, double *ret);
/* zset_rank: from the lowest score; false: no such member. */
bool zset_rank(const struct record *r, struct slice member, uint64_t *ret_rank, double *ret_score);

/* An end of a range of scores, or of members where all scores are equal. */
struct zbound {
    bool is_member; /* else a score */
    bool exclusive;
    int infinite; /* of members: -1 below all, 1 above all */
    double score;
    struct slice member;
};
/* zset_from: the rank of the first element of a range that begins with this bound;
 * zset_to: the rank behind the last one of a range that ends with it. */
uint64_t zset_from(const struct record *r, const struct zbound *min);
uint64_t zset_to(const struct record *r, const struct zbound *max);

/* zset_range: count elements from the rank on, upwards, or downwards with reverse.  They must be
 * there.  The member is good during the call. */
void zset_range(const struct record *r, uint64_t rank, uint64_t count, bool reverse,
                zset_visitor visit, void *ctx);

/* ---- change ---- */

enum zset_flag { ZSET_NX = 1, ZSET_XX = 2, ZSET_GT = 4, ZSET_LT = 8, ZSET_INCR = 16 };

struct zset_added {
    int64_t added, updated;
    bool done;    /* the last one was not held back by a flag */
    double score; /* ... and then has this score */
};

/* zset_add: all of them in order, as the flags say, or nothing.  0; -ENOMEM; -EDOM: an increment
 * gave no number. No key is made where no member is added. */
int zset_add(struct db_ref *ref, unsigned flags, const struct zmember *members, int count,
             struct zset_added *ret);
/* zset_remove: 0 and how many were there, or -ENOMEM and all still are; never so for large ones.
 * ref->rec is NULL when the key went with its last member. */
int zset_remove(struct db_ref *ref, const struct slice *members, int count, int64_t *ret_removed);
/* zset_cut: the elements of ranks [from, from + count), which must be there.  0 or -ENOMEM, as
 * zset_remove(). */
int zset_cut(struct db_ref *ref, uint64_t from, uint64_t count);

/* ---- make one ---- */

/* zset_is_small: may so many members, the longest of which is so long, be a listpack? */
bool zset_is_small(uint64_t count, size_t longest);
/* zset_value_of: the value for entries that were collected in z and sorted: a listpack where they
 * are few and short (in memory that is good until the next call; z is freed), else z, which must
 * have no tree yet. false: no memory; z is still the caller's. */
struct value;
bool zset_value_of(const struct zroot *z, const struct zentry *const *sorted, size_t key_len,
                   struct value *ret);
/* zset_root_of: what a listpack holds; NULL: no memory. */
const struct zroot *zset_root_of(const uint8_t *listpack);

#endif
