/* tool/values/binary.h - strings of any bytes in a format that is text.
 *
 * With BINARY_BYTES a byte that is no UTF-8 is written by itself, as the format can.  With
 * BINARY_BASE64 a string that is no UTF-8 is written as a whole: "base64:" and its base64; so is
 * one that begins with "base64:" itself, so that the prefix says it all.
 * Threads: one at a time. */
#ifndef TOOL_VALUES_BINARY_H
#define TOOL_VALUES_BINARY_H

#include "tool/base/out.h"
#include "tool/values/utf8.h"

enum binary { BINARY_BYTES, BINARY_BASE64 };

/* binary_of: of the words of --binary, "bytes" or "base64". */
enum binary binary_of(const char *word);
/* binary_needs_base64: with BINARY_BASE64.
 * binary_base64: the prefix and the digits, without quotes. */
bool binary_needs_base64(struct slice s);
void binary_base64(struct tool_out *out, struct slice s);

/* A string that comes in pieces: begin, piece*, end.  The format's calls put pieces of it, whose
 * ends may be in the middle of a character.  With BINARY_BASE64 the string is kept until its end,
 * in memory while it is little, else in a temporary file. */
struct pieces {
    struct tool_out *out;
    enum binary binary;
    void (*put)(struct pieces *s, struct slice piece);
    void (*put_rest)(struct pieces *s); /* of what `put` holds; NULL: it holds nothing */
    uint8_t held[UTF8_MOST];            /* what may be the beginning of a character */
    unsigned held_bytes;
    struct tool_out kept; /* BINARY_BASE64 */
    bool is_text;         /* what was kept is UTF-8, and does not begin with the prefix */
    bool is_begun;        /* some was kept */
};
/* pieces_init: out, binary, put and put_rest are set, all else is zeroed.  TOOL_OK or, reported,
 * TOOL_INVALID.
 * pieces_failed: what was kept is not whole: going on makes no sense.
 * pieces_fini: TOOL_OK or, reported, TOOL_INVALID: there was no room for a temporary file. */
int pieces_init(struct pieces *s);
void pieces_begin(struct pieces *s);
void pieces_piece(struct pieces *s, struct slice piece);
void pieces_end(struct pieces *s);
bool pieces_failed(const struct pieces *s);
int pieces_fini(struct pieces *s);

/* For `put`, of a format that looks at characters.
 * pieces_hold: what is held and what of the piece belongs to it goes to `each`: a character of n
 * bytes, or, with n = 0, one byte that is none.  Returns the rest of the piece.
 * pieces_keep_cut: the beginning of a character, which ends a piece, is held. */
struct slice pieces_hold(struct pieces *s, struct slice piece,
                         void (*each)(struct pieces *s, const uint8_t *p, unsigned n));
void pieces_keep_cut(struct pieces *s, struct slice tail);

#endif
