/* snapshot/rdb/field_set.h - "was this field there before?", for one hash at a time.
 *
 * Keeps 128 bits of XXH3 for each field instead of the field: a field that was there is always
 * found; two different fields are taken for one with a probability of n^2 / 2^128.  Whoever forges
 * a collision has a file refused that he could have made wrong in easier ways.
 * Threads: one at a time. */
#ifndef SNAPSHOT_RDB_FIELD_SET_H
#define SNAPSHOT_RDB_FIELD_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct field_mark {
    uint64_t low, high; /* both 0: free */
};

struct field_set {
    struct field_mark *slot; /* [owned] power of two of them, NULL before the first add */
    size_t slots, used;
    size_t room;   /* how many there is memory for: as many as one set before has needed */
    uint64_t seed; /* so that nobody can choose which slots collide */
};

void field_set_init(struct field_set *s);
void field_set_fini(struct field_set *s);
/* field_set_clear: forget all fields; gives a large table back. */
void field_set_clear(struct field_set *s);
/* field_set_add: 1: new; 0: it was there; -ENOMEM.
 * field_set_add_in: the same in one of many spaces; fields of different spaces are different. */
int field_set_add(struct field_set *s, const void *bytes, size_t len);
int field_set_add_in(struct field_set *s, uint64_t space, const void *bytes, size_t len);
/* field_mark_of: what is kept of it: for those who compare marks in their own way.
 * field_set_has: was a field with this mark added? */
struct field_mark field_mark_of(const struct field_set *s, uint64_t space, const void *bytes,
                                size_t len);
bool field_set_has(const struct field_set *s, struct field_mark m);

#endif
