/* tool/input/stage_lz4.c - LZ4 frames unpacked, by liblz4: blocks of any size, linked or not, with
 * checksums or without. */
#include <errno.h>
#include <lz4frame.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/le.h"
#include "snapshot/rdb/lz4_frame.h"
#include "tool/input/stage_impl.h"

struct lz4 {
    struct stage stage; /* first */
    struct stage_in in;
    LZ4F_dctx *dctx;                   /* [owned] */
    size_t hint;                       /* what liblz4 wants next: up to a block's end */
    bool in_envelope, is_first, is_in; /* a frame is being read */
};

enum { HEAD_BYTES = 7 };

static const char the_frame[] = "LZ4 frame";

static int
refuse(struct lz4 *z, size_t result)
{
    const char *text = lz4_frame_wrong(result);

    return text == NULL ? -ENOMEM : stage_damaged(&z->stage, "%s", text);
}

/* next_frame: one begins here; -ENODATA: the file ends, as it may. */
static int
next_frame(struct lz4 *z)
{
    size_t before = z->is_first && z->in_envelope ? FORM_ENVELOPE_BYTES : 0;
    bool is_first = z->is_first;
    uint32_t magic;
    int r = stage_in_need(&z->stage, &z->in, before + FORM_MAGIC_BYTES);

    if (r == -ENODATA && is_first)
        return stage_cut_off(&z->stage, &z->in, the_frame);
    if (r == -ENODATA && z->in.end > z->in.at)
        return stage_too_long(&z->stage, &z->in, the_frame);
    if (r != 0)
        return r;
    z->is_first = false;
    z->in.at += before;
    magic = (uint32_t)le_load(z->in.bytes + z->in.at, FORM_MAGIC_BYTES);
    if (is_first && z->in_envelope && magic != FORM_LZ4_MAGIC)
        return stage_damaged(&z->stage, "no LZ4 frame where the envelope says that there is one");
    if ((z->in_envelope && !is_first) || (magic != FORM_LZ4_MAGIC && !form_is_skippable(magic)))
        return stage_too_long(&z->stage, &z->in, the_frame);
    z->is_in = true;
    return 0;
}

/* unpack_some: some progress: bytes used, or given, or the frame's end. */
static int
unpack_some(struct lz4 *z, uint8_t *dst, size_t room, size_t *ret_got)
{
    size_t used, given = room, result;
    bool is_over;
    int r = stage_in_block(&z->stage, &z->in, z->hint, &used);

    if (r != 0)
        return r;
    is_over = used == 0; /* there may be output that had no room */
    result = LZ4F_decompress(z->dctx, dst, &given, z->in.bytes + z->in.at, &used, NULL);
    if (LZ4F_isError(result))
        return refuse(z, result);
    z->in.at += used;
    *ret_got = given;
    z->is_in = result != 0;
    z->hint = result == 0 ? HEAD_BYTES : result;
    if (used > 0 || given > 0 || result == 0)
        return 0;
    return is_over ? stage_cut_off(&z->stage, &z->in, the_frame)
                   : stage_damaged(&z->stage, "liblz4 goes no further in the LZ4 frame");
}

static int
lz4_read(struct stage *s, uint8_t *dst, size_t room, size_t *ret_got)
{
    struct lz4 *z = (struct lz4 *)s;
    int r = 0;

    while (r == 0 && *ret_got == 0) {
        if (!z->is_in && (r = next_frame(z)) != 0)
            return r == -ENODATA ? 0 : r;
        r = unpack_some(z, dst, room, ret_got);
    }
    return r;
}

static uint64_t
lz4_place(const struct stage *s)
{
    return stage_in_place(&((const struct lz4 *)s)->in);
}

static void
lz4_fini(struct stage *s)
{
    struct lz4 *z = (struct lz4 *)s;

    (void)LZ4F_freeDecompressionContext(z->dctx);
    free(z->in.bytes);
}

struct stage *
stage_lz4(struct stage *below, bool in_envelope)
{
    struct lz4 *z = calloc(1, sizeof *z);

    if (z == NULL) {
        stage_close(below);
        return NULL;
    }
    z->stage =
        (struct stage){.read = lz4_read, .place = lz4_place, .fini = lz4_fini, .below = below};
    z->in_envelope = in_envelope;
    z->is_first = true;
    z->hint = HEAD_BYTES;
    z->in.bytes = malloc(STAGE_IN_BYTES);
    if (z->in.bytes == NULL ||
        LZ4F_isError(LZ4F_createDecompressionContext(&z->dctx, LZ4F_VERSION))) {
        stage_close(&z->stage);
        return NULL;
    }
    return &z->stage;
}
