/* mm/base/real.c - doubles to text and back.
 *
 * The digits: of numbers with few digits behind the point by multiplying with a power of ten; that
 * is proved right by dividing again, since a whole number below 2^53 divided by a power of ten up
 * to 10^22 is rounded once, as reading the text is.  Of others: the nearest number of 15, 16 or 17
 * digits that reads back as the same double: what has at most 15 digits always does.  That is
 * reckoned with the 64 bits of a long double, whose error is known, or, where that is too much to
 * be sure (one in fifty), by printing and reading back.
 *
 * The form is that of Redis 7.2: whole numbers without exponent while at most seven zeros are added
 * (six of a negative one), fractions down to six zeros behind the point, else one digit, the point,
 * and an exponent. */
#include "mm/base/real.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/must.h"
#include "mm/base/num.h"

enum { DIGITS_MAX = 17, ZEROS_MAX = 7, SHORT_TEXT = 128 };

/* A number: 0.d1d2d3... as digits, and the power of ten by which their whole is multiplied. */
struct digits {
    char at[DIGITS_MAX + 3];
    int count, power;
};

static void
trim_zeros(struct digits *d)
{
    while (d->count > 1 && d->at[d->count - 1] == '0') {
        d->count--;
        d->power++;
    }
}

/* few_digits: of 0 < v with up to six digits behind the point and fifteen in all. */
static bool
few_digits(double v, struct digits *ret)
{
    static const double tens[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};

    for (unsigned k = 0; k < sizeof tens / sizeof *tens; k++) {
        double scaled = v * tens[k];

        if (scaled >= 1e15)
            return false;
        if (scaled >= 1 && scaled == (double)(int64_t)scaled && scaled / tens[k] == v) {
            ret->count = (int)num_print(ret->at, (int64_t)scaled);
            ret->power = -(int)k;
            trim_zeros(ret);
            return true;
        }
    }
    return false;
}

/* print_digits: of 0 < v. */
static void
print_digits(double v, struct digits *ret)
{
    char text[REAL_BYTES];
    int n, count = v < DBL_MIN ? 1 : 15; /* subnormal numbers have fewer digits */

    do
        n = snprintf(text, sizeof text, "%.*e", count - 1, v); /* d.ddde+xx */
    while (strtod(text, NULL) != v && count++ < DIGITS_MAX);
    must(n < (int)sizeof text);
    ret->count = count;
    ret->at[0] = text[0];
    memcpy(ret->at + 1, text + 2, (size_t)count - 1);
    ret->power = atoi(strchr(text, 'e') + 1) - (count - 1);
    trim_zeros(ret);
}

/* ---- digits by long doubles ---- */

#if LDBL_MANT_DIG >= 64

/* 10^(16 i), from 10^-304 on: each is off by 2^-64 of itself at most. */
static const long double tens_16[] = {
    1e-304L, 1e-288L, 1e-272L, 1e-256L, 1e-240L, 1e-224L, 1e-208L, 1e-192L, 1e-176L, 1e-160L,
    1e-144L, 1e-128L, 1e-112L, 1e-96L,  1e-80L,  1e-64L,  1e-48L,  1e-32L,  1e-16L,  1e0L,
    1e16L,   1e32L,   1e48L,   1e64L,   1e80L,   1e96L,   1e112L,  1e128L,  1e144L,  1e160L,
    1e176L,  1e192L,  1e208L,  1e224L,  1e240L,  1e256L,  1e272L,  1e288L,  1e304L,  1e320L};
static const long double tens_1[] = {1e0L, 1e1L, 1e2L,  1e3L,  1e4L,  1e5L,  1e6L,  1e7L,
                                     1e8L, 1e9L, 1e10L, 1e11L, 1e12L, 1e13L, 1e14L, 1e15L};
enum { TENS_LEAST = -304 };

/* scale: v times 10^power. */
static long double
scale(double v, int power)
{
    unsigned at = (unsigned)(power - TENS_LEAST);

    return (long double)v * tens_16[at / 16] * tens_1[at % 16];
}

/* scaled_digits: of 0 < v: the shortest digits, if that is beyond doubt.
 *
 * x is v, scaled to 17 digits: below 10^17, so three roundings of 2^-64 make less than 0.0164.
 * What is nearer to x than half of the distance to v's neighbours reads back as v. */
static bool
scaled_digits(double v, struct digits *ret)
{
    const long double margin = 0.02L;
    int exponent, power, zeros = 2;
    double fraction = frexp(v, &exponent);
    long double x, half;

    if (v < DBL_MIN || fraction == 0.5) /* a power of two's neighbours are not equally far */
        return false;
    power = 16 - ((exponent - 1) * 1233 >> 12); /* log10(2) is 1233 / 4096, nearly */
    x = scale(v, power);
    if (x >= 1e17L)
        x = scale(v, --power);
    half = x / (long double)fraction * 0x1p-54L;
    for (int64_t step = 100; step > 0; step /= 10, zeros--) {
        int64_t n = (int64_t)(x / (long double)step + 0.5L);
        long double away = fabsl(x - (long double)(n * step));

        if (away > half + margin)
            continue;
        if (away > half - margin || away > (long double)step / 2 - margin)
            return false; /* reads back perhaps; or another one is as near */
        ret->count = (int)num_print(ret->at, n);
        ret->power = zeros - power;
        trim_zeros(ret);
        return true;
    }
    return false;
}

#else

static bool
scaled_digits(double v, struct digits *ret)
{
    (void)v;
    (void)ret;
    return false;
}

#endif

/* ---- their text ---- */

static char *
put_zeros(char *p, int n)
{
    memset(p, '0', (size_t)n);
    return p + n;
}

static char *
put_bytes(char *p, const char *bytes, int n)
{
    memcpy(p, bytes, (size_t)n);
    return p + n;
}

static char *
put_exponent(char *p, const struct digits *d, int exponent)
{
    *p++ = d->at[0];
    if (d->count > 1) {
        *p++ = '.';
        p = put_bytes(p, d->at + 1, d->count - 1);
    }
    *p++ = 'e';
    *p++ = exponent < 0 ? '-' : '+';
    return p + num_print(p, exponent < 0 ? -exponent : exponent);
}

static char *
put_digits(char *p, const struct digits *d, bool negative)
{
    int exponent = d->power + d->count - 1, size = exponent < 0 ? -exponent : exponent;

    if (d->power >= 0 && size < d->count + ZEROS_MAX - negative)
        return put_zeros(put_bytes(p, d->at, d->count), d->power);
    if (d->power < 0 && (d->power > -7 || size < 4)) {
        int before = d->count + d->power; /* digits before the point */

        if (before <= 0)
            return put_bytes(put_zeros(put_bytes(p, "0.", 2), -before), d->at, d->count);
        p = put_bytes(p, d->at, before);
        *p++ = '.';
        return put_bytes(p, d->at + before, d->count - before);
    }
    return put_exponent(p, d, exponent);
}

static unsigned
put_word(char *dst, const char *word)
{
    unsigned n = 0;

    for (; word[n] != '\0'; n++)
        dst[n] = word[n];
    return n;
}

unsigned
real_print(double v, char *dst)
{
    const double whole_max = 4611686018427387904.0; /* 2^62 */
    struct digits d;
    char *p = dst;

    if (isnan(v))
        return put_word(dst, "nan");
    if (isinf(v))
        return put_word(dst, v > 0 ? "inf" : "-inf");
    if (v == 0)
        return put_word(dst, signbit(v) ? "-0" : "0");
    if (v >= -whole_max && v <= whole_max && v == (double)(int64_t)v)
        return num_print(dst, (int64_t)v);
    if (v < 0)
        *p++ = '-';
    if (!few_digits(fabs(v), &d) && !scaled_digits(fabs(v), &d))
        print_digits(fabs(v), &d);
    return (unsigned)(put_digits(p, &d, v < 0) - dst);
}

/* parse_text: with a NUL behind it. */
static bool
parse_text(const char *text, size_t len, double *ret)
{
    char *end;
    double v;

    errno = 0;
    v = strtod(text, &end);
    if (end != text + len || isnan(v))
        return false;
    if (errno == ERANGE && (isinf(v) || v == 0))
        return false;
    *ret = v;
    return true;
}

bool
real_parse(const void *bytes, size_t len, double *ret)
{
    char few[SHORT_TEXT], *text = few;
    int64_t whole;
    bool ok;

    if (num_parse(bytes, len, &whole)) {
        *ret = (double)whole;
        return true;
    }
    if (len == 0 || isspace(*(const unsigned char *)bytes))
        return false;
    if (len >= sizeof few && (text = malloc(len + 1)) == NULL)
        return false;
    memcpy(text, bytes, len);
    text[len] = '\0';
    ok = parse_text(text, len, ret);
    if (text != few)
        free(text);
    return ok;
}
