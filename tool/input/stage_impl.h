/* tool/input/stage_impl.h - bytes on their way from a file to the decoder, stage by stage: the file
 * itself, then what unpacks it; of a packed file in a packed file, one more.
 *
 *     stage_file --> [stage_gzip | stage_zstd | stage_lz4] --> [the same] --> ahead_impl.h
 *
 * Threads: one at a time. */
#ifndef TOOL_INPUT_STAGE_IMPL_H
#define TOOL_INPUT_STAGE_IMPL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stage {
    /* 1 to room bytes to dst; *ret_got 0: the end.  0 or -errno; -EBADMSG: stage_wrong() says what
     * is wrong, at stage_place(); it stays so. */
    int (*read)(struct stage *s, uint8_t *dst, size_t room, size_t *ret_got);
    uint64_t (*place)(const struct stage *s); /* of its own input: bytes used */
    void (*fini)(struct stage *s);
    struct stage *below; /* [owned] NULL: it is the file */
    bool has_ended;
    int error;
    char wrong[128];
};

/* stage_is_pause: an error behind which a stage goes on when it is asked again.  stage_read: as the
 * stage's own read, which is not asked again after an end or any other error. */
static inline bool
stage_is_pause(int error)
{
    return error == -ECANCELED || error == -EAGAIN;
}
int stage_read(struct stage *s, uint8_t *dst, size_t room, size_t *ret_got);
/* stage_close: with all that are below. */
void stage_close(struct stage *s);
/* stage_place: bytes of the file that were used: up to where something is wrong.  stage_wrong: the
 * text of the stage, or the one below, that found it. */
uint64_t stage_place(const struct stage *s);
const char *stage_wrong(const struct stage *s);
/* stage_damaged: remember what is wrong.  Returns -EBADMSG. */
int stage_damaged(struct stage *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The file: [from, from + size) of a regular one, or, size STAGE_STREAM, what comes: first those
 * bytes that were read already.  waits: NULL: only a stream waits. */
#define STAGE_STREAM UINT64_MAX
struct stage_waits {
    int wake_fd;  /* an eventfd; readable: reading ends with -ECANCELED, even where nothing comes */
    bool no_wait; /* [who reads] where nothing has come, reading ends with -EAGAIN */
};
enum { STAGE_HEAD_BYTES = 16 };
struct stage_head {
    uint8_t bytes[STAGE_HEAD_BYTES];
    size_t len;
};
struct stage *stage_file(int fd, uint64_t from, uint64_t size, const struct stage_head *head,
                         const struct stage_waits *waits);

/* What unpacks `below`, which is the new stage's in any case.  in_envelope:
 * Valkey's, behind which are one frame and the end; else any number of frames.  NULL: no memory. */
struct stage *stage_lz4(struct stage *below, bool in_envelope);
struct stage *stage_gzip(struct stage *below);
struct stage *stage_zstd(struct stage *below, bool in_envelope);
/* stage_peek: the first bytes of what the stage gives,
 * which are given again: once, before any other read.  NULL: no memory. */
struct stage *stage_peek(struct stage *below, struct stage_head *ret);

/* For those that unpack: the input in hand.  A block of 256 KiB that does not shrink fits. */
enum { STAGE_IN_BYTES = 384 * 1024 };
struct stage_in {
    uint8_t *bytes; /* [owned] STAGE_IN_BYTES */
    size_t at, end;
    uint64_t base; /* the offset of bytes[0] */
};
/* stage_in_need: n <= STAGE_IN_BYTES bytes from `at` on: 0, or -ENODATA: the input ends before
 * them, or another -errno */
int stage_in_need(struct stage *s, struct stage_in *in, size_t n);
/* stage_in_block: n bytes, if there are so many and they fit, else as many as there are: what a
 * codec wants next.  One block at a time: what comes before a damaged one is given. */
int stage_in_block(struct stage *s, struct stage_in *in, size_t n, size_t *ret_ready);
static inline uint64_t
stage_in_place(const struct stage_in *in)
{
    return in->base + in->at;
}
/* stage_cut_off: the input has ended in the middle.  stage_too_long: more follows where nothing
 * may.  -EBADMSG, or what reading on says. */
int stage_cut_off(struct stage *s, struct stage_in *in, const char *of_what);
int stage_too_long(struct stage *s, struct stage_in *in, const char *of_what);

/* What the first bytes say. */
enum form {
    FORM_PLAIN,
    FORM_LZ4_ENVELOPE,
    FORM_ZSTD_ENVELOPE,
    FORM_LZ4,
    FORM_GZIP,
    FORM_ZSTD,
    FORM_REFUSED /* *ret_offset, and text say why */
};
enum { FORM_ENVELOPE_BYTES = 7, FORM_MAGIC_BYTES = 4, FORM_LZ4_FLAGS_AT = 4 };
#define FORM_LZ4_MAGIC  0x184d2204u
#define FORM_ZSTD_MAGIC 0xfd2fb528u
enum form form_of(const struct stage_head *head, uint64_t *ret_offset, char *text, size_t room);
const char *form_name(enum form form);
/* form_is_skippable: the magic of a frame that LZ4 and Zstd read over. */
bool form_is_skippable(uint32_t magic);
/* form_has_sums: what it holds has a checksum, as the head says. */
bool form_has_sums(enum form form, const struct stage_head *head);

#endif
