/* server/data/set/set.h - the set type: an intset while all members are integers and they are few,
 * a listpack while they are few and short, a table of members (mtable.h) beyond.
 *
 * The limits are set-max-intset-entries, set-max-listpack-entries and set-max-listpack-value; what
 * is beyond them becomes a table and stays one, as in Redis 7.2.  A set is never empty: the key
 * goes with its last member.
 * Threads: mutator. */
#ifndef SERVER_DATA_SET_SET_H
#define SERVER_DATA_SET_SET_H

#include "server/data/db/db.h"
#include "server/data/db/value.h"
#include "server/data/set/mtable.h"
#include "snapshot/rdb/intset.h"
#include "snapshot/rdb/listpack.h"

/* What an intset and a listpack may hold: set-max-intset-entries, set-max-listpack-entries,
 * set-max-listpack-value. */
struct set_limits {
    uint64_t intset_members, listpack_members;
    uint64_t listpack_member_bytes; /* the longest member */
};
extern struct set_limits set_limits;

enum set_form { SET_INTS, SET_LISTPACK, SET_TABLE };

/* A set as it is read; good until it changes. */
struct set {
    enum set_form form;
    const uint8_t *blob; /* SET_INTS, SET_LISTPACK */
    const struct mtable *table;
    uint64_t count;
};

struct set set_of(const struct record *r);
struct set set_of_value(const struct value *v);
/* set_has: is it a member? */
bool set_has(const struct set *s, struct slice member);
/* set_draw: a member at random; a number is printed into scratch. */
struct slice set_draw(const struct set *s, char scratch[LP_INT_TEXT_BYTES]);
/* set_walk: one step through a set, as type.h wants it. */
uint64_t set_walk(const struct record *r, uint64_t cursor,
                  void (*visit)(void *ctx, struct slice member, struct slice none), void *ctx);

/* set_add: to the set at ref, or a new one.  All are added, or -ENOMEM.  Returns 0 and how many are
 * new in *ret_added. */
int set_add(struct db_ref *ref, const struct slice *members, int count, int64_t *ret_added);
/* set_remove: 0 and how many were there in *ret_removed, or -ENOMEM and all are still there; never
 * so of one member of a table, or the last one.  ref->rec is NULL when the key went with its last
 * member. */
int set_remove(struct db_ref *ref, const struct slice *members, int count, int64_t *ret_removed);
/* set_move: one member from a set that has it to another set, or a new one.  0, or -ENOMEM and
 * nothing has changed. *ret_added: it was not there yet. */
int set_move(struct db_ref *from, struct db_ref *to, struct slice member, int64_t *ret_added);

/* ---- members in batches ---- */

enum { SET_BATCH = MTABLE_BATCH };

/* A batch of members, good until the next one. */
struct set_batch {
    unsigned count;
    bool are_ints, hashed; /* integer[] or hash[] are filled in */
    struct slice text[SET_BATCH];
    int64_t integer[SET_BATCH];
    uint64_t hash[SET_BATCH];
    uint64_t id[SET_BATCH]; /* of the member within its set */
    char scratch[SET_BATCH][LP_INT_TEXT_BYTES];
};

struct set_reader {
    const struct set *set;
    uint64_t at; /* element of an intset, offset in a listpack */
    struct mtable_at table_at;
    const struct set_member
        *ahead[SET_BATCH]; /* of a table: the next ones, on the way to the cache */
    unsigned ahead_count;
};

void set_reader_init(struct set_reader *r, const struct set *s);
/* set_read: the next members; 0: that was all. */
unsigned set_read(struct set_reader *r, struct set_batch *b);
/* set_match: which of those of the batch that stand in `asked` are in s?  *hint begins as 0 and is
 * of one s and one walk through another set. */
uint32_t set_match(const struct set *s, struct set_batch *b, uint32_t asked, uint32_t *hint);
/* set_batch_hash: fill in hash[]. */
void set_batch_hash(struct set_batch *b);

/* ---- for loading ---- */

/* set_ints_are_few: may so many integers be an intset?
 * set_is_small: may so many members, the longest of which is so long, be a listpack? */
bool set_ints_are_few(uint64_t count);
bool set_is_small(uint64_t count, size_t longest);
/* set_table_of: a table of what a small set holds; NULL: no memory. */
const struct mtable *set_table_of(const struct set *s);
/* set_listpack_of: of an intset, as a listpack, at dst; returns its bytes.
 * set_listpack_bytes: at most so many.
 * set_longest_int: bytes of the longest member. */
size_t set_listpack_of(const uint8_t *intset, uint8_t *dst);
size_t set_listpack_bytes(const uint8_t *intset);
size_t set_longest_int(const uint8_t *intset);

#endif
