/* tests/mm/test_long_double.c - floating point numbers as INCRBYFLOAT reads and writes them. */
#include "mm/base/long_double.h"

#include <check.h>
#include <math.h>
#include <string.h>

#include "tests/support/runner.h"

static const struct {
    const char *text;
    bool ok;
    long double value;
} texts[] = {
    {"0", true, 0},
    {"-1.5", true, -1.5L},
    {"+2", true, 2},
    {".5", true, 0.5L},
    {"1e3", true, 1000},
    {"0x10", true, 16},
    {"inf", true, HUGE_VALL},
    {"-Infinity", true, -HUGE_VALL},
    {"3.6e-4951", true, 3.6e-4951L}, /* the smallest one: less exact, but there */
    {"", false, 0},
    {" 1", false, 0},
    {"\t1", false, 0},
    {"\r1", false, 0},
    {"\x0e"
     "1",
     false, 0},
    {"\x01", false, 0},
    {"1 ", false, 0},
    {"1x", false, 0},
    {"1e5000", false, 0},
    {"-1e5000", false, 0},
    {"1e-5000", false, 0},
    {"nan", false, 0},
    {"abc", false, 0},
};

START_TEST(a_number_is_all_of_the_bytes_and_within_the_range)
{
    long double got = 77;
    bool ok = long_double_parse(
        (struct slice){.ptr = texts[_i].text, .len = strlen(texts[_i].text)}, &got);

    ck_assert_msg(ok == texts[_i].ok, "'%s'", texts[_i].text);
    if (ok)
        ck_assert_msg(got == texts[_i].value, "'%s': %Lg", texts[_i].text, got);
}
END_TEST

/* One byte less than there is room for, and one more. */
START_TEST(the_longest_number_is_read_and_a_longer_one_is_none)
{
    static char text[LONG_DOUBLE_BYTES];
    long double got;

    memset(text, '0', sizeof text);
    text[sizeof text - 2] = '7';
    ck_assert(long_double_parse((struct slice){.ptr = text, .len = sizeof text - 1}, &got));
    ck_assert(got == 7);
    ck_assert(!long_double_parse((struct slice){.ptr = text, .len = sizeof text}, &got));
}
END_TEST

static const struct {
    long double value;
    const char *text;
} values[] = {
    {0, "0"},
    {-0.0L, "0"},
    {-1e-30L, "0"},
    {-1, "-1"},
    {10, "10"},
    {-10, "-10"},
    {5, "5"},
    {3.14L, "3.14"},
    {-0.5L, "-0.5"},
    {100.25L, "100.25"},
    {1e17L, "100000000000000000"},
    {HUGE_VALL, ""},
    {-HUGE_VALL, ""},
    {__builtin_nanl(""), ""},
};

START_TEST(a_number_is_written_without_zeros_at_its_end)
{
    char text[LONG_DOUBLE_BYTES];
    size_t n = long_double_put(text, values[_i].value);

    ck_assert_msg(n == strlen(values[_i].text) && memcmp(text, values[_i].text, n) == 0,
                  "%.*s for %Lg", (int)n, text, values[_i].value);
}
END_TEST

START_TEST(the_largest_number_has_room)
{
    char text[LONG_DOUBLE_BYTES];
    long double back;
    size_t n = long_double_put(text, 1.18e4932L);

    ck_assert_uint_eq(n, 4933);
    ck_assert(long_double_parse((struct slice){.ptr = text, .len = n}, &back));
    ck_assert(back == 1.18e4932L);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("mm/long_double");
    TCase *t = tcase_create("long_double");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, a_number_is_all_of_the_bytes_and_within_the_range, 0,
                        sizeof texts / sizeof *texts);
    tcase_add_test(t, the_longest_number_is_read_and_a_longer_one_is_none);
    tcase_add_loop_test(t, a_number_is_written_without_zeros_at_its_end, 0,
                        sizeof values / sizeof *values);
    tcase_add_test(t, the_largest_number_has_room);
    suite_add_tcase(s, t);
    return run_suite(s);
}
