/* snapshot/rdb/rdb_source_frame.c - a source whose file is compressed as a whole: from LZ4 frame to
 * RDB, piece by piece.  Contract: rdb_source_impl.h.
 *
 * liblz4 reads the frame: blocks of any size, linked or not, with checksums or without.  It holds a
 * block in each direction, of 4 MiB at most; the stretch is large enough that blocks of 256 KiB are
 * unpacked into it at once. */
#include <errno.h>
#include <lz4frame.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/fault.h"
#include "mm/base/le.h"
#include "snapshot/rdb/lz4_frame.h"
#include "snapshot/rdb/lz4_frame_impl.h"
#include "snapshot/rdb/rdb_source_impl.h"

enum {
    UNPACKED_BYTES = 2 * SOURCE_BUFFER_BYTES, /* what is in hand, and room for a block */
    HEAD_BYTES = 5,                           /* of a frame: magic and flags */
    MOST_RATIO = 255,                         /* of LZ4: a byte can make a match so much longer */
    HELD_BYTES = 8 << 20 /* liblz4 may have unpacked, and not handed out, less than this */
};

struct source_frame {
    LZ4F_dctx *dctx; /* [owned] */
    /* the file's own stretch, with what source_unwrap() found in hand as the first one */
    const uint8_t *in;
    size_t at, end;
    uint64_t base;
    uint8_t *buf;      /* [owned] NULL: memory */
    bool has_ended;    /* all of the frame was unpacked */
    uint8_t flags;     /* of the frame */
    const char *wrong; /* NULL: nothing */
};

void
frame_free(struct source_frame *f)
{
    if (f == NULL)
        return;
    (void)LZ4F_freeDecompressionContext(f->dctx);
    free(f->buf);
    free(f);
}

/* damaged: remember what is wrong.  Returns the code that source_fill() then gives. */
static int
damaged(struct source_frame *f, const char *what)
{
    f->wrong = what;
    return -EBADMSG;
}

/* read_on: more bytes of the file into the stretch, behind those that are left. */
static int
read_on(struct rdb_source *s)
{
    struct source_frame *f = s->frame;
    size_t left = f->end - f->at;
    ssize_t got = 0;

    if (f->buf != NULL) {
        memmove(f->buf, f->buf + f->at, left);
        f->base += f->at;
        f->at = 0;
        f->end = left;
        got = source_read(s, f->buf + left, SOURCE_BUFFER_BYTES - left, f->base + left);
    }
    if (got < 0)
        return (int)got;
    f->end += (size_t)got;
    if (got > 0)
        return 0;
    f->at = f->end; /* the place that the message names is the file's end */
    return damaged(f, "the file ends in the middle of the LZ4 frame");
}

/* read_head: what follows the envelope is a frame, and no frame of another kind. */
static int
read_head(struct rdb_source *s)
{
    struct source_frame *f = s->frame;
    int r;

    while (f->end - f->at < HEAD_BYTES)
        if ((r = read_on(s)) < 0)
            return r;
    if (le_load(f->in + f->at, 4) != LZ4_FRAME_MAGIC)
        return damaged(f, "no LZ4 frame where the envelope says that there is one");
    f->flags = f->in[f->at + 4];
    return 0;
}

int
source_unwrap(struct rdb_source *s)
{
    struct source_frame *f = fault_point(FAULT_load_alloc) ? NULL : calloc(1, sizeof *f);
    uint8_t *unpacked = fault_point(FAULT_load_alloc) ? NULL : malloc(UNPACKED_BYTES);

    must(s->frame == NULL); /* no frame in a frame */
    if (f == NULL || unpacked == NULL ||
        LZ4F_isError(LZ4F_createDecompressionContext(&f->dctx, LZ4F_VERSION))) {
        free(unpacked);
        free(f);
        return -ENOMEM;
    }
    f->in = s->data;
    f->at = s->at;
    f->end = s->end;
    f->base = s->base;
    f->buf = s->buf;
    s->data = s->buf = unpacked;
    s->at = s->end = s->crc_at = 0;
    s->base = s->crc = 0;
    s->frame = f;
    s->is_packed = true;
    s->is_counted = false;
    return read_head(s);
}

static int
refuse(struct source_frame *f, size_t result)
{
    const char *text = lz4_frame_wrong(result);

    return text == NULL ? -ENOMEM : damaged(f, text);
}

/* unpack_some: some progress: bytes used, or bytes given, or the frame's end. */
static int
unpack_some(struct rdb_source *s)
{
    struct source_frame *f = s->frame;
    size_t used, given = UNPACKED_BYTES - s->end, result;
    int r;

    if (f->has_ended)
        return -ENODATA;
    if (f->at == f->end && (r = read_on(s)) < 0)
        return r;
    if (fault_point(FAULT_load_alloc))
        return -ENOMEM;
    used = f->end - f->at;
    result = LZ4F_decompress(f->dctx, s->buf + s->end, &given, f->in + f->at, &used, NULL);
    if (LZ4F_isError(result))
        return refuse(f, result);
    f->at += used;
    s->end += given;
    f->has_ended = result == 0;
    if (used == 0 && given == 0 && result != 0)
        return damaged(f, "liblz4 goes no further in the LZ4 frame");
    return 0;
}

int
frame_fill(struct rdb_source *s, size_t n)
{
    int r = s->frame->wrong != NULL ? -EBADMSG : 0;

    while (r == 0 && s->end < n)
        r = unpack_some(s);
    return r;
}

uint64_t
frame_consumed(const struct rdb_source *s)
{
    return s->frame->base + s->frame->at;
}

uint64_t
frame_most_left(const struct rdb_source *s)
{
    uint64_t packed = s->size - frame_consumed(s);

    return source_ready(s) + (s->frame->has_ended ? 0 : packed * MOST_RATIO + HELD_BYTES);
}

const char *
frame_wrong(const struct source_frame *f)
{
    return f->wrong;
}

bool
source_is_summed(const struct rdb_source *s)
{
    return s->has_sums || (s->frame != NULL && (s->frame->flags & LZ4_FRAME_CONTENT_SUM) != 0);
}
