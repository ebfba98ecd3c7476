/* server/data/zset/ztree_edit.c - the counted B+ tree: inserting and removing.  The contract is in
 * ztree.h.
 *
 * A path names the nodes as they were read; each is opened to writing when its turn comes, and only
 * the pages that change: counts and children stand in an inner node's first page, keys in its
 * second. */
#include "server/data/zset/ztree.h"

enum { KEPT_HALF = (ZTREE_MAX + 1) / 2 };

/* One child of an inner node. */
struct limb {
    uint64_t below;
    const void *child;
    double score;
    const struct zentry *first;
};

static struct zinner *
write_inner(const struct zinner *in)
{
    return mm_modify(in, sizeof *in);
}

static struct zleaf *
write_leaf(const struct zleaf *leaf)
{
    return mm_modify(leaf, sizeof *leaf);
}

static struct limb
limb_at(const struct zinner *in, unsigned i)
{
    return (struct limb){in->below[i], in->child[i], in->score[i], in->first[i]};
}

static void
put_limb(struct zinner *w, unsigned i, struct limb limb)
{
    w->below[i] = limb.below;
    w->child[i] = limb.child;
    w->score[i] = limb.score;
    w->first[i] = limb.first;
}

/* shift: children [from, count) move by `by` places. */
static void
shift(struct zinner *w, unsigned from, int by)
{
    unsigned n = (unsigned)w->count - from;

    memmove(w->below + from + by, w->below + from, n * sizeof *w->below);
    memmove(w->child + from + by, w->child + from, n * sizeof *w->child);
    memmove(w->score + from + by, w->score + from, n * sizeof *w->score);
    memmove(w->first + from + by, w->first + from, n * sizeof *w->first);
}

static void
add_below(const struct zinner *in, unsigned i, uint64_t by)
{
    uint64_t *w = mm_modify(&in->below[i], sizeof *w);

    *w += by;
}

static void
set_first(const struct zinner *in, unsigned i, double score, const struct zentry *first)
{
    struct zinner_keys *w = mm_modify(&in->keys, sizeof *w);

    w->score[i] = score;
    w->first[i] = first;
}

/* new_first: the first key under the node at level l of the path (l == height: the leaf) is now
 * this one. */
static void
new_first(const struct zpath *p, unsigned l, double score, const struct zentry *first)
{
    while (l-- > 0) {
        set_first(p->up[l].node, p->up[l].at, score, first);
        if (p->up[l].at != 0)
            return;
    }
}

void
ztree_set_top(const struct ztree *t, const void *top, uint64_t height)
{
    struct ztree *w = mm_modify(t, sizeof *t);

    w->top = top;
    w->height = height;
}

bool
ztree_init(struct ztree *t)
{
    struct zleaf *leaf = mm_alloc(MM_VALUE, sizeof *leaf);

    if (leaf == NULL)
        return false;
    leaf->count = 0;
    *t = (struct ztree){.top = leaf};
    return true;
}

/* ---- room ---- */

void
ztree_unreserve(struct zroom *room)
{
    if (room->leaf != NULL)
        mm_free(room->leaf);
    while (room->inner_count > 0)
        mm_free(room->inner[--room->inner_count]);
    room->leaf = NULL;
}

bool
ztree_reserve(const struct zpath *p, struct zroom *ret)
{
    unsigned l = p->height, need = 0;

    ret->leaf = NULL;
    ret->inner_count = 0;
    if (likely(p->leaf->count < ZTREE_MAX))
        return true;
    for (; l > 0 && p->up[l - 1].node->count == ZTREE_MAX; l--)
        need++;
    if (l == 0) { /* a new top */
        need++;
        if (p->height == ZTREE_LEVELS)
            return false;
    }
    if ((ret->leaf = mm_alloc(MM_VALUE, sizeof *ret->leaf)) == NULL)
        return false;
    for (; ret->inner_count < need; ret->inner_count++)
        if ((ret->inner[ret->inner_count] = mm_alloc(MM_VALUE, sizeof *ret->inner[0])) == NULL) {
            ztree_unreserve(ret);
            return false;
        }
    return true;
}

/* ---- insert ---- */

/* Which of the ZTREE_MAX + 1 keys of a split stay: half; but all the old ones where keys come in
 * ascending order, at the end of the tree, and only the new one in descending order: then nodes
 * become full. */
static unsigned
kept_by(const struct zpath *p, unsigned last_level)
{
    bool first = true, last = true;

    for (unsigned l = 0; l < last_level; l++) {
        first = first && p->up[l].at == 0;
        last = last && p->up[l].at + 1 == p->up[l].node->count;
    }
    if (last_level == p->height) { /* the leaf itself */
        first = first && p->at == 0;
        last = last && p->at == ZTREE_MAX;
    } else {
        first = first && p->up[last_level].at == 0;
        last = last && p->up[last_level].at + 1 == ZTREE_MAX;
    }
    return last ? ZTREE_MAX : first ? 1 : KEPT_HALF;
}

static void
put_in_leaf(const struct zleaf *leaf, unsigned at, double score, const struct zentry *e)
{
    struct zleaf *w = write_leaf(leaf);
    unsigned n = (unsigned)w->count - at;

    memmove(w->score + at + 1, w->score + at, n * sizeof *w->score);
    memmove(w->entry + at + 1, w->entry + at, n * sizeof *w->entry);
    w->score[at] = score;
    w->entry[at] = e;
    w->count++;
}

/* split_leaf: the full leaf at the path takes one more, and gives its upper keys to `fresh`: the
 * limb for it. */
static struct limb
split_leaf(const struct zpath *p, double score, const struct zentry *e, struct zleaf *fresh)
{
    double scores[ZTREE_MAX + 1];
    const struct zentry *entries[ZTREE_MAX + 1];
    struct zleaf *w = write_leaf(p->leaf);
    unsigned kept = kept_by(p, p->height), after = ZTREE_MAX - p->at, moved = ZTREE_MAX + 1 - kept;

    memcpy(scores, w->score, p->at * sizeof *scores);
    memcpy(entries, w->entry, p->at * sizeof *entries);
    scores[p->at] = score;
    entries[p->at] = e;
    memcpy(scores + p->at + 1, w->score + p->at, after * sizeof *scores);
    memcpy(entries + p->at + 1, w->entry + p->at, after * sizeof *entries);
    memcpy(w->score, scores, kept * sizeof *scores);
    memcpy(w->entry, entries, kept * sizeof *entries);
    memcpy(fresh->score, scores + kept, moved * sizeof *scores);
    memcpy(fresh->entry, entries + kept, moved * sizeof *entries);
    w->count = kept;
    fresh->count = moved;
    return (struct limb){
        .below = moved, .child = fresh, .score = scores[kept], .first = entries[kept]};
}

static void
put_in_inner(const struct zinner *in, unsigned at, struct limb limb)
{
    struct zinner *w = write_inner(in);

    shift(w, at, 1);
    put_limb(w, at, limb);
    w->count++;
}

/* split_inner: the same, for the full inner node at level l, which gets a limb behind the
 * path's. */
static struct limb
split_inner(const struct zpath *p, unsigned l, struct limb more, struct zinner *fresh)
{
    struct limb limbs[ZTREE_MAX + 1], out;
    const struct zinner *in = p->up[l].node;
    unsigned kept = kept_by(p, l), n = 0;
    struct zinner *w;

    for (unsigned i = 0; i < ZTREE_MAX; i++) {
        limbs[n++] = limb_at(in, i);
        if (i == p->up[l].at)
            limbs[n++] = more;
    }
    w = write_inner(in);
    w->count = kept;
    fresh->count = n - kept;
    for (unsigned i = 0; i < kept; i++)
        put_limb(w, i, limbs[i]);
    out = (struct limb){0, fresh, limbs[kept].score, limbs[kept].first};
    for (unsigned i = kept; i < n; i++) {
        put_limb(fresh, i - kept, limbs[i]);
        out.below += limbs[i].below;
    }
    return out;
}

/* grow: a new top over the old one and its new neighbour. */
static void
grow(const struct ztree *t, const struct zpath *p, struct limb more, struct zinner *fresh)
{
    struct limb old = {0, t->top, 0, NULL};

    if (p->height == 0) {
        old.below = p->leaf->count;
        old.score = p->leaf->score[0];
        old.first = p->leaf->entry[0];
    } else {
        const struct zinner *in = p->up[0].node;

        for (unsigned i = 0; i < in->count; i++)
            old.below += in->below[i];
        old.score = in->score[0];
        old.first = in->first[0];
    }
    fresh->count = 2;
    put_limb(fresh, 0, old);
    put_limb(fresh, 1, more);
    ztree_set_top(t, fresh, t->height + 1);
}

void
ztree_insert(const struct ztree *t, struct zpath *p, struct zroom *room, double score,
             const struct zentry *e)
{
    unsigned l = p->height;
    struct limb more;

    if (p->at == 0)
        new_first(p, l, score, e);
    if (likely(room->leaf == NULL)) {
        put_in_leaf(p->leaf, p->at, score, e);
        while (l-- > 0)
            add_below(p->up[l].node, p->up[l].at, 1);
        return;
    }
    more = split_leaf(p, score, e, room->leaf);
    while (l > 0) {
        const struct zinner *in = p->up[--l].node;

        add_below(in, p->up[l].at, 1 - more.below);
        if (in->count < ZTREE_MAX) {
            put_in_inner(in, p->up[l].at + 1, more);
            while (l-- > 0)
                add_below(p->up[l].node, p->up[l].at, 1);
            return;
        }
        more = split_inner(p, l, more, room->inner[--room->inner_count]);
    }
    grow(t, p, more, room->inner[--room->inner_count]);
}

bool
ztree_restamp(struct zpath *p, double score)
{
    const struct zentry *e = zpath_entry(p);
    struct slice member = zentry_member(e);
    struct zpath beside = *p;
    double *w;

    if (ztree_previous(&beside) &&
        (zpath_score(&beside) > score ||
         (zpath_score(&beside) == score &&
          zentry_member_compare(zentry_member(zpath_entry(&beside)), member) >= 0)))
        return false;
    beside = *p;
    if (ztree_next(&beside) &&
        (zpath_score(&beside) < score ||
         (zpath_score(&beside) == score &&
          zentry_member_compare(zentry_member(zpath_entry(&beside)), member) <= 0)))
        return false;
    w = mm_modify(&p->leaf->score[p->at], sizeof *w);
    *w = score;
    if (p->at == 0)
        new_first(p, p->height, score, e);
    return true;
}

/* ---- remove ---- */

/* take_limb: a child leaves the inner node. */
static void
take_limb(const struct zinner *in, unsigned at)
{
    struct zinner *w = write_inner(in);

    shift(w, at + 1, -1);
    w->count--;
}

static void
join_leaves(const struct zleaf *left, const struct zleaf *right)
{
    struct zleaf *w = write_leaf(left);

    memcpy(w->score + w->count, right->score, right->count * sizeof *w->score);
    memcpy(w->entry + w->count, right->entry, right->count * sizeof *w->entry);
    w->count += right->count;
    mm_free(right);
}

static void
join_inners(const struct zinner *left, const struct zinner *right)
{
    struct zinner *w = write_inner(left);

    for (unsigned i = 0; i < right->count; i++)
        put_limb(w, (unsigned)w->count + i, limb_at(right, i));
    w->count += right->count;
    mm_free(right);
}

/* node_count: keys or children of a child of a node at level l. */
static uint64_t
node_count(const void *node, bool is_leaf)
{
    return is_leaf ? ((const struct zleaf *)node)->count : ((const struct zinner *)node)->count;
}

/* merge: the child at the path of the inner node at level l has become small: join it with a
 * neighbour (ZT4). */
static void
merge(const struct zpath *p, unsigned l)
{
    const struct zinner *in = p->up[l].node;
    bool is_leaf = l + 1 == p->height;
    unsigned at = p->up[l].at;
    uint64_t own = node_count(in->child[at], is_leaf);

    if (own > ZTREE_FEW)
        return;
    if (at + 1 < in->count && own + node_count(in->child[at + 1], is_leaf) <= ZTREE_MERGED)
        at++; /* the right one of the two that become one */
    else if (at == 0 || own + node_count(in->child[at - 1], is_leaf) > ZTREE_MERGED)
        return;
    if (is_leaf)
        join_leaves(in->child[at - 1], in->child[at]);
    else
        join_inners(in->child[at - 1], in->child[at]);
    add_below(in, at - 1, in->below[at]);
    take_limb(in, at);
}

/* lower: a top with one child is none. */
static void
lower(const struct ztree *t)
{
    while (t->height > 0 && ((const struct zinner *)t->top)->count == 1) {
        const struct zinner *in = t->top;

        ztree_set_top(t, in->child[0], t->height - 1);
        mm_free(in);
    }
}

/* take_from_leaf: count keys from the path's place on. */
static void
take_from_leaf(const struct zpath *p, unsigned count)
{
    struct zleaf *w = write_leaf(p->leaf);
    unsigned from = p->at + count, n = (unsigned)w->count - from;

    memmove(w->score + p->at, w->score + from, n * sizeof *w->score);
    memmove(w->entry + p->at, w->entry + from, n * sizeof *w->entry);
    w->count -= count;
}

/* drop_emptied: the leaf is empty: it goes, and so do the inner nodes that become empty with it.
 * Returns the level below which nothing is left to look at. */
static unsigned
drop_emptied(struct zpath *p)
{
    unsigned l = p->height;

    mm_free(p->leaf);
    while (p->up[--l].node->count == 1) {
        must(l > 0);
        mm_free(p->up[l].node);
    }
    take_limb(p->up[l].node, p->up[l].at);
    if (p->up[l].at == 0)
        new_first(p, l, p->up[l].node->score[0], p->up[l].node->first[0]);
    return l;
}

void
ztree_remove(const struct ztree *t, struct zpath *p, unsigned count)
{
    unsigned l = p->height;

    must(p->at + count <= p->leaf->count);
    for (unsigned i = 0; i < l; i++)
        add_below(p->up[i].node, p->up[i].at, (uint64_t)0 - count);
    if (l > 0 && count == p->leaf->count) {
        l = drop_emptied(p);
    } else {
        take_from_leaf(p, count);
        if (p->at == 0 && p->leaf->count > 0)
            new_first(p, l, p->leaf->score[0], p->leaf->entry[0]);
    }
    while (l-- > 0)
        merge(p, l);
    lower(t);
}
