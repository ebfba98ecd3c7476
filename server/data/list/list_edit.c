/* server/data/list/list_edit.c - a large list is changed in its middle: LSET, LINSERT, LREM,
 * LTRIM. */
#include <errno.h>

#include "mm/mm.h"
#include "server/data/list/list_root_impl.h"

enum { PIECES_MAX = 3 };

/* Where an edit happens: entry `at` of a node, old_bytes of which (none: an insertion) the item
 * replaces. */
struct edit {
    const struct list_root *list;
    struct list_place place;
    const uint8_t *at;
    uint64_t old_bytes;
    const struct list_item *item;
};

/* What takes the place of a node. */
struct pieces {
    const struct list_node *at[PIECES_MAX];
    unsigned count;
};

static void
free_pieces(struct pieces *p)
{
    while (p->count > 0)
        mm_free(p->at[--p->count]);
}

static bool
add_piece(struct pieces *p, const struct list_parts *parts)
{
    if (parts->count == 0)
        return true;
    if ((p->at[p->count] = list_node_make(parts)) == NULL)
        return false;
    p->count++;
    return true;
}

/* entries_before: how many entries of the node stand before p. */
static uint32_t
entries_before(const struct list_node *n, const uint8_t *p)
{
    uint32_t count = 0;

    if (n->plain != 0)
        return 0;
    for (const uint8_t *at = list_node_begin(n); at < p; at += lp_entry_size(at))
        count++;
    return count;
}

/* cut: the node in pieces: what is before, the item with the shorter of both if that takes it, what
 * is behind.  False: no memory. */
static bool
cut(const struct edit *e, struct pieces *p)
{
    const struct list_node *n = e->place.node;
    uint32_t before = entries_before(n, e->at), behind = n->count - before - (e->old_bytes > 0);
    struct slice left = {(const char *)list_node_begin(n), (size_t)(e->at - list_node_begin(n))},
                 right = {(const char *)e->at + e->old_bytes,
                          list_node_used(n) - left.len - e->old_bytes};
    struct list_limit limit = list_limit();
    uint64_t most = limit.block_bytes - sizeof *n;
    bool joins = !e->item->plain && n->plain == 0,
         joins_left = joins && left.len <= right.len && left.len + e->item->size <= most &&
                      before < limit.count,
         joins_right =
             joins && !joins_left && right.len + e->item->size <= most && behind < limit.count;
    struct list_parts alone = {.item = e->item, .count = 1, .gap = GAP_BACK},
                      first = {.left = left, .count = before, .gap = GAP_BACK},
                      last = {.right = right, .count = behind, .gap = GAP_FRONT};
    struct list_item plain = {.plain = true, .size = list_node_used(n), .text = list_node_slice(n)};

    p->count = 0;
    if (n->plain != 0 && behind > 0)
        last = (struct list_parts){.item = &plain, .count = 1};
    if (joins_left) {
        first.item = e->item;
        first.count++;
    }
    if (joins_right) {
        last.item = e->item;
        last.count++;
    }
    if (add_piece(p, &first) && (joins_left || joins_right || add_piece(p, &alone)) &&
        add_piece(p, &last))
        return true;
    free_pieces(p);
    return false;
}

/* put_pieces: they take the place of the node; spares: for as many insertions as there are pieces
 * but one. */
static void
put_pieces(const struct edit *e, const struct pieces *p, struct list_spares *spares)
{
    const struct list_root *l = e->list;
    const struct list_node *old = e->place.node, *head = l->head, *tail = l->tail;
    uint64_t before = e->place.first - (head != NULL && old != head ? head->count : 0);
    const struct list_inner *tree = l->tree;
    unsigned i = 0, end = p->count;

    must(end > 0);
    if (old == tail) {
        tail = p->at[--end];
        if (head == NULL && end > 0)
            head = p->at[i++];
        before = list_tree_count(tree);
    } else if (old == head) {
        head = p->at[i++];
        before = 0;
    } else {
        tree = list_tree_remove(tree, before);
    }
    for (; i < end; i++) {
        tree = list_tree_insert(tree, before, p->at[i], spares);
        before += p->at[i]->count;
    }
    list_root_set_ends(l, head, tail);
    list_root_set_tree(l, tree, (int64_t)p->count - 1);
}

/* recount: the node at place has so many elements more. */
static void
recount(const struct list_root *l, const struct list_place *place, int64_t more)
{
    if (place->node != l->head && place->node != l->tail && more != 0)
        list_tree_add(l->tree, place->first - l->head->count, more);
}

/* replace_block: the same node in another block, with the edit done.  0 or -ENOMEM */
static int
replace_block(const struct edit *e)
{
    const struct list_root *l = e->list;
    const struct list_node *n = e->place.node, *fresh;
    size_t left = (size_t)(e->at - list_node_begin(n));

    fresh = list_node_make(&(struct list_parts){
        .left = {(const char *)list_node_begin(n), left},
        .right = {(const char *)e->at + e->old_bytes, list_node_used(n) - left - e->old_bytes},
        .item = e->item,
        .count = n->count + (e->old_bytes == 0),
        .gap = GAP_BOTH,
        .room = e->item->size});
    if (fresh == NULL)
        return -ENOMEM;
    recount(l, &e->place, e->old_bytes == 0);
    if (n == l->head || n == l->tail)
        list_root_set_ends(l, n == l->head ? fresh : l->head, n == l->tail ? fresh : l->tail);
    else
        list_tree_replace(l->tree, e->place.first - l->head->count, fresh);
    mm_free(n);
    return 0;
}

static int
replace_by_pieces(const struct edit *e)
{
    const struct list_node *n = e->place.node;
    struct list_spares spares;
    struct pieces p;

    if (!cut(e, &p))
        return -ENOMEM;
    if (!list_tree_reserve(e->list->tree, p.count, &spares)) {
        free_pieces(&p);
        return -ENOMEM;
    }
    put_pieces(e, &p, &spares);
    list_tree_give_back(&spares);
    mm_free(n);
    return 0;
}

/* edit: 0 or -ENOMEM */
static int
edit(const struct edit *e)
{
    const struct list_node *n = e->place.node;
    struct list_limit limit = list_limit();
    uint64_t elements = e->old_bytes == 0, more = e->item->size - e->old_bytes;
    bool fits = n->plain == 0 && !e->item->plain && (elements == 0 || n->count < limit.count) &&
                list_node_used(n) + more <= limit.block_bytes - sizeof *n;
    int r = 0;

    if (!fits)
        r = replace_by_pieces(e);
    else if (list_node_splice(n, e->at, e->old_bytes, e->item))
        recount(e->list, &e->place, (int64_t)elements);
    else
        r = replace_block(e);
    if (r == 0)
        list_root_account(e->list, elements);
    return r;
}

/* aim: the word, as *it, goes to where element i is. */
static void
aim(struct edit *e, uint64_t i, struct slice word, struct list_item *it)
{
    struct list_limit limit = list_limit();

    list_item_init(it, word, &limit);
    list_root_find(e->list, i, &e->place);
    e->item = it;
    e->at = e->place.node->plain != 0 ? list_node_begin(e->place.node)
                                      : list_node_entry(e->place.node, i - e->place.first);
}

int
list_root_set(const struct list_root *l, uint64_t i, struct slice word)
{
    struct edit e = {.list = l};
    struct list_item it;

    aim(&e, i, word, &it);
    e.old_bytes = e.place.node->plain != 0 ? list_node_used(e.place.node) : lp_entry_size(e.at);
    return edit(&e);
}

int
list_root_insert(const struct list_root *l, uint64_t i, struct slice word)
{
    struct edit e = {.list = l};
    struct list_item it;

    aim(&e, i, word, &it);
    return edit(&e);
}

/* ---- remove ---- */

/* unlink_node: the node at place, of several, leaves the list. */
static void
unlink_node(const struct list_root *l, const struct list_place *place)
{
    const struct list_node *n = place->node;

    if (n == l->head || n == l->tail) {
        list_root_pop(l, n == l->head ? LIST_HEAD : LIST_TAIL, n->count);
        return;
    }
    list_root_set_tree(l, list_tree_remove(l->tree, place->first - l->head->count), -1);
    list_root_account(l, -(uint64_t)n->count);
    mm_free(n);
}

/* remove_here: up to `limit` of the node's elements.  Returns how many. */
static uint64_t
remove_here(const struct list_root *l, const struct list_place *place,
            const struct lp_needle *needle, uint64_t limit, enum list_side from)
{
    const struct list_node *n = place->node;
    uint64_t all = list_node_matches(n, needle), take = all < limit ? all : limit;

    if (take == 0)
        return 0;
    if (take == n->count) {
        unlink_node(l, place);
        return take;
    }
    list_node_remove_matches(n, needle, from == LIST_HEAD ? 0 : all - take, take);
    recount(l, place, -(int64_t)take);
    list_root_account(l, -take);
    return take;
}

/* consists_of: is every element the needle, and are they no more than the limit? */
static bool
consists_of(const struct list_root *l, const struct lp_needle *needle, uint64_t limit)
{
    struct list_place p;

    if (l->count > limit)
        return false;
    for (uint64_t i = 0; i < l->count; i = p.first + p.node->count) {
        list_root_find(l, i, &p);
        if (list_node_matches(p.node, needle) < p.node->count)
            return false;
    }
    return true;
}

uint64_t
list_root_remove(const struct list_root *l, const struct lp_needle *needle, uint64_t limit,
                 enum list_side from)
{
    uint64_t removed = 0, behind = 0; /* elements looked at, which stay */
    struct list_place p;

    if (consists_of(l, needle, limit))
        return l->count;
    while (removed < limit && behind < l->count) {
        uint64_t was, gone;

        list_root_find(l, from == LIST_HEAD ? behind : l->count - 1 - behind, &p);
        was = p.node->count;
        gone = remove_here(l, &p, needle, limit - removed, from);
        removed += gone;
        behind += was - gone;
    }
    return removed;
}
