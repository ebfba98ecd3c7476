/* server/data/db/idtree_move.c - the nodes of a tree of ids move, and the blocks that its
 * values name. */
#include "server/data/db/idtree.h"
#include "server/data/db/move.h"

/* move_way: the nodes from the root to the cursor's leaf; it follows them. */
static void
move_way(struct idcursor *c, struct mover *m)
{
    const void *place = &c->tree->root;

    for (unsigned level = 0; level <= c->tree->height; level++) {
        move_at(m, place);
        memcpy(&c->node[level], place, sizeof c->node[level]);
        place = idnode_value(c->node[level], c->at[level]);
    }
}

/* move_values: those of the cursor's leaf, from its own entry on.  Returns the last one that was
 * come to. */
static unsigned
move_values(const struct idcursor *c, struct mover *m)
{
    const struct idnode *leaf = c->node[c->tree->height];
    unsigned at = c->at[c->tree->height];

    move_at(m, idnode_value(leaf, at));
    while (at + 1 < leaf->count && m->left > 0)
        move_at(m, idnode_value(leaf, ++at));
    return at;
}

/* step: the id behind this one; false: there is none. */
static bool
step(struct stream_id *id)
{
    if (++id->seq == 0)
        id->ms++;
    return id->seq != 0 || id->ms != 0;
}

bool
idtree_move(const struct idtree *t, struct mover *m, struct stream_id *next, bool with_values)
{
    struct idcursor c;

    for (;;) {
        const struct idnode *leaf;

        if (!idcursor_from(&c, t, *next))
            return true;
        move_way(&c, m);
        leaf = c.node[t->height];
        *next = idnode_id(leaf, with_values ? move_values(&c, m) : leaf->count - 1u);
        if (!step(next))
            return true;
        if (m->left <= 0)
            return false;
    }
}
