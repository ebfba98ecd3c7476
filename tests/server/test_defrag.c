/* tests/server/test_defrag.c - when a pass begins, stands still and ends (DF1, DF2); what moves is
 * test_move.c. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "mm/compact.h"
#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/data/db/db_move.h"
#include "server/memory/defrag.h"
#include "tests/support/lab.h"
#include "tests/support/runner.h"

enum { KEYS = 60000, SLICE_US = 500 };

static char before[64];

static void
setup(void)
{
    char line[64];

    lab_open();
    defrag_purge(); /* nothing is there: what other tests have left is forgotten */
    ck_assert(!defrag_is_running);
    for (unsigned i = 0; i < KEYS; i++) {
        snprintf(line, sizeof line, "set key:%u @%u*x", i, 100 + i % 700);
        lab_run(line);
    }
    for (unsigned i = 0; i < KEYS; i++)
        if (i * 2654435761U >> 16 & 7) {
            snprintf(line, sizeof line, "del key:%u", i);
            lab_run(line);
        }
    snprintf(before, sizeof before, "%s", lab_reply("debug digest"));
    ck_assert_uint_gt(mm_compact_gain(), mm_used_bytes() / 2);
    db_move_reset_figures();
}

static void
teardown(void)
{
    lab_close();
}

/* work: slices until the pass is over, or so many keys were come to. */
static void
work(uint64_t keys)
{
    while (defrag_is_running && db_move_figures.keys_moved + db_move_figures.keys_stayed < keys)
        defrag_work(SLICE_US);
}

static void
ends_with_little_to_gain(void)
{
    for (unsigned i = 0; i < 10 && defrag_is_running; i++) {
        work(UINT64_MAX);
        defrag_cron();
    }
    ck_assert(!defrag_is_running);
    ck_assert(!mm_compact_is_open());
    ck_assert_uint_le(mm_compact_gain(), mm_used_bytes() / 20 + (4 << 20));
    ck_assert_str_eq(lab_reply("debug digest"), before);
    mm_check();
    db_verify();
}

START_TEST(without_a_reason_nothing_begins)
{
    defrag_cron();
    ck_assert(!defrag_is_running);
    /* less than active-defrag-ignore-bytes are to be gained */
    lab_run("config set activedefrag yes");
    defrag_cron();
    ck_assert(!defrag_is_running);
    lab_run("config set active-defrag-ignore-bytes 1 active-defrag-threshold-lower 1000");
    defrag_cron();
    ck_assert(!defrag_is_running);
    lab_run("config set active-defrag-threshold-lower 100");
    defrag_cron();
    ck_assert(defrag_is_running);
    lab_run("config set activedefrag no");
    defrag_cron();
    work(UINT64_MAX);
    ck_assert(!defrag_is_running);
    ck_assert_uint_eq(db_move_figures.moved, 0);
}
END_TEST

START_TEST(a_purge_ends_when_little_is_to_be_gained)
{
    size_t used = mm_used_bytes();
    struct defrag_figures f;

    lab_run("memory purge");
    ck_assert(defrag_is_running);
    defrag_figures(&f);
    ck_assert_uint_eq(f.running_percent, 50);
    ends_with_little_to_gain();
    ck_assert_uint_lt(mm_compact_gain(), used / 20);
    ck_assert_uint_lt(mm_used_bytes(), used / 3);
    lab_run("memory purge"); /* nothing is left for it */
    ck_assert(!defrag_is_running);
}
END_TEST

START_TEST(what_a_save_has_left_is_looked_at_once)
{
    size_t used = mm_used_bytes();
    struct defrag_figures f;

    (void)lab_quiet();
    defrag_cron();
    ck_assert(defrag_is_running);
    defrag_figures(&f);
    ck_assert_uint_eq(f.running_percent, 5);
    ends_with_little_to_gain();
    ck_assert_uint_lt(mm_used_bytes(), used / 3);
    (void)lab_quiet();
    defrag_cron();
    ck_assert(!defrag_is_running);
}
END_TEST

START_TEST(while_a_cut_is_open_a_pass_stands_still) /* DF1 */
{
    struct lab_digest want, got;
    uint64_t moved, looked_at;

    want = lab_quiet();
    lab_run("memory purge");
    work(500);
    ck_assert(mm_compact_is_open());
    moved = db_move_figures.moved;
    looked_at = moved + db_move_figures.stayed;
    lab_cut();
    while (defrag_is_running)
        defrag_work(SLICE_US);
    ck_assert(!mm_compact_is_open()); /* what it has not emptied is filled again */
    defrag_cron();
    defrag_purge();
    ck_assert(!defrag_is_running);
    lab_run("set another v");
    got = lab_sweep();
    mm_cut_end();
    defrag_cron(); /* not settled yet */
    ck_assert(!defrag_is_running);
    while (mm_settle(3))
        ;
    ck_assert_uint_eq(db_move_figures.moved + db_move_figures.stayed, looked_at);
    ck_assert(lab_same(want, got));
    defrag_cron();
    ck_assert(defrag_is_running);
    ck_assert(!db_move_is_at_begin()); /* it goes on where it was */
    lab_run("del another");
    ends_with_little_to_gain();
    ck_assert_uint_gt(db_move_figures.moved, moved);
}
END_TEST

START_TEST(between_two_slices_the_loop_has_itself) /* DF2 */
{
    uint64_t looked_at;

    lab_run(
        "config set active-defrag-ignore-bytes 1 active-defrag-cycle-min 1 active-defrag-cycle-max 1 "
        "activedefrag yes");
    defrag_cron();
    ck_assert(defrag_is_running);
    ck_assert_int_eq(defrag_wait_ms(), 0);
    defrag_work(SLICE_US);
    ck_assert_int_ge(defrag_wait_ms(), SLICE_US * 99 / 1000 - 5);
    looked_at = db_move_figures.moved + db_move_figures.stayed;
    for (unsigned i = 0; i < 100; i++)
        defrag_work(SLICE_US);
    ck_assert_uint_eq(db_move_figures.moved + db_move_figures.stayed, looked_at);
    lab_run("memory purge"); /* somebody is in a hurry */
    ends_with_little_to_gain();
}
END_TEST

START_TEST(more_that_is_sparse_takes_more_of_the_loop)
{
    struct defrag_figures f, g;
    char line[64];

    lab_run(
        "config set active-defrag-ignore-bytes 1 active-defrag-threshold-lower 100 "
        "active-defrag-threshold-upper 1000 active-defrag-cycle-min 1 active-defrag-cycle-max 90 "
        "activedefrag yes");
    defrag_cron();
    defrag_figures(&f);
    ck_assert_uint_gt(f.running_percent, 1);
    ck_assert_uint_lt(f.running_percent, 89);
    for (unsigned i = 0; i < KEYS; i += 2) {
        snprintf(line, sizeof line, "del key:%u", i);
        lab_run(line);
    }
    snprintf(before, sizeof before, "%s", lab_reply("debug digest"));
    defrag_cron();
    defrag_figures(&g);
    ck_assert_uint_gt(g.running_percent, f.running_percent);
    ends_with_little_to_gain();
}
END_TEST

/* What is dead, and waits to be freed, is not walked through: its slabs cannot run dry.  A pass
 * does not begin again and again for them. */
START_TEST(a_pass_in_vain_is_not_repeated)
{
    lab_run("flushdb;config set active-defrag-ignore-bytes 1 activedefrag yes");
    defrag_cron();
    ck_assert(defrag_is_running);
    work(UINT64_MAX);
    ck_assert(!defrag_is_running);
    ck_assert_uint_gt(mm_compact_gain(), mm_used_bytes() / 2);
    defrag_cron();
    ck_assert(!defrag_is_running);
    lab_run("memory purge"); /* once more, if somebody says so */
    ck_assert(defrag_is_running);
    work(UINT64_MAX);
    defrag_cron();
    ck_assert(!defrag_is_running);
    mm_check();
    while (db_work(1000))
        ;
}
END_TEST

/* As much becomes sparse as is emptied: activedefrag goes on, MEMORY PURGE has done what it was
 * asked for. */
START_TEST(a_pass_that_was_overtaken_is_repeated)
{
    char line[64];

    for (unsigned round = 0; round < 2; round++) {
        lab_run(round == 0 ? "config set active-defrag-ignore-bytes 1 activedefrag yes"
                           : "config set activedefrag no;memory purge");
        defrag_cron();
        ck_assert(defrag_is_running);
        work(1000);
        for (unsigned i = 0; i < 2 * KEYS; i++) {
            snprintf(line, sizeof line, "set other:%u @%u*x", i, 100 + i % 700);
            lab_run(line);
        }
        for (unsigned i = 0; i < 2 * KEYS; i++)
            if (i % 8 != 0) {
                snprintf(line, sizeof line, "del other:%u", i);
                lab_run(line);
            }
        work(UINT64_MAX);
        ck_assert(!defrag_is_running);
        defrag_cron();
        ck_assert(defrag_is_running == (round == 0));
        work(UINT64_MAX);
    }
}
END_TEST

/* With active-defrag-max-scan-fields a user may say how much is done between two looks at the
 * clock. */
START_TEST(a_slice_without_time_is_one_step)
{
    uint64_t looked_at = 0, keys = 0;

    lab_run("config set active-defrag-max-scan-fields 10");
    lab_run("memory purge");
    while (defrag_is_running) {
        defrag_work(0);
        ck_assert_uint_le(db_move_figures.moved + db_move_figures.stayed - looked_at, 10 + 2 * 31);
        looked_at = db_move_figures.moved + db_move_figures.stayed;
        keys = db_move_figures.keys_moved + db_move_figures.keys_stayed;
    }
    ck_assert_uint_ge(keys, db_total_keys());
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("server/defrag");
    TCase *t = tcase_create("defrag");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, without_a_reason_nothing_begins);
    tcase_add_test(t, a_purge_ends_when_little_is_to_be_gained);
    tcase_add_test(t, what_a_save_has_left_is_looked_at_once);
    tcase_add_test(t, while_a_cut_is_open_a_pass_stands_still);
    tcase_add_test(t, between_two_slices_the_loop_has_itself);
    tcase_add_test(t, more_that_is_sparse_takes_more_of_the_loop);
    tcase_add_test(t, a_pass_in_vain_is_not_repeated);
    tcase_add_test(t, a_pass_that_was_overtaken_is_repeated);
    tcase_add_test(t, a_slice_without_time_is_one_step);
    suite_add_tcase(s, t);
    return run_suite(s);
}
