/* server/data/hash/hash.h - the hash type: a listpack (field, value, field, value, ...) while it is
 * small, a table beyond.
 *
 * The limits are hash-max-listpack-entries (pairs) and hash-max-listpack-value (bytes of a field or
 * value); a hash that has become a table stays one.  A hash is never empty: the key goes with its
 * last field.
 *
 * A hash with a field that expires is of a type of its own, TYPE_TIMED_HASH (timed.h), so that the
 * others know nothing of times.  All calls here take both.  A field whose time has passed is there
 * until it is taken away, but shown to nobody; hash_len() alone counts it.
 * Threads: mutator. */
#ifndef SERVER_DATA_HASH_HASH_H
#define SERVER_DATA_HASH_HASH_H

#include "server/data/db/db.h"
#include "server/data/hash/htable.h"
#include "snapshot/rdb/listpack.h"

/* What a listpack may hold: hash-max-listpack-entries, hash-max-listpack-value. */
struct hash_limits {
    uint64_t listpack_pairs;
    uint64_t listpack_word_bytes; /* the longest field or value */
};
extern struct hash_limits hash_limits;

static inline bool
hash_is(const struct record *r)
{
    return record_type(r) == TYPE_HASH || record_is_timed(r);
}

uint64_t hash_len(const struct record *r);
/* hash_shown: how many fields are shown; O(1), but O(n) while there are some whose time has
 * passed. */
uint64_t hash_shown(const struct record *r);
/* hash_shown_upto: how many of `most` fields are shown: most, or fewer where there are not so many.
 * O(most) */
uint64_t hash_shown_upto(const struct record *r, uint64_t most);
/* hash_get: the value of a field, good until the hash changes; a number in a listpack is printed
 * into scratch. False: there is no such field. */
bool hash_get(const struct record *r, struct slice field, char scratch[LP_INT_TEXT_BYTES],
              struct slice *ret);
/* hash_expiry: when the field expires, unix ms; RECORD_NO_EXPIRE: never.  False: there is no such
 * field. */
bool hash_expiry(const struct record *r, struct slice field, int64_t *ret_ms);
/* hash_each: every pair; the slices are good during the call. */
typedef void (*hash_visitor)(void *ctx, struct slice field, struct slice value);
void hash_each(const struct record *r, hash_visitor visit, void *ctx);
/* hash_walk: one step as in htable_walk(); a listpack is shown whole, and 0 returned. */
uint64_t hash_walk(const struct record *r, uint64_t cursor, hash_visitor visit, void *ctx);

/* hash_draw: one pair at random, visited; some are shown.
 * hash_sample: so many different ones, at most as many as are shown; each choice is as likely as
 * any other.  0 or -ENOMEM.  O(count), but O(n) of a large hash where most fields are those whose
 * time has passed. */
void hash_draw(const struct record *r, hash_visitor visit, void *ctx);
int hash_sample(const struct record *r, uint64_t count, hash_visitor visit, void *ctx);

/* hash_set: pairs of field and value, for the hash at ref or a new one.  All of them are set, or
 * -ENOMEM. Returns 0 and how many fields are new in *ret_added. */
int hash_set(struct db_ref *ref, const struct slice *fields_and_values, int pairs,
             int64_t *ret_added);
/* hash_delete: 0 and the number of fields that were there in *ret_deleted, or -ENOMEM and all are
 * still there. */
int hash_delete(struct db_ref *ref, const struct slice *fields, int count, int64_t *ret_deleted);

/* A field with what it gets: a value (ptr NULL: the one that it has; it is there), and when it
 * expires (RECORD_NO_EXPIRE: never). */
struct hash_item {
    struct slice field, value;
    int64_t expire_at_ms;
};
/* hash_put: as hash_set(), with times. */
int hash_put(struct db_ref *ref, const struct hash_item *items, int count, int64_t *ret_added);
/* hash_tidy: before a command looks at the hash at ref: some of the fields whose time has passed
 * go, and with the last one the key: ref->rec is NULL then.  The type is TYPE_TIMED_HASH. */
void hash_tidy(struct db_ref *ref);

/* For loading: hash_table_of: a table of what the listpack holds; NULL: no memory.
 * hash_is_small: may so many pairs, the longest field or value of which is so long, be a
 * listpack? */
const struct htable *hash_table_of(const uint8_t *listpack);
bool hash_is_small(uint64_t pairs, size_t longest);

#endif
