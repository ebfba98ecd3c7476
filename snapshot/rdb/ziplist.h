/* snapshot/rdb/ziplist.h - Redis's ziplists, in which files up to Redis 6.2 have small hashes,
 * lists and sorted sets: checked whole, then walked entry by entry.
 *
 * Bytes (u32), offset of the last entry (u32), entries (u16, 65535: unknown), then entries of <size
 * of the one before> <encoding> <data>, then 0xff; little endian but for the lengths of strings.
 * Threads: [any]. */
#ifndef SNAPSHOT_RDB_ZIPLIST_H
#define SNAPSHOT_RDB_ZIPLIST_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/base/num.h"
#include "snapshot/rdb/byte_walk.h"

struct ziplist_walk {
    struct byte_walk bytes;
    uint64_t previous_bytes; /* of the entry before */
};

/* What a ziplist has, and what its head says of it. */
struct ziplist_sum {
    uint64_t count, last; /* entries, and the offset of the last one; of an empty one, the end's */
    uint64_t claimed_count, claimed_last;
    bool is_right; /* the head says the same */
};
/* ziplist_measure: true if the blob is a well-formed ziplist, every byte of it but for its two
 * claims. O(len) */
bool ziplist_measure(struct slice blob, struct ziplist_sum *ret);

/* ziplist_open: begin a walk over a blob that ziplist_measure() has found good.
 * ziplist_next: the next entry, as bytes; an integer is printed into scratch.  False: there is none
 * (or, of a blob that was not measured, it is damaged). */
void ziplist_open(struct slice blob, struct ziplist_walk *w);
bool ziplist_next(struct ziplist_walk *w, char scratch[NUM_MAX_BYTES], struct slice *ret);

#endif
