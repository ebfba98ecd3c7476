/* tool/values/utf8.h - is it UTF-8?
 * Threads: [any]. */
#ifndef TOOL_VALUES_UTF8_H
#define TOOL_VALUES_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/base/slice.h"

enum { UTF8_MOST = 4, UTF8_CUT = 7 };

/* utf8_length: how many bytes the character has that begins at p, which is not ASCII; 0: none
 * begins there (a surrogate or an overlong form is none); UTF8_CUT: it may, but `room` bytes are
 * not all of it. */
static inline unsigned
utf8_length(const uint8_t *p, size_t room)
{
    uint8_t low = 0x80, high = 0xbf;
    unsigned n;

    if (*p < 0xc2 || *p > 0xf4)
        return 0;
    n = *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
    if (*p == 0xe0)
        low = 0xa0;
    else if (*p == 0xed)
        high = 0x9f;
    else if (*p == 0xf0)
        low = 0x90;
    else if (*p == 0xf4)
        high = 0x8f;
    for (unsigned i = 1; i < n; i++) {
        if (i == room)
            return UTF8_CUT;
        if (p[i] < low || p[i] > high)
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return n;
}

/* utf8_span: of [p, p + len) so many bytes are whole characters. */
size_t utf8_span(const uint8_t *p, size_t len);

static inline bool
utf8_is_all(struct slice s)
{
    return utf8_span(slice_bytes(s), s.len) == s.len;
}

#endif
