/* server/data/stream/stream.h - streams: entries in nodes, below a tree; groups of consumers beside
 * them.
 *
 * A record of type stream holds a root (ENC_ROOT), empty streams too.
 *
 *   X1  Every node has an entry that lives; the tree of nodes keeps it under the id that its items'
 *       ids are differences to.
 *   X2  length is the sum of the nodes' living entries; no id is above last; first is the id of the
 *       first living entry, 0-0 without one.
 *   X3  What is pending stands in its group's tree once, and in exactly one consumer's, the one it
 *       names.
 *
 * All is in the values heap and owned by the root.  Adding an entry opens the bytes that it takes
 * in the last node, the node's head and the root to the barrier.
 * Threads: mutator; the layout [any]. */
#ifndef SERVER_DATA_STREAM_STREAM_H
#define SERVER_DATA_STREAM_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/base/slice.h"
#include "server/data/db/idtree.h"
#include "server/data/stream/names.h"

#define STREAM_ID_MAX       ((struct stream_id){UINT64_MAX, UINT64_MAX})
#define STREAM_READ_UNKNOWN ((int64_t)-1)

enum { STREAM_NODE_MAX_BYTES = 1 << 30 };

/* What a node may hold: stream-node-max-bytes, stream-node-max-entries; 0: as much as fits. */
struct stream_limits {
    uint64_t node_bytes, node_entries;
};
extern struct stream_limits stream_limits;

struct stream {
    struct idtree nodes; /* values: addresses of listpacks */
    struct names groups; /* struct stream_group */
    uint64_t length, entries_added;
    struct stream_id last, first, max_deleted;
};

/* What is pending: a group tree's value. */
struct stream_pending {
    int64_t delivered_ms; /* unix */
    uint64_t deliveries;
    const struct stream_consumer *consumer;
};

struct stream_group {
    struct named named; /* first; the name follows the struct */
    struct stream_id last;
    int64_t entries_read; /* STREAM_READ_UNKNOWN */
    struct idtree pending;
    struct names consumers;
};

struct stream_consumer {
    struct named named;         /* first; the name follows the struct */
    int64_t seen_ms, active_ms; /* active_ms -1: never */
    struct idtree pending;      /* without values */
};

/* stream_new: an empty one; NULL: no memory. */
const struct stream *stream_new(void);

/* stream_move: from next (zeros at first) on: see type_ops.  Consumers for whom very much is
 * pending stay where they are. */
struct mover;
bool stream_move(const struct stream *s, struct mover *m, uint64_t next[4]);

/* ---- entries: stream.c, stream_trim.c ---- */

/* stream_append: an entry of pairs (field, value, ...) under an id above s->last.  0 or -ENOMEM */
int stream_append(const struct stream *s, struct stream_id id, const struct slice *words,
                  int pairs);
/* stream_delete: false: no such entry.  The caller sees to stream_mend_first(). */
bool stream_delete(const struct stream *s, struct stream_id id);
void stream_mend_first(const struct stream *s);

struct stream_trim {
    bool by_id, approximately;
    uint64_t length;      /* as many entries stay, ... */
    struct stream_id min; /* ... or, by_id, those not below it */
    uint64_t limit;       /* 0: none; else no more entries than this go */
};
/* stream_trim: how many entries went.  O(nodes that go, or that stay, whichever are fewer): many
 * are freed in slices. */
uint64_t stream_trim(const struct stream *s, const struct stream_trim *how);
/* stream_set_ids: what XSETID and loading set. */
void stream_set_ids(const struct stream *s, struct stream_id last, struct stream_id max_deleted,
                    uint64_t entries_added);
/* stream_add_node: loading: a sound node behind all others.  0 or -ENOMEM */
int stream_add_node(const struct stream *s, struct stream_id id, const uint8_t *lp, size_t bytes);
/* stream_node_copy: loading, copying: a node's bytes in a block with the room that it needs; NULL:
 * no memory. */
const uint8_t *stream_node_copy(const uint8_t *lp, size_t bytes);

/* ---- reading: stream_read.c ---- */

struct stream_iter {
    struct stream_id from, to; /* both included */
    bool reverse, ended;
    struct idcursor at;
    struct stream_node node;
    uint32_t next; /* offset of the next item of the node; 0: go on to another node */
};
/* stream_iter_init, stream_iter_next: the living entries of a range; false: no more.  Good until
 * the stream changes. */
void stream_iter_init(struct stream_iter *it, const struct stream *s, struct stream_id from,
                      struct stream_id to, bool reverse);
bool stream_iter_next(struct stream_iter *it, struct stream_item *ret);
/* stream_edge: the first or last living entry; false: there is none. */
bool stream_edge(const struct stream *s, bool is_last, struct stream_item *ret);
/* stream_last_valid: the id of the last living entry, or s->last without one. */
struct stream_id stream_last_valid(const struct stream *s);
bool stream_has(const struct stream *s, struct stream_id id);

/* stream_id_up, stream_id_down: the next, the one before; false: there is none. */
bool stream_id_up(struct stream_id *id);
bool stream_id_down(struct stream_id *id);

/* How far a group has come is known as long as its counter can be trusted: it says how many entries
 * were ever added up to the group's last id.  What is trimmed goes before the first entry; what is
 * deleted may go anywhere, and of that only the highest id is kept (max_deleted).  So:
 *
 *   X4  A counter goes on by one for an entry that is read only where nothing between the group's
 *       last id and that entry can have gone: the last id is not before the first entry, and
 *       max_deleted is below it. Elsewhere it is worked out from the entry's place, where that can
 *       be: at the first and the last one.
 *   X5  The lag is the number of living entries behind the group's last id, or unknown; it is never
 *       wrong but for what XSETID, XGROUP ENTRIESREAD and XCLAIM LASTID made up.
 *
 * stream_distance: how many entries were ever added up to id, or STREAM_READ_UNKNOWN. */
int64_t stream_distance(const struct stream *s, struct stream_id id);
/* stream_count_read: the counter of a group at `last`, so far `read`, once it has read id as
 * well. */
int64_t stream_count_read(const struct stream *s, struct stream_id last, int64_t read,
                          struct stream_id id);
/* stream_lag: entries that the group has yet to read; false: it is not known. */
bool stream_lag(const struct stream *s, const struct stream_group *g, int64_t *ret);

/* ---- groups: stream_group.c ---- */

const struct stream_group *stream_group_find(const struct stream *s, struct slice name);
const struct stream_group *stream_group_at(const struct stream *s, uint32_t i);
/* stream_group_create: of a name that is not there.  NULL: no memory */
const struct stream_group *stream_group_create(const struct stream *s, struct slice name,
                                               struct stream_id last, int64_t entries_read);
/* stream_group_destroy: what is large of it is freed in slices. */
void stream_group_destroy(const struct stream *s, const struct stream_group *g);
void stream_group_set(const struct stream_group *g, struct stream_id last, int64_t entries_read);

const struct stream_consumer *stream_consumer_find(const struct stream_group *g, struct slice name);
const struct stream_consumer *stream_consumer_at(const struct stream_group *g, uint32_t i);
/* stream_consumer_create: of a name that is not there.  NULL: no memory */
const struct stream_consumer *stream_consumer_create(const struct stream_group *g,
                                                     struct slice name, int64_t seen_ms);
/* stream_consumer_delete: with what is pending for it. */
void stream_consumer_delete(const struct stream_group *g, const struct stream_consumer *c);
void stream_consumer_set(const struct stream_consumer *c, int64_t seen_ms, int64_t active_ms);
/* stream_consumer_free: the block alone. */
void stream_consumer_free(const struct stream_consumer *c);

/* An entry becomes a consumer's in two steps: all that may fail first, for each of several entries.
 * stream_claim_prepare: 0 or -ENOMEM.
 * stream_claim_undo: as it was before prepare.
 * stream_claim: the entry is pending for c now.  Between prepare and the others X3 does not
 * hold. */
int stream_claim_prepare(const struct stream_group *g, const struct stream_consumer *c,
                         struct stream_id id);
void stream_claim_undo(const struct stream_group *g, const struct stream_consumer *c,
                       struct stream_id id);
void stream_claim(const struct stream_group *g, const struct stream_consumer *c,
                  struct stream_id id, int64_t delivered_ms, uint64_t deliveries);
/* stream_pending_set: of one that is pending. */
void stream_pending_set(const struct stream_pending *p, int64_t delivered_ms, uint64_t deliveries);
/* stream_ack: false: it is not pending. */
bool stream_ack(const struct stream_group *g, struct stream_id id);

#endif
