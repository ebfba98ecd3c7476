/* tool/salvage/repair.c - carrying a difference of checksums back to where it came from. */
#include "tool/salvage/repair.h"

#include <errno.h>
#include <stdlib.h>

#include "mm/base/crc64.h"
#include "mm/base/le.h"
#include "snapshot/rdb/rdb.h"

enum {
    PIECE_BYTES = 256 * 1024,
    CHANCE_BITS = 17, /* by chance a place fits in one of 2^17 files */
    BURST_MOST = 4
};

unsigned
repair_burst_bytes(uint64_t bytes)
{
    unsigned burst = 1;

    while (burst < BURST_MOST && bytes >> (64 - CHANCE_BITS - 8 * (burst + 1)) == 0)
        burst++;
    return burst;
}

/* A step of the CRC over a byte of zero takes s to forward[s & 0xff] ^ s >> 8.  The highest bytes
 * of the table's words are all different, so that of the result says which word it was. */
struct back {
    uint64_t word[256]; /* by the result's highest byte: what to XOR, shifted to its place */
};

static void
make_back(struct back *b)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t message = (uint8_t)byte;
        uint64_t forward = crc64_by_table(0, &message, 1);

        b->word[forward >> 56] = forward << 8 | byte;
    }
}

static inline uint64_t
step_back(const struct back *b, uint64_t s)
{
    return (s << 8) ^ b->word[s >> 56];
}

/* in_checksum: is it the checksum that was damaged? */
static bool
in_checksum(uint64_t bytes, uint64_t difference, struct flat_patch *ret)
{
    unsigned from = (unsigned)__builtin_ctzll(difference) / 8,
             until = 8 - (unsigned)__builtin_clzll(difference) / 8;

    if (until - from > BURST_MOST)
        return false;
    *ret = (struct flat_patch){.at = bytes + from, .len = until - from};
    le_store(ret->with, difference >> 8 * from, ret->len);
    return true;
}

enum repair_result
repair_find_in(uint64_t bytes, uint64_t difference, struct flat_patch *ret)
{
    uint64_t limit = (uint64_t)1 << 8 * repair_burst_bytes(bytes), s = difference;
    unsigned found = 0;
    struct back back;

    if (difference == 0)
        return REPAIR_NEEDLESS;
    make_back(&back);
    if (in_checksum(bytes, difference, ret))
        found++;
    for (uint64_t at = bytes; at-- > 0;) {
        s = step_back(&back, s);
        /* with a first byte of zero it is the same as was found one byte further on */
        if (likely(s >= limit) || (s & 0xff) == 0)
            continue;
        *ret = (struct flat_patch){.at = at, .len = (71 - (unsigned)__builtin_clzll(s)) / 8};
        if (ret->len > bytes - at)
            continue;
        le_store(ret->with, s, ret->len);
        found++;
    }
    return found == 0 ? REPAIR_NONE : found == 1 ? REPAIR_FOUND : REPAIR_AMBIGUOUS;
}

/* sum: the CRC64 of all but the checksum. */
static int
sum(struct flat *f, uint64_t bytes, void (*progress)(void *ctx, uint64_t done), void *ctx,
    uint64_t *ret)
{
    uint8_t *piece = malloc(PIECE_BYTES);
    int r = piece == NULL ? -ENOMEM : 0;

    *ret = 0;
    for (uint64_t at = 0; r == 0 && at < bytes;) {
        size_t n = bytes - at < PIECE_BYTES ? (size_t)(bytes - at) : PIECE_BYTES;

        if ((r = flat_read(f, piece, at, n)) == 0)
            *ret = crc64(*ret, piece, n);
        at += n;
        if (progress != NULL)
            progress(ctx, at);
    }
    free(piece);
    return r;
}

int
repair_find(struct flat *f, void (*progress)(void *ctx, uint64_t done), void *ctx,
            struct flat_patch *ret)
{
    uint8_t trailer[RDB_CRC_BYTES];
    uint64_t bytes, has, is;
    int r;

    if (f->size < RDB_MAGIC_BYTES + 1 + RDB_CRC_BYTES)
        return REPAIR_NONE;
    bytes = f->size - RDB_CRC_BYTES;
    if ((r = flat_read(f, trailer, bytes, sizeof trailer)) < 0)
        return r;
    if ((has = le_load(trailer, sizeof trailer)) == 0)
        return REPAIR_NONE;
    if ((r = sum(f, bytes, progress, ctx, &is)) < 0)
        return r;
    return (int)repair_find_in(bytes, is ^ has, ret);
}
