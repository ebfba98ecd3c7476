/* tool/base/out.h - where a command's output goes: standard output, or a file that appears under
 * its name when it is complete (temporary file, fsync, rename).
 *
 * Bytes are gathered in pieces of OUT_PIECE_BYTES, which a thread of its own writes.  An error
 * stays until the end, where it is reported once.  A reader of a pipe that goes away is no error:
 * nothing more is written, and nothing said.
 * Threads: one. */
#ifndef TOOL_BASE_OUT_H
#define TOOL_BASE_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "mm/base/slice.h"

enum { OUT_PIECE_BYTES = 256 * 1024 };

struct tool_out {
    uint8_t *at, *end;       /* the piece in hand: its next byte, and what is behind its last */
    const char *path;        /* for messages; the caller's */
    struct out_state *state; /* [owned] its own */
};

/* tool_out_inputs: what the command reads, before it begins: no output takes the place of one of
 * these, `force` or not.  They are the caller's, and stay. */
void tool_out_inputs(int count, char **paths);
/* tool_out_open: path NULL or "-": standard output.  Without `force` a file that is there is not
 * replaced. TOOL_OK or, reported, TOOL_INVALID. */
int tool_out_open(struct tool_out *out, const char *path, bool force);
/* tool_out_close: everything is written, and the file stands under its name; keep false: it is
 * taken away instead (of standard output: what was gathered is still written).  TOOL_OK or,
 * reported, TOOL_INVALID.  Zeroed, or after a failed open: TOOL_OK, and nothing happens. */
int tool_out_close(struct tool_out *out, bool keep);
/* tool_out_failed: writing has failed (a full disk, a closed pipe): going on makes no sense. */
bool tool_out_failed(const struct tool_out *out);
/* tool_out_flush: the piece in hand goes off. */
void tool_out_flush(struct tool_out *out);
void tool_out_long(struct tool_out *out, const void *bytes, size_t len);
void tool_out_format(struct tool_out *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What is kept for later: in memory while it is little, then in a temporary file without a name.
 * tool_out_open_spill: TOOL_OK or, reported, TOOL_INVALID.
 * tool_out_each: all of it, piece by piece, to `take`, which may end it with non-zero: that, or 0,
 * or -errno, reported at the close.
 * tool_out_move: all of it to another one; then it is empty.
 * tool_out_empty: it is empty.
 * Closed with `keep` false. */
int tool_out_open_spill(struct tool_out *out);
int tool_out_each(struct tool_out *out, int (*take)(void *ctx, struct slice piece), void *ctx);
void tool_out_move(struct tool_out *out, struct tool_out *to);
void tool_out_empty(struct tool_out *out);

/* tool_out_room: n <= OUT_PIECE_BYTES bytes to be filled in place; then tool_out_used(). */
static inline uint8_t *
tool_out_room(struct tool_out *out, size_t n)
{
    if ((size_t)(out->end - out->at) < n)
        tool_out_flush(out);
    return out->at;
}

static inline void
tool_out_used(struct tool_out *out, uint8_t *end)
{
    out->at = end;
}

static inline void
tool_out_put(struct tool_out *out, const void *bytes, size_t len)
{
    if ((size_t)(out->end - out->at) < len) {
        tool_out_long(out, bytes, len);
        return;
    }
    memcpy(out->at, bytes, len);
    out->at += len;
}

static inline void
tool_out_slice(struct tool_out *out, struct slice s)
{
    tool_out_put(out, s.ptr, s.len);
}

static inline void
tool_out_text(struct tool_out *out, const char *text)
{
    tool_out_put(out, text, strlen(text));
}

#endif
