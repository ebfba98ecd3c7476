/* server/data/list/list_impl.h - the structure of a large list, for server/data/list*.c,
 * save_list.c and load_list.c only.
 *
 *     root -> head | tree of the nodes in between | tail
 *
 * A node is one block of the values heap.  Its entries are those of a listpack
 * (snapshot/rdb/listpack.c), but without a listpack's frame, and with room on both sides of them,
 * so that an element is added at either end by writing its own bytes and the node's header.  An
 * element above the limits has a plain node of its own. The first and the last node stand in the
 * root itself, so that the ends are reached without a search; the others are the leaves of a tree
 * that knows how many elements there are below each branch (list_tree.c).
 *
 *   Q1  tail is always there; head is NULL only when the tree is too (then tail is the only node).
 *   Q2  No node is empty.  A plain node has one element, and its bytes as they are.
 *   Q3  root: count and nodes are the sums over all nodes; each branch of the tree counts what is
 *       below.
 *   Q4  An edit changes the bytes of its entry, what has to move within its node (the shorter
 *       side), the node's header and the counts above it: nothing else goes through the barrier.
 *
 * Threads: mutator; the sweep reads through a view (save_list.c). */
#ifndef SERVER_DATA_LIST_LIST_IMPL_H
#define SERVER_DATA_LIST_LIST_IMPL_H

#include "server/data/list/list.h"

struct list_node {
    uint64_t begin, end; /* of the entries, or of the plain element, in bytes of the block */
    uint32_t count;
    uint32_t plain; /* 1: one element as it is */
};

enum { LIST_BRANCHES = 31, LIST_LEVELS_MAX = 16 };

/* A branching of the tree: one 512-byte page. */
struct list_inner {
    uint32_t n, level; /* level 0: the children are nodes */
    struct list_branch {
        const void *child;
        uint64_t count; /* elements below */
    } at[LIST_BRANCHES];
};

struct list_root {
    uint64_t count; /* elements */
    const struct list_node *head, *tail;
    const struct list_inner *tree;
    uint64_t nodes;
    uint64_t is_quick; /* beyond a listpack's limits: what OBJECT ENCODING says */
};

static inline uint64_t
list_root_count(const struct list_root *l)
{
    return l->count;
}

/* ---- nodes: list_node.c ---- */

/* What a node may hold. */
struct list_limit {
    uint64_t block_bytes; /* header included */
    uint64_t count;
};
struct list_limit list_limit(void);

/* An element on its way in. */
struct list_item {
    struct slice text;
    bool plain;
    uint64_t size; /* of its entry, or of the plain element */
    struct lp_entry entry;
};
void list_item_init(struct list_item *it, struct slice text, const struct list_limit *limit);

static inline const uint8_t *
list_node_begin(const struct list_node *n)
{
    return (const uint8_t *)n + n->begin;
}

static inline const uint8_t *
list_node_end(const struct list_node *n)
{
    return (const uint8_t *)n + n->end;
}

static inline uint64_t
list_node_used(const struct list_node *n)
{
    return n->end - n->begin;
}

enum list_gap { GAP_FRONT, GAP_BACK, GAP_BOTH };

/* Of what a fresh node is made: entries, an element or none, more entries. */
struct list_parts {
    struct slice left, right;
    const struct list_item *item; /* NULL: none */
    uint32_t count;               /* of all */
    enum list_gap gap;            /* where the room is */
    uint64_t room;                /* bytes of it, at least */
};
/* list_node_make: NULL: no memory. */
const struct list_node *list_node_make(const struct list_parts *parts);
const struct list_node *list_node_copy(const struct list_node *n);
/* list_node_takes: may the node hold one more element? */
bool list_node_takes(const struct list_node *n, const struct list_item *it,
                     const struct list_limit *limit);
/* list_node_entry: where entry number i stands. */
const uint8_t *list_node_entry(const struct list_node *n, uint64_t i);
/* list_node_push: at an end that has room (list_node_room). */
uint64_t list_node_room(const struct list_node *n, enum list_side side);
void list_node_push(const struct list_node *n, enum list_side side, const struct list_item *it);
/* list_node_pop: so many elements at an end go; fewer than all. */
void list_node_pop(const struct list_node *n, enum list_side side, uint64_t elements);
/* list_node_splice: the old_bytes at p (one entry, or 0: none) become the item's entry, or with
 * item NULL nothing, where they stand.  False, and nothing has changed: there is no room for it. */
bool list_node_splice(const struct list_node *n, const uint8_t *p, uint64_t old_bytes,
                      const struct list_item *item);
/* list_node_matches: how many of its elements are the needle.
 * list_node_remove_matches: take out those from number skip on, `take` of them, fewer than all of
 * the node's elements. */
uint64_t list_node_matches(const struct list_node *n, const struct lp_needle *needle);
void list_node_remove_matches(const struct list_node *n, const struct lp_needle *needle,
                              uint64_t skip, uint64_t take);

/* ---- the tree: list_tree.c.  A tree without nodes is NULL; those that return one return the new
 * root. ---- */

/* Branchings taken in advance, so that insertions cannot fail. */
struct list_spares {
    struct list_inner *at[3 * (LIST_LEVELS_MAX + 1)];
    unsigned count;
};
/* list_tree_reserve: enough for so many insertions (up to 3).  False: no memory.
 * list_tree_give_back: what is left. */
bool list_tree_reserve(const struct list_inner *t, unsigned insertions, struct list_spares *s);
void list_tree_give_back(struct list_spares *s);

uint64_t list_tree_count(const struct list_inner *t);
/* list_tree_nodes: how many nodes it has.  O(branchings) */
uint64_t list_tree_nodes(const struct list_inner *t);
/* list_tree_find: the node that holds element i; *ret_first: the number of its first element. */
const struct list_node *list_tree_find(const struct list_inner *t, uint64_t i, uint64_t *ret_first);
/* list_tree_insert: a node before element number `before`, which is the first one of a node, or
 * their count. */
const struct list_inner *list_tree_insert(const struct list_inner *t, uint64_t before,
                                          const struct list_node *n, struct list_spares *s);
/* list_tree_remove: the node that holds element i. */
const struct list_inner *list_tree_remove(const struct list_inner *t, uint64_t i);
/* list_tree_add: the node that holds element i has so many elements more.
 * list_tree_replace: another one, with as many elements, takes its place. */
void list_tree_add(const struct list_inner *t, uint64_t i, int64_t delta);
void list_tree_replace(const struct list_inner *t, uint64_t i, const struct list_node *n);
/* list_tree_split: the nodes before element `before`, the first one of a node, leave: *ret_cut is
 * their tree. Returns what stays.  s: one spare a level. */
const struct list_inner *list_tree_split(const struct list_inner *t, uint64_t before,
                                         struct list_spares *s, const struct list_inner **ret_cut);
/* list_tree_each: visit every node in order. */
void list_tree_each(const struct list_inner *t, void (*visit)(void *ctx, const struct list_node *n),
                    void *ctx);
/* list_tree_drop: free so many nodes, and the branchings that are done; true: all is gone.  at: all
 * zero at first. */
bool list_tree_drop(const struct list_inner *t, uint64_t at[LIST_LEVELS_MAX], uint64_t *nodes);
/* list_tree_verify: Q3. */
void list_tree_verify(const struct list_inner *t);
/* list_tree_bytes: memory of the branchings. */
uint64_t list_tree_bytes(const struct list_inner *t);

/* ---- the structure: list_root.c ---- */

/* list_root_new: with these entries, up to what fits into a node; NULL: no memory. */
const struct list_root *list_root_new(struct slice entries, uint32_t count);
/* list_root_of_item: with one element.  NULL: no memory. */
const struct list_root *list_root_of_item(const struct list_item *it);
/* list_root_set_quick: what OBJECT ENCODING says: quicklist or listpack. */
void list_root_set_quick(const struct list_root *l, bool is_quick);
void list_root_free(const struct list_root *l);
const struct list_root *list_root_copy(const struct list_root *l);
bool list_root_drop(const struct list_root *l, struct drop_cursor *at, uint64_t nodes);
void list_root_verify(const struct list_root *l);
uint64_t list_root_weigh(const struct list_root *l, uint64_t samples);

/* Where an element is. */
struct list_place {
    const struct list_node *node;
    uint64_t first; /* number of the node's first element */
};
/* list_root_move: from next (zeros at first) on: see type_ops. */
struct mover;
bool list_root_move(const struct list_root *l, struct mover *m, uint64_t next[2]);
/* list_root_bytes: of all entries and plain elements; UINT64_MAX for a list of more than a few
 * nodes. */
uint64_t list_root_bytes(const struct list_root *l);
bool list_root_has_plain(const struct list_root *l); /* of a few nodes */
void list_root_find(const struct list_root *l, uint64_t i, struct list_place *ret);
/* list_root_push: 0 or -ENOMEM. */
int list_root_push(const struct list_root *l, enum list_side side, struct slice word);
/* list_root_append: entries as they are, as many to a node as it takes: 0, or -ENOMEM, and some may
 * be there.
 * list_root_from: a list of them (there are some); NULL: no memory. */
int list_root_append(const struct list_root *l, struct slice entries);
const struct list_root *list_root_from(struct slice entries);
/* list_root_settle: a list that was just loaded: what OBJECT ENCODING says of it. */
void list_root_settle(const struct list_root *l);
/* list_root_pop: so many elements at an end go; fewer than all. */
void list_root_pop(const struct list_root *l, enum list_side side, uint64_t elements);
/* list_root_set, list_root_insert: 0 or -ENOMEM.  i: of an element that is there. */
int list_root_set(const struct list_root *l, uint64_t i, struct slice word);
int list_root_insert(const struct list_root *l, uint64_t i, struct slice word);
/* list_root_remove: up to `limit` elements that are the needle, the first or the last ones.
 * Returns how many; when that is all, nothing was changed. */
uint64_t list_root_remove(const struct list_root *l, const struct lp_needle *needle, uint64_t limit,
                          enum list_side from);

#endif
