/* tool/salvage/records.h - a list of records of one size, which goes into a temporary file without
 * a name where it becomes long.
 * Threads: one. */
#ifndef TOOL_SALVAGE_RECORDS_H
#define TOOL_SALVAGE_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RECORDS_HELD_BYTES = 1 << 20 };

struct records {
    size_t record_bytes;
    uint64_t count;
    uint8_t *held;      /* [owned] the last ones: of numbers held_from and above */
    size_t room;        /* for so many */
    uint64_t held_from; /* those before stand in the file */
    uint8_t *window;    /* [owned] some of the file's, for reading */
    uint64_t window_from, window_count;
    int fd; /* of the file */
    bool has_file;
};

void records_init(struct records *r, size_t record_bytes);
void records_fini(struct records *r);
/* records_add: 0 or -errno; records_drop_last: of one or more.  records_get: number i < count: 0 or
 * -errno. */
int records_add(struct records *r, const void *record);
void records_drop_last(struct records *r);
int records_get(struct records *r, uint64_t i, void *ret);

#endif
