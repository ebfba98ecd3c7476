/* Numbers, ranges and choices of the command line. */
#include <check.h>
#include <stdlib.h>

#include "tool/base/options.h"

START_TEST(bytes_with_and_without_units)
{
    static const struct {
        const char *text;
        uint64_t want;
    } good[] = {{"0", 0},  {"100", 100},      {"4k", 4096}, {"1.5mb", 1572864}, {"2GB", 2ull << 30},
                {"7b", 7}, {"1T", 1ull << 40}};
    static const char *const bad[] = {"", "x", "-1", "4q", "4kk", "1 k", "9999999999t"};
    uint64_t got;

    for (unsigned i = 0; i < sizeof good / sizeof *good; i++) {
        ck_assert_msg(tool_parse_bytes(good[i].text, &got), "%s", good[i].text);
        ck_assert_uint_eq(got, good[i].want);
    }
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!tool_parse_bytes(bad[i], &got), "%s", bad[i]);
}
END_TEST

START_TEST(ranges_open_at_either_end)
{
    static const struct {
        const char *text;
        uint64_t from, until;
    } good[] = {{"10", 10, 10}, {"10-20", 10, 20}, {"1k-", 1024, UINT64_MAX}, {"-4k", 0, 4096}};
    static const char *const bad[] = {"", "-", "20-10", "1-2-3", "a-b", "1-x"};
    uint64_t from, until;

    for (unsigned i = 0; i < sizeof good / sizeof *good; i++) {
        ck_assert_msg(tool_parse_range(good[i].text, &from, &until), "%s", good[i].text);
        ck_assert_uint_eq(from, good[i].from);
        ck_assert_uint_eq(until, good[i].until);
    }
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!tool_parse_range(bad[i], &from, &until), "%s", bad[i]);
}
END_TEST

static const struct tool_option *
find(const char *name)
{
    for (unsigned i = 0; i < tool_option_count; i++)
        if (strcmp(tool_options[i].name, name) == 0)
            return &tool_options[i];
    ck_abort_msg("no option %s", name);
}

START_TEST(each_kind_reaches_its_field)
{
    struct tool_options o;

    tool_options_init(&o);
    ck_assert_str_eq(o.color, "auto");
    ck_assert(tool_options_set(&o, find("color"), "never"));
    ck_assert_str_eq(o.color, "never");
    ck_assert(!tool_options_set(&o, find("color"), "auto|always"));
    ck_assert(!tool_options_set(&o, find("color"), ""));
    ck_assert(tool_options_set(&o, find("match"), "a*") &&
              tool_options_set(&o, find("match"), "b*"));
    ck_assert_uint_eq(o.match.count, 2);
    ck_assert_str_eq(o.match.at[1], "b*");
    ck_assert(tool_options_set(&o, find("limit"), "12") && o.limit == 12);
    ck_assert(!tool_options_set(&o, find("limit"), "12x"));
    ck_assert(!o.quiet && tool_options_set(&o, find("quiet"), "") && o.quiet);
    tool_options_fini(&o);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("options");
    TCase *tc = tcase_create("options");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(tc, bytes_with_and_without_units);
    tcase_add_test(tc, ranges_open_at_either_end);
    tcase_add_test(tc, each_kind_reaches_its_field);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
