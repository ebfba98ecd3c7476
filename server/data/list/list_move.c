/* server/data/list/list_move.c - the blocks of a large list move: nodes, and the branchings of the
 * tree between them. */
#include "server/data/db/move.h"
#include "server/data/list/list_impl.h"

/* branch_with: the branch in which element *i is; *i becomes its number there. */
static uint32_t
branch_with(const struct list_inner *t, uint64_t *i)
{
    uint32_t b = 0;

    while (*i >= t->at[b].count)
        *i -= t->at[b++].count;
    return b;
}

/* move_nodes: the nodes of the lowest branching that element i is in, from its own on, and the
 * branchings above them.  Returns the first element that was not come to. */
static uint64_t
move_nodes(const struct list_root *l, struct mover *m, uint64_t i)
{
    const struct list_inner *t;
    uint64_t rest = i, next;
    uint32_t b;

    move_at(m, &l->tree);
    t = l->tree;
    for (b = branch_with(t, &rest); t->level > 0; b = branch_with(t, &rest)) {
        move_at(m, &t->at[b].child);
        t = t->at[b].child;
    }
    next = i - rest;
    do {
        move_at(m, &t->at[b].child);
        next += t->at[b].count;
    } while (++b < t->n && m->left > 0);
    return next;
}

bool
list_root_move(const struct list_root *l, struct mover *m, uint64_t next[2])
{
    if (next[0] == 0) { /* the ends */
        if (l->head != NULL)
            move_at(m, &l->head);
        move_at(m, &l->tail);
        next[0] = 1;
    }
    while (l->tree != NULL && next[1] < list_tree_count(l->tree)) {
        next[1] = move_nodes(l, m, next[1]);
        if (m->left <= 0)
            break;
    }
    return l->tree == NULL || next[1] >= list_tree_count(l->tree);
}
