/* server/data/zset/zset.c - the sorted set type: reading, in both encodings.  Changing:
 * zset_change.c. */
#include "server/data/zset/zset.h"

#include "server/data/zset/zset_small.h"

static const uint8_t *
listpack(const struct record *r)
{
    return (const uint8_t *)record_blob(r).ptr;
}

static bool
is_large(const struct record *r)
{
    return record_encoding(r) == ENC_ROOT;
}

struct zset_limits zset_limits = {.listpack_members = 128, .listpack_member_bytes = 64};

bool
zset_is_small(uint64_t count, size_t longest)
{
    return count <= zset_limits.listpack_members && longest <= zset_limits.listpack_member_bytes;
}

uint64_t
zset_len(const struct record *r)
{
    return is_large(r) ? zroot_count(record_root(r)) : zsmall_count(listpack(r));
}

bool
zset_score(const struct record *r, struct slice member, double *ret)
{
    const struct zentry *e;
    struct zsmall z;

    if (is_large(r)) {
        if ((e = zroot_get(record_root(r), member)) == NULL)
            return false;
        *ret = e->score;
        return true;
    }
    if (!zsmall_find(&z, listpack(r), member))
        return false;
    *ret = z.score;
    return true;
}

static bool
rank_in_listpack(const uint8_t *lp, struct slice member, uint64_t *ret_rank, double *ret_score)
{
    struct zsmall z;
    uint64_t rank = 0;
    uint32_t at = lp_find(lp, member.ptr, member.len, 1);

    if (at == 0)
        return false;
    for (zsmall_first(&z, lp); z.at != at; zsmall_next(&z))
        rank++;
    *ret_rank = rank;
    *ret_score = z.score;
    return true;
}

bool
zset_rank(const struct record *r, struct slice member, uint64_t *ret_rank, double *ret_score)
{
    const struct zroot *root;
    const struct zentry *e;
    struct zpath p;

    if (!is_large(r))
        return rank_in_listpack(listpack(r), member, ret_rank, ret_score);
    root = record_root(r);
    if ((e = zroot_get(root, member)) == NULL)
        return false;
    ztree_find_entry(&root->tree, e->score, e, &p);
    *ret_rank = ztree_rank(&p);
    *ret_score = e->score;
    return true;
}

/* ---- ranges ---- */

static bool
is_below(const struct zsmall *z, const struct zbound *b, bool or_equal)
{
    int order = b->is_member ? zentry_member_compare(z->member, b->member)
                             : (z->score > b->score) - (z->score < b->score);

    return order < 0 || (order == 0 && or_equal);
}

/* below: how many elements stand before the bound; or_equal: or at it. */
static uint64_t
below(const struct record *r, const struct zbound *b, bool or_equal)
{
    struct zsmall z;
    uint64_t n = 0;

    if (b->is_member && b->infinite != 0)
        return b->infinite < 0 ? 0 : zset_len(r);
    if (is_large(r)) {
        const struct ztree *tree = &((const struct zroot *)record_root(r))->tree;

        return b->is_member ? ztree_below_member(tree, b->member, or_equal)
                            : ztree_below_score(tree, b->score, or_equal);
    }
    for (bool more = zsmall_first(&z, listpack(r)); more && is_below(&z, b, or_equal);
         more = zsmall_next(&z))
        n++;
    return n;
}

uint64_t
zset_from(const struct record *r, const struct zbound *min)
{
    return below(r, min, min->exclusive);
}

uint64_t
zset_to(const struct record *r, const struct zbound *max)
{
    return below(r, max, !max->exclusive);
}

static void
range_of_listpack(const uint8_t *lp, uint64_t rank, uint64_t count, bool reverse,
                  zset_visitor visit, void *ctx)
{
    bool (*step)(struct zsmall *) = reverse ? zsmall_previous : zsmall_next;
    struct zsmall z;
    uint64_t steps = rank;

    if (reverse) {
        zsmall_last(&z, lp);
        steps = zsmall_count(lp) - 1 - rank;
    } else {
        zsmall_first(&z, lp);
    }
    while (steps-- > 0)
        step(&z);
    for (; count > 0; count--) {
        visit(ctx, z.member, z.score);
        if (count > 1)
            step(&z);
    }
}

/* prefetch: the entries of a leaf, which stand anywhere in memory. */
static void
prefetch(const struct zpath *p, uint64_t count, bool reverse)
{
    uint64_t left = reverse ? p->at + 1 : p->leaf->count - p->at;

    if (count < left)
        left = count;
    for (uint64_t i = 0; i < left; i++)
        __builtin_prefetch(p->leaf->entry[reverse ? p->at - i : p->at + i]);
}

void
zset_range(const struct record *r, uint64_t rank, uint64_t count, bool reverse, zset_visitor visit,
           void *ctx)
{
    bool (*step)(struct zpath *) = reverse ? ztree_previous : ztree_next;
    const struct zleaf *seen;
    struct zpath p;

    if (count == 0)
        return;
    debug_check(rank < zset_len(r) && count <= (reverse ? rank + 1 : zset_len(r) - rank));
    if (!is_large(r)) {
        range_of_listpack(listpack(r), rank, count, reverse, visit, ctx);
        return;
    }
    ztree_seek(&((const struct zroot *)record_root(r))->tree, rank, &p);
    prefetch(&p, count, reverse);
    for (;;) {
        visit(ctx, zentry_member(zpath_entry(&p)), zpath_score(&p));
        if (--count == 0)
            return;
        seen = p.leaf;
        must(step(&p));
        if (p.leaf != seen)
            prefetch(&p, count, reverse);
    }
}
