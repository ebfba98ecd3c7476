/* server/data/db/save_value.h - what turning a value into RDB needs: shared by save.c, dump.c and
 * the types' save functions.
 *
 * The same functions serve two callers: the sweep, whose view shows the arena as it was at the cut,
 * and DUMP, whose view is live.  So they read everything but the record's staged bytes through
 * view_read(), into w->buffer or a buffer of their own, and never follow a pointer into the arena.
 * Threads: [sweep], or the mutator with a live view. */
#ifndef SERVER_DATA_DB_SAVE_VALUE_H
#define SERVER_DATA_DB_SAVE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/data/db/ltable.h"
#include "server/data/db/record.h"
#include "snapshot/rdb/rdb_enc.h"
#include "snapshot/view.h"

enum {
    SAVE_BUFFER_BYTES = VIEW_CHUNK_BYTES,
    SAVE_BUCKETS = 256 /* how many buckets of a table are staged at a time: 16 KiB */
};

/* What the RDB version has no place for, and is left out. */
enum save_lost {
    SAVE_LOST_LIBRARIES = 1, /* function libraries: before version 10 */
    SAVE_LOST_COUNTERS = 2,  /* what was added to, deleted from and read of a stream: the same */
    SAVE_LOST_ACTIVE = 4     /* when a consumer was active: before version 11 */
};

struct save_work {
    struct view *view;
    struct rdb_enc *enc;
    unsigned lost;   /* enum save_lost, so far */
    int64_t from_ms; /* of a hash: the time from which those of its fields count */
    uint8_t buffer[SAVE_BUFFER_BYTES]; /* one string, field, value, node ... */
    struct lt_bucket buckets[SAVE_BUCKETS];
};

/* One record: its staged first bytes, how many these are, and where it lives. */
struct save_item {
    const struct record *rec;
    const char *live;
    size_t bytes;
};

/* save_string: len bytes of the arena as an RDB string; is_text: an integer is written as one.  0
 * or -errno */
int save_string(struct save_work *w, const char *live, size_t len, bool is_text);
/* save_blob: the record's blob (ENC_INLINE, ENC_OUTER) as one RDB string.  0 or -errno */
int save_blob(struct save_work *w, const struct save_item *s, bool is_text);
/* save_blob_behind: the same of what is behind its first `skip` bytes; no text. */
int save_blob_behind(struct save_work *w, const struct save_item *s, size_t skip);
/* save_read_blob: [at, at + len) of the record's blob to dst.  0 or -errno */
int save_read_blob(struct save_work *w, const struct save_item *s, size_t at, void *dst,
                   size_t len);
/* save_table: a table whose root LT_DEFINE made (ltable.h): its count, then each entry, as
 * save_entry writes it.  0 or -errno */
typedef int save_entry_fn(struct save_work *w, const void *live);
int save_table(struct save_work *w, const void *live_root, save_entry_fn *save_entry);
/* save_entries_of_listpack: the record's listpack as a count and a string for each entry: for those
 * whose version has no type for a listpack.  The count is of entries, or of two each; SCORED: the
 * second of two is a score, and written as one.  0 or -errno
 * save_each_entry: a string for each of the entries in bytes of the arena; *ret_count: how
 * many. */
enum save_entries { SAVE_SINGLE, SAVE_PAIRS, SAVE_SCORED };
int save_entries_of_listpack(struct save_work *w, const struct save_item *s, enum save_entries as);
int save_each_entry(struct save_work *w, const char *live, size_t bytes, uint32_t *ret_count);
/* save_breath: to be called from time to time in long work: the sweeper looks up (cancel, quiescent
 * state). 0 or -errno: give up */
int save_breath(struct save_work *w);
/* save_value: type byte apart: what the type saves.  0 or -errno */
int save_value(struct save_work *w, const struct save_item *s);
/* save_rdb_type: the type byte. */
uint8_t save_rdb_type(const struct record *r, int rdb_version);

#endif
