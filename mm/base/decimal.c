/* mm/base/decimal.c - integers as text.  The contract is in decimal.h. */
#include "mm/base/decimal.h"

#include <string.h>

bool
decimal_parse(const void *bytes, size_t len, int64_t *ret_value)
{
    const uint8_t *p = bytes, *end = p + len;
    bool is_negative = len > 0 && *p == '-';
    uint64_t limit = (uint64_t)INT64_MAX + is_negative, v = 0;

    if (len == 0 || len > DECIMAL_BYTES)
        return false;
    p += is_negative;
    if (p == end || *p < '0' || *p > '9')
        return false;
    if (*p == '0' && (is_negative || p + 1 != end))
        return false;
    for (; p != end; p++) {
        unsigned digit = (unsigned)*p - '0';

        if (digit > 9 || v > (limit - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *ret_value = (int64_t)(is_negative ? 0 - v : v);
    return true;
}

unsigned
decimal_print(int64_t value, char *dst)
{
    char text[DECIMAL_BYTES], *p = text + sizeof text;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    unsigned len;

    do
        *--p = (char)('0' + left % 10);
    while ((left /= 10) != 0);
    if (value < 0)
        *--p = '-';
    len = (unsigned)(text + sizeof text - p);
    memcpy(dst, p, len);
    return len;
}
