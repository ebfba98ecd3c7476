/* tests/support/promises.h - a suite of broken promises: each must end the process.
 *
 * A file of such tests has a table of struct broken, made with BROKEN(), and ends in
 * run_promises().
 * Threads: none but the caller's. */
#ifndef TESTS_SUPPORT_PROMISES_H
#define TESTS_SUPPORT_PROMISES_H

#include <check.h>
#include <stddef.h>

#include "tests/support/aborts.h"
#include "tests/support/runner.h"

struct broken {
    const char *name;
    void (*fn)(void); /* breaks a promise of some header */
};
#define BROKEN(name)                                                                               \
    {                                                                                              \
#name, name                                                                                \
    }

static const struct broken *broken_promises;
static void (*keeping_promises)(void);

START_TEST(who_breaks_a_promise_ends_the_process)
{
    ck_assert_msg(aborts(broken_promises[_i].fn), "%s: nothing noticed", broken_promises[_i].name);
}
END_TEST

START_TEST(who_keeps_to_all_does_not)
{
    ck_assert(!aborts(keeping_promises));
}
END_TEST

/* run_promises: keeping: does what the broken ones do, as it should be done; NULL: there is no such
 * test.  Returns main()'s status. */
static inline int
run_promises(const char *suite, const struct broken *broken, int count, void (*keeping)(void))
{
    Suite *s = suite_create(suite);
    TCase *tc = tcase_create("promises");

    broken_promises = broken;
    keeping_promises = keeping;
    tcase_add_loop_test(tc, who_breaks_a_promise_ends_the_process, 0, count);
    if (keeping != NULL)
        tcase_add_test(tc, who_keeps_to_all_does_not);
    suite_add_tcase(s, tc);
    return run_suite(s);
}

#endif
