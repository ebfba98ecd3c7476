/* server/data/set/set_combine.h - sets made of several: intersection, union, difference; and the
 * making of a new set from members as they come.
 * Threads: mutator. */
#ifndef SERVER_DATA_SET_SET_COMBINE_H
#define SERVER_DATA_SET_SET_COMBINE_H

#include "server/data/set/set.h"

/* set_sink: takes those members of the batch that stand in `which`.  false: it wants no more. */
typedef bool (*set_sink)(void *ctx, struct set_batch *b, uint32_t which);

/* set_each: all members of one set. */
void set_each(const struct set *s, set_sink sink, void *ctx);
/* set_inter: members that all sets have; sorts them.  count > 0.
 * set_diff: members of the first that no other has; sorts the others.  count > 0.  0 or -ENOMEM
 * set_union: members of any set, each once; distinct false: the sink looks for repetitions itself,
 * and gets all. */
void set_inter(struct set *sets, unsigned count, set_sink sink, void *ctx);
int set_diff(struct set *sets, unsigned count, set_sink sink, void *ctx);
void set_union(const struct set *sets, unsigned count, bool distinct, set_sink sink, void *ctx);

/* A set being made: integers, then a listpack, then a table, as the limits say. */
struct set_build {
    enum set_form form;
    bool distinct; /* no member comes twice */
    /* so far: at the end it becomes an intset if there are few; false: it does not */
    bool only_ints;
    int error; /* 0 or -ENOMEM: what was added is worth nothing */
    int64_t *integers;
    uint64_t count, room; /* of integers */
    uint64_t sorted_at;   /* how many there may be before they are sorted */
    uint8_t *listpack;
    size_t listpack_room;
    const struct mtable *table;
};

/* set_build_init: distinct: see above; form: what to begin with, SET_INTS or SET_LISTPACK.
 * set_build_add: a set_sink; the context is the struct set_build.
 * set_build_view: what it holds, to be read before it is stored or freed.
 * The end is one of
 *   set_build_store: it becomes the value at ref; not when it is empty.  0 or -ENOMEM; *ret_count:
 *       members.
 *   set_build_free: without storing. */
void set_build_init(struct set_build *b, enum set_form form, bool distinct);
bool set_build_add(void *build, struct set_batch *b, uint32_t which);
int set_build_store(struct set_build *b, struct db_ref *ref, int64_t expire_at_ms,
                    uint64_t *ret_count);
int set_build_view(struct set_build *b, struct set *ret);
void set_build_free(struct set_build *b);

/* ---- at random ---- */

/* set_sample: so many different members, at most as many as there are; each choice is as likely as
 * any other. 0 or -ENOMEM */
int set_sample(const struct set *s, uint64_t count, set_sink sink, void *ctx);
/* set_pop: the same, and they leave the set at ref, which has more.  0, or -ENOMEM: all are still
 * there, but the sink has seen some of them. */
int set_pop(struct db_ref *ref, uint64_t count, set_sink sink, void *ctx);

#endif
