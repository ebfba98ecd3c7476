/* tool/values/base64.c - bytes as base64. */
#include "tool/values/base64.h"

enum { IN = 3, OUT = 4, GROUPS = 4096 }; /* at once: 12 KiB of bytes */

static const char digits[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void
encode(uint8_t *dst, const uint8_t *src)
{
    uint32_t v = (uint32_t)src[0] << 16 | (uint32_t)src[1] << 8 | src[2];

    for (unsigned i = 0; i < OUT; i++)
        dst[i] = (uint8_t)digits[v >> (18 - 6 * i) & 63];
}

/* put_groups: of three bytes each. */
static void
put_groups(struct tool_out *out, const uint8_t *src, size_t groups)
{
    while (groups > 0) {
        size_t n = groups < GROUPS ? groups : GROUPS;
        uint8_t *p = tool_out_room(out, n * OUT);

        for (size_t i = 0; i < n; i++)
            encode(p + i * OUT, src + i * IN);
        tool_out_used(out, p + n * OUT);
        src += n * IN;
        groups -= n;
    }
}

void
base64_put(struct base64 *b, struct tool_out *out, struct slice piece)
{
    const uint8_t *p = slice_bytes(piece), *end = p + piece.len;

    while (b->held_bytes > 0 && b->held_bytes < IN && p < end)
        b->held[b->held_bytes++] = *p++;
    if (b->held_bytes == IN) {
        put_groups(out, b->held, 1);
        b->held_bytes = 0;
    }
    put_groups(out, p, (size_t)(end - p) / IN);
    for (p += (size_t)(end - p) / IN * IN; p < end; p++)
        b->held[b->held_bytes++] = *p;
}

void
base64_end(struct base64 *b, struct tool_out *out)
{
    uint8_t text[OUT];
    unsigned n = b->held_bytes;

    if (n == 0)
        return;
    memset(b->held + n, 0, IN - n);
    encode(text, b->held);
    memset(text + n + 1, '=', IN - n);
    tool_out_put(out, text, OUT);
    b->held_bytes = 0;
}
