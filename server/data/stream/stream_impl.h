/* server/data/stream/stream_impl.h - changing the bytes of a node (stream_edit.c), for the
 * files of this folder.
 *
 *   E1  A node's block has STREAM_NODE_SLACK bytes more than its listpack when they are made: as
 *       much as the two numbers of the master entry can grow, so that marking an entry as deleted
 *       never needs memory.
 *
 * Threads: mutator. */
#ifndef SERVER_DATA_STREAM_STREAM_IMPL_H
#define SERVER_DATA_STREAM_STREAM_IMPL_H

#include "server/data/stream/stream.h"

enum { STREAM_NODE_SLACK = 8 };

/* A new entry as bytes of a listpack, in scratch memory: good until the next one. */
struct stream_bytes {
    const uint8_t *at;
    uint32_t len, elements;
};
/* stream_build_item: for node n, or with n NULL a whole node with this one entry.  0 or -ENOMEM */
int stream_build_item(const struct stream_node *n, struct stream_id id, const struct slice *words,
                      int pairs, struct stream_bytes *ret);
/* stream_item_append: to the node at lp, whose block has the room. */
void stream_item_append(const uint8_t *lp, const struct stream_bytes *item);
/* stream_mark_deleted: the item's flag alone.
 * stream_set_items: the two numbers of the master entry. */
void stream_mark_deleted(const struct stream_item *i);
void stream_set_items(const uint8_t *lp, uint64_t live, uint64_t deleted);
/* stream_forget: node and id go; `entries` lived in it. */
void stream_forget(const struct stream *s, struct stream_id node, const uint8_t *lp,
                   uint64_t entries);

#endif
