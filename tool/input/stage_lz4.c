/* tool/input/stage_lz4.c - LZ4 frames unpacked, by liblz4: blocks of any size, linked or not, with
 * checksums or without. */
#include <errno.h>
#include <lz4frame.h>

#include "snapshot/rdb/lz4_frame.h"
#include "tool/input/stage_frames.h"

enum { HEAD_BYTES = 7 };

static const char the_frame[] = "LZ4 frame";

static int
refuse(struct stage_frames *f, size_t result)
{
    const char *text = lz4_frame_wrong(result);

    return text == NULL ? -ENOMEM : stage_damaged(&f->stage, "%s", text);
}

static int
unpack(struct stage_frames *f, uint8_t *dst, size_t room, size_t *ret_got)
{
    size_t used, given = room, result;
    bool is_over;
    int r = stage_in_block(&f->stage, &f->in, f->hint, &used);

    if (r != 0)
        return r;
    is_over = used == 0; /* there may be output that had no room */
    result = LZ4F_decompress(f->state, dst, &given, f->in.bytes + f->in.at, &used, NULL);
    if (LZ4F_isError(result))
        return refuse(f, result);
    f->in.at += used;
    *ret_got = given;
    f->is_in = result != 0;
    f->hint = result;
    if (used > 0 || given > 0 || result == 0)
        return 0;
    return is_over ? stage_cut_off(&f->stage, &f->in, the_frame)
                   : stage_damaged(&f->stage, "liblz4 goes no further in the LZ4 frame");
}

static void *
open_state(void)
{
    LZ4F_dctx *dctx;

    return LZ4F_isError(LZ4F_createDecompressionContext(&dctx, LZ4F_VERSION)) ? NULL : dctx;
}

static void
close_state(void *state)
{
    (void)LZ4F_freeDecompressionContext(state);
}

struct stage *
stage_lz4(struct stage *below, bool in_envelope)
{
    static const struct stage_codec codec = {.frame = the_frame,
                                             .magic = FORM_LZ4_MAGIC,
                                             .head_bytes = HEAD_BYTES,
                                             .open = open_state,
                                             .close = close_state,
                                             .unpack = unpack};

    return stage_frames(below, &codec, in_envelope);
}
