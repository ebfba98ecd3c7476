/* server/data/db/move.h - asking mm_move() at every pointer into the arena (mm/compact.h), a
 * bounded amount in a step.
 *
 * Each data type walks through its own structures (type_ops.move); db_move.c walks through the
 * keys.
 *
 *   MV1 A place that points to what has moved is written in the same step, through mm_modify()
 *       (TY2); where two places point to it, both are.  Between two steps everything is as the
 *       type's rules say.
 *   MV2 Nothing is remembered between two steps but numbers: the bucket, the rank, the id with
 *       which the walk goes on.  They mean something in whatever the structure has become; what is
 *       missed because it has changed stays where it is until the next pass.
 *
 * Threads: mutator. */
#ifndef SERVER_DATA_DB_MOVE_H
#define SERVER_DATA_DB_MOVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "mm/compact.h"
#include "mm/mm.h"

/* Looking at a pointer counts as one; moving what it names as MOVE_COST more, and one for each
 * MOVE_BYTES copied. */
enum { MOVE_COST = 4, MOVE_BYTES = 256 };

/* What a step may still do, and what was done. */
struct mover {
    int64_t left; /* at or below zero: the step ends */
    uint64_t moved, stayed;
};

/* move_ask: where p, a block of the arena, stands now. */
static inline const void *
move_ask(struct mover *m, const void *p)
{
    const void *to = p;

    m->left--;
    if (unlikely(mm_wants_move(p))) {
        m->left -= MOVE_COST + (int64_t)(mm_usable(p) / MOVE_BYTES);
        to = mm_move(p);
    }
    m->moved += to != p;
    m->stayed += to == p;
    return to;
}

/* move_set: the pointer at `place`, in the arena, becomes p. */
void move_set(const void *place, const void *p);
/* move_at: the block that the pointer at `place` names moves, if it is to; the pointer follows.
 * True: it has. */
bool move_at(struct mover *m, const void *place);

#endif
