/* tool/check/twice.h - keys of a database, and elements of a value, that come twice in a file.
 *
 * Two passes.  The first takes 64 bits of XXH3 of each (seen.h).  If some came twice there is a
 * second one, which takes another 128 bits of those alone: what is the same in these, too, came
 * twice, at the place where the second pass then stands.  Seeds are drawn for each file, so that
 * nobody can write one with names that collide.  What is found is the first in the file, or, where
 * more than SEEN_SUSPECTS came twice, one of them.
 * Threads: one. */
#ifndef TOOL_CHECK_TWICE_H
#define TOOL_CHECK_TWICE_H

#include "mm/base/slice.h"
#include "snapshot/rdb/field_set.h"
#include "snapshot/rdb/rdb_dec.h"
#include "tool/check/seen.h"

struct twice {
    bool is_second;    /* pass */
    bool is_plain;     /* the value in hand has elements that the decoder has not compared */
    bool has_elements; /* ... and some have come */
    uint64_t seed, value_seed;
    struct seen keys, elements;
    struct seen_set suspects;
    struct field_set confirmed; /* of the second pass: the suspects' names that have come */
};

/* What an add says: of the second pass only, it came before. */
enum { TWICE_NOT = 0, TWICE_FOUND = 1 };

void twice_init(struct twice *t);
void twice_fini(struct twice *t);
/* twice_key: a key, and the beginning of its value.  twice_element: of different spaces are
 * different.  TWICE_... or -errno. */
int twice_key(struct twice *t, const struct rdb_key *k);
int twice_element(struct twice *t, uint64_t space, struct slice element);
/* twice_value_end: of the value in hand; twice_end: of all keys.  0 or -errno. */
int twice_value_end(struct twice *t);
int twice_end(struct twice *t);
/* twice_begin_second: false: nothing is suspect, so no second pass is needed. */
bool twice_begin_second(struct twice *t);

#endif
