/* mm/base/long_double.c - floating point numbers as text. */
#include "mm/base/long_double.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

bool
long_double_parse(struct slice s, long double *ret)
{
    char text[LONG_DOUBLE_BYTES], *end;

    if (s.len == 0 || s.len >= sizeof text || s.ptr[0] == ' ' ||
        (s.ptr[0] >= '\t' && s.ptr[0] <= '\r'))
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    errno = 0;
    *ret = strtold(text, &end);
    if (errno == ERANGE && (isinf(*ret) || *ret == 0))
        return false;
    return end == text + s.len && !isnan(*ret);
}

size_t
long_double_put(char text[LONG_DOUBLE_BYTES], long double value)
{
    int n;

    if (isnan(value) || isinf(value))
        return 0;
    n = snprintf(text, LONG_DOUBLE_BYTES, "%.17Lf", value);
    if (n < 0 || n >= LONG_DOUBLE_BYTES)
        return 0;
    if (memchr(text, '.', (size_t)n) != NULL) {
        while (text[n - 1] == '0')
            n--;
        if (text[n - 1] == '.')
            n--;
    }
    if (n == 2 && text[0] == '-' && text[1] == '0') {
        text[0] = '0';
        n = 1;
    }
    return (size_t)n;
}
