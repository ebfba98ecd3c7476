/* server/data/list/list.h - the list type: a listpack in the record while it is small, nodes of
 * entries beyond (list_impl.h).
 *
 * Both ends are reached in O(1), any element in O(log n) and a walk within one node.  The limits
 * are list-max-listpack-size (of a listpack, and of a node); a list is never empty: the key goes
 * with its last element.  What OBJECT ENCODING says follows Redis 7.2's rules, not where the bytes
 * are.
 * Threads: mutator. */
#ifndef SERVER_DATA_LIST_LIST_H
#define SERVER_DATA_LIST_LIST_H

#include "server/data/db/db.h"
#include "server/data/db/type.h"
#include "snapshot/rdb/listpack.h"

/* What a listpack, and a node, may hold: list-max-listpack-size. */
struct list_limits {
    int64_t listpack_size; /* > 0: elements; 0: one; -1 .. -5: 4 KiB .. 64 KiB */
};
extern struct list_limits list_limits;

enum list_side { LIST_HEAD, LIST_TAIL };

uint64_t list_len(const struct record *r);

/* list_shape: how its elements are spread: DEBUG QUICKLIST.  A list of one node has that as first
 * and last.  O(1) */
struct list_shape {
    uint64_t elements, nodes, first, last; /* first, last: elements of those nodes */
};
void list_shape(const struct record *r, struct list_shape *ret);

/* An element: ptr != NULL: these bytes; NULL: the integer. */
struct list_elem {
    const char *ptr;
    size_t len;
    int64_t value;
};
/* list_text: as bytes; an integer is printed into scratch. */
struct slice list_text(const struct list_elem *e, char scratch[LP_INT_TEXT_BYTES]);
/* list_get: element i (i < list_len). */
void list_get(const struct record *r, uint64_t i, struct list_elem *ret);

/* A walk from element to element, while the list does not change. */
struct list_iter {
    const struct record *rec;
    uint64_t next, left; /* number of the next element; how many are left of the run at hand */
    const uint8_t *at;   /* forwards: the next entry; backwards: the end of the next one */
    bool backwards, plain, is_over;
    size_t plain_len;
};
/* list_iter_init: the first element that will be given is number i, if there is such a one. */
void list_iter_init(struct list_iter *it, const struct record *r, uint64_t i, bool backwards);
bool list_iter_next(struct list_iter *it, struct list_elem *ret);

/* list_runs: elements first .. first + count - 1 as runs of entries that stand together.  The calls
 * that are given: entries of a listpack, or one element as it is. */
struct list_run {
    const uint8_t *at, *end;
    uint64_t count;
    bool plain;
};
void list_runs(const struct record *r, uint64_t first, uint64_t count,
               void (*visit)(void *ctx, const struct list_run *run), void *ctx);

/* list_add: words one after the other at that end, of the list at ref or a new one: all or, with
 * -ENOMEM, none. */
int list_add(struct db_ref *ref, enum list_side side, const struct slice *words, int count);
/* list_trim: so many elements at the head and at the tail go; when none is left the key too.  0 or
 * -ENOMEM. */
int list_trim(struct db_ref *ref, uint64_t head, uint64_t tail);
/* list_set: element i becomes this word.
 * list_insert: a word before element i, or at the end for i = list_len. 0 or -ENOMEM */
int list_set(struct db_ref *ref, uint64_t i, struct slice word);
int list_insert(struct db_ref *ref, uint64_t i, struct slice word);
/* list_rem: the first or last `limit` elements that are this word.  0 and how many in *ret_removed,
 * or -ENOMEM. */
int list_rem(struct db_ref *ref, struct slice word, uint64_t limit, enum list_side from,
             uint64_t *ret_removed);

/* list_move: the element at one end of the list at `from` goes to an end of the list at `to`,
 * another key, or a new list.
 * list_rotate: within one list.  0 or -ENOMEM, and nothing has changed. */
int list_move(struct db_ref *from, enum list_side from_side, struct db_ref *to,
              enum list_side to_side);
int list_rotate(struct db_ref *ref, enum list_side from, enum list_side to);

/* list_packed_threshold: DEBUG QUICKLIST-PACKED-THRESHOLD: an element of so many bytes gets a plain
 * node; 0: the configured limits say. */
extern uint64_t list_packed_threshold;

#endif
