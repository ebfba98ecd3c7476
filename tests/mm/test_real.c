/* tests/mm/test_real.c - doubles as text: the fewest digits that give the same double back, and of
 * these the nearest. */
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/real.h"
#include "tests/support/runner.h"

START_TEST(forms_of_redis)
{
    static const struct {
        double value;
        const char *text;
    } all[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-17, "-17"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1.0 / 3, "0.3333333333333333"},
        {2.0 / 3, "0.6666666666666666"},
        {1e21, "1e+21"},
        {4611686018427387904.0, "4611686018427387904"},
        {1.5e-7, "1.5e-7"},
        {0.000001, "0.000001"},
        {5e-324, "5e-324"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {HUGE_VAL, "inf"},
        {-HUGE_VAL, "-inf"},
        {__builtin_nan(""), "nan"},
        {12345678901234567000.0, "12345678901234567000"},
        {-12345678901234567000.0, "-12345678901234567000"},
    };

    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        char text[REAL_BYTES];
        unsigned n = real_print(all[i].value, text);

        ck_assert_msg(n == strlen(all[i].text) && memcmp(text, all[i].text, n) == 0, "%.*s for %s",
                      (int)n, text, all[i].text);
    }
}
END_TEST

static const struct {
    const char *text;
    bool ok;
    double value;
} texts[] = {
    {"17", true, 17},         {"-0.5", true, -0.5}, {"1e3", true, 1000}, {"inf", true, HUGE_VAL},
    {"1e-320", true, 1e-320}, /* less exact, but there */
    {"", false, 0},           {" 1", false, 0},     {"1 ", false, 0},    {"1e400", false, 0},
    {"-1e400", false, 0},     {"1e-400", false, 0}, {"nan", false, 0},   {"x", false, 0},
};

START_TEST(a_number_is_all_of_the_bytes_and_within_the_range)
{
    double got = 77;
    bool ok = real_parse(texts[_i].text, strlen(texts[_i].text), &got);

    ck_assert_msg(ok == texts[_i].ok, "'%s'", texts[_i].text);
    ck_assert_msg(got == (ok ? texts[_i].value : 77), "'%s': %g", texts[_i].text, got);
}
END_TEST

START_TEST(a_number_may_have_many_digits)
{
    char text[1000];
    double got = 77;

    memset(text, '0', sizeof text);
    text[sizeof text - 3] = '2';
    text[sizeof text - 2] = '.';
    text[sizeof text - 1] = '5';
    ck_assert(real_parse(text, sizeof text, &got));
    ck_assert(got == 2.5);
    text[sizeof text - 1] = 'x';
    ck_assert(!real_parse(text, sizeof text, &got));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    ck_assert(!real_parse(text, SIZE_MAX / 2, &got)); /* there is no memory for a copy */
#endif
    ck_assert(got == 2.5);
}
END_TEST

/* shortest: as "d.ddde+xx", without zeros at the end. */
static void
shortest(double v, char *dst, size_t room)
{
    int digits = 1;

    do
        snprintf(dst, room, "%.*e", digits - 1, v);
    while (strtod(dst, NULL) != v && digits++ < 17);
}

static uint64_t state = 88172645463325252;

static uint64_t
next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* a_number: of some kind: any bits, between 0 and 1, few digits, a float, a power of two or beside
 * one. */
static double
a_number(unsigned kind)
{
    uint64_t bits = next_random();
    double v;

    switch (kind) {
    case 0:
        memcpy(&v, &bits, sizeof v);
        return v;
    case 1:
        return (double)(bits >> 11) * 0x1p-53;
    case 2:
        return (double)(bits % 100000) * pow(10, (double)(next_random() % 600) - 300);
    case 3:
        return (double)(float)((double)(bits >> 11) * 0x1p-53);
    default:
        v = ldexp(1, (int)(bits % 2098) - 1074);
        return bits >> 60 < 5 ? v : nextafter(v, bits >> 60 < 10 ? 0 : HUGE_VAL);
    }
}

/* take_digits: of the text, without zeros at either end. */
static void
take_digits(const char *text, char digits[32])
{
    size_t n = 0;

    for (; *text != '\0' && *text != 'e'; text++)
        if (*text >= '0' && *text <= '9' && (n > 0 || *text != '0'))
            digits[n++] = *text;
    while (n > 0 && digits[n - 1] == '0')
        n--;
    digits[n] = '\0';
}

START_TEST(the_shortest_digits_and_the_nearest)
{
    for (unsigned i = 0; i < 60000; i++) {
        double v = a_number(_i % 5);
        char text[REAL_BYTES + 1], want[64], digits[2][32];

        if (isnan(v) || isinf(v) || v == 0 || fabs(v) > 1e15)
            continue;
        text[real_print(v, text)] = '\0';
        shortest(v, want, sizeof want);
        take_digits(text, digits[0]);
        take_digits(want, digits[1]);
        /* an assertion that holds is a system call, too */
        if (strtod(text, NULL) != v || strcmp(digits[0], digits[1]) != 0)
            ck_abort_msg("%a: %s, not %s", v, text, want);
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("mm/real");
    TCase *t = tcase_create("real");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, forms_of_redis);
    tcase_add_loop_test(t, a_number_is_all_of_the_bytes_and_within_the_range, 0,
                        sizeof texts / sizeof *texts);
    tcase_add_test(t, a_number_may_have_many_digits);
    tcase_add_loop_test(t, the_shortest_digits_and_the_nearest, 0, 5);
    suite_add_tcase(s, t);
    return run_suite(s);
}
