/* tool/input/stage_zstd.c - Zstd frames unpacked, by libzstd: any number, skippable ones among
 * them.  Its window is what they were packed with: 8 MiB up to level 19, up to 128 MiB of the
 * "ultra" ones; larger ones (--long=28 and above) are refused. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "mm/base/le.h"
#include "tool/input/stage_impl.h"

struct zstd {
    struct stage stage; /* first */
    struct stage_in in;
    ZSTD_DStream *z; /* [owned] */
    size_t hint;     /* what libzstd wants next: up to a block's end */
    bool in_envelope, is_first, is_in;
};

enum { HEAD_BYTES = 5 };

static const char the_frame[] = "Zstd frame";

static int
refuse(struct zstd *z, size_t result)
{
    switch (ZSTD_getErrorCode(result)) {
    case ZSTD_error_memory_allocation:
        return -ENOMEM;
    case ZSTD_error_checksum_wrong:
        return stage_damaged(&z->stage, "wrong checksum of what the Zstd frame holds");
    case ZSTD_error_frameParameter_windowTooLarge:
        return stage_damaged(&z->stage,
                             "the Zstd frame needs more memory than 128 MiB: unpack it by zstd -d "
                             "--long=31");
    case ZSTD_error_dictionary_wrong:
        return stage_damaged(&z->stage, "the Zstd frame needs a dictionary");
    default:
        return stage_damaged(&z->stage, "the Zstd frame is damaged: %s", ZSTD_getErrorName(result));
    }
}

/* next_frame: one begins here; -ENODATA: the file ends, as it may. */
static int
next_frame(struct zstd *z)
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
    if (is_first && z->in_envelope && magic != FORM_ZSTD_MAGIC)
        return stage_damaged(&z->stage, "no Zstd frame where the envelope says that there is one");
    if ((z->in_envelope && !is_first) || (magic != FORM_ZSTD_MAGIC && !form_is_skippable(magic)))
        return stage_too_long(&z->stage, &z->in, the_frame);
    z->is_in = true;
    return 0;
}

static int
unpack_some(struct zstd *z, uint8_t *dst, size_t room, size_t *ret_got)
{
    ZSTD_outBuffer out = {dst, room, 0};
    ZSTD_inBuffer in = {.pos = 0};
    size_t result;
    int r = stage_in_block(&z->stage, &z->in, z->hint, &in.size);

    if (r != 0)
        return r;
    in.src = z->in.bytes + z->in.at; /* of no byte, too: there may be output that had no room */
    result = ZSTD_decompressStream(z->z, &out, &in);
    if (ZSTD_isError(result))
        return refuse(z, result);
    z->in.at += in.pos;
    *ret_got = out.pos;
    z->is_in = result != 0;
    z->hint = result == 0 ? HEAD_BYTES : result;
    if (result != 0 && out.pos == 0 && in.size == 0)
        return stage_cut_off(&z->stage, &z->in, the_frame);
    return 0;
}

static int
zstd_read(struct stage *s, uint8_t *dst, size_t room, size_t *ret_got)
{
    struct zstd *z = (struct zstd *)s;
    int r = 0;

    while (r == 0 && *ret_got == 0) {
        if (!z->is_in && (r = next_frame(z)) != 0)
            return r == -ENODATA ? 0 : r;
        r = unpack_some(z, dst, room, ret_got);
    }
    return r;
}

static uint64_t
zstd_place(const struct stage *s)
{
    return stage_in_place(&((const struct zstd *)s)->in);
}

static void
zstd_fini(struct stage *s)
{
    struct zstd *z = (struct zstd *)s;

    (void)ZSTD_freeDStream(z->z);
    free(z->in.bytes);
}

struct stage *
stage_zstd(struct stage *below, bool in_envelope)
{
    struct zstd *z = calloc(1, sizeof *z);

    if (z == NULL) {
        stage_close(below);
        return NULL;
    }
    z->stage =
        (struct stage){.read = zstd_read, .place = zstd_place, .fini = zstd_fini, .below = below};
    z->in_envelope = in_envelope;
    z->is_first = true;
    z->hint = HEAD_BYTES;
    z->in.bytes = malloc(STAGE_IN_BYTES);
    z->z = ZSTD_createDStream();
    if (z->in.bytes == NULL || z->z == NULL) {
        stage_close(&z->stage);
        return NULL;
    }
    return &z->stage;
}
