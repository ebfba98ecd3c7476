/* server/data/list/list_root.c - a large list as a whole: its first and last node, and the tree
 * between them. Edits in the middle: list_edit.c. */
#include <errno.h>
#include <string.h>

#include "mm/mm.h"
#include "server/data/list/list_root_impl.h"

struct slice
list_node_slice(const struct list_node *n)
{
    return (struct slice){(const char *)list_node_begin(n), list_node_used(n)};
}

/* edit_root: the one way into a root: it lies in one page, so all of it is opened at once. */
static struct list_root *
edit_root(const struct list_root *l)
{
    return mm_modify(l, sizeof *l);
}

void
list_root_account(const struct list_root *l, uint64_t elements)
{
    edit_root(l)->count += elements;
}

void
list_root_set_ends(const struct list_root *l, const struct list_node *head,
                   const struct list_node *tail)
{
    struct list_root *w = edit_root(l);

    w->head = head;
    w->tail = tail;
}

void
list_root_set_tree(const struct list_root *l, const struct list_inner *tree, int64_t more_nodes)
{
    struct list_root *w = edit_root(l);

    w->tree = tree;
    w->nodes += (uint64_t)more_nodes;
}

void
list_root_set_quick(const struct list_root *l, bool is_quick)
{
    if ((l->is_quick != 0) != is_quick)
        edit_root(l)->is_quick = is_quick;
}

/* ---- all of it ---- */

/* list_root_of: with one node, which it takes over; NULL: no memory. */
static const struct list_root *
list_root_of(const struct list_node *n)
{
    struct list_root *l = n != NULL ? mm_alloc(MM_VALUE, sizeof *l) : NULL;

    if (l == NULL) {
        if (n != NULL)
            mm_free(n);
        return NULL;
    }
    *l = (struct list_root){.count = n->count, .tail = n, .nodes = 1};
    return l;
}

const struct list_root *
list_root_new(struct slice entries, uint32_t count)
{
    return list_root_of(list_node_make(&(struct list_parts){
        .left = entries, .count = count, .gap = GAP_BOTH, .room = entries.len / 2}));
}

const struct list_root *
list_root_of_item(const struct list_item *it)
{
    return list_root_of(list_node_make(
        &(struct list_parts){.item = it, .count = 1, .gap = GAP_BACK, .room = it->size}));
}

bool
list_root_drop(const struct list_root *l, struct drop_cursor *at, uint64_t nodes)
{
    _Static_assert(LIST_LEVELS_MAX <= sizeof at->at / sizeof at->at[0], "a number for each level");

    if (l->tree != NULL && !list_tree_drop(l->tree, at->at, &nodes))
        return false;
    if (l->head != NULL)
        mm_free(l->head);
    mm_free(l->tail);
    mm_free(l);
    return true;
}

void
list_root_free(const struct list_root *l)
{
    struct drop_cursor at = {{0}};

    (void)list_root_drop(l, &at, UINT64_MAX);
}

void
list_root_each_node(const struct list_root *l, void (*visit)(void *ctx, const struct list_node *n),
                    void *ctx)
{
    if (l->head != NULL)
        visit(ctx, l->head);
    list_tree_each(l->tree, visit, ctx);
    visit(ctx, l->tail);
}

struct copying {
    const struct list_root *to; /* NULL: nothing yet */
    bool failed;
};

static void
copy_node(void *ctx, const struct list_node *n)
{
    struct copying *c = ctx;
    const struct list_node *copy;

    if (c->failed || (copy = list_node_copy(n)) == NULL) {
        c->failed = true;
    } else if (c->to == NULL) {
        c->failed = (c->to = list_root_of(copy)) == NULL;
    } else if (list_root_add_node(c->to, LIST_TAIL, copy) < 0) {
        mm_free(copy);
        c->failed = true;
    }
}

const struct list_root *
list_root_copy(const struct list_root *l)
{
    struct copying c = {.to = NULL};

    list_root_each_node(l, copy_node, &c);
    if (c.failed) {
        if (c.to != NULL)
            list_root_free(c.to);
        return NULL;
    }
    list_root_set_quick(c.to, l->is_quick != 0);
    return c.to;
}

struct sums {
    uint64_t elements, nodes;
};

static void
verify_node(void *ctx, const struct list_node *n)
{
    struct sums *s = ctx;
    uint64_t count = 0;

    must(n->count > 0 && n->begin >= sizeof *n && n->begin <= n->end && n->end <= mm_usable(n));
    for (const uint8_t *p = list_node_begin(n); n->plain == 0 && p < list_node_end(n); count++) {
        p += lp_entry_size(p);
        must(p <= list_node_end(n));
    }
    must(n->plain != 0 ? n->count == 1 : n->count == count); /* Q2 */
    s->elements += n->count;
    s->nodes++;
}

void
list_root_verify(const struct list_root *l)
{
    struct sums s = {0};

    must(l->tail != NULL && (l->head != NULL || l->tree == NULL)); /* Q1 */
    list_root_each_node(l, verify_node, &s);
    must(s.elements == l->count && s.nodes == l->nodes); /* Q3 */
    if (l->tree != NULL)
        list_tree_verify(l->tree);
}

struct weighing {
    uint64_t bytes, nodes, most; /* nodes looked at; of these at most */
};

static void
weigh_node(void *ctx, const struct list_node *n)
{
    struct weighing *w = ctx;

    if (w->nodes == w->most)
        return;
    w->bytes += mm_usable(n);
    w->nodes++;
}

uint64_t
list_root_weigh(const struct list_root *l, uint64_t samples)
{
    struct weighing w = {.most = samples == 0 ? UINT64_MAX : samples};
    uint64_t first;

    if (samples == 0) {
        list_root_each_node(l, weigh_node, &w);
        return mm_usable(l) + w.bytes + list_tree_bytes(l->tree);
    }
    weigh_node(&w, l->tail);
    if (l->head != NULL)
        weigh_node(&w, l->head);
    for (uint64_t i = 0, all = list_tree_count(l->tree); i < all && w.nodes < w.most;) {
        const struct list_node *n = list_tree_find(l->tree, i, &first);

        weigh_node(&w, n);
        i = first + n->count;
    }
    return mm_usable(l) + w.bytes / w.nodes * l->nodes +
           (l->tree != NULL ? l->nodes / (LIST_BRANCHES / 2) * sizeof *l->tree : 0);
}

enum { FEW_NODES = 4 };

static void
add_bytes(void *ctx, const struct list_node *n)
{
    *(uint64_t *)ctx += list_node_used(n);
}

uint64_t
list_root_bytes(const struct list_root *l)
{
    uint64_t bytes = 0;

    if (l->nodes > FEW_NODES)
        return UINT64_MAX;
    list_root_each_node(l, add_bytes, &bytes);
    return bytes;
}

static void
note_plain(void *ctx, const struct list_node *n)
{
    *(bool *)ctx |= n->plain != 0;
}

bool
list_root_has_plain(const struct list_root *l)
{
    bool has = false;

    list_root_each_node(l, note_plain, &has);
    return has;
}

void
list_root_find(const struct list_root *l, uint64_t i, struct list_place *ret)
{
    uint64_t before_tail = l->count - l->tail->count, head = l->head != NULL ? l->head->count : 0;

    if (i < head) {
        *ret = (struct list_place){.node = l->head, .first = 0};
    } else if (i >= before_tail) {
        *ret = (struct list_place){.node = l->tail, .first = before_tail};
    } else {
        ret->node = list_tree_find(l->tree, i - head, &ret->first);
        ret->first += head;
    }
}

/* ---- ends ---- */

const struct list_node *
list_root_end(const struct list_root *l, enum list_side side)
{
    return side == LIST_HEAD && l->head != NULL ? l->head : l->tail;
}

/* root_link: a fresh node becomes the first or the last; what was there goes into the tree.  0 or
 * -ENOMEM */
static int
root_link(const struct list_root *l, enum list_side side, const struct list_node *fresh)
{
    const struct list_node *old = list_root_end(l, side);
    struct list_spares spares;

    if (l->head == NULL) {
        list_root_set_ends(l, side == LIST_HEAD ? fresh : l->tail,
                           side == LIST_HEAD ? l->tail : fresh);
        list_root_set_tree(l, l->tree, 1);
        return 0;
    }
    if (!list_tree_reserve(l->tree, 1, &spares))
        return -ENOMEM;
    list_root_set_tree(
        l,
        list_tree_insert(l->tree, side == LIST_HEAD ? 0 : list_tree_count(l->tree), old, &spares),
        1);
    list_tree_give_back(&spares);
    list_root_set_ends(l, side == LIST_HEAD ? fresh : l->head, side == LIST_HEAD ? l->tail : fresh);
    return 0;
}

int
list_root_add_node(const struct list_root *l, enum list_side side, const struct list_node *n)
{
    int r = root_link(l, side, n);

    if (r == 0)
        list_root_account(l, n->count);
    return r;
}

/* push_in_another_block: the node at that end gets a block with room for the item, and the item.
 * The old block is freed last: the item's bytes may be in it.  0 or -ENOMEM */
static int
push_in_another_block(const struct list_root *l, enum list_side side, const struct list_item *it)
{
    const struct list_node *old = list_root_end(l, side), *fresh;
    uint64_t used = list_node_used(old);
    struct list_parts parts = {.left = list_node_slice(old),
                               .count = old->count,
                               .gap = l->head == NULL     ? GAP_BOTH
                                      : side == LIST_HEAD ? GAP_FRONT
                                                          : GAP_BACK,
                               .room = (l->head == NULL ? 2 : 1) * it->size + used / 2};

    if ((fresh = list_node_make(&parts)) == NULL)
        return -ENOMEM;
    /* the room on both sides is not enough for one of them */
    if (list_node_room(fresh, side) < it->size) {
        mm_free(fresh);
        parts.gap = side == LIST_HEAD ? GAP_FRONT : GAP_BACK;
        if ((fresh = list_node_make(&parts)) == NULL)
            return -ENOMEM;
    }
    list_root_set_ends(l, old == l->head ? fresh : l->head, old == l->tail ? fresh : l->tail);
    list_node_push(fresh, side, it);
    list_root_account(l, 1);
    mm_free(old);
    return 0;
}

/* is_worth_moving: would another block give so much room that moving the entries pays? */
static bool
is_worth_moving(const struct list_node *n, const struct list_limit *limit)
{
    return list_node_used(n) + sizeof *n <= limit->block_bytes - limit->block_bytes / 4;
}

static int
push_slowly(const struct list_root *l, enum list_side side, const struct list_item *it,
            const struct list_limit *limit)
{
    const struct list_node *n = list_root_end(l, side);

    if (list_node_takes(n, it, limit) && is_worth_moving(n, limit))
        return push_in_another_block(l, side, it);
    n = list_node_make(&(struct list_parts){
        .item = it, .count = 1, .gap = side == LIST_HEAD ? GAP_FRONT : GAP_BACK, .room = it->size});
    if (n == NULL)
        return -ENOMEM;
    if (list_root_add_node(l, side, n) == 0)
        return 0;
    mm_free(n);
    return -ENOMEM;
}

int
list_root_push(const struct list_root *l, enum list_side side, struct slice word)
{
    const struct list_node *n = list_root_end(l, side);
    struct list_limit limit = list_limit();
    struct list_item it;

    list_item_init(&it, word, &limit);
    if (unlikely(!list_node_takes(n, &it, &limit) || list_node_room(n, side) < it.size))
        return push_slowly(l, side, &it, &limit);
    list_node_push(n, side, &it);
    list_root_account(l, 1);
    return 0;
}

/* take_piece: as many of the entries as a node takes that has so many bytes and elements already;
 * they leave *entries. */
static struct slice
take_piece(struct slice *entries, uint64_t used, uint64_t elements, uint32_t *ret_count)
{
    struct list_limit limit = list_limit();
    uint64_t most = limit.block_bytes - sizeof(struct list_node);
    const uint8_t *from = (const uint8_t *)entries->ptr, *p = from, *end = p + entries->len;
    uint32_t count = 0;

    for (; p < end && elements + count < limit.count; count++) {
        uint32_t size = lp_entry_size(p);

        if (used + (uint64_t)(p - from) + size > most && used + count > 0)
            break;
        p += size;
    }
    *ret_count = count;
    *entries = (struct slice){(const char *)p, (size_t)(end - p)};
    return (struct slice){(const char *)from, (size_t)(p - from)};
}

/* fill_tail: the last node with a piece more, in another block.  0 or -ENOMEM */
static int
fill_tail(const struct list_root *l, struct slice piece, uint32_t count)
{
    const struct list_node *old = l->tail,
                           *fresh =
                               list_node_make(&(struct list_parts){.left = list_node_slice(old),
                                                                   .right = piece,
                                                                   .count = old->count + count,
                                                                   .gap = GAP_BACK});

    if (fresh == NULL)
        return -ENOMEM;
    list_root_set_ends(l, l->head, fresh);
    list_root_account(l, count);
    mm_free(old);
    return 0;
}

int
list_root_append(const struct list_root *l, struct slice entries)
{
    const struct list_node *n = l->tail;
    struct slice piece;
    uint32_t count;

    if (n->plain == 0) {
        piece = take_piece(&entries, list_node_used(n), n->count, &count);
        if (count > 0 && fill_tail(l, piece, count) < 0)
            return -ENOMEM;
    }
    while (entries.len > 0) {
        piece = take_piece(&entries, 0, 0, &count);
        if ((n = list_node_make(
                 &(struct list_parts){.left = piece, .count = count, .gap = GAP_BACK})) == NULL)
            return -ENOMEM;
        if (list_root_add_node(l, LIST_TAIL, n) < 0) {
            mm_free(n);
            return -ENOMEM;
        }
    }
    return 0;
}

const struct list_root *
list_root_from(struct slice entries)
{
    uint32_t count;
    struct slice piece = take_piece(&entries, 0, 0, &count);
    const struct list_root *l = list_root_of(
        list_node_make(&(struct list_parts){.left = piece, .count = count, .gap = GAP_BACK}));

    if (l == NULL || entries.len == 0 || list_root_append(l, entries) == 0)
        return l;
    list_root_free(l);
    return NULL;
}

void
list_root_settle(const struct list_root *l)
{
    uint64_t bytes = list_root_bytes(l);
    struct list_limit limit = list_limit();

    list_root_set_quick(l, bytes == UINT64_MAX || bytes + LP_EMPTY_BYTES > limit.block_bytes ||
                               l->count > limit.count || list_root_has_plain(l));
}

/* ---- the ends go ---- */

/* root_unlink: the node at that end, of several, leaves; the next one takes its place. */
static void
root_unlink(const struct list_root *l, enum list_side side)
{
    const struct list_node *next;
    uint64_t all = list_tree_count(l->tree), first;

    if (l->tree == NULL) {
        list_root_set_ends(l, NULL, side == LIST_HEAD ? l->tail : l->head);
        list_root_set_tree(l, NULL, -1);
        return;
    }
    next = list_tree_find(l->tree, side == LIST_HEAD ? 0 : all - 1, &first);
    list_root_set_tree(l, list_tree_remove(l->tree, first), -1);
    list_root_set_ends(l, side == LIST_HEAD ? next : l->head, side == LIST_HEAD ? l->tail : next);
}

enum { MANY_NODES = 64 };

/* cut_tree: of the tree, the nodes that are wholly among the first or last `elements` leave.
 * Returns their tree; NULL: there are none, or no memory: nothing has changed. */
static const struct list_inner *
cut_tree(const struct list_root *l, enum list_side side, uint64_t elements)
{
    uint64_t all = list_tree_count(l->tree), at = side == LIST_HEAD ? elements : all - elements,
             first;
    const struct list_inner *front, *back;
    struct list_spares spares;

    if (elements < all) {
        uint64_t count = list_tree_find(l->tree, at, &first)->count;
        at = side == LIST_HEAD || at == first ? first : first + count;
    }
    if (at == (side == LIST_HEAD ? 0 : all) || !list_tree_reserve(l->tree, 1, &spares))
        return NULL;
    back = list_tree_split(l->tree, at, &spares, &front);
    list_tree_give_back(&spares);
    list_root_set_tree(l, side == LIST_HEAD ? back : front, 0);
    return side == LIST_HEAD ? front : back;
}

/* pop_many: the node at that end and many behind it leave at once, to be freed in slices.  Returns
 * how many elements went; 0: none, or no memory. */
static uint64_t
pop_many(const struct list_root *l, enum list_side side, uint64_t elements)
{
    const struct list_node *n = list_root_end(l, side);
    uint64_t all = list_tree_count(l->tree);
    const struct list_inner *tree;
    struct list_root *grave;

    if (l->tree == NULL || elements <= n->count ||
        (grave = mm_alloc(MM_VALUE, sizeof *grave)) == NULL)
        return 0;
    elements -= n->count;
    if ((tree = cut_tree(l, side, elements < all ? elements : all)) == NULL) {
        mm_free(grave);
        return 0;
    }
    *grave = (struct list_root){.count = list_tree_count(tree) + n->count,
                                .tail = n,
                                .tree = tree,
                                .nodes = list_tree_nodes(tree) + 1};
    list_root_set_tree(l, l->tree, -(int64_t)(grave->nodes - 1));
    list_root_account(l, -list_tree_count(tree));
    root_unlink(l, side);
    list_root_account(l, -(uint64_t)n->count);
    elements = grave->count;
    db_bury(TYPE_LIST, grave);
    return elements;
}
void
list_root_pop(const struct list_root *l, enum list_side side, uint64_t elements)
{
    debug_check(elements < l->count);
    if (l->nodes > MANY_NODES && elements > l->count / l->nodes * MANY_NODES)
        elements -= pop_many(l, side, elements);
    while (elements > 0) {
        const struct list_node *n = list_root_end(l, side);

        if (n->count > elements) {
            list_node_pop(n, side, elements);
            list_root_account(l, -elements);
            return;
        }
        elements -= n->count;
        root_unlink(l, side);
        list_root_account(l, -(uint64_t)n->count);
        mm_free(n);
    }
}
