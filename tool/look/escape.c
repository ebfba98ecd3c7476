/* tool/look/escape.c - bytes as a line, and back. */
#include "tool/look/escape.h"

#include <stdlib.h>

#include "tool/base/tool.h"
#include "tool/values/utf8.h"

/* Of the same length: the byte that a letter behind a backslash stands for. */
static const char letters[] = "nrtab\\\"", bytes_of[] = "\n\r\t\a\b\\\"";

static void
put_hex(struct tool_out *out, uint8_t b)
{
    static const char digits[] = "0123456789abcdef";
    char text[4] = {'\\', 'x', digits[b >> 4], digits[b & 15]};

    tool_out_put(out, text, sizeof text);
}

static void
put_ascii(struct tool_out *out, uint8_t b, bool is_quoted)
{
    char text[2] = {'\\', (char)b};

    if (b == '\n' || b == '\r' || b == '\t') {
        text[1] = b == '\n' ? 'n' : b == '\r' ? 'r' : 't';
        tool_out_put(out, text, 2);
    } else if (b == '\\' || (b == '"' && is_quoted)) {
        tool_out_put(out, text, 2);
    } else if (b < ' ' || b == 0x7f) {
        put_hex(out, b);
    } else {
        tool_out_put(out, &b, 1);
    }
}

/* is_printed: a character of n bytes that is not ASCII: no control character (U+0080 to U+009f). */
static bool
is_printed(const uint8_t *p, unsigned n)
{
    return n > 0 && n <= UTF8_MOST && !(p[0] == 0xc2 && p[1] < 0xa0);
}

static bool
is_simple(uint8_t b)
{
    return b >= ' ' && b < 0x7f && b != '\\' && b != '"';
}

static void
put(struct tool_out *out, struct slice s, bool is_quoted)
{
    const uint8_t *p = slice_bytes(s), *end = p + s.len;

    while (p < end) {
        const uint8_t *from = p;
        unsigned n;

        while (p < end && is_simple(*p))
            p++;
        tool_out_put(out, from, (size_t)(p - from));
        if (p == end)
            break;
        if (*p < 0x80) {
            put_ascii(out, *p++, is_quoted);
            continue;
        }
        n = utf8_length(p, (size_t)(end - p));
        if (is_printed(p, n))
            tool_out_put(out, p, n);
        else
            put_hex(out, *p);
        p += is_printed(p, n) ? n : 1;
    }
}

void
escape_put(struct tool_out *out, struct slice s)
{
    put(out, s, false);
}

void
escape_seen(struct tool_out *out, struct slice s)
{
    const uint8_t *p = slice_bytes(s), *end = p + s.len, *from = p;

    for (; p < end; p++)
        if (*p == '\n' || *p == '\t' || *p == '\\') {
            put(out, slice_of(from, (size_t)(p - from)), false);
            tool_out_put(out, p, 1);
            from = p + 1;
        }
    put(out, slice_of(from, (size_t)(end - from)), false);
}

void
escape_quoted(struct tool_out *out, struct slice s, size_t most)
{
    bool is_cut = most > 0 && s.len > most;

    if (is_cut) { /* no character in two */
        s.len = most;
        for (unsigned i = 0; i + 1 < UTF8_MOST && ((uint8_t)s.ptr[s.len] & 0xc0) == 0x80; i++)
            s.len--;
    }
    tool_out_put(out, "\"", 1);
    put(out, s, true);
    tool_out_text(out, is_cut ? "\"..." : "\"");
}

static int
hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* parse_one: what stands behind a backslash; returns how long that is, 0: it is nothing. */
static unsigned
parse_one(const char *text, char *ret)
{
    const char *letter;
    int high, low;

    if (*text == 'x') {
        if ((high = hex_digit(text[1])) < 0 || (low = hex_digit(text[2])) < 0)
            return 0;
        *ret = (char)(high << 4 | low);
        return 3;
    }
    if (*text == '\0' || (letter = strchr(letters, *text)) == NULL)
        return 0;
    *ret = bytes_of[letter - letters];
    return 1;
}

char *
escape_parse(const char *text, size_t *ret_len, size_t *ret_at)
{
    char *bytes = tool_got(malloc(strlen(text) + 1)), *to = bytes;

    for (const char *p = text; *p != '\0';) {
        unsigned n;

        if (*p != '\\') {
            *to++ = *p++;
            continue;
        }
        if ((n = parse_one(p + 1, to)) == 0) {
            *ret_at = (size_t)(p - text);
            free(bytes);
            return NULL;
        }
        to++;
        p += 1 + n;
    }
    *ret_len = (size_t)(to - bytes);
    return bytes;
}
