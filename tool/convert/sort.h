/* tool/convert/sort.h - any number of records of one size, in the order of their bytes, in memory
 * that does not grow with them.
 *
 *     open, add ..., rewind, next ..., (clear, add ...), close
 *
 * What does not fit into memory goes as sorted runs into a temporary file without a name, and is
 * merged as it is asked for.  Equal records come in any order.
 * Threads: one at a time. */
#ifndef TOOL_CONVERT_SORT_H
#define TOOL_CONVERT_SORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SORT_MERGE_BYTES = 4 << 20 }; /* for the runs of a merge together, at least 4 KiB each */

struct sort_run {
    uint64_t at, left;   /* in the file; records that are not in memory yet */
    uint8_t *here, *end; /* those that are */
    uint8_t *buffer;
};

struct sort {
    size_t record_bytes, room, fill; /* records */
    uint8_t *records;                /* [owned] that are in memory; NULL: not needed yet */
    int fd;                          /* -1: no run was written */
    uint64_t written_bytes;
    struct sort_run *runs; /* [owned] */
    size_t run_count, run_room, buffer_records;
    uint8_t *buffers; /* [owned] of the merge */
    size_t taken;     /* without runs: of those in memory */
    uint64_t count;
};

/* sort_init: record_bytes: up to 64; memory_bytes: for the records in hand. */
void sort_init(struct sort *s, size_t record_bytes, size_t memory_bytes);
void sort_fini(struct sort *s);
/* sort_add: 0 or -errno.  sort_rewind: all have come: begin with the first.  0 or -errno. */
int sort_add(struct sort *s, const void *record);
int sort_rewind(struct sort *s);
/* sort_next: 1 and the record, good until the next call; 0: there is none; or -errno. */
int sort_next(struct sort *s, const void **ret);
/* sort_clear: forget all of them. */
void sort_clear(struct sort *s);

#endif
