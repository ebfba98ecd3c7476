/* tool/values/utf8.c - is it UTF-8? */
#include "tool/values/utf8.h"

#include <string.h>

#include "mm/base/must.h"
#include "tool/base/large.h"

enum { WORD = 8, LET_GO_BYTES = 2 << 20 };

/* is_ascii: of eight bytes at once. */
static inline bool
is_ascii(const uint8_t *p)
{
    uint64_t word;

    memcpy(&word, p, WORD);
    return (word & 0x8080808080808080) == 0;
}

size_t
utf8_span(const uint8_t *bytes, size_t len)
{
    const uint8_t *p = bytes, *end = bytes + len, *checked = bytes;

    while (p < end) {
        unsigned n;

        if (unlikely((size_t)(p - checked) >= LET_GO_BYTES)) {
            checked = p;
            tool_large_let_go();
        }
        if (end - p >= WORD && is_ascii(p)) {
            p += WORD;
        } else if (*p < 0x80) {
            p++;
        } else {
            n = utf8_length(p, (size_t)(end - p));
            if (n == 0 || n == UTF8_CUT)
                break;
            p += n;
        }
    }
    return (size_t)(p - bytes);
}
