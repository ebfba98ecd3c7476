/* tool/salvage/flat.c - reading at any place of a file, through a patch. */
#include "tool/salvage/flat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/crc64.h"
#include "mm/base/must.h"
#include "snapshot/rdb/rdb.h"
#include "tool/base/large.h"
#include "tool/base/spill.h"

/* A block is read with what follows it, so that no flat_at() needs two of them. */
enum {
    BLOCK_BITS = 14,
    BLOCK_BYTES = 1 << BLOCK_BITS,
    HELD_BYTES = BLOCK_BYTES + FLAT_AT_MOST,
    PLACES_MOST = 256,
    PIECE_BYTES = 256 * 1024
};

int
flat_init(struct flat *f, int fd, uint64_t size)
{
    *f = (struct flat){.fd = fd, .size = size, .places = PLACES_MOST};
    if (size >> BLOCK_BITS < PLACES_MOST)
        f->places = (unsigned)(size >> BLOCK_BITS) + 1;
    f->blocks = malloc((size_t)f->places * HELD_BYTES);
    f->block_from = malloc(f->places * sizeof *f->block_from);
    if (f->blocks == NULL || f->block_from == NULL) {
        flat_fini(f);
        return -ENOMEM;
    }
    memset(f->block_from, 0xff, f->places * sizeof *f->block_from);
    return 0;
}

void
flat_fini(struct flat *f)
{
    free(f->blocks);
    free(f->block_from);
    free(f->spare);
    f->spare = NULL;
    f->blocks = NULL;
    f->block_from = NULL;
}

void
flat_patch(struct flat *f, const struct flat_patch *patch)
{
    must(patch->len <= FLAT_PATCH_MOST);
    f->patch = *patch;
    memset(f->block_from, 0xff, f->places * sizeof *f->block_from);
}

int
flat_read(struct flat *f, void *dst, uint64_t at, size_t len)
{
    uint8_t *bytes = dst;
    int r;

    must(at <= f->size && len <= f->size - at);
    if ((r = tool_spill_read(f->fd, dst, len, at)) < 0) {
        f->error = f->error == 0 ? r : f->error;
        return r;
    }
    for (unsigned i = 0; i < f->patch.len; i++)
        if (f->patch.at + i >= at && f->patch.at + i - at < len)
            bytes[f->patch.at + i - at] ^= f->patch.with[i];
    return 0;
}

const uint8_t *
flat_at(struct flat *f, uint64_t at, size_t n)
{
    uint64_t from = at & ~(uint64_t)(BLOCK_BYTES - 1);
    size_t place = (size_t)(at >> BLOCK_BITS) % f->places;
    uint8_t *block = f->blocks + place * HELD_BYTES;

    debug_check(n <= FLAT_AT_MOST);
    if (unlikely(at > f->size || n > f->size - at))
        return NULL;
    if (unlikely(f->block_from[place] != from)) {
        uint64_t left = f->size - from;

        f->block_from[place] = UINT64_MAX;
        if (flat_read(f, block, from, left < HELD_BYTES ? (size_t)left : HELD_BYTES) < 0)
            return NULL;
        f->block_from[place] = from;
    }
    return block + (at - from);
}

struct reading {
    struct flat *flat;
    uint64_t at;
    uint64_t *crc;
    uint8_t *bytes; /* [owned] the headroom, and a piece behind it */
};

static int
reading_next(void *ctx, uint8_t **ret, size_t *ret_len)
{
    struct reading *rd = ctx;
    struct flat *f = rd->flat;
    uint64_t left = f->size - rd->at,
             summed = f->size < RDB_CRC_BYTES ? 0 : f->size - RDB_CRC_BYTES;
    size_t n = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
    int r;

    *ret = rd->bytes + RDB_READER_HEADROOM;
    *ret_len = n;
    if (n > 0 && (r = flat_read(f, *ret, rd->at, n)) < 0)
        return r;
    if (rd->crc != NULL && rd->at < summed)
        *rd->crc = crc64(*rd->crc, *ret, summed - rd->at < n ? (size_t)(summed - rd->at) : n);
    rd->at += n;
    return 0;
}

static const char *
reading_wrong(void *ctx)
{
    (void)ctx;
    return NULL;
}

static uint64_t
reading_consumed(void *ctx)
{
    const struct reading *rd = ctx;

    return rd->at;
}

static void
reading_close(void *ctx)
{
    struct reading *rd = ctx;

    free(rd->flat->spare);
    rd->flat->spare = rd->bytes;
    free(rd);
}

int
flat_source(struct flat *f, uint64_t from, uint64_t *crc, struct rdb_source **ret)
{
    static const struct rdb_reader reader = {reading_next, reading_wrong, reading_consumed,
                                             reading_close, tool_large};
    struct reading *rd = calloc(1, sizeof *rd);
    int r;

    if (rd == NULL)
        return -ENOMEM;
    rd->bytes = f->spare != NULL ? f->spare : malloc(RDB_READER_HEADROOM + PIECE_BYTES);
    f->spare = NULL;
    if (rd->bytes == NULL) {
        free(rd);
        return -ENOMEM;
    }
    rd->flat = f;
    rd->at = from;
    rd->crc = crc;
    if ((r = rdb_source_reader(&reader, rd, f->size - from, false, false, ret)) < 0)
        reading_close(rd);
    return r;
}
