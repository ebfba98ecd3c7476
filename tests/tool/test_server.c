/* Servers by name, and the dumps that are written for them. */
#include <check.h>
#include <stdlib.h>

#include "tool/base/server.h"

static const struct server *
find(const char *name)
{
    return server_of(slice_of(name, strlen(name)));
}

START_TEST(a_server_has_a_name_and_a_family)
{
    static const char *const none[] = {"",         "redis",     "redis-",
                                       "redis-7.", "redis-1.0", "redis-7.00"};

    ck_assert_str_eq(find("redis-7.2")->name, "redis-7.2");
    ck_assert_str_eq(find("redis-7")->name, "redis-7.0");
    ck_assert_str_eq(find("redis-8")->name, "redis-8.0");
    ck_assert_str_eq(find("redis-8.10")->name, "redis-8.10");
    ck_assert_str_eq(find("valkey-9")->name, "valkey-9.0");
    ck_assert_str_eq(find("stillframe")->name, "stillframe");
    for (unsigned i = 0; i < sizeof none / sizeof *none; i++)
        ck_assert_msg(find(none[i]) == NULL, "%s", none[i]);
    ck_assert_ptr_null(server_of((struct slice){NULL, 0}));
}
END_TEST

START_TEST(a_dump_for_a_server_is_the_newest_that_it_reads_and_we_write)
{
    static const struct {
        const char *name;
        int version;
    } rows[] = {{"redis-2.6", 6},   {"redis-6.2", 9}, {"redis-7.0", 10}, {"redis-8.10", 12},
                {"valkey-8.1", 11}, {"valkey-9", 80}, {"keydb-6.3", 9},  {"stillframe", 12}};

    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_int_eq(server_version(find(rows[i].name)), rows[i].version);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("server");
    TCase *tc = tcase_create("server");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(tc, a_server_has_a_name_and_a_family);
    tcase_add_test(tc, a_dump_for_a_server_is_the_newest_that_it_reads_and_we_write);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
