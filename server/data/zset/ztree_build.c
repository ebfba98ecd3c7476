/* server/data/zset/ztree_build.c - the counted B+ tree as a whole: built from sorted entries, freed
 * in steps, weighed, checked. */
#include <stdlib.h>

#include "mm/base/fault.h"
#include "server/data/zset/ztree.h"

/* ---- build ---- */

/* The nodes of one level, and what their parents will say of them. */
struct level {
    const void **node;
    uint64_t *below;
    const struct zentry **first;
    uint64_t count;
};

static bool
level_new(struct level *l, uint64_t count)
{
    if (fault_point(FAULT_side_alloc))
        return false;
    l->count = 0;
    l->node = malloc(count * sizeof *l->node);
    l->below = malloc(count * sizeof *l->below);
    l->first = malloc(count * sizeof *l->first);
    return l->node != NULL && l->below != NULL && l->first != NULL;
}

static void
level_free(struct level *l)
{
    free(l->node);
    free(l->below);
    free(l->first);
    *l = (struct level){.count = 0};
}

/* share: where part i of n keys begins, cut into equal parts. */
static uint64_t
share(uint64_t n, uint64_t parts, uint64_t i)
{
    return n / parts * i + (n % parts < i ? n % parts : i);
}

static bool
build_leaves(const struct zentry *const *sorted, uint64_t count, uint64_t parts, struct level *out)
{
    for (; out->count < parts; out->count++) {
        uint64_t from = share(count, parts, out->count),
                 n = share(count, parts, out->count + 1) - from;
        struct zleaf *leaf = mm_alloc(MM_VALUE, sizeof *leaf);

        if (leaf == NULL)
            return false;
        leaf->count = n;
        for (uint64_t i = 0; i < n; i++) {
            leaf->score[i] = sorted[from + i]->score;
            leaf->entry[i] = sorted[from + i];
        }
        out->node[out->count] = leaf;
        out->below[out->count] = n;
        out->first[out->count] = sorted[from];
    }
    return true;
}

static bool
build_inners(const struct level *in, uint64_t parts, struct level *out)
{
    for (; out->count < parts; out->count++) {
        uint64_t from = share(in->count, parts, out->count),
                 n = share(in->count, parts, out->count + 1) - from, below = 0;
        struct zinner *node = mm_alloc(MM_VALUE, sizeof *node);

        if (node == NULL)
            return false;
        node->count = n;
        for (uint64_t i = 0; i < n; i++) {
            node->below[i] = in->below[from + i];
            node->child[i] = in->node[from + i];
            node->first[i] = in->first[from + i];
            node->score[i] = node->first[i]->score;
            below += node->below[i];
        }
        out->node[out->count] = node;
        out->below[out->count] = below;
        out->first[out->count] = in->first[from];
    }
    return true;
}

static void
free_nodes(const void *node, uint64_t height)
{
    if (height > 0)
        for (uint64_t i = 0; i < ((const struct zinner *)node)->count; i++)
            free_nodes(((const struct zinner *)node)->child[i], height - 1);
    mm_free(node);
}

static bool
give_up(struct level *in, uint64_t in_height, struct level *out)
{
    for (uint64_t i = 0; i < out->count; i++)
        mm_free(out->node[i]);
    for (uint64_t i = 0; i < in->count; i++) /* all of them: some have no parent yet */
        free_nodes(in->node[i], in_height);
    level_free(in);
    level_free(out);
    return false;
}

bool
ztree_build(struct ztree *t, const struct zentry *const *sorted, uint64_t count)
{
    struct level in = {.count = 0}, out = {.count = 0};
    uint64_t parts = (count + ZTREE_FILL - 1) / ZTREE_FILL, height = 0;

    if (count == 0)
        return ztree_init(t);
    if (!level_new(&in, parts) || !build_leaves(sorted, count, parts, &in)) {
        uint64_t built = in.count;

        in.count = 0;
        for (uint64_t i = 0; i < built; i++)
            mm_free(in.node[i]);
        level_free(&in);
        return false;
    }
    for (; in.count > 1; height++) {
        parts = (in.count + ZTREE_FILL - 1) / ZTREE_FILL;
        out = (struct level){.count = 0};
        if (!level_new(&out, parts) || !build_inners(&in, parts, &out))
            return give_up(&in, height, &out);
        level_free(&in);
        in = out;
    }
    *t = (struct ztree){.top = in.node[0], .height = height};
    level_free(&in);
    return true;
}

/* ---- drop ---- */

/* Nodes go from left to right, a parent after its children.  where[l] is the child of the inner
 * node at level l where it goes on; nodes on the way there are whole. */
bool
ztree_drop(const struct ztree *t, uint64_t *where, uint64_t nodes)
{
    for (; nodes > 0; nodes--) {
        const struct zinner *up[ZTREE_LEVELS];
        const void *node = t->top;
        uint64_t l = 0;

        for (; l < t->height && where[l] < ((const struct zinner *)node)->count; l++) {
            up[l] = node;
            node = up[l]->child[where[l]];
        }
        mm_free(node);
        if (l == 0)
            return true;
        if (l < t->height)
            where[l] = 0;
        where[l - 1]++;
    }
    return false;
}

/* ---- look ---- */

static uint64_t
count_bytes(const void *node, uint64_t height)
{
    const struct zinner *in = node;
    uint64_t bytes;

    if (height == 0)
        return sizeof(struct zleaf);
    bytes = sizeof *in;
    if (height == 1)
        return bytes + in->count * sizeof(struct zleaf);
    for (uint64_t i = 0; i < in->count; i++)
        bytes += count_bytes(in->child[i], height - 1);
    return bytes;
}

uint64_t
ztree_bytes(const struct ztree *t)
{
    return count_bytes(t->top, t->height);
}

/* The key before, while a tree is checked from left to right. */
struct order {
    const struct zentry *last;
    double score;
};

static void
check_next(struct order *o, double score, const struct zentry *e)
{
    must(score == score);
    if (o->last != NULL)
        must(o->score < score ||
             (o->score == score &&
              zentry_member_compare(zentry_member(o->last), zentry_member(e)) < 0));
    o->last = e;
    o->score = score;
}

static uint64_t
check_node(struct order *o, const void *node, uint64_t height, double *ret_score,
           const struct zentry **ret_first)
{
    const struct zleaf *leaf = node;
    const struct zinner *in = node;
    uint64_t sum = 0;

    must(mm_usable(node) == (height == 0 ? sizeof *leaf : sizeof *in));
    must(leaf->count > 0 && leaf->count <= ZTREE_MAX); /* ZT1; both begin with it */
    if (height == 0) {
        for (unsigned i = 0; i < leaf->count; i++)
            check_next(o, leaf->score[i], leaf->entry[i]);
        *ret_score = leaf->score[0];
        *ret_first = leaf->entry[0];
        return leaf->count;
    }
    for (unsigned i = 0; i < in->count; i++) {
        const struct zentry *first = NULL;
        double score = 0;
        uint64_t below = check_node(o, in->child[i], height - 1, &score, &first);

        must(below == in->below[i] && score == in->score[i] && first == in->first[i]); /* ZT2 */
        sum += below;
    }
    *ret_score = in->score[0];
    *ret_first = in->first[0];
    return sum;
}

uint64_t
ztree_verify(const struct ztree *t)
{
    struct order o = {.last = NULL};
    const struct zentry *first;
    double score;

    if (t->height == 0 && ((const struct zleaf *)t->top)->count == 0)
        return 0;
    must(t->height == 0 || ((const struct zinner *)t->top)->count > 1);
    return check_node(&o, t->top, t->height, &score, &first);
}
