/* server/data/db/idtree.c - finding and changing; walking and freeing: idtree_walk.c. */
#include "server/data/db/idtree.h"

#include <errno.h>
#include <string.h>

#include "mm/mm.h"

enum { CHILD_BYTES = sizeof(void *) };

/* The way from the root to a leaf: at[] is the child taken, and in the leaf where the id stands or
 * would. */
struct way {
    const struct idnode *node[IDTREE_LEVELS];
    unsigned at[IDTREE_LEVELS];
};

/* not_below: the first entry whose id is not below this one. */
static unsigned
not_below(const struct idnode *n, struct stream_id id)
{
    unsigned low = 0, high = n->count;

    if (stream_id_compare(idnode_id(n, high - 1), id) < 0)
        return high; /* the usual case: ids come in order */
    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (stream_id_compare(idnode_id(n, middle), id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* child_for: the entry of an inner node below which the id belongs (I1). */
static unsigned
child_for(const struct idnode *n, struct stream_id id)
{
    unsigned i = not_below(n, id);

    if (i < n->count && stream_id_compare(idnode_id(n, i), id) == 0)
        return i;
    return i == 0 ? 0 : i - 1;
}

static void
find_way(const struct idtree *t, struct stream_id id, struct way *w)
{
    const struct idnode *n = t->root;

    for (unsigned level = 0; level < t->height; level++) {
        w->node[level] = n;
        w->at[level] = child_for(n, id);
        n = idnode_child(n, w->at[level]);
    }
    w->node[t->height] = n;
    w->at[t->height] = not_below(n, id);
}

static bool
is_there(const struct idtree *t, const struct way *w, struct stream_id id)
{
    const struct idnode *leaf = w->node[t->height];
    unsigned at = w->at[t->height];

    return at < leaf->count && stream_id_compare(idnode_id(leaf, at), id) == 0;
}

const void *
idtree_find(const struct idtree *t, struct stream_id id)
{
    struct way w;

    if (t->root == NULL)
        return NULL;
    find_way(t, id, &w);
    return is_there(t, &w, id) ? idnode_value(w.node[t->height], w.at[t->height]) : NULL;
}

/* ---- change a node ---- */

static struct idnode *
node_new(uint32_t value_bytes, unsigned room)
{
    struct idnode *n =
        mm_alloc(MM_VALUE, sizeof *n + room * (sizeof(struct stream_id) + value_bytes));

    if (n != NULL)
        *n = (struct idnode){.room = (uint16_t)room, .value_bytes = value_bytes};
    return n;
}

static void
set_count(const struct idnode *n, unsigned count)
{
    struct idnode *w = mm_modify(n, sizeof *n);

    w->count = (uint16_t)count;
}

static char *
open_entries(const struct idnode *n, unsigned from, unsigned count)
{
    return mm_modify(idnode_entry(n, from), count * idnode_entry_bytes(n));
}

static void
set_tree(const struct idtree *t, const struct idnode *root, uint64_t count, uint32_t height)
{
    struct idtree *w = mm_modify(t, sizeof *t);

    w->root = root;
    w->count = count;
    w->height = height;
}

static void
insert_at(const struct idnode *n, unsigned at, struct stream_id id, const void *value)
{
    char *p = open_entries(n, at, n->count - at + 1u);
    size_t bytes = idnode_entry_bytes(n);

    memmove(p + bytes, p, (n->count - at) * bytes);
    memcpy(p, &id, sizeof id);
    if (n->value_bytes > 0)
        memcpy(p + sizeof id, value, n->value_bytes);
    set_count(n, n->count + 1u);
}

static void
remove_at(const struct idnode *n, unsigned at)
{
    unsigned behind = n->count - at - 1u;

    if (behind > 0) {
        char *p = open_entries(n, at, behind + 1);

        memmove(p, p + idnode_entry_bytes(n), behind * idnode_entry_bytes(n));
    }
    set_count(n, n->count - 1u);
}

/* ---- put ---- */

static int
plant(const struct idtree *t, struct stream_id id, const void *value)
{
    struct idnode *n = node_new(t->value_bytes, 1);

    if (n == NULL)
        return -ENOMEM;
    insert_at(n, 0, id, value);
    set_tree(t, n, 1, 0);
    return 0;
}

/* grow: the only leaf gets a larger block. */
static int
grow(const struct idtree *t, unsigned at, struct stream_id id, const void *value)
{
    const struct idnode *old = t->root;
    unsigned most = idnode_room(t->value_bytes), room = old->room * 2u;
    struct idnode *n = node_new(t->value_bytes, room < most ? room : most);

    if (n == NULL)
        return -ENOMEM;
    memcpy(n->entry, old->entry, old->count * idnode_entry_bytes(old));
    n->count = old->count;
    insert_at(n, at, id, value);
    set_tree(t, n, t->count + 1, 0);
    mm_free(old);
    return 0;
}

/* split: n is full; what goes behind it moves to the empty node `right`; then the entry is put in
 * one of them. */
static void
split(const struct idnode *n, struct idnode *right, unsigned at, struct stream_id id,
      const void *value)
{
    unsigned stay = at == n->count ? n->count : n->count / 2u;

    memcpy(right->entry, idnode_entry(n, stay), (n->count - stay) * idnode_entry_bytes(n));
    right->count = (uint16_t)(n->count - stay);
    if (right->count > 0)
        set_count(n, stay);
    if (at <= stay && right->count > 0)
        insert_at(n, at, id, value);
    else
        insert_at(right, at - stay, id, value);
}

/* take_nodes: for splitting `full` nodes on the way up from the leaf, and a root when all are full.
 * False: no memory. */
static bool
take_nodes(const struct idtree *t, unsigned full, struct idnode **fresh)
{
    unsigned count = full + (full > t->height);

    for (unsigned i = 0; i < count; i++) {
        uint32_t value_bytes = i == 0 ? t->value_bytes : CHILD_BYTES;

        if ((fresh[i] = node_new(value_bytes, idnode_room(value_bytes))) != NULL)
            continue;
        while (i-- > 0)
            mm_free(fresh[i]);
        return false;
    }
    return true;
}

/* lower_first: before an entry of this id comes behind the first one, whose own id may be above it
 * (I1): ids stay in order. */
static void
lower_first(const struct idnode *n, struct stream_id id)
{
    if (stream_id_compare(id, idnode_id(n, 0)) <= 0)
        memset(open_entries(n, 0, 1), 0, sizeof id);
}

static int
split_up(const struct idtree *t, const struct way *w, struct stream_id id, const void *value)
{
    struct idnode *fresh[IDTREE_LEVELS + 1];
    const struct idnode *child = NULL, *root = t->root;
    unsigned full = 0, h = t->height;

    while (full <= h && w->node[h - full]->count == w->node[h - full]->room)
        full++;
    must(full < IDTREE_LEVELS);
    if (!take_nodes(t, full, fresh))
        return -ENOMEM;
    for (unsigned i = 0; i < full; i++) {
        if (i > 0)
            lower_first(w->node[h - i], id);
        split(w->node[h - i], fresh[i], w->at[h - i] + (i > 0), id, i == 0 ? value : &child);
        id = idnode_id(fresh[i], 0);
        child = fresh[i];
    }
    if (full <= h) {
        lower_first(w->node[h - full], id);
        insert_at(w->node[h - full], w->at[h - full] + 1, id, &child);
    } else {
        insert_at(fresh[full], 0, (struct stream_id){0, 0}, &root);
        insert_at(fresh[full], 1, id, &child);
        root = fresh[full];
    }
    set_tree(t, root, t->count + 1, h + (full > h));
    return 0;
}

int
idtree_put(const struct idtree *t, struct stream_id id, const void *value)
{
    const struct idnode *leaf;
    struct way w;

    if (t->root == NULL)
        return plant(t, id, value);
    find_way(t, id, &w);
    debug_check(!is_there(t, &w, id));
    leaf = w.node[t->height];
    if (leaf->count == leaf->room && leaf->room < idnode_room(t->value_bytes))
        return grow(t, w.at[0], id, value);
    if (leaf->count == leaf->room)
        return split_up(t, &w, id, value);
    insert_at(leaf, w.at[t->height], id, value);
    set_tree(t, t->root, t->count + 1, t->height);
    return 0;
}

/* ---- remove ---- */

/* join: what the right one of two children of n holds goes to the left one, if that is not too
 * much. */
static bool
join(const struct idnode *n, unsigned left_at)
{
    const struct idnode *left, *right;

    if (left_at + 1 >= n->count)
        return false;
    left = idnode_child(n, left_at);
    right = idnode_child(n, left_at + 1);
    if (left->count + right->count > left->room * 3u / 4)
        return false;
    memcpy(open_entries(left, left->count, right->count), right->entry,
           right->count * idnode_entry_bytes(right));
    set_count(left, left->count + (unsigned)right->count);
    remove_at(n, left_at + 1);
    mm_free(right);
    return true;
}

/* mend: below entry `at` of n something was removed: no empty child stays, and few small ones. */
static void
mend(const struct idnode *n, unsigned at)
{
    const struct idnode *child = idnode_child(n, at);

    if (child->count == 0) {
        remove_at(n, at);
        mm_free(child);
    } else if (child->count < child->room / 4u && !join(n, at) && at > 0) {
        join(n, at - 1);
    }
}

/* lower: no root without entries, and no inner one with a single one. */
static const struct idnode *
lower(const struct idnode *root, uint32_t *height)
{
    while (root != NULL && (root->count == 0 || (*height > 0 && root->count == 1))) {
        const struct idnode *only = root->count == 0 ? NULL : idnode_child(root, 0);

        *height = only == NULL ? 0 : *height - 1;
        mm_free(root);
        root = only;
    }
    return root;
}

bool
idtree_remove(const struct idtree *t, struct stream_id id)
{
    const struct idnode *root = t->root;
    uint32_t height = t->height;
    struct way w;

    if (root == NULL)
        return false;
    find_way(t, id, &w);
    if (!is_there(t, &w, id))
        return false;
    remove_at(w.node[height], w.at[height]);
    for (unsigned level = height; level-- > 0;)
        mend(w.node[level], w.at[level]);
    root = lower(root, &height);
    set_tree(t, root, t->count - 1, height);
    return true;
}

/* ---- cut ---- */

/* remove_front: the first `count` entries of n, which has more. */
static void
remove_front(const struct idnode *n, unsigned count)
{
    char *p;

    if (count == 0)
        return;
    p = open_entries(n, 0, n->count);
    memmove(p, p + count * idnode_entry_bytes(n), (n->count - count) * idnode_entry_bytes(n));
    set_count(n, n->count - count);
}

int
idtree_cut(const struct idtree *t, struct stream_id id, uint64_t gone, struct idtree *into)
{
    const struct idnode *root = t->root, *part = NULL;
    struct idnode *fresh[IDTREE_LEVELS];
    /* bottom: the lowest level at which nodes are cut */
    uint32_t height = t->height, bottom = height;
    struct way w;

    find_way(t, id, &w);
    debug_check(is_there(t, &w, id));
    while (bottom > 0 && w.at[bottom] == 0)
        bottom--;
    for (unsigned level = bottom + 1; level-- > 0;) {
        uint32_t value_bytes = level == height ? t->value_bytes : CHILD_BYTES;

        if ((fresh[level] = node_new(value_bytes, idnode_room(value_bytes))) != NULL)
            continue;
        while (level++ < bottom)
            mm_free(fresh[level]);
        return -ENOMEM;
    }
    for (unsigned level = height + 1; level-- > 0;) {
        const struct idnode *n = w.node[level];

        if (level <= bottom) {
            fresh[level]->count = (uint16_t)w.at[level];
            memcpy(fresh[level]->entry, n->entry, w.at[level] * idnode_entry_bytes(n));
            if (part != NULL)
                insert_at(fresh[level], w.at[level], idnode_id(n, w.at[level]), &part);
            part = fresh[level];
        }
        remove_front(n, w.at[level]);
        if (level < height)
            mend(n, 0);
    }
    into->height = height;
    into->root = lower(part, &into->height);
    into->count = gone;
    root = lower(root, &height);
    set_tree(t, root, t->count - gone, height);
    return 0;
}
