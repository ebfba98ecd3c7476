/* server/data/zset/save_zset.c - a large sorted set, read through the view: root, then the tree
 * from right to left, each leaf's entries.  Nothing here follows a live pointer. */
#include "server/data/zset/save_zset.h"

#include <errno.h>

struct tree_walk {
    struct save_work *work;
    uint64_t entries; /* written */
    double score;     /* of the last one, and where it lives */
    const struct zentry *last;
};

/* save_entry: its score stands in the leaf. */
static int
save_entry(struct tree_walk *w, const struct zentry *live, double score)
{
    union { /* the head of a long entry is as long as the smallest entry's block */
        struct zentry entry;
        char bytes[16];
    } head;
    struct slice member;
    int r;

    if ((r = view_read(w->work->view, &head, live, sizeof head)) != 0)
        return r;
    if (head.entry.score != score)
        return -EBADMSG; /* ZR1 */
    member = zentry_member(&head.entry);
    if ((r = save_string(w->work, (const char *)live + zentry_head(member.len), member.len,
                         true)) != 0)
        return r;
    rdb_put_double(w->work->enc, score);
    w->entries++;
    w->score = score;
    w->last = live;
    return 0;
}

static int
save_leaf(struct tree_walk *w, const struct zleaf *live)
{
    struct zleaf leaf;
    int r;

    if ((r = view_read(w->work->view, &leaf, live, sizeof leaf)) != 0)
        return r;
    if (leaf.count > ZTREE_MAX)
        return -EBADMSG;
    for (uint64_t i = leaf.count; i-- > 0;)
        if ((r = save_entry(w, leaf.entry[i], leaf.score[i])) != 0)
            return r;
    return save_breath(w->work);
}

/* save_node: recursion goes as deep as the tree is high, ZTREE_LEVELS at most. */
static int
save_node(struct tree_walk *w, const void *live, uint64_t height)
{
    struct zinner node;
    int r;

    if (height == 0)
        return save_leaf(w, live);
    if ((r = view_read(w->work->view, &node, live, sizeof node)) != 0)
        return r;
    if (node.count > ZTREE_MAX)
        return -EBADMSG;
    for (uint64_t i = node.count; i-- > 0;) {
        uint64_t before = w->entries;

        if ((r = save_node(w, node.child[i], height - 1)) != 0)
            return r;
        if (w->entries - before != node.below[i] || w->score != node.score[i] ||
            w->last != node.first[i])
            return -EBADMSG; /* ZT2 */
    }
    return 0;
}

#ifdef STILLFRAME_DEBUG
/* count_chain: the entries of a staged bucket and its children; of a junction, of both sides. */
static int
count_chain(struct save_work *work, struct lt_bucket *staged, uint64_t *count)
{
    int r = 0;

    if (lt_is_junction(staged)) {
        for (unsigned side = 0; r == 0 && side < 2; side++) {
            struct lt_bucket next;

            r = view_read(work->view, &next, lt_side(staged, side), sizeof next);
            if (r == 0)
                r = count_chain(work, &next, count);
        }
        return r;
    }
    *count += lt_count(staged);
    while (r == 0 && lt_has_child(staged))
        if ((r = view_read(work->view, staged, lt_child(staged), sizeof *staged)) == 0)
            *count += lt_count(staged);
    return r;
}

/* check_table: ZR1 as far as numbers go.  Files are made of the tree alone: in test builds the
 * table must be what it was at the cut all the same. */
static int
check_table(struct save_work *work, const struct ztable *table)
{
    uint64_t count = 0;
    int r = 0;

    for (uint64_t i = 0; r == 0 && i < table->buckets; i++) {
        unsigned s = lt_segment_of(i);
        struct lt_bucket bucket;

        r = view_read(work->view, &bucket,
                      table->segment[s] + (s == 0 ? 0 : i - lt_segment_buckets(s)), sizeof bucket);
        if (r == 0)
            r = count_chain(work, &bucket, &count);
    }
    if (r != 0)
        return r;
    return count == table->count ? 0 : -EBADMSG;
}
#else
static int
check_table(struct save_work *work, const struct ztable *table)
{
    (void)work;
    (void)table;
    return 0;
}
#endif

int
save_zroot(struct save_work *work, const struct zroot *live)
{
    struct tree_walk w = {.work = work};
    struct zroot root;
    int r;

    if ((r = view_read(work->view, &root, live, sizeof root)) != 0)
        return r;
    if (root.tree.height > ZTREE_LEVELS)
        return -EBADMSG;
    rdb_put_len(work->enc, root.table.count);
    if ((r = save_node(&w, root.tree.top, root.tree.height)) != 0)
        return r;
    if (w.entries != root.table.count)
        return -EBADMSG; /* a rule is broken: better no file than a wrong one */
    return check_table(work, &root.table);
}
