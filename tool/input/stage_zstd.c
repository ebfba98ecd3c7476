/* tool/input/stage_zstd.c - Zstd frames unpacked, by libzstd: any number, skippable ones among
 * them.  Its window is what they were packed with: 8 MiB up to level 19, up to 128 MiB of the
 * "ultra" ones; larger ones (--long=28 and above) are refused. */
#include <errno.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "tool/input/stage_frames.h"

enum { HEAD_BYTES = 5 };

static const char the_frame[] = "Zstd frame";

static int
refuse(struct stage_frames *f, size_t result)
{
    switch (ZSTD_getErrorCode(result)) {
    case ZSTD_error_memory_allocation:
        return -ENOMEM;
    case ZSTD_error_checksum_wrong:
        return stage_damaged(&f->stage, "wrong checksum of what the Zstd frame holds");
    case ZSTD_error_frameParameter_windowTooLarge:
        return stage_damaged(&f->stage,
                             "the Zstd frame needs more memory than 128 MiB: unpack it by zstd -d "
                             "--long=31");
    case ZSTD_error_dictionary_wrong:
        return stage_damaged(&f->stage, "the Zstd frame needs a dictionary");
    default:
        return stage_damaged(&f->stage, "the Zstd frame is damaged: %s", ZSTD_getErrorName(result));
    }
}

static int
unpack(struct stage_frames *f, uint8_t *dst, size_t room, size_t *ret_got)
{
    ZSTD_outBuffer out = {dst, room, 0};
    ZSTD_inBuffer in = {.pos = 0};
    size_t result;
    int r = stage_in_block(&f->stage, &f->in, f->hint, &in.size);

    if (r != 0)
        return r;
    in.src = f->in.bytes + f->in.at; /* of no byte, too: there may be output that had no room */
    result = ZSTD_decompressStream(f->state, &out, &in);
    if (ZSTD_isError(result))
        return refuse(f, result);
    f->in.at += in.pos;
    *ret_got = out.pos;
    f->is_in = result != 0;
    f->hint = result;
    if (result != 0 && out.pos == 0 && in.size == 0)
        return stage_cut_off(&f->stage, &f->in, the_frame);
    return 0;
}

static void *
open_state(void)
{
    return ZSTD_createDStream();
}

static void
close_state(void *state)
{
    (void)ZSTD_freeDStream(state);
}

struct stage *
stage_zstd(struct stage *below, bool in_envelope)
{
    static const struct stage_codec codec = {.frame = the_frame,
                                             .magic = FORM_ZSTD_MAGIC,
                                             .head_bytes = HEAD_BYTES,
                                             .open = open_state,
                                             .close = close_state,
                                             .unpack = unpack};

    return stage_frames(below, &codec, in_envelope);
}
