/* mm/base/printable.c - bytes as text.  The contract is in printable.h. */
#include "mm/base/printable.h"

#include <string.h>

#include "mm/base/must.h"

/* escape: one byte as up to 4 characters; returns how many. */
static unsigned
escape(uint8_t byte, char out[4])
{
    static const char hex[] = "0123456789abcdef";

    if (byte == '\\' || byte == '"') {
        memcpy(out, (char[]){'\\', (char)byte}, 2);
        return 2;
    }
    if (byte >= 0x20 && byte < 0x7f) {
        out[0] = (char)byte;
        return 1;
    }
    memcpy(out, (char[]){'\\', 'x', hex[byte >> 4], hex[byte & 15]}, 4);
    return 4;
}

void
printable(char *dst, size_t dst_bytes, const void *bytes, size_t len)
{
    const uint8_t *from = bytes;
    size_t at = 0, cut_at = 0; /* cut_at: the last place from which "..." and NUL fit */

    must(dst_bytes >= 8); /* one escape, "..." and NUL */
    for (size_t i = 0; i < len; i++) {
        char text[4];
        unsigned n = escape(from[i], text);

        if (at + 4 <= dst_bytes)
            cut_at = at;
        if (at + n + 1 > dst_bytes) {
            strcpy(dst + cut_at, "...");
            return;
        }
        memcpy(dst + at, text, n);
        at += n;
    }
    dst[at] = '\0';
}
