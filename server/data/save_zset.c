/* server/data/save_zset.c - a large sorted set, read through the view: root, then the tree from right to
 * left, each leaf's entries.  Nothing here follows a live pointer. */
#include "server/data/save_zset.h"

#include <errno.h>

struct tree_walk {
    struct save_work *work;
    uint64_t entries; /* written */
};

static void
put_score(struct rdb_enc *enc, double score)
{
    uint8_t bytes[sizeof score];
    uint64_t bits;

    memcpy(&bits, &score, sizeof bits);
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(bits >> 8 * i);
    sink_put(enc->out, bytes, sizeof bytes);
}

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
    member = zentry_member(&head.entry);
    if ((r = save_string(w->work, (const char *)live + zentry_head(member.len), member.len, true)) != 0)
        return r;
    put_score(w->work->enc, score);
    w->entries++;
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
    /* Count and children: the first page. */
    if ((r = view_read(w->work->view, &node, live, offsetof(struct zinner, score))) != 0)
        return r;
    if (node.count > ZTREE_MAX)
        return -EBADMSG;
    for (uint64_t i = node.count; i-- > 0;)
        if ((r = save_node(w, node.child[i], height - 1)) != 0)
            return r;
    return 0;
}

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
    return w.entries == root.table.count
               ? 0
               : -EBADMSG; /* else a rule is broken: better no file than a wrong one */
}
