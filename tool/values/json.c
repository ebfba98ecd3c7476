/* tool/values/json.c - strings and numbers of JSON.
 *
 * Most bytes of most strings are ASCII without anything to escape: they are copied sixteen (or
 * eight) at a time while they are looked at, and what is behind the first byte that needs more is
 * overwritten. */
#include "tool/values/json.h"

#include <endian.h>
#include <math.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "mm/base/real.h"

/* CHUNK bytes of a string become up to ESCAPED_MOST times as many; SLACK: of what is copied
 * ahead. */
enum { CHUNK = 4096, ESCAPED_MOST = 6, SLACK = 16, WORD = 8 };

/* How a byte is written: itself, \ and this character, \u00xx, or as a part of a character of
 * UTF-8. */
enum { ITSELF = 0, AS_HEX = 1, BEYOND_ASCII = 2 };
static const uint8_t escapes[256] = {[0x00 ... 0x07] = AS_HEX,
                                     ['\b'] = 'b',
                                     ['\t'] = 't',
                                     ['\n'] = 'n',
                                     [0x0b] = AS_HEX,
                                     ['\f'] = 'f',
                                     ['\r'] = 'r',
                                     [0x0e ... 0x1f] = AS_HEX,
                                     ['"'] = '"',
                                     ['\\'] = '\\',
                                     [0x80 ... 0xff] = BEYOND_ASCII};

static uint8_t *
put_hex(uint8_t *dst, const char *head, uint8_t byte)
{
    static const char hex[] = "0123456789abcdef";

    memcpy(dst, head, 4);
    dst[4] = (uint8_t)hex[byte >> 4];
    dst[5] = (uint8_t)hex[byte & 15];
    return dst + 6;
}

static inline uint8_t *
put_escape(uint8_t *dst, uint8_t byte, uint8_t how)
{
    if (how == AS_HEX)
        return put_hex(dst, "\\u00", byte);
    dst[0] = '\\';
    dst[1] = how;
    return dst + 2;
}

/* put_stray: a byte that is no UTF-8. */
static uint8_t *
put_stray(uint8_t *dst, uint8_t byte)
{
    return put_hex(dst, "\\udc", byte);
}

/* copy_word: up to eight bytes that are there; returns how many of them need no more. */
static inline unsigned
copy_word(uint8_t *dst, const uint8_t *src)
{
    const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
    uint64_t w, quote, backslash, low;

    memcpy(&w, src, WORD);
    memcpy(dst, &w, WORD);
    w = le64toh(w);
    quote = w ^ '"' * ones;
    backslash = w ^ '\\' * ones;
    low = w - 0x20 * ones;
    /* a top bit above the lowest one may be a borrow's; the lowest one is right */
    w = (w | low | (quote - ones) | (backslash - ones)) & tops;
    return w == 0 ? WORD : (unsigned)__builtin_ctzll(w) / 8;
}

/* copy_clean: copies what needs no escape; *dst and *src are behind it. */
static inline void
copy_clean(uint8_t **dst, const uint8_t **src, const uint8_t *end)
{
    uint8_t *d = *dst;
    const uint8_t *s = *src;
    unsigned n = WORD;

#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'),
                  blank = _mm_set1_epi8(' ');

    while (end - s >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)s);
        /* signed: all beyond ASCII are below the blank, too */
        __m128i bad =
            _mm_or_si128(_mm_cmplt_epi8(v, blank),
                         _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)));
        unsigned mask = (unsigned)_mm_movemask_epi8(bad);

        _mm_storeu_si128((__m128i *)(void *)d, v);
        if (mask != 0) {
            unsigned clean = (unsigned)__builtin_ctz(mask);

            *dst = d + clean;
            *src = s + clean;
            return;
        }
        d += 16;
        s += 16;
    }
#endif
    while (n == WORD && end - s >= WORD) {
        n = copy_word(d, s);
        d += n;
        s += n;
    }
    while (s < end && escapes[*s] == ITSELF)
        *d++ = *s++;
    *dst = d;
    *src = s;
}

/* put_beyond: the characters beyond ASCII at src, and bytes that are none; *ret_cut: the last one
 * is not whole, and not put. */
static uint8_t *
put_beyond(uint8_t *dst, const uint8_t **src, const uint8_t *end, bool *ret_cut)
{
    const uint8_t *s = *src;

    while (s < end && *s >= 0x80) {
        unsigned n = utf8_length(s, (size_t)(end - s));

        if (n == UTF8_CUT) {
            *ret_cut = true;
            break;
        }
        if (n == 0) {
            dst = put_stray(dst, *s++);
            continue;
        }
        if (*s == 0xc2 && s[1] < 0xa0) { /* U+0080 to U+009F: a terminal obeys some of them */
            dst = put_hex(dst, "\\u00", s[1]);
            s += 2;
            continue;
        }
        for (; n > 0; n--)
            *dst++ = *s++;
    }
    *src = s;
    return dst;
}

/* escape: of [*src, end) all but, perhaps, the beginning of a character at its end. */
static uint8_t *
escape(uint8_t *dst, const uint8_t **src, const uint8_t *end)
{
    const uint8_t *s = *src;
    bool is_cut = false;

    for (;;) {
        copy_clean(&dst, &s, end);
        if (s == end)
            break;
        if (*s < 0x80) {
            dst = put_escape(dst, *s, escapes[*s]);
            s++;
            continue;
        }
        dst = put_beyond(dst, &s, end, &is_cut);
        if (is_cut)
            break;
    }
    *src = s;
    return dst;
}

/* put_chunks: s; returns what it did not put: the beginning of a character at its end. */
static struct slice
put_chunks(struct tool_out *out, struct slice s)
{
    const uint8_t *p = slice_bytes(s), *end = p + s.len;

    for (;;) {
        size_t n = (size_t)(end - p) < CHUNK ? (size_t)(end - p) : CHUNK;
        uint8_t *dst = tool_out_room(out, n * ESCAPED_MOST + SLACK);
        const uint8_t *until = p + n;

        tool_out_used(out, escape(dst, &p, until));
        if (until == end)
            return slice_of(p, (size_t)(end - p));
    }
}

static void
put_strays(struct tool_out *out, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        tool_out_used(out, put_stray(tool_out_room(out, ESCAPED_MOST), bytes[i]));
}

void
json_string(struct tool_out *out, struct slice s, enum binary binary)
{
    tool_out_put(out, "\"", 1);
    if (binary == BINARY_BASE64 && binary_needs_base64(s)) {
        binary_base64(out, s);
    } else {
        struct slice cut = put_chunks(out, s);

        put_strays(out, slice_bytes(cut), cut.len);
    }
    tool_out_put(out, "\"", 1);
}

void
json_score(struct tool_out *out, double score)
{
    uint8_t *p = tool_out_room(out, REAL_BYTES + 2);

    if (isinf(score))
        tool_out_text(out, score > 0 ? "\"inf\"" : "\"-inf\"");
    else
        tool_out_used(out, p + real_print(score, (char *)p));
}

/* ---- in pieces ---- */

static void
put_character(struct pieces *s, const uint8_t *p, unsigned n)
{
    if (n == 0)
        put_strays(s->out, p, 1);
    else
        tool_out_put(s->out, p, n);
}

void
json_put(struct pieces *s, struct slice piece)
{
    struct slice cut = put_chunks(s->out, pieces_hold(s, piece, put_character));

    if (cut.len > 0)
        pieces_keep_cut(s, cut);
}

void
json_put_rest(struct pieces *s)
{
    put_strays(s->out, s->held, s->held_bytes);
    s->held_bytes = 0;
}
