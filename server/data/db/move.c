/* server/data/db/move.c - the pointers that follow what has moved. */
#include "server/data/db/move.h"

void
move_set(const void *place, const void *p)
{
    memcpy(mm_modify(place, sizeof p), &p, sizeof p);
}

bool
move_at(struct mover *m, const void *place)
{
    const void *p, *to;

    memcpy(&p, place, sizeof p);
    if ((to = move_ask(m, p)) == p)
        return false;
    move_set(place, to);
    return true;
}
