/* tests/server/test_barriers.c - each kind of write after a cut leaves the snapshot as it was at
 * the cut.
 *
 * In the "hard" flavour one call site of mm_modify(), named by STILLFRAME_SKIP_SITE, has no
 * barrier; tests/hard/run.sh expects this program to fail for each of them.
 *
 *   test_barriers              all scenarios; "hard" prints "reached: SCENARIO SITE" for each site
 *                              on the way
 *   test_barriers --sites      all call sites
 *   test_barriers SCENARIO...  these scenarios alone */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mm/mm.h"
#include "tests/support/lab.h"
#include "tests/support/runner.h"
#include "tests/support/scenarios.h"

#ifdef STILLFRAME_SITES
extern const char *const __start_mm_sites[], *const __stop_mm_sites[];

static const char *running; /* the scenario */
static const char *seen[64];
static size_t seen_count;

/* Prints a site the first time that the test comes to it; past the buffer of stdout, which a fork
 * would double. */
static void
print_reached(const char *site)
{
    for (size_t i = 0; i < seen_count; i++)
        if (seen[i] == site)
            return;
    ck_assert_uint_lt(seen_count, sizeof(seen) / sizeof(*seen));
    seen[seen_count++] = site;
    dprintf(STDOUT_FILENO, "reached: %s %s\n", running, site);
}

static void
watch_sites(const struct scenario *s)
{
    running = s->name;
    seen_count = 0;
    mm_site_reached = print_reached;
}

static int
print_sites(void)
{
    for (const char *const *s = __start_mm_sites; s < __stop_mm_sites; s++)
        puts(*s);
    return 0;
}
#else
static void
watch_sites(const struct scenario *s)
{
    (void)s;
}

static int
print_sites(void)
{
    fprintf(stderr, "build with FLAVOUR=hard\n");
    return 2;
}
#endif

static void
check_scenario(const struct scenario *s)
{
    struct lab_digest want, got, after, again;

    watch_sites(s);
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
                  "%s: the snapshot is not of its cut: %llu keys, sum %llx; at the cut %llu, %llx",
                  s->name, (unsigned long long)got.keys, (unsigned long long)got.sum,
                  (unsigned long long)want.keys, (unsigned long long)want.sum);
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

    watch_sites(s);
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

static bool
is_named(const char *name, int count, char **names)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

int
main(int argc, char **argv)
{
    Suite *suite = suite_create("server/barriers");

    if (argc > 1 && strcmp(argv[1], "--sites") == 0)
        return print_sites();
    for (int i = 0; i < SCENARIO_COUNT; i++) {
        TCase *t;

        if (argc > 1 && !is_named(scenarios[i].name, argc - 1, argv + 1))
            continue;
        t = tcase_create(scenarios[i].name);
        tcase_add_loop_test(t, a_snapshot_is_of_its_cut_after, i, i + 1);
        tcase_add_loop_test(t, after_a_cancel_the_next_snapshot_is_whole, i, i + 1);
        suite_add_tcase(suite, t);
    }
    return run_suite(suite);
}
