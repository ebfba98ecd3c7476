/* server/data/zset/ztree.c - the counted B+ tree: finding, counting, walking.  Changes:
 * ztree_edit.c; building and freeing: ztree_build.c. */
#include "server/data/zset/ztree.h"

/* less: how many of the first n scores are below x.  All are compared: no branch to guess, two at a
 * time. */
static inline unsigned
less(const double *score, unsigned n, double x)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < n; i++)
        sum += score[i] < x;
    return (unsigned)sum;
}

static inline unsigned
less_or_equal(const double *score, unsigned n, double x)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < n; i++)
        sum += score[i] <= x;
    return (unsigned)sum;
}

/* members_below: of the entries [from, to), sorted by member, the first that is not below
 * (or_equal: above) it. */
static unsigned
members_below(const struct zentry *const *entry, unsigned from, unsigned to, struct slice member,
              bool or_equal)
{
    while (from < to) {
        unsigned mid = (from + to) / 2;
        int order = zentry_member_compare(zentry_member(entry[mid]), member);

        if (order < 0 || (order == 0 && or_equal))
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

/* keys_below: how many of n keys are below the key, or are it. */
static inline unsigned
keys_below(const double *score, const struct zentry *const *entry, unsigned n,
           const struct zkey *key, bool or_equal)
{
    unsigned from = less(score, n, key->score), to = from;

    while (to < n && score[to] == key->score)
        to++;
    return from == to ? from : members_below(entry, from, to, key->member, or_equal);
}

void
ztree_find(const struct ztree *t, struct zkey key, struct zpath *ret)
{
    const void *node = t->top;

    ret->height = (unsigned)t->height;
    for (unsigned l = 0; l < ret->height; l++) {
        const struct zinner *in = node;
        unsigned i = keys_below(in->score, in->first, (unsigned)in->count, &key, true);

        ret->up[l].node = in;
        ret->up[l].at = i == 0 ? 0 : i - 1;
        node = in->child[ret->up[l].at];
    }
    ret->leaf = node;
    ret->at =
        keys_below(ret->leaf->score, ret->leaf->entry, (unsigned)ret->leaf->count, &key, false);
}

void
ztree_find_entry(const struct ztree *t, double score, const struct zentry *e, struct zpath *ret)
{
    ztree_find(t, (struct zkey){.score = score, .member = zentry_member(e)}, ret);
    must(ret->at < ret->leaf->count && zpath_entry(ret) == e);
}

void
ztree_seek(const struct ztree *t, uint64_t rank, struct zpath *ret)
{
    const void *node = t->top;

    ret->height = (unsigned)t->height;
    for (unsigned l = 0; l < ret->height; l++) {
        const struct zinner *in = node;
        unsigned i = 0;

        while (rank >= in->below[i]) {
            rank -= in->below[i++];
            must(i < in->count);
        }
        ret->up[l].node = in;
        ret->up[l].at = i;
        node = in->child[i];
    }
    ret->leaf = node;
    ret->at = (unsigned)rank;
    must(rank < ret->leaf->count);
}

static inline uint64_t
sum_below(const struct zinner *in, unsigned n)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < n; i++)
        sum += in->below[i];
    return sum;
}

uint64_t
ztree_rank(const struct zpath *p)
{
    uint64_t rank = p->at;

    for (unsigned l = 0; l < p->height; l++)
        rank += sum_below(p->up[l].node, p->up[l].at);
    return rank;
}

bool
ztree_next(struct zpath *p)
{
    unsigned l = p->height;

    if (likely(p->at + 1 < p->leaf->count)) {
        p->at++;
        return true;
    }
    while (l > 0 && p->up[l - 1].at + 1 == p->up[l - 1].node->count)
        l--;
    if (l == 0)
        return false;
    p->up[l - 1].at++;
    for (; l < p->height; l++) {
        p->up[l].node = p->up[l - 1].node->child[p->up[l - 1].at];
        p->up[l].at = 0;
    }
    p->leaf = p->up[l - 1].node->child[p->up[l - 1].at];
    p->at = 0;
    return true;
}

bool
ztree_previous(struct zpath *p)
{
    unsigned l = p->height;

    if (likely(p->at > 0)) {
        p->at--;
        return true;
    }
    while (l > 0 && p->up[l - 1].at == 0)
        l--;
    if (l == 0)
        return false;
    p->up[l - 1].at--;
    for (; l < p->height; l++) {
        p->up[l].node = p->up[l - 1].node->child[p->up[l - 1].at];
        p->up[l].at = (unsigned)p->up[l].node->count - 1;
    }
    p->leaf = p->up[l - 1].node->child[p->up[l - 1].at];
    p->at = (unsigned)p->leaf->count - 1;
    return true;
}

/* Of the children whose first key is below the bound, all but the last lie below it wholly. */

uint64_t
ztree_below_score(const struct ztree *t, double score, bool or_equal)
{
    unsigned (*count)(const double *, unsigned, double) = or_equal ? less_or_equal : less;
    const void *node = t->top;
    const struct zleaf *leaf;
    uint64_t sum = 0;

    for (uint64_t l = 0; l < t->height; l++) {
        const struct zinner *in = node;
        unsigned i = count(in->score, (unsigned)in->count, score);

        if (i == 0)
            return sum;
        sum += sum_below(in, i - 1);
        node = in->child[i - 1];
    }
    leaf = node;
    return sum + count(leaf->score, (unsigned)leaf->count, score);
}

uint64_t
ztree_below_member(const struct ztree *t, struct slice member, bool or_equal)
{
    const void *node = t->top;
    const struct zleaf *leaf;
    uint64_t sum = 0;

    for (uint64_t l = 0; l < t->height; l++) {
        const struct zinner *in = node;
        unsigned i = members_below(in->first, 0, (unsigned)in->count, member, or_equal);

        if (i == 0)
            return sum;
        sum += sum_below(in, i - 1);
        node = in->child[i - 1];
    }
    leaf = node;
    return sum + members_below(leaf->entry, 0, (unsigned)leaf->count, member, or_equal);
}
