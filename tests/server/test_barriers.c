/* tests/server/test_barriers.c - each kind of write after a cut leaves the snapshot as it was at the cut.
 *
 * In the "hard" flavour one call site of mm_modify(), named by STILLFRAME_SKIP_SITE, has no barrier;
 * tests/hard/run.sh expects this program to fail for each of them.   test_barriers --sites   prints them all.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "mm/mm.h"
#include "tests/support/lab.h"
#include "tests/support/runner.h"
#include "tests/support/scenarios.h"

static void
check_scenario(const struct scenario *s)
{
    struct lab_digest want, got, after, again;

    lab_open();
    lab_run(s->setup);
    want = lab_quiet();
    lab_cut();
    lab_run(s->write);
    got = lab_sweep();
    mm_check();
    lab_end();
    mm_check();
    ck_assert_msg(lab_same(want, got),
                  "%s: the snapshot is not of its cut: %llu keys, sum %llx; at the cut %llu, %llx", s->name,
                  (unsigned long long)got.keys, (unsigned long long)got.sum, (unsigned long long)want.keys,
                  (unsigned long long)want.sum);
    after = lab_quiet(); /* leftovers of one cut must not show in the next */
    again = lab_quiet();
    ck_assert(lab_same(after, again));
    ck_assert_msg(after.sum != want.sum || strncmp(s->name, "rename_takes_a_table", 20) == 0,
                  "%s: the write changed nothing", s->name);
    lab_close();
}

START_TEST(a_snapshot_is_of_its_cut_after)
{
    check_scenario(&scenarios[_i]);
}
END_TEST

/* A cut, the write, a cancel, another cut: the second one is whole too. */
START_TEST(after_a_cancel_the_next_snapshot_is_whole)
{
    const struct scenario *s = &scenarios[_i];
    struct lab_digest want, got;

    lab_open();
    lab_run(s->setup);
    lab_cut();
    lab_run(s->write);
    lab_end();
    want = lab_quiet();
    lab_cut();
    lab_try(s->setup);
    lab_try(s->write);
    got = lab_sweep();
    lab_end();
    ck_assert_msg(lab_same(want, got), "%s", s->name);
    mm_check();
    lab_close();
}
END_TEST

#ifdef STILLFRAME_SITES
extern const char *const __start_mm_sites[], *const __stop_mm_sites[];

static int
print_sites(void)
{
    for (const char *const *s = __start_mm_sites; s < __stop_mm_sites; s++)
        puts(*s);
    return 0;
}
#else
static int
print_sites(void)
{
    fprintf(stderr, "build with FLAVOUR=hard\n");
    return 2;
}
#endif

int
main(int argc, char **argv)
{
    Suite *suite = suite_create("server/barriers");

    if (argc > 1 && strcmp(argv[1], "--sites") == 0)
        return print_sites();
    for (int i = 0; i < SCENARIO_COUNT; i++) {
        TCase *t = tcase_create(scenarios[i].name);

        tcase_add_loop_test(t, a_snapshot_is_of_its_cut_after, i, i + 1);
        tcase_add_loop_test(t, after_a_cancel_the_next_snapshot_is_whole, i, i + 1);
        suite_add_tcase(suite, t);
    }
    return run_suite(suite);
}
