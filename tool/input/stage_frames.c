/* tool/input/stage_frames.c - frames, one after the other: where one begins, and the end. */
#include "tool/input/stage_frames.h"

#include <errno.h>
#include <stdlib.h>

#include "mm/base/le.h"

/* next_frame: one begins here; -ENODATA: the file ends, as it may. */
static int
next_frame(struct stage_frames *f)
{
    size_t before = f->is_first && f->in_envelope ? FORM_ENVELOPE_BYTES : 0;
    const char *the_frame = f->codec->frame;
    bool is_first = f->is_first;
    uint32_t magic;
    int r = stage_in_need(&f->stage, &f->in, before + FORM_MAGIC_BYTES);

    if (r == -ENODATA && is_first)
        return stage_cut_off(&f->stage, &f->in, the_frame);
    if (r == -ENODATA && f->in.end > f->in.at)
        return stage_too_long(&f->stage, &f->in, the_frame);
    if (r != 0)
        return r;
    f->is_first = false;
    f->in.at += before;
    magic = (uint32_t)le_load(f->in.bytes + f->in.at, FORM_MAGIC_BYTES);
    if (is_first && f->in_envelope && magic != f->codec->magic)
        return stage_damaged(&f->stage, "no %s where the envelope says that there is one",
                             the_frame);
    if ((f->in_envelope && !is_first) || (magic != f->codec->magic && !form_is_skippable(magic)))
        return stage_too_long(&f->stage, &f->in, the_frame);
    f->is_in = true;
    return 0;
}

static int
frames_read(struct stage *s, uint8_t *dst, size_t room, size_t *ret_got)
{
    struct stage_frames *f = (struct stage_frames *)s;
    int r = 0;

    while (r == 0 && *ret_got == 0) {
        if (!f->is_in && (r = next_frame(f)) != 0)
            return r == -ENODATA ? 0 : r;
        r = f->codec->unpack(f, dst, room, ret_got);
        if (r == 0 && !f->is_in)
            f->hint = f->codec->head_bytes;
    }
    return r;
}

static uint64_t
frames_place(const struct stage *s)
{
    return stage_in_place(&((const struct stage_frames *)s)->in);
}

static void
frames_fini(struct stage *s)
{
    struct stage_frames *f = (struct stage_frames *)s;

    f->codec->close(f->state);
    free(f->in.bytes);
}

struct stage *
stage_frames(struct stage *below, const struct stage_codec *codec, bool in_envelope)
{
    struct stage_frames *f = calloc(1, sizeof *f);

    if (f == NULL) {
        stage_close(below);
        return NULL;
    }
    f->stage = (struct stage){
        .read = frames_read, .place = frames_place, .fini = frames_fini, .below = below};
    f->codec = codec;
    f->in_envelope = in_envelope;
    f->is_first = true;
    f->hint = codec->head_bytes;
    f->in.bytes = malloc(STAGE_IN_BYTES);
    f->state = codec->open();
    if (f->in.bytes == NULL || f->state == NULL) {
        stage_close(&f->stage);
        return NULL;
    }
    return &f->stage;
}
