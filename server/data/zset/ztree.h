/* server/data/zset/ztree.h - the order of a large sorted set: a counted B+ tree over its entries,
 * in the arena.
 *
 *   leaf    512 bytes: up to 31 scores, and as many pointers to entries, in order
 *   inner   1024 bytes: up to 31 children; of each, how many entries are below it, and its first
 *           key
 *
 * A key is a score and, where scores are equal, the member.  Scores stand in the nodes, so that a
 * search reads a member only where scores are equal.
 *
 *   ZT1  All leaves have the same depth; no node is empty, but for the only leaf of an empty tree.
 *   ZT2  below[i] is the number of entries under child i; score[i] and first[i] are its first key,
 *        exactly.
 *   ZT3  An insertion takes its nodes beforehand (ztree_reserve) and cannot fail then; removing
 *        needs none.
 *   ZT4  Nodes that have become small are merged with a neighbour where both then fill three
 *        quarters of a node at most; nothing is borrowed, so that a removal changes few pages.
 *
 * There are no links between leaves: a path knows the way.  A path is good until the tree changes.
 * Threads: mutator; the sweep reads the same nodes through a view (save_zset.c). */
#ifndef SERVER_DATA_ZSET_ZTREE_H
#define SERVER_DATA_ZSET_ZTREE_H

#include <stdbool.h>
#include <stdint.h>

#include "server/data/zset/zentry.h"

enum {
    ZTREE_MAX = 31,    /* keys of a leaf, children of an inner node */
    ZTREE_FEW = 10,    /* from here on a node looks for a neighbour to merge with */
    ZTREE_MERGED = 23, /* ... which must not become fuller than this */
    ZTREE_FILL = 28,   /* of nodes that are built from sorted entries */
    ZTREE_LEVELS = 13  /* inner levels at most */
};

struct zleaf {
    uint64_t count, unused;
    double score[ZTREE_MAX];
    const struct zentry *entry[ZTREE_MAX];
};

struct zinner_keys {
    double score[ZTREE_MAX];
    const struct zentry *first[ZTREE_MAX];
};

struct zinner { /* the first page has what each insertion changes */
    uint64_t count, unused;
    uint64_t below[ZTREE_MAX];
    const void *child[ZTREE_MAX]; /* struct zleaf on the lowest inner level */
    union {
        struct zinner_keys keys;
        struct {
            double score[ZTREE_MAX];
            const struct zentry *first[ZTREE_MAX];
        };
    };
    uint64_t unused_too[2];
};
_Static_assert(sizeof(struct zleaf) == 512 && sizeof(struct zinner) == 1024, "one page, and two");

/* The tree, part of the sorted set's root. */
struct ztree {
    const void *top;
    uint64_t height; /* inner levels; 0: top is a leaf */
};

struct zkey {
    double score;
    struct slice member;
};

struct zpath {
    const struct zleaf *leaf;
    unsigned at, height;
    struct {
        const struct zinner *node;
        unsigned at;
    } up[ZTREE_LEVELS]; /* up[0] is the top */
};

/* ztree_init: an empty tree into a fresh block; false: no memory. */
bool ztree_init(struct ztree *t);

/* ---- where ---- */

/* ztree_find: the path to where the key stands, or would stand: before the first key that is not
 * less. */
void ztree_find(const struct ztree *t, struct zkey key, struct zpath *ret);
/* ztree_find_entry: the path to an entry that is in the tree with this score. */
void ztree_find_entry(const struct ztree *t, double score, const struct zentry *e,
                      struct zpath *ret);
/* ztree_seek: the path to the entry of this rank, which must be there. */
void ztree_seek(const struct ztree *t, uint64_t rank, struct zpath *ret);
uint64_t ztree_rank(const struct zpath *p);
/* ztree_next, ztree_previous: false: there is none; the path is then of no more use. */
bool ztree_next(struct zpath *p);
bool ztree_previous(struct zpath *p);
/* ztree_below_score: how many entries have a score below this one (or_equal: or this one). */
uint64_t ztree_below_score(const struct ztree *t, double score, bool or_equal);
/* ztree_below_member: the same by member; all scores are equal, or the answer means nothing. */
uint64_t ztree_below_member(const struct ztree *t, struct slice member, bool or_equal);

static inline const struct zentry *
zpath_entry(const struct zpath *p)
{
    return p->leaf->entry[p->at];
}

static inline double
zpath_score(const struct zpath *p)
{
    return p->leaf->score[p->at];
}

/* ---- change ---- */

/* Nodes taken beforehand. */
struct zroom {
    struct zleaf *leaf;
    struct zinner *inner[ZTREE_LEVELS + 1];
    unsigned inner_count;
};

/* ztree_reserve: what an insertion at this path needs; false: no memory, or too high a tree.
 * Nothing has changed.
 * ztree_unreserve: give it back unused. */
bool ztree_reserve(const struct zpath *p, struct zroom *ret);
void ztree_unreserve(struct zroom *room);
/* ztree_insert: the entry, at the path of its key; uses the room up. */
void ztree_insert(const struct ztree *t, struct zpath *p, struct zroom *room, double score,
                  const struct zentry *e);
/* ztree_remove: count keys from the path on, all in its leaf. */
void ztree_remove(const struct ztree *t, struct zpath *p, unsigned count);
/* ztree_restamp: another score for the key at the path, if it stays where it is; false: it would
 * not. */
bool ztree_restamp(struct zpath *p, double score);

/* ztree_set_top: what the tree consists of; for those who build one. */
void ztree_set_top(const struct ztree *t, const void *top, uint64_t height);

/* ---- as a whole ---- */

/* ztree_build: a tree of sorted entries into a fresh block; false: no memory. */
bool ztree_build(struct ztree *t, const struct zentry *const *sorted, uint64_t count);
/* ztree_drop: free about so many nodes; where[] (zeros at first, ZTREE_LEVELS of them) says how far
 * it came. True: all are gone.  The entries are the caller's. */
bool ztree_drop(const struct ztree *t, uint64_t *where, uint64_t nodes);
/* ztree_bytes: of all nodes. */
uint64_t ztree_bytes(const struct ztree *t);
/* ztree_verify: assert ZT1, ZT2 and the order; returns the number of entries.  For tests. */
uint64_t ztree_verify(const struct ztree *t);

#endif
