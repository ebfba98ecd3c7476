/* tool/input/stage_frames.h - a stage that unpacks frames of one codec: any number, skippable ones
 * among them; or, in Valkey's envelope, one.
 * Threads: one at a time. */
#ifndef TOOL_INPUT_STAGE_FRAMES_H
#define TOOL_INPUT_STAGE_FRAMES_H

#include "tool/input/stage_impl.h"

struct stage_frames;

struct stage_codec {
    const char *frame; /* "LZ4 frame" */
    uint32_t magic;
    size_t head_bytes;   /* what the codec wants to see first */
    void *(*open)(void); /* NULL: no memory */
    void (*close)(void *state);
    /* Some progress: bytes of f->in used, up to 1 <= room of dst given, or the frame's end
     * (f->is_in).  f->hint: how many bytes it wants next. */
    int (*unpack)(struct stage_frames *f, uint8_t *dst, size_t room, size_t *ret_got);
};

struct stage_frames {
    struct stage stage; /* first */
    struct stage_in in;
    const struct stage_codec *codec;
    void *state;                       /* [owned] the codec's */
    size_t hint;                       /* up to a block's end */
    bool in_envelope, is_first, is_in; /* a frame is being read */
};

/* stage_frames: as stage_lz4(), for any codec. */
struct stage *stage_frames(struct stage *below, const struct stage_codec *codec, bool in_envelope);

#endif
