/* tests/server/test_persist_when.c - why a save begins by itself: so many bytes, a pause of the
 * writers, a time of the day; and what is asked of its file.  The clock is the lab's ("pass").
 * A dump that is a directory is a save that fails. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mm/base/clock.h"
#include "mm/base/text.h"
#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/persist/persist.h"
#include "snapshot/rdb/retained.h"
#include "snapshot/snapshot.h"
#include "tests/support/lab.h"
#include "tests/support/runner.h"
#include "tests/support/scratch.h"

static char dir[SCRATCH_BYTES];

static int
set(const char *name, const char *value)
{
    struct slice pair[] = {{.ptr = name, .len = strlen(name)},
                           {.ptr = value, .len = strlen(value)}};
    struct text why = {.at = NULL};
    int r = config_set(pair, 1, true, &why);

    text_free(&why);
    return r;
}

static void
setup(void)
{
    setenv("TZ", "UTC0", 1);
    tzset();
    scratch_enter(dir, "when");
    lab_open();
    ck_assert_int_eq(snapshot_start(), 0);
    ck_assert_int_eq(persist_init(), 0);
    config.save_point_count = 0;
    config.stop_writes_on_bgsave_error = false;
    lab_run("set first 1");
    db_state.dirty = 0;
    clock_now.ms = 1795947300 * 1000LL; /* 2026-11-29 10:15:00, a Sunday */
    persist_cron();
}

static void
teardown(void)
{
    ck_assert_int_eq(set("save-bytes", "0"), 0);
    snapshot_stop();
    lab_close();
    scratch_leave(dir);
}

static long
number(const char *field)
{
    const char *at = strstr(lab_reply("info persistence"), field);

    ck_assert_msg(at != NULL, "no %s", field);
    return strtol(at + strlen(field), NULL, 10);
}

static bool
info_has(const char *line)
{
    return strstr(lab_reply("info persistence"), line) != NULL;
}

static void
finish(void)
{
    while (persist_is_saving()) {
        snapshot_wait();
        persist_poll();
    }
}

/* begins: one look at the reasons; if a save begins, it is carried to its end. */
static bool
begins(void)
{
    bool is_running;

    persist_cron();
    is_running = persist_is_saving();
    finish();
    return is_running;
}

static void
make_saves_fail(bool fail)
{
    (void)unlink("dump.rdb");
    ck_assert_int_eq(fail ? mkdir("dump.rdb", 0700) : rmdir("dump.rdb"), 0);
}

/* ---- save-bytes ---- */

START_TEST(bytes_are_those_of_the_words_that_changed_something)
{
    ck_assert_int_eq(number("rdb_bytes_since_last_save:"), 0);
    lab_run("set before 1");
    ck_assert_int_eq(number("rdb_bytes_since_last_save:"), 0); /* nobody asks */
    ck_assert_int_eq(set("save-bytes", "1mb"), 0);
    lab_run("set key value");
    ck_assert_int_eq(number("rdb_bytes_since_last_save:"), 11);
    lab_run("get key;strlen key;del nothing");
    (void)lab_reply("setnx key other");
    ck_assert_int_eq(number("rdb_bytes_since_last_save:"), 11);
    lab_run("hset h f @1000*v");
    ck_assert_int_eq(number("rdb_bytes_since_last_save:"), 11 + 4 + 1 + 1 + 1000);
    ck_assert_int_eq(set("save-bytes", "0"), 0);
    lab_run("set key value");
    ck_assert_int_eq(number("rdb_bytes_since_last_save:"), 0);
}
END_TEST

START_TEST(so_many_bytes_are_a_reason)
{
    ck_assert_int_eq(set("save-bytes", "10000"), 0);
    lab_run("set key @9992*v"); /* a byte short */
    lab_run("pass 100000");
    ck_assert(!begins());
    lab_run("set k @1*v");
    ck_assert(begins());
    ck_assert_int_eq(number("rdb_bytes_since_last_save:"), 0);
    ck_assert(!begins());
}
END_TEST

START_TEST(bytes_written_during_a_save_count_on_and_those_of_a_failed_one_too)
{
    ck_assert_int_eq(set("save-bytes", "1000"), 0);
    lab_run("set key @1000*v");
    persist_cron();
    ck_assert(persist_is_saving());
    lab_run("set key @500*v");
    finish();
    ck_assert_int_eq(number("rdb_bytes_since_last_save:"), 506);
    make_saves_fail(true);
    lab_run("set key @500*v");
    ck_assert(begins());
    ck_assert(info_has("rdb_last_bgsave_status:err"));
    ck_assert_int_eq(number("rdb_bytes_since_last_save:"), 1012);
    lab_run("pass 5000");
    ck_assert(!begins()); /* not at once */
    make_saves_fail(false);
    lab_run("pass 1000");
    ck_assert(begins());
    ck_assert_int_eq(number("rdb_bytes_since_last_save:"), 0);
}
END_TEST

/* ---- save-idle ---- */

START_TEST(a_pause_of_the_writers_is_a_reason_once_something_has_changed)
{
    ck_assert_int_eq(set("save-idle", "60"), 0);
    lab_run("pass 100000");
    ck_assert(!begins()); /* nothing has */
    lab_run("set a 1");
    ck_assert(!begins());
    lab_run("pass 59000;get a");
    ck_assert(!begins());
    lab_run("set a 1"); /* the pause begins anew */
    ck_assert(!begins());
    lab_run("pass 59900");
    ck_assert(!begins());
    lab_run("pass 100");
    ck_assert(begins());
    lab_run("pass 1000000");
    ck_assert(!begins());
}
END_TEST

START_TEST(the_end_of_a_save_is_no_change)
{
    ck_assert_int_eq(set("save-idle", "60"), 0);
    lab_run("set a 1");
    ck_assert(!begins());
    ck_assert_str_eq(lab_reply("bgsave"), "+Background saving started\r\n");
    lab_run("set a 2;pass 30000");
    persist_cron(); /* the change is seen now */
    finish();
    ck_assert_int_eq((int)db_state.dirty, 1);
    lab_run("pass 59000");
    ck_assert(!begins());
    lab_run("pass 1000");
    ck_assert(begins());
}
END_TEST

/* ---- snapshot-schedule ---- */

START_TEST(a_time_of_the_schedule_is_a_reason_whether_something_changed_or_not)
{
    ck_assert_int_eq(number("rdb_next_scheduled_save_time:"), -1);
    ck_assert_int_eq(set("snapshot-schedule", "30 * * * *"), 0);
    ck_assert_int_eq(number("rdb_next_scheduled_save_time:"), 1795947300 + 900);
    lab_run("pass 899900");
    ck_assert(!begins());
    lab_run("pass 100");
    ck_assert(begins());
    ck_assert_int_eq(number("rdb_next_scheduled_save_time:"), 1795947300 + 4500);
    ck_assert(!begins()); /* once */
    lab_run("pass 59000");
    ck_assert(!begins());
}
END_TEST

START_TEST(a_time_that_comes_while_a_save_runs_is_made_up_for)
{
    ck_assert_int_eq(set("snapshot-schedule", "16 * * * *"), 0);
    lab_run("pass 59000");
    ck_assert_str_eq(lab_reply("bgsave"), "+Background saving started\r\n");
    lab_run("pass 1500");
    persist_cron();
    finish();
    ck_assert(begins());
    ck_assert(!begins());
}
END_TEST

START_TEST(a_save_that_began_at_the_time_covers_it_whoever_asked_for_it)
{
    ck_assert_int_eq(set("snapshot-schedule", "16 * * * *"), 0);
    lab_run("pass 60000");
    ck_assert_str_eq(lab_reply("save"), "+OK\r\n");
    ck_assert(!begins());
}
END_TEST

START_TEST(a_copy_is_not_the_save_that_was_due)
{
    ck_assert_str_eq(lab_reply("save"), "+OK\r\n");
    ck_assert_int_eq(set("snapshot-schedule", "16 * * * *"), 0);
    lab_run("pass 60000");
    ck_assert_str_eq(lab_reply("bgsave to copy.rdb"), "+Background saving started\r\n");
    finish();
    ck_assert(begins());
}
END_TEST

START_TEST(several_times_that_were_missed_are_one_save)
{
    ck_assert_int_eq(set("snapshot-schedule", "* * * * *"), 0);
    lab_run("pass 86400000");
    ck_assert(begins());
    ck_assert(!begins());
}
END_TEST

START_TEST(a_time_whose_save_fails_is_tried_again_until_one_succeeds)
{
    ck_assert_int_eq(set("snapshot-schedule", "16 * * * *"), 0);
    make_saves_fail(true);
    lab_run("pass 60000");
    ck_assert(begins());
    ck_assert_int_eq(number("rdb_bgsave_retry_time:"), (long)(clock_now.ms / 1000) + 6);
    lab_run("pass 5000");
    ck_assert(!begins());
    lab_run("pass 1000");
    ck_assert(begins());
    make_saves_fail(false);
    lab_run("pass 6000");
    ck_assert(begins());
    lab_run("pass 6000");
    ck_assert(!begins());
}
END_TEST

START_TEST(a_clock_that_is_set_back_is_not_waited_for)
{
    ck_assert_int_eq(set("snapshot-schedule", "*/10 * * * *"), 0);
    lab_run("pass 300000");
    ck_assert(begins()); /* 10:20 */
    clock_now.ms -= 30 * 1000;
    ck_assert(!begins());
    ck_assert_int_eq(number("rdb_next_scheduled_save_time:"), 1795947300 + 900);
    clock_now.ms -= 3600 * 1000;
    ck_assert(!begins());
    ck_assert_int_eq(number("rdb_next_scheduled_save_time:"), 1795947300 + 300 - 3600);
}
END_TEST

START_TEST(a_wrong_schedule_changes_nothing)
{
    ck_assert_int_eq(set("snapshot-schedule", "@daily"), 0);
    ck_assert_int_eq(number("rdb_next_scheduled_save_time:"), 1795996800);
    ck_assert_int_lt(set("snapshot-schedule", "0 0 30 2 *"), 0);
    ck_assert_int_eq(number("rdb_next_scheduled_save_time:"), 1795996800);
    ck_assert_int_eq(set("snapshot-schedule", ""), 0);
    ck_assert_int_eq(number("rdb_next_scheduled_save_time:"), -1);
}
END_TEST

/* ---- all of them ---- */

START_TEST(a_cancelled_save_does_not_begin_again_at_once)
{
    bool is_cancelled = false;

    lab_run("debug populate 20000");
    ck_assert_int_eq(set("save-idle", "1"), 0);
    for (int i = 0; i < 50 && !is_cancelled; i++) { /* it may come too late */
        lab_run("set a 1");
        ck_assert(!begins());
        lab_run("pass 6000");
        persist_cron();
        ck_assert(persist_is_saving());
        ck_assert_str_eq(lab_reply("bgsave cancel"), "+Background saving cancelled\r\n");
        finish();
        is_cancelled = db_state.dirty > 0;
    }
    ck_assert(is_cancelled);
    lab_run("pass 5000");
    ck_assert(!begins());
    lab_run("pass 1000");
    ck_assert(begins());
}
END_TEST

static const char *const reasons[][2] = {{"save", "3600 1"},
                                         {"save-bytes", "1gb"},
                                         {"save-idle", "3600"},
                                         {"snapshot-schedule", "@daily"}};

START_TEST(whoever_is_to_save_by_itself_refuses_writes_after_a_failure_and_saves_at_the_end)
{
    const char *name = reasons[_i][0];

    config.stop_writes_on_bgsave_error = true;
    make_saves_fail(true);
    ck_assert_str_eq(lab_reply("bgsave"), "+Background saving started\r\n");
    finish();
    ck_assert_str_eq(lab_reply("set a 1"), "+OK\r\n");
    ck_assert_int_eq(persist_shutdown(false, false), 0);
    ck_assert_int_eq(set(name, reasons[_i][1]), 0);
    ck_assert_int_eq(strncmp(lab_reply("set a 1"), "-MISCONF ", 9), 0);
    ck_assert_int_eq(persist_shutdown(false, false), -EIO);
    make_saves_fail(false);
    ck_assert_int_eq(persist_shutdown(false, false), 0);
    ck_assert_int_eq(access("dump.rdb", F_OK), 0);
}
END_TEST

/* FLUSHALL saves the empty data at once only where save points ask for that. */
START_TEST(a_flush_waits_for_its_time)
{
    ck_assert_int_eq(set("snapshot-schedule", "@daily"), 0);
    ck_assert_int_eq(set("save-idle", "3600"), 0);
    lab_run("set a 1;flushall");
    ck_assert(!begins());
    ck_assert_int_gt((int)db_state.dirty, 0);
}
END_TEST

/* ---- what is asked of the file ---- */

START_TEST(info_says_what_became_of_the_file)
{
    char name[256];
    const char *at;

    ck_assert(info_has("rdb_last_bgsave_verify:off\r\nrdb_last_bgsave_verify_time_usec:-1\r\n"));
    ck_assert(info_has("rdb_last_retained:\r\nrdb_last_retain_status:ok\r\n"));
    ck_assert_int_eq(set("snapshot-verify", "yes"), 0);
    ck_assert_int_eq(set("snapshot-retain", "2"), 0);
    lab_run("debug populate 1000");
    for (int i = 0; i < 4; i++) {
        ck_assert_str_eq(lab_reply("bgsave"), "+Background saving started\r\n");
        finish();
    }
    ck_assert(info_has("rdb_last_bgsave_verify:ok\r\n"));
    ck_assert_int_ge(number("rdb_last_bgsave_verify_time_usec:"), 0);
    ck_assert_ptr_nonnull(at = strstr(lab_reply("info persistence"), "rdb_last_retained:"));
    ck_assert_int_eq(sscanf(at, "rdb_last_retained:%255[^\r]", name), 1);
    ck_assert(retained_is_of(name, "dump.rdb"));
    ck_assert(lab_same(lab_file(name), lab_quiet()));
    ck_assert_int_eq(set("snapshot-verify", "no"), 0);
    ck_assert_str_eq(lab_reply("bgsave"), "+Background saving started\r\n");
    finish();
    ck_assert(info_has("rdb_last_bgsave_verify:off\r\n"));
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("server/persist_when");
    TCase *t = tcase_create("when");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, bytes_are_those_of_the_words_that_changed_something);
    tcase_add_test(t, so_many_bytes_are_a_reason);
    tcase_add_test(t, bytes_written_during_a_save_count_on_and_those_of_a_failed_one_too);
    tcase_add_test(t, a_pause_of_the_writers_is_a_reason_once_something_has_changed);
    tcase_add_test(t, the_end_of_a_save_is_no_change);
    tcase_add_test(t, a_time_of_the_schedule_is_a_reason_whether_something_changed_or_not);
    tcase_add_test(t, a_time_that_comes_while_a_save_runs_is_made_up_for);
    tcase_add_test(t, a_save_that_began_at_the_time_covers_it_whoever_asked_for_it);
    tcase_add_test(t, a_copy_is_not_the_save_that_was_due);
    tcase_add_test(t, several_times_that_were_missed_are_one_save);
    tcase_add_test(t, a_time_whose_save_fails_is_tried_again_until_one_succeeds);
    tcase_add_test(t, a_clock_that_is_set_back_is_not_waited_for);
    tcase_add_test(t, a_wrong_schedule_changes_nothing);
    tcase_add_test(t, a_cancelled_save_does_not_begin_again_at_once);
    tcase_add_loop_test(
        t, whoever_is_to_save_by_itself_refuses_writes_after_a_failure_and_saves_at_the_end, 0,
        sizeof reasons / sizeof *reasons);
    tcase_add_test(t, a_flush_waits_for_its_time);
    tcase_add_test(t, info_says_what_became_of_the_file);
    suite_add_tcase(s, t);
    return run_suite(s);
}
