/* tests/server/test_error_name.c - names of errors, beside the C library's own. */
#include <check.h>
#include <limits.h>
#include <string.h>

#include "server/persist/error_name.h"
#include "tests/support/runner.h"

enum { ERRORS = 4096 }; /* no system has more */

START_TEST(names_are_the_c_librarys)
{
    int known = 0;

    for (int error = 1; error < ERRORS; error++) {
        const char *theirs = strerrorname_np(error), *ours = error_name(error);

        ck_assert_pstr_eq(ours, theirs);
        known += ours != NULL;
    }
    ck_assert_int_gt(known, 100);
}
END_TEST

START_TEST(what_is_no_error_has_no_name)
{
    ck_assert_ptr_null(error_name(0));
    ck_assert_ptr_null(error_name(-1));
    ck_assert_ptr_null(error_name(INT_MIN));
    ck_assert_ptr_null(error_name(INT_MAX));
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("error_name");
    TCase *names = tcase_create("names");

    tcase_add_test(names, names_are_the_c_librarys);
    tcase_add_test(names, what_is_no_error_has_no_name);
    suite_add_tcase(s, names);
    return run_suite(s);
}
