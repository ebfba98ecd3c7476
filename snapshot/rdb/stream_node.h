/* snapshot/rdb/stream_node.h - the listpack that holds some consecutive entries of a stream, in
 * Redis's format.
 *
 * The master entry, then the items, of two kinds: with the master's fields (STREAM_ITEM_SAME), or
 * with N fields of their own:
 *
 *     live | deleted | F | field 1 ... field F | 0
 *     flags | ms - first.ms | seq - first.seq | value 1 ... value F | F + 3
 *     flags | ms - first.ms | seq - first.seq | N | field 1 | value 1 ... | 2 N + 4
 *
 * `first` is the id under which the node is kept; differences are modulo 2^64.  The number at an
 * item's end is how many listpack elements stand before it in the item, for reading backwards.
 * Pure functions over the caller's memory; here because the decoder validates what it reads.
 * Threads: [any]. */
#ifndef SNAPSHOT_RDB_STREAM_NODE_H
#define SNAPSHOT_RDB_STREAM_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "snapshot/rdb/listpack.h"

struct stream_id {
    uint64_t ms, seq;
};

static inline int
stream_id_compare(struct stream_id a, struct stream_id b)
{
    if (a.ms != b.ms)
        return a.ms < b.ms ? -1 : 1;
    return a.seq < b.seq ? -1 : a.seq > b.seq;
}

enum { STREAM_ITEM_DELETED = 1, STREAM_ITEM_SAME = 2, STREAM_ID_BYTES = 16 };

struct stream_node {
    const uint8_t *lp;
    struct stream_id first;
    uint32_t live, deleted, fields;
    /* offsets: of the number of deleted items, of the first field's name */
    uint32_t deleted_at, fields_at;
    uint32_t items_at; /* of the first item; 0: none */
};

struct stream_item {
    const uint8_t *lp;
    struct stream_id id;
    uint32_t at; /* offset of its flags */
    uint32_t flags, fields;
    uint32_t names_at;  /* STREAM_ITEM_SAME: the master entry's names; else 0 */
    uint32_t values_at; /* the first value, or field */
};

/* stream_node_open: read the master entry.  O(its fields) */
void stream_node_open(struct stream_node *n, const uint8_t *lp, struct stream_id first);
/* stream_node_items: both numbers of the master entry together. O(1) */
void stream_node_items(const uint8_t *lp, uint64_t *ret_live, uint64_t *ret_deleted);
/* stream_item_read: the item whose flags stand at offset `at`.  O(1) */
void stream_item_read(const struct stream_node *n, uint32_t at, struct stream_item *ret);
/* stream_item_next: offset of the item behind it; 0: it is the last.  O(its fields) */
uint32_t stream_item_next(const struct stream_item *i);
/* stream_item_last: of the node's last item; 0: none.
 * stream_item_prev: of the one before; 0: none. */
uint32_t stream_item_last(const struct stream_node *n);
uint32_t stream_item_prev(const struct stream_node *n, const struct stream_item *i);

/* A walk through an item's pairs. */
struct stream_pairs {
    const uint8_t *lp;
    uint32_t names_at, values_at, left;
};
struct stream_pairs stream_item_pairs(const struct stream_item *i);
/* stream_pairs_next: false: no more.  Both elements are good as long as the node. */
bool stream_pairs_next(struct stream_pairs *p, struct lp_elem *ret_field,
                       struct lp_elem *ret_value);

/* What is left of a node once it was seen to be sound. */
struct stream_node_sum {
    uint64_t live, deleted;
    struct stream_id lowest, highest; /* of its items, deleted ones included */
    struct stream_id highest_live;
};
/* stream_node_validate: NULL, or what is wrong with it.  A node has at least one item that lives;
 * its items are in strict order, the first not below `first`. */
const char *stream_node_validate(const uint8_t *lp, size_t len, struct stream_id first,
                                 struct stream_node_sum *ret);

/* stream_node_mend: the node without its deleted items, and with counters that are right, to dst,
 * which has room for STREAM_NODE_MEND_BYTES more than it.  lp is a sound listpack of so many
 * entries.  NULL; or what is wrong beyond that: items that are none, or that live and are out of
 * order. */
enum { STREAM_NODE_MEND_BYTES = 64 };
const char *stream_node_mend(const uint8_t *lp, uint32_t entries, struct stream_id first,
                             uint8_t *dst, size_t *ret_len, struct stream_node_sum *ret);

/* stream_id_load, stream_id_store: 16 bytes, big endian, as RDB has them. */
struct stream_id stream_id_load(const uint8_t bytes[STREAM_ID_BYTES]);
void stream_id_store(uint8_t bytes[STREAM_ID_BYTES], struct stream_id id);

#endif
