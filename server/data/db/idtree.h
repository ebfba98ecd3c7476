/* server/data/db/idtree.h - an ordered tree in the values heap, keyed by 128 bits that are
 * written as stream ids: a stream's nodes, and what is pending in its groups and with its
 * consumers; by time, the fields of a large hash that expire.
 *
 * A B+ tree: nodes of at most 1 KiB, leaves and inner ones alike arrays of entries in order, an
 * entry being an id and a value of a fixed size (an inner one's: the child's address).
 *
 *   I1  In an inner node, entry i's id is not above any id below it, and above all ids below entry
 *       i - 1.  What the first entry says does not count.
 *   I2  No node is empty; the root of an empty tree is NULL; an inner root has two entries at
 *       least.
 *   I3  Only a leaf that is the root may be smaller than 1 KiB: it grows with its entries.
 *
 * The struct stands within the owner's block of the values heap.  A change opens the entries that
 * move within their node, the node's head and the struct to the barrier, O(1) pages.  Splitting
 * after the last id leaves the full node full, so that ids which come in order fill it up.
 * Threads: mutator; the layout [any]. */
#ifndef SERVER_DATA_DB_IDTREE_H
#define SERVER_DATA_DB_IDTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "snapshot/rdb/stream_node.h"

enum { IDNODE_BYTES = 1024, IDTREE_LEVELS = 10 };

struct idnode {
    uint16_t count, room; /* entries */
    uint32_t value_bytes; /* a multiple of 8 */
    char entry[];         /* each a struct stream_id, then the value */
};

struct idtree {
    const struct idnode *root;
    uint64_t count;
    uint32_t value_bytes, height; /* levels above the leaves */
};

/* idtree_find: the value (of a tree without values: something); NULL: not there. */
const void *idtree_find(const struct idtree *t, struct stream_id id);
/* idtree_put: an id that is not there.  0, or -ENOMEM and nothing has changed.  A value is changed
 * through mm_modify() by whoever found it; it moves when others come and go. */
int idtree_put(const struct idtree *t, struct stream_id id, const void *value);
/* idtree_remove: false: not there. */
bool idtree_remove(const struct idtree *t, struct stream_id id);

/* idtree_cut: all below id, which is there, leave at once: `gone` of them (the caller has counted),
 * into the empty tree *into, which is nobody's yet.  O(levels).  0, or -ENOMEM and nothing has
 * changed. */
int idtree_cut(const struct idtree *t, struct stream_id id, uint64_t gone, struct idtree *into);

/* Where a walk stands: good until the tree changes. */
struct idcursor {
    const struct idtree *tree;
    const struct idnode *node[IDTREE_LEVELS];
    unsigned at[IDTREE_LEVELS];
};
/* Each: false: there is none.
 * idcursor_from: the first that is not below id;
 * idcursor_upto: the last that is not above. */
bool idcursor_from(struct idcursor *c, const struct idtree *t, struct stream_id id);
bool idcursor_upto(struct idcursor *c, const struct idtree *t, struct stream_id id);
bool idcursor_next(struct idcursor *c);
bool idcursor_prev(struct idcursor *c);
struct stream_id idcursor_id(const struct idcursor *c);
const void *idcursor_value(const struct idcursor *c);

/* idtree_drop: free the nodes, and each value through free_value (may be NULL), as far as *budget
 * goes, which is counted down by one an entry; path: IDTREE_LEVELS + 1 words, zero at first.  True:
 * all is gone.  Nothing is written: a cut may still see it. */
bool idtree_drop(const struct idtree *t, uint64_t *path, uint64_t *budget,
                 void (*free_value)(const void *value));
/* idtree_move: from the id *next (0-0 at first) on, at least one leaf; with_values: the values are
 * addresses of blocks, which move too.  True: that was all. */
struct mover;
bool idtree_move(const struct idtree *t, struct mover *m, struct stream_id *next, bool with_values);
/* idtree_bytes: what its nodes take, about.  O(levels) */
uint64_t idtree_bytes(const struct idtree *t);
/* idtree_verify: assert I1 to I3. */
void idtree_verify(const struct idtree *t);

static inline size_t
idnode_entry_bytes(const struct idnode *n)
{
    return sizeof(struct stream_id) + n->value_bytes;
}

static inline const char *
idnode_entry(const struct idnode *n, unsigned i)
{
    return n->entry + i * idnode_entry_bytes(n);
}

static inline const void *
idnode_value(const struct idnode *n, unsigned i)
{
    return idnode_entry(n, i) + sizeof(struct stream_id);
}

static inline struct stream_id
idnode_id(const struct idnode *n, unsigned i)
{
    return *(const struct stream_id *)(const void *)idnode_entry(n, i);
}

/* idnode_child: of an inner node; or the value of a tree whose values are addresses. */
static inline const void *
idnode_child(const struct idnode *n, unsigned i)
{
    return *(const void *const *)idnode_value(n, i);
}

static inline unsigned
idnode_room(uint32_t value_bytes)
{
    return (IDNODE_BYTES - sizeof(struct idnode)) / (sizeof(struct stream_id) + value_bytes);
}

#endif
