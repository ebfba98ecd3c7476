/* tests/snapshot/test_set_aside.c - a dump that steps aside for the next one, and gets its name
 * back where that was cut off. */
#include "snapshot/rdb/set_aside.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mm/base/fault.h"
#include "snapshot/rdb/retained.h"
#include "snapshot/rdb/sink.h"
#include "tests/support/runner.h"
#include "tests/support/scratch.h"

static const char aside[] = "temp-stillframe-aside-dump.rdb";
static char dir[SCRATCH_BYTES];

static void
setup(void)
{
    scratch_enter(dir, "set-aside");
}

static void
teardown(void)
{
    fault_disarm();
    scratch_leave(dir);
}

/* save: a dump of these bytes, in the way of a system that forgets.  0 or -errno. */
static int
save(const char *content, unsigned retain)
{
    struct retained kept = {.error = 0};
    struct sink *s;
    int r;

    ck_assert_int_eq(sink_file_open(&(struct sink_file_options){.path = "dump.rdb",
                                                                .sets_aside = true,
                                                                .retain = retain,
                                                                .retained = &kept},
                                    &s),
                     0);
    sink_put(s, content, strlen(content));
    r = sink_commit(s);
    sink_close(s);
    return r;
}

START_TEST(each_dump_takes_the_place_of_the_one_before)
{
    struct stat st;
    FILE *old;

    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(save(i % 2 ? "odd" : "even", 0), 0);
        ck_assert(scratch_holds("dump.rdb", i % 2 ? "odd" : "even"));
        ck_assert(!scratch_exists(aside));
    }
    old = fopen("dump.rdb", "r");
    ck_assert_int_eq(save("new", 0), 0);
    ck_assert_int_eq(fstat(fileno(old), &st), 0);
    ck_assert_int_eq(st.st_nlink, 0); /* it is gone for good */
    fclose(old);
}
END_TEST

START_TEST(dumps_are_kept_beside)
{
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(save(i % 2 ? "odd" : "even", 2), 0);
    ck_assert(scratch_holds("dump.rdb", "odd"));
    ck_assert(!scratch_exists(aside));
    ck_assert_int_eq(system("test $(ls | wc -l) = 3"), 0);
}
END_TEST

START_TEST(what_is_no_file_is_not_set_aside)
{
    ck_assert_int_eq(set_aside("dump.rdb"), 0);
    ck_assert_int_eq(mkdir("dump.rdb", 0755), 0);
    ck_assert_int_eq(set_aside("dump.rdb"), 0);
    ck_assert_int_lt(save("new", 0), 0);
    ck_assert_int_eq(rmdir("dump.rdb"), 0);
    ck_assert_int_eq(symlink("elsewhere", "dump.rdb"), 0);
    ck_assert_int_eq(save("new", 0), 0);
    ck_assert(scratch_holds("dump.rdb", "new"));
    ck_assert(!scratch_exists("elsewhere"));
}
END_TEST

START_TEST(what_was_left_aside_is_not_replaced_but_removed)
{
    scratch_write("dump.rdb", "old");
    scratch_write(aside, "older");
    ck_assert_int_eq(set_aside("dump.rdb"), 1);
    ck_assert(scratch_holds(aside, "old"));
    ck_assert(!scratch_exists("dump.rdb"));
    set_aside_undo("dump.rdb");
    ck_assert(scratch_holds("dump.rdb", "old"));
    ck_assert_int_eq(set_aside_remove("dump.rdb"), 0);
}
END_TEST

START_TEST(a_name_that_has_no_room_is_replaced)
{
    char name[NAME_MAX + 1];

    memset(name, 'x', sizeof name);
    name[NAME_MAX] = '\0';
    scratch_write(name, "old");
    ck_assert_int_eq(set_aside(name), 0);
    ck_assert_int_eq(set_aside_remove(name), 0);
    ck_assert_int_eq(set_aside_restore(name), 0);
    ck_assert(scratch_holds(name, "old"));
}
END_TEST

START_TEST(a_dump_that_is_not_there_comes_back_at_the_start)
{
    ck_assert_int_eq(set_aside_restore("dump.rdb"), 0);
    scratch_write(aside, "old");
    ck_assert_int_eq(set_aside_restore("dump.rdb"), 1);
    ck_assert(scratch_holds("dump.rdb", "old"));
    ck_assert(!scratch_exists(aside));
    ck_assert_int_eq(set_aside_restore("dump.rdb"), 0);

    scratch_write(aside, "older");
    ck_assert_int_eq(set_aside_restore("dump.rdb"), 0);
    ck_assert(scratch_holds("dump.rdb", "old"));
    ck_assert(!scratch_exists(aside));

    ck_assert_int_eq(mkdir("dir", 0755), 0);
    scratch_write("dir/temp-stillframe-aside-x", "there");
    ck_assert_int_eq(set_aside_restore("dir/x"), 1);
    ck_assert(scratch_holds("dir/x", "there"));
}
END_TEST

START_TEST(only_where_it_is_asked_for_a_file_steps_aside)
{
    scratch_write("dump.rdb", "old");
    scratch_write("new", "new");
    ck_assert_int_eq(set_aside_replace("new", "dump.rdb", false), 0);
    ck_assert(scratch_holds("dump.rdb", "new") && !scratch_exists(aside));
    scratch_write("new", "newer");
    ck_assert_int_eq(set_aside_replace("new", "dump.rdb", true), 1);
    ck_assert(scratch_holds("dump.rdb", "newer") && scratch_holds(aside, "new") &&
              !scratch_exists("new"));
    ck_assert_int_eq(set_aside_replace("none", "dump.rdb", true), -ENOENT);
    ck_assert(scratch_holds("dump.rdb", "newer") && !scratch_exists(aside));
}
END_TEST

#ifdef STILLFRAME_FAULTS
START_TEST(a_save_that_fails_there_leaves_the_old_dump)
{
    static const enum fault points[] = {FAULT_set_aside, FAULT_sink_rename};

    ck_assert_int_eq(save("old", 0), 0);
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        fault_arm(points[i], 1, false);
        ck_assert_int_lt(save("new", 0), 0);
        ck_assert_uint_eq(fault_disarm(), 1);
        ck_assert(scratch_holds("dump.rdb", "old"));
        ck_assert_int_eq(system("test $(ls | wc -l) = 1"), 0);
    }
}
END_TEST
#endif

int
main(void)
{
    Suite *s = suite_create("set_aside");
    TCase *aside_case = tcase_create("aside");

    tcase_add_checked_fixture(aside_case, setup, teardown);
    tcase_add_test(aside_case, each_dump_takes_the_place_of_the_one_before);
    tcase_add_test(aside_case, dumps_are_kept_beside);
    tcase_add_test(aside_case, what_is_no_file_is_not_set_aside);
    tcase_add_test(aside_case, what_was_left_aside_is_not_replaced_but_removed);
    tcase_add_test(aside_case, a_name_that_has_no_room_is_replaced);
    tcase_add_test(aside_case, a_dump_that_is_not_there_comes_back_at_the_start);
    tcase_add_test(aside_case, only_where_it_is_asked_for_a_file_steps_aside);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(aside_case, a_save_that_fails_there_leaves_the_old_dump);
#endif
    suite_add_tcase(s, aside_case);
    return run_suite(s);
}
