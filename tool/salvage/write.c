/* tool/salvage/write.c - copying what is whole. */
#include "tool/salvage/write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/crc64.h"
#include "mm/base/le.h"
#include "mm/base/must.h"
#include "snapshot/rdb/rdb.h"

enum { PIECE_BYTES = 256 * 1024, RESIZEDB_FROM_VERSION = 7 };

struct copy {
    struct flat *flat;
    struct tool_run *run;
    const struct write_to *to;
    uint64_t crc;
    uint8_t *piece; /* [owned] */
};

static void
put(struct copy *c, const void *bytes, size_t len)
{
    c->crc = crc64(c->crc, bytes, len);
    c->to->put(c->to->ctx, bytes, len);
}

static void
put_byte(struct copy *c, unsigned byte)
{
    uint8_t b = (uint8_t)byte;

    put(c, &b, 1);
}

static void
put_len(struct copy *c, uint64_t len)
{
    uint8_t bytes[9] = {RDB_LEN_64};

    if (len < 64) {
        put_byte(c, (unsigned)len);
        return;
    }
    if (len < 1 << 14) {
        put_byte(c, RDB_LEN_14 | (unsigned)(len >> 8));
        put_byte(c, (unsigned)len & 0xff);
        return;
    }
    for (unsigned i = 0; i < 8; i++)
        bytes[1 + i] = (uint8_t)(len >> 8 * (7 - i));
    if (len <= UINT32_MAX) {
        put_byte(c, RDB_LEN_32);
        put(c, bytes + 5, 4);
    } else {
        put(c, bytes, sizeof bytes);
    }
}

static int
copy_range(struct copy *c, uint64_t from, uint64_t until)
{
    int r = 0;

    while (from < until && !c->to->has_failed(c->to->ctx)) {
        size_t n = until - from < PIECE_BYTES ? (size_t)(until - from) : PIECE_BYTES;

        if ((r = flat_read(c->flat, c->piece, from, n)) < 0)
            return r;
        put(c, c->piece, n);
        from += n;
        if (c->run != NULL)
            tool_progress_draw(c->run, from);
    }
    return r;
}

static void
put_end(struct copy *c, int version)
{
    uint8_t trailer[RDB_CRC_BYTES];

    if (version < RDB_CRC_FROM_VERSION)
        return;
    le_store(trailer, c->crc, sizeof trailer);
    c->to->put(c->to->ctx, trailer, sizeof trailer);
}

int
write_whole(struct flat *f, int version, struct tool_run *run, const struct write_to *to)
{
    struct copy c = {.flat = f, .run = run, .to = to, .piece = malloc(PIECE_BYTES)};
    int r;

    if (c.piece == NULL)
        return -ENOMEM;
    r = copy_range(&c, 0, version < RDB_CRC_FROM_VERSION ? f->size : f->size - RDB_CRC_BYTES);
    put_end(&c, version);
    free(c.piece);
    return r;
}

static void
put_database(struct copy *c, int version, uint64_t db, struct db_sum *d)
{
    put_byte(c, RDB_OP_SELECTDB);
    put_len(c, db);
    if (d == NULL || d->kept_keys == 0 || version < RESIZEDB_FROM_VERSION)
        return;
    put_byte(c, RDB_OP_RESIZEDB);
    put_len(c, d->kept_keys);
    put_len(c, d->kept_expires);
    d->kept_keys = 0; /* once */
}

static void
put_magic(struct copy *c, int version)
{
    char magic[16];

    snprintf(magic, sizeof magic, version < RDB_VERSION_VALKEY ? "REDIS%04d" : "VALKEY%03d",
             version);
    put(c, magic, RDB_MAGIC_BYTES);
}

static int
copy_runs(struct copy *c, struct scan *s, int version)
{
    uint64_t db = UINT64_MAX;
    struct run run;
    int r = 0;

    for (uint64_t i = 0; r == 0 && i < s->runs.count; i++) {
        if ((r = records_get(&s->runs, i, &run)) < 0 || !judge_keeps(s, &run))
            continue;
        if (run.keys > 0 && run.db != db) {
            put_database(c, version, run.db, scan_db(s, run.db));
            db = run.db;
        }
        r = copy_range(c, run.from, run.until);
    }
    return r;
}

int
write_kept(struct scan *s, int version, const struct write_to *to)
{
    struct copy c = {.flat = s->flat, .run = s->run, .to = to, .piece = malloc(PIECE_BYTES)};
    int r;

    if (c.piece == NULL)
        return -ENOMEM;
    put_magic(&c, version);
    r = copy_runs(&c, s, version);
    put_byte(&c, RDB_OP_EOF);
    put_end(&c, version);
    free(c.piece);
    return r;
}
