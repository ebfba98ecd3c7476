/* tool/memory/radix.h - what a radix tree of Redis takes whose keys are 16 bytes and come in order:
 * those of a stream's nodes, and of what is pending.
 *
 * Such a tree has a leaf for each key, a node where keys part, and one for each stretch of bytes
 * that keys share or that a key has alone.  In order, the nodes that can still change are those of
 * the last key's path: their depths are all that is kept.
 * Threads: one. */
#ifndef TOOL_MEMORY_RADIX_H
#define TOOL_MEMORY_RADIX_H

#include "snapshot/rdb/stream_node.h"
#include "tool/memory/rules.h"

struct memory_radix {
    uint64_t keys, bytes;          /* bytes: of the nodes that stay as they are */
    uint8_t last[STREAM_ID_BYTES]; /* key */
    /* where the last key parts from others, going down: at which byte, into how many */
    unsigned depths;
    struct {
        int at;
        unsigned ways;
    } depth[STREAM_ID_BYTES];
};

void memory_radix_add(struct memory_radix *t, const struct memory_rules *rules,
                      struct stream_id id);
/* memory_radix_end: the whole tree's bytes; t is empty again. */
uint64_t memory_radix_end(struct memory_radix *t, const struct memory_rules *rules);
/* memory_radix_leaf: about what a key of another kind takes: a leaf, and its bytes in one node. */
uint64_t memory_radix_leaf(const struct memory_rules *rules, uint64_t len);

#endif
