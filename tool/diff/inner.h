/* tool/diff/inner.h - what changed inside of a key that both files have.
 *
 *     parts of A's value --> marks --+
 *                                    +--> which parts differ --> read again: what they were
 *     parts of B's value --> marks --+
 *
 * In memory that does not grow with the value: what comes out of the first reading are numbers of
 * parts; the second one picks these, so many at a time.
 * Threads: one. */
#ifndef TOOL_DIFF_INNER_H
#define TOOL_DIFF_INNER_H

#include "tool/diff/side.h"

enum inner_what { INNER_CHANGED, INNER_REMOVED, INNER_ADDED, INNER_WHATS };

/* What a part was, or is: of its text what has room.  bytes: of all of it; -1: there is none. */
struct inner_text {
    struct slice text;
    int64_t bytes;
    int64_t expire_at_ms; /* -1: never */
};

struct inner_change {
    enum inner_what what;
    enum part_kind kind;
    uint64_t index; /* of an element: in A, or, ADDED, in B */
    struct slice name, within;
    struct inner_text before, after;
};

/* A key as one side has it. */
struct inner_key {
    uint64_t db, elements, bytes; /* bytes: of a string */
    enum rdb_value_kind kind;
    int64_t expire_at_ms;
};

struct inner {
    struct side *a, *b;
    struct parts reader; /* of either side */
    struct sorter of_a, of_b, found;
    uint64_t counts[INNER_WHATS];
    struct slice name; /* of the key in hand */
    struct inner_key key_a, key_b;
    struct inner_state *state; /* [owned] its own */
};

/* inner_init: 0 or -ENOMEM.  inner_fini in any case, and of zeros. */
int inner_init(struct inner *in, struct side *a, struct side *b);
void inner_fini(struct inner *in);
/* inner_look: read the key at these offsets (UINT64_MAX: not there): its name, key_a, key_b, and,
 * if it is there twice and of one kind, counts of what differs.  0 or -errno, err filled. */
int inner_look(struct inner *in, uint64_t at_a, uint64_t at_b, struct rdb_error *err);
/* inner_each: up to `most` of the changes that inner_look() has counted.  0, what `change` has
 * returned, or -errno. */
int inner_each(struct inner *in, uint64_t most,
               int (*change)(void *ctx, const struct inner_change *c), void *ctx,
               struct rdb_error *err);

#endif
