/* server/data/zset/zroot_move.c - the blocks of a large sorted set move: the table's, then the
 * tree's, and with its leaves the entries, to which both point. */
#include "mm/base/keyhash.h"
#include "server/data/db/ltable_move.h"
#include "server/data/zset/zroot.h"

/* set_entry: the key at the path is that of an entry that stands somewhere else now; where it is
 * the first one below a child, the node above says so too (ZT2). */
static void
set_entry(const struct zpath *p, const struct zentry *e)
{
    move_set(&p->leaf->entry[p->at], e);
    if (p->at > 0)
        return;
    for (unsigned l = p->height; l-- > 0;) {
        move_set(&p->up[l].node->first[p->up[l].at], e);
        if (p->up[l].at > 0)
            return;
    }
}

static void
move_entry(const struct zroot *z, struct mover *m, const struct zpath *p)
{
    const struct lt_moved table = LT_MOVED(&z->table, false);
    const struct zentry *e = zpath_entry(p), *to;
    uint64_t hash = mm_wants_move(e) ? keyhash(zentry_member(e)) : 0;

    if ((to = move_ask(m, e)) == e)
        return;
    ltable_entry_moved(&table, hash, e, to);
    set_entry(p, to);
}

/* move_way: the nodes of a path; it follows them. */
static void
move_way(const struct zroot *z, struct mover *m, struct zpath *p)
{
    const void *const *place = &z->tree.top;

    for (unsigned l = 0; l < p->height; l++) {
        move_at(m, place);
        p->up[l].node = *place;
        place = &p->up[l].node->child[p->up[l].at];
    }
    move_at(m, place);
    p->leaf = *place;
}

bool
zroot_move(const struct zroot *z, struct mover *m, uint64_t next[4])
{
    enum { STAGE, BUCKET, RANK = BUCKET + 2 };
    const struct lt_moved table = LT_MOVED(&z->table, false);

    if (next[STAGE] == 0) {
        if (!ltable_move(m, &table, &next[BUCKET]))
            return false;
        next[STAGE] = 1;
    }
    while (next[RANK] < zroot_count(z)) {
        struct zpath p;

        ztree_seek(&z->tree, next[RANK], &p);
        move_way(z, m, &p);
        do {
            move_entry(z, m, &p);
            next[RANK]++;
        } while (++p.at < p.leaf->count && m->left > 0);
        if (m->left <= 0)
            break;
    }
    return next[RANK] >= zroot_count(z);
}
