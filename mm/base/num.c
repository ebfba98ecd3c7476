/* mm/base/num.c - integers to text and back. */
#include "mm/base/num.h"

#include <string.h>
#include <strings.h>

#include "mm/base/must.h"

/* Two digits at a time: half the divisions. */
static const char pairs[201] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

static inline unsigned
count_digits(uint64_t v)
{
    unsigned n = 1;

    for (; v >= 10000; v /= 10000)
        n += 4;
    return n + (v >= 10) + (v >= 100) + (v >= 1000);
}

char *
num_put_unsigned(char *p, uint64_t v)
{
    char *end, *q;

    if (v < 10) {
        *p = (char)('0' + v);
        return p + 1;
    }
    q = end = p + count_digits(v);
    while (v >= 100) {
        q -= 2;
        memcpy(q, pairs + 2 * (v % 100), 2);
        v /= 100;
    }
    debug_check(q - (v >= 10 ? 2 : 1) == p); /* the digits were counted right */
    if (v >= 10)
        memcpy(q - 2, pairs + 2 * v, 2);
    else
        q[-1] = (char)('0' + v);
    return end;
}

char *
num_put(char *p, int64_t value)
{
    if (value >= 0)
        return num_put_unsigned(p, (uint64_t)value);
    *p = '-';
    return num_put_unsigned(p + 1, 0 - (uint64_t)value);
}

static bool
parse_digits(const char *s, size_t len, uint64_t *ret)
{
    uint64_t v = 0;

    if (len == 0 || len > NUM_MAX_BYTES || (s[0] == '0' && len > 1))
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned digit = (unsigned char)s[i] - (unsigned)'0';
        if (digit > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v))
            return false;
    }
    *ret = v;
    return true;
}

bool
num_parse(const void *s, size_t len, int64_t *ret)
{
    const char *digits = s;
    bool negative = len > 0 && digits[0] == '-';
    uint64_t v;

    if (!parse_digits(digits + negative, len - negative, &v))
        return false;
    if (negative && (v == 0 || v > (uint64_t)INT64_MAX + 1))
        return false;
    if (!negative && v > INT64_MAX)
        return false;
    *ret = (int64_t)(negative ? 0 - v : v);
    return true;
}

bool
num_parse_memory(const char *s, size_t len, uint64_t *ret)
{
    static const struct {
        const char *name;
        uint64_t factor;
    } units[] = {{"", 1},        {"b", 1},        {"k", 1000},       {"kb", 1024},
                 {"m", 1000000}, {"mb", 1 << 20}, {"g", 1000000000}, {"gb", 1 << 30}};
    size_t digits = 0;
    uint64_t v;

    while (digits < len && s[digits] >= '0' && s[digits] <= '9')
        digits++;
    while (len > 1 && digits > 1 && s[0] == '0') { /* "007mb" is seven megabytes to Redis */
        s++;
        len--;
        digits--;
    }
    if (!parse_digits(s, digits, &v))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strlen(units[i].name) == len - digits &&
            strncasecmp(units[i].name, s + digits, len - digits) == 0)
            return !__builtin_mul_overflow(v, units[i].factor, ret);
    return false;
}
