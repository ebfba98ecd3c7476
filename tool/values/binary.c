/* tool/values/binary.c - strings as base64 where they are no text, and strings in pieces. */
#include "tool/values/binary.h"

#include "tool/base/tool.h"
#include "tool/values/base64.h"

static const char prefix[] = "base64:";
enum { PREFIX_BYTES = sizeof prefix - 1 };

enum binary
binary_of(const char *word)
{
    return strcmp(word, "base64") == 0 ? BINARY_BASE64 : BINARY_BYTES;
}

static bool
has_prefix(struct slice s)
{
    return s.len >= PREFIX_BYTES && memcmp(s.ptr, prefix, PREFIX_BYTES) == 0;
}

bool
binary_needs_base64(struct slice s)
{
    return has_prefix(s) || !utf8_is_all(s);
}

void
binary_base64(struct tool_out *out, struct slice s)
{
    struct base64 b = {.held_bytes = 0};

    tool_out_put(out, prefix, PREFIX_BYTES);
    base64_put(&b, out, s);
    base64_end(&b, out);
}

struct slice
pieces_hold(struct pieces *s, struct slice piece,
            void (*each)(struct pieces *s, const uint8_t *p, unsigned n))
{
    while (s->held_bytes > 0) {
        uint8_t chars[2 * UTF8_MOST];
        size_t more = piece.len < UTF8_MOST ? piece.len : UTF8_MOST;
        unsigned n;

        memcpy(chars, s->held, s->held_bytes);
        memcpy(chars + s->held_bytes, piece.ptr, more);
        n = utf8_length(chars, s->held_bytes + more);
        if (n == UTF8_CUT) { /* the piece was short */
            memcpy(s->held, chars, s->held_bytes + more);
            s->held_bytes += (unsigned)more;
            return slice_of(piece.ptr, 0);
        }
        each(s, chars, n);
        if (n == 0) {
            memmove(s->held, s->held + 1, --s->held_bytes);
        } else {
            piece = slice_of(piece.ptr + (n - s->held_bytes), piece.len - (n - s->held_bytes));
            s->held_bytes = 0;
        }
    }
    return piece;
}

void
pieces_keep_cut(struct pieces *s, struct slice tail)
{
    memcpy(s->held, tail.ptr, tail.len);
    s->held_bytes = (unsigned)tail.len;
}

/* ---- is it text? ---- */

static void
note_character(struct pieces *s, const uint8_t *p, unsigned n)
{
    (void)p;
    if (n == 0)
        s->is_text = false;
}

/* look_at: the next piece. */
static void
look_at(struct pieces *s, struct slice piece)
{
    size_t span;

    if (!s->is_text)
        return;
    piece = pieces_hold(s, piece, note_character);
    span = utf8_span(slice_bytes(piece), piece.len);
    piece = slice_of(piece.ptr + span, piece.len - span);
    if (piece.len == 0)
        return;
    if (utf8_length(slice_bytes(piece), piece.len) == UTF8_CUT)
        pieces_keep_cut(s, piece);
    else
        s->is_text = false;
}

static int
take_text(void *ctx, struct slice piece)
{
    struct pieces *s = ctx;

    s->put(s, piece);
    return tool_out_failed(s->out);
}

/* A string on its way into base64. */
struct encoding {
    struct base64 base64;
    struct tool_out *out;
};

static int
take_bytes(void *ctx, struct slice piece)
{
    struct encoding *e = ctx;

    base64_put(&e->base64, e->out, piece);
    return tool_out_failed(e->out);
}

/* put_kept: as what it has turned out to be. */
static void
put_kept(struct pieces *s)
{
    struct encoding e = {.out = s->out};

    s->is_text = s->is_text && s->held_bytes == 0;
    s->held_bytes = 0;
    if (s->is_text) {
        (void)tool_out_each(&s->kept, take_text, s);
    } else {
        tool_out_put(s->out, prefix, PREFIX_BYTES);
        (void)tool_out_each(&s->kept, take_bytes, &e);
        base64_end(&e.base64, e.out);
    }
    tool_out_empty(&s->kept);
}

/* ---- pieces ---- */

int
pieces_init(struct pieces *s)
{
    return s->binary == BINARY_BASE64 ? tool_out_open_spill(&s->kept) : TOOL_OK;
}

void
pieces_begin(struct pieces *s)
{
    s->held_bytes = 0;
    s->is_text = true;
    s->is_begun = false;
    if (s->binary == BINARY_BASE64)
        tool_out_empty(&s->kept);
}

void
pieces_piece(struct pieces *s, struct slice piece)
{
    if (s->binary == BINARY_BYTES) {
        s->put(s, piece);
        return;
    }
    /* what comes in pieces is long: the first one has the prefix, or it has none */
    if (!s->is_begun && has_prefix(piece))
        s->is_text = false;
    s->is_begun = true;
    look_at(s, piece);
    tool_out_slice(&s->kept, piece);
}

void
pieces_end(struct pieces *s)
{
    if (s->binary == BINARY_BASE64)
        put_kept(s);
    if (s->put_rest != NULL)
        s->put_rest(s);
}

bool
pieces_failed(const struct pieces *s)
{
    return s->binary == BINARY_BASE64 && tool_out_failed(&s->kept);
}

int
pieces_fini(struct pieces *s)
{
    return tool_out_close(&s->kept, false);
}
