/* server/data/save_inner.h - what save.c and save_hash.c share.
 * Threads: the fields are made by the mutator, and from the cut to the end belong to the sweep [sweep]. */
#ifndef SERVER_SAVE_INNER_H
#define SERVER_SAVE_INNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/data/ltable.h"
#include "snapshot/rdb_enc.h"
#include "snapshot/view.h"

enum {
    SAVE_BUFFER_BYTES = VIEW_CHUNK_BYTES,
    SAVE_BUCKETS = 256 /* how many buckets of a table are staged at a time: 16 KiB */
};

struct save_size {
    uint64_t keys, expires;
    bool told; /* RESIZEDB was written */
};

struct save_cut {
    int *logical_of; /* physical number -> logical number at the cut, or -1 */
    uint32_t physical_count;
    int logical_count;
    struct save_size *sizes; /* by logical number */
    int last_db;             /* of the record before */
    int64_t time_s;
    size_t used_bytes;
    uint8_t *buffer; /* SAVE_BUFFER_BYTES: one string, field or value */
    struct lt_bucket buckets[SAVE_BUCKETS];
};

struct htable;

/* save_string: len bytes of the arena as an RDB string; is_text: an integer is written as one.  0
 * or -errno */
int save_string(struct save_cut *cut, struct view *v, struct rdb_enc *e, const char *live, size_t len,
                bool is_text);
/* save_table: a large hash: its count, then fields and values.  0 or -errno */
int save_table(struct save_cut *cut, struct view *v, struct rdb_enc *e, const struct htable *live);

#endif
