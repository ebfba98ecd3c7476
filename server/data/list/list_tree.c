/* server/data/list/list_tree.c - the nodes between a list's first and last: the leaves of a tree
 * whose branchings count the elements below (a B+ tree without keys).
 *
 * Everything is addressed by the number of an element, and is one way down from the root.  A full
 * branching is split on the way down, so that an insertion needs no way back; one that has become
 * empty is freed, and a root with one branch gives way to it.  Branchings that have become poor are
 * not merged: a list shrinks from its ends, or by LREM, and height is bounded by what the list once
 * was. */
#include <string.h>

#include "mm/mm.h"
#include "server/data/list/list_impl.h"

enum { HALF = LIST_BRANCHES / 2 };

static uint64_t
sum(const struct list_inner *t, uint32_t n)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < n; i++)
        count += t->at[i].count;
    return count;
}

/* edit: the one way into a branching that is in use: a page of its own. */
static struct list_inner *
edit(const struct list_inner *t)
{
    return mm_modify(t, sizeof *t);
}

uint64_t
list_tree_count(const struct list_inner *t)
{
    return t == NULL ? 0 : sum(t, t->n);
}

uint64_t
list_tree_nodes(const struct list_inner *t)
{
    uint64_t nodes = 0;

    if (t == NULL || t->level == 0)
        return t == NULL ? 0 : t->n;
    for (uint32_t b = 0; b < t->n; b++)
        nodes += list_tree_nodes(t->at[b].child);
    return nodes;
}

/* branch_of: the branch in which element *i is; *i becomes its number there. */
static uint32_t
branch_of(const struct list_inner *t, uint64_t *i)
{
    uint32_t b = 0;

    while (*i >= t->at[b].count) {
        *i -= t->at[b++].count;
        debug_check(b < t->n);
    }
    return b;
}

const struct list_node *
list_tree_find(const struct list_inner *t, uint64_t i, uint64_t *ret_first)
{
    uint64_t rest = i;
    uint32_t b = branch_of(t, &rest);

    for (; t->level > 0; b = branch_of(t, &rest))
        t = t->at[b].child;
    *ret_first = i - rest;
    return t->at[b].child;
}

void
list_tree_add(const struct list_inner *t, uint64_t i, int64_t delta)
{
    for (;;) {
        uint32_t b = branch_of(t, &i);

        edit(t)->at[b].count += (uint64_t)delta;
        if (t->level == 0)
            return;
        t = t->at[b].child;
    }
}

void
list_tree_replace(const struct list_inner *t, uint64_t i, const struct list_node *n)
{
    uint32_t b = branch_of(t, &i);

    for (; t->level > 0; b = branch_of(t, &i))
        t = t->at[b].child;
    edit(t)->at[b].child = n;
}

/* ---- insert ---- */

bool
list_tree_reserve(const struct list_inner *t, unsigned insertions, struct list_spares *s)
{
    unsigned levels = t == NULL ? 1 : t->level + 2; /* each of them split, and a new root */

    must(levels <= LIST_LEVELS_MAX && insertions <= 3);
    for (s->count = 0; s->count < insertions * levels; s->count++)
        if ((s->at[s->count] = mm_alloc(MM_VALUE, sizeof(struct list_inner))) == NULL) {
            list_tree_give_back(s);
            return false;
        }
    return true;
}

void
list_tree_give_back(struct list_spares *s)
{
    while (s->count > 0)
        mm_free(s->at[--s->count]);
}

static struct list_inner *
take_spare(struct list_spares *s, uint32_t level)
{
    must(s->count > 0);
    s->count--;
    s->at[s->count]->n = 0;
    s->at[s->count]->level = level;
    return s->at[s->count];
}

/* put_branch: as number b, the others move up. */
static void
put_branch(const struct list_inner *t, uint32_t b, const void *child, uint64_t count)
{
    struct list_inner *w = edit(t);

    memmove(&w->at[b + 1], &w->at[b], (w->n - b) * sizeof w->at[0]);
    w->at[b] = (struct list_branch){.child = child, .count = count};
    w->n++;
}

/* take_branch: number b goes, the others move down. */
static void
take_branch(const struct list_inner *t, uint32_t b)
{
    struct list_inner *w = edit(t);

    w->n--;
    memmove(&w->at[b], &w->at[b + 1], (w->n - b) * sizeof w->at[0]);
}

static void
set_count(const struct list_inner *t, uint32_t b, uint64_t count)
{
    edit(t)->at[b].count = count;
}

/* split_child: branch b, which is full, becomes two.  Where lists grow at their ends, the older one
 * stays full. */
static void
split_child(const struct list_inner *t, uint32_t b, uint64_t before, struct list_spares *s)
{
    const struct list_inner *child = t->at[b].child;
    uint64_t all = t->at[b].count, moved;
    uint32_t keep = before == 0 ? 1 : before == all ? child->n - 1 : HALF;
    struct list_inner *right = take_spare(s, child->level);

    right->n = child->n - keep;
    memcpy(right->at, &child->at[keep], right->n * sizeof right->at[0]);
    moved = sum(right, right->n);
    edit(child)->n = keep;
    set_count(t, b, all - moved);
    put_branch(t, b + 1, right, moved);
}

/* boundary_of: the branch within or at the end of which *before is. */
static uint32_t
boundary_of(const struct list_inner *t, uint64_t *before)
{
    uint32_t b = 0;

    while (*before > t->at[b].count) {
        *before -= t->at[b++].count;
        debug_check(b < t->n);
    }
    return b;
}

/* new_root: above t. */
static const struct list_inner *
new_root(const struct list_inner *t, struct list_spares *s)
{
    struct list_inner *root = take_spare(s, t->level + 1);

    root->n = 1;
    root->at[0] = (struct list_branch){.child = t, .count = list_tree_count(t)};
    return root;
}

const struct list_inner *
list_tree_insert(const struct list_inner *t, uint64_t before, const struct list_node *n,
                 struct list_spares *s)
{
    const struct list_inner *root = t;
    uint32_t b;

    if (t == NULL)
        root = t = take_spare(s, 0);
    else if (t->n == LIST_BRANCHES)
        root = t = new_root(t, s);
    while (t->level > 0) {
        uint64_t at = before;
        const struct list_inner *child;

        b = boundary_of(t, &at);
        child = t->at[b].child;
        if (child->n == LIST_BRANCHES) {
            split_child(t, b, at, s);
            at = before;
            b = boundary_of(t, &at);
        }
        set_count(t, b, t->at[b].count + n->count);
        before = at;
        t = t->at[b].child;
    }
    for (b = 0; before > 0; b++)
        before -= t->at[b].count;
    put_branch(t, b, n, n->count);
    return root;
}

/* ---- remove ---- */

/* lower: a root with one branch gives way to it. */
static const struct list_inner *
lower(const struct list_inner *t)
{
    while (t->level > 0 && t->n == 1) {
        const struct list_inner *only = t->at[0].child;

        mm_free(t);
        t = only;
    }
    if (t->n > 0)
        return t;
    mm_free(t);
    return NULL;
}

const struct list_inner *
list_tree_remove(const struct list_inner *t, uint64_t i)
{
    const struct list_inner *path[LIST_LEVELS_MAX];
    uint32_t branch[LIST_LEVELS_MAX], depth = 0;
    uint64_t count;

    for (const struct list_inner *at = t;; at = at->at[branch[depth++]].child) {
        path[depth] = at;
        branch[depth] = branch_of(at, &i);
        if (at->level == 0)
            break;
    }
    count = path[depth]->at[branch[depth]].count;
    take_branch(path[depth], branch[depth]);
    while (depth-- > 0) {
        const struct list_inner *at = path[depth];

        if (path[depth + 1]->n == 0) {
            mm_free(path[depth + 1]);
            take_branch(at, branch[depth]);
        } else {
            set_count(at, branch[depth], at->at[branch[depth]].count - count);
        }
    }
    return lower(t);
}

/* split_inner: the part of t before element `before` goes to a fresh branching, which is
 * returned. */
static const struct list_inner *
split_inner(const struct list_inner *t, uint64_t before, struct list_spares *s)
{
    struct list_inner *cut = take_spare(s, t->level);
    struct list_inner *w;
    uint32_t whole = 0;

    while (whole < t->n && before >= t->at[whole].count)
        before -= t->at[whole++].count;
    memcpy(cut->at, t->at, whole * sizeof cut->at[0]);
    cut->n = whole;
    if (before > 0) {
        const struct list_inner *part = split_inner(t->at[whole].child, before, s);

        cut->at[cut->n++] = (struct list_branch){.child = part, .count = before};
        set_count(t, whole, t->at[whole].count - before);
    }
    w = edit(t);
    w->n -= whole;
    memmove(w->at, &w->at[whole], w->n * sizeof w->at[0]);
    return cut;
}

const struct list_inner *
list_tree_split(const struct list_inner *t, uint64_t before, struct list_spares *s,
                const struct list_inner **ret_cut)
{
    *ret_cut = lower(split_inner(t, before, s));
    return lower(t);
}

/* ---- all of it ---- */

void
list_tree_each(const struct list_inner *t, void (*visit)(void *ctx, const struct list_node *n),
               void *ctx)
{
    for (uint32_t b = 0; t != NULL && b < t->n; b++) {
        if (t->level > 0)
            list_tree_each(t->at[b].child, visit, ctx);
        else
            visit(ctx, t->at[b].child);
    }
}

bool
list_tree_drop(const struct list_inner *t, uint64_t at[LIST_LEVELS_MAX], uint64_t *nodes)
{
    uint64_t *next = &at[t->level];

    for (; *next < t->n; ++*next) {
        if (*nodes == 0)
            return false;
        if (t->level > 0) {
            if (!list_tree_drop(t->at[*next].child, at, nodes))
                return false;
        } else {
            mm_free(t->at[*next].child);
            --*nodes;
        }
    }
    *next = 0;
    mm_free(t);
    return true;
}

void
list_tree_verify(const struct list_inner *t)
{
    must(t->n > 0 && t->n <= LIST_BRANCHES && t->level < LIST_LEVELS_MAX);
    for (uint32_t b = 0; b < t->n; b++) {
        if (t->level == 0) {
            const struct list_node *n = t->at[b].child;

            must(n->count == t->at[b].count);
            continue;
        }
        must(((const struct list_inner *)t->at[b].child)->level == t->level - 1);
        must(list_tree_count(t->at[b].child) == t->at[b].count);
        list_tree_verify(t->at[b].child);
    }
}

uint64_t
list_tree_bytes(const struct list_inner *t)
{
    uint64_t bytes = t != NULL ? sizeof *t : 0;

    for (uint32_t b = 0; t != NULL && t->level > 0 && b < t->n; b++)
        bytes += list_tree_bytes(t->at[b].child);
    return bytes;
}
