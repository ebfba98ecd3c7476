/* tool/salvage/flat.h - an RDB's bytes, read back and forth, and some of them as they were before
 * they were damaged.
 *
 * The file itself is only read.  A patch is laid over what is read of it.
 * Threads: one. */
#ifndef TOOL_SALVAGE_FLAT_H
#define TOOL_SALVAGE_FLAT_H

#include <stdint.h>

#include "snapshot/rdb/rdb_dec.h"

enum {
    FLAT_PATCH_MOST = 8, /* bytes */
    FLAT_AT_MOST = 64    /* the most bytes of one flat_at() */
};

/* What is XORed over the file's bytes from `at` on; len 0: nothing. */
struct flat_patch {
    uint64_t at;
    unsigned len;
    uint8_t with[FLAT_PATCH_MOST];
};

struct flat {
    int fd; /* the caller's */
    uint64_t size;
    struct flat_patch patch;
    int error;            /* the first -errno of reading: stays */
    uint8_t *blocks;      /* [owned] a cache for flat_at() */
    uint64_t *block_from; /* [owned] which block each of its places holds */
    unsigned places;
    uint8_t *spare; /* [owned] what the last source read into, for the next one */
};

/* flat_init: 0 or -ENOMEM.  4 MiB at most for its life. */
int flat_init(struct flat *f, int fd, uint64_t size);
void flat_fini(struct flat *f);
/* flat_patch: from here on all bytes are read through it; sources that are open: no more. */
void flat_patch(struct flat *f, const struct flat_patch *patch);

/* flat_read: len bytes from `at` on, all of which are there: 0 or -errno. */
int flat_read(struct flat *f, void *dst, uint64_t at, size_t len);
/* flat_at: n <= FLAT_AT_MOST bytes, good until the next call; NULL: they are not all there, or
 * cannot be read (f->error). */
const uint8_t *flat_at(struct flat *f, uint64_t at, size_t n);
/* flat_source: the bytes from `from` to the end, for the decoder; crc, unless NULL, is continued
 * over those that were read but for the last RDB_CRC_BYTES of the file; a decoder that comes to the
 * end has read them all. */
int flat_source(struct flat *f, uint64_t from, uint64_t *crc, struct rdb_source **ret);

#endif
