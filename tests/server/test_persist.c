/* tests/server/test_persist.c - when a save begins, and what becomes of its end: LASTSAVE, status,
 * changes, scheduled saves, save points. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/clock.h"
#include "mm/base/fault.h"
#include "mm/base/text.h"
#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/persist/persist.h"
#include "server/persist/persist_impl.h"
#include "snapshot/snapshot.h"
#include "tests/support/lab.h"
#include "tests/support/runner.h"
#include "tests/support/save_lab.h"

/* failure: an error of that begin about a dump that is a directory. */
static const char *
failure(const char *begin)
{
    static char text[SCRATCH_BYTES + 200];

    snprintf(text, sizeof text, "%srename of dump.rdb: Is a directory (EISDIR, %s/dump.rdb)\r\n",
             begin, config.dir);
    return text;
}

static long
last_save(void)
{
    return strtol(lab_reply("lastsave") + 1, NULL, 10);
}

START_TEST(a_save_that_fails_does_not_move_lastsave_and_one_that_succeeds_does)
{
    long before = last_save();

    make_saves_fail(true);
    lab_run("pass 3000");
    background();
    ck_assert_str_ne(lab_reply("save"), "+OK\r\n");
    ck_assert_int_eq(last_save(), before);
    make_saves_fail(false);
    background();
    ck_assert_int_eq(last_save(), before + 3);
    lab_run("pass 2000");
    ck_assert_str_eq(lab_reply("save"), "+OK\r\n");
    ck_assert_int_eq(last_save(), before + 5);
}
END_TEST

START_TEST(the_status_is_of_the_last_save_in_the_background)
{
    make_saves_fail(true);
    ck_assert_str_ne(lab_reply("save"), "+OK\r\n");
    expect("rdb_last_bgsave_status:ok"); /* its client was told */
    background();
    expect("rdb_last_bgsave_status:err");
    expect("rdb_saves:0\r\n");
    make_saves_fail(false);
    background();
    expect("rdb_last_bgsave_status:ok");
    expect("rdb_saves:1\r\n");
}
END_TEST

/* Errno and path, in INFO and behind Redis's words in MISCONF, until a save succeeds. */
START_TEST(the_cause_of_a_failure_is_told_until_a_save_succeeds)
{
    const char *reply;

    expect("rdb_last_bgsave_error:\r\n");
    make_saves_fail(true);
    ck_assert_str_eq(lab_reply("save"), failure("-ERR the save failed: "));
    expect("rdb_last_bgsave_error:\r\n"); /* its client was told */
    expect("rdb_saves_failed:1\r\n");
    background();
    expect(failure("rdb_last_bgsave_error:"));
    expect("rdb_saves_failed:2\r\n");
    ck_assert_ptr_nonnull(reply = strstr(lab_reply("set a 2"), "about the RDB error. "));
    ck_assert_str_eq(reply, failure("about the RDB error. The cause was: "));
    ck_assert_str_eq(lab_reply("config set stop-writes-on-bgsave-error no"), "+OK\r\n");
    ck_assert_str_eq(lab_reply("set a 2"), "+OK\r\n");
    expect(failure("rdb_last_bgsave_error:"));
    make_saves_fail(false);
    ck_assert_str_eq(lab_reply("save"), "+OK\r\n");
    expect("rdb_last_bgsave_error:\r\n");
    expect("rdb_saves_failed:2\r\n");
}
END_TEST

/* A name may hold any byte, a line of INFO may not; and the directory may change meanwhile. */
START_TEST(the_cause_of_a_failure_is_one_line_and_names_the_dump_of_the_begin)
{
    char dump[SCRATCH_BYTES + 200];

    ck_assert_int_eq(mkdir("a\r\nb:", 0700), 0);
    snprintf(dump, sizeof dump,
             "rdb_last_bgsave_error:rename of a??b:: Is a directory (EISDIR, %s/a??b:)\r\n",
             config.dir);
    free(config.dbfilename);
    ck_assert_ptr_nonnull(config.dbfilename = strdup("a\r\nb:"));
    ck_assert_str_eq(lab_reply("bgsave"), "+Background saving started\r\n");
    free(config.dbfilename);
    ck_assert_ptr_nonnull(config.dbfilename = strdup("dump.rdb"));
    finish();
    expect(dump);
    ck_assert_int_eq(rmdir("a\r\nb:"), 0);
}
END_TEST

static long
number(const char *field)
{
    const char *at = strstr(lab_reply("info persistence"), field);

    ck_assert_ptr_nonnull(at);
    return strtol(at + strlen(field), NULL, 10);
}

START_TEST(what_a_save_was_stays_in_info_until_the_next)
{
    struct stat st;

    expect("rdb_last_save_keys:0\r\nrdb_last_save_bytes:0\r\n");
    expect("rdb_last_bgsave_time_usec:-1\r\n");
    background();
    expect("rdb_last_save_keys:3\r\n");
    ck_assert_int_eq(stat("dump.rdb", &st), 0);
    ck_assert_int_eq(number("\nrdb_last_save_bytes:"), st.st_size);
    ck_assert_int_gt(number("\nrdb_last_bgsave_time_usec:"), 0);
    lab_run("set c 1");
    make_saves_fail(true);
    background(); /* what failed is no last save */
    expect("rdb_last_save_keys:3\r\n");
    make_saves_fail(false);
    ck_assert_str_eq(lab_reply("save"), "+OK\r\n");
    expect("rdb_last_save_keys:4\r\n");
}
END_TEST

/* Each part of the memory has a peak of its own, which outlives its save. */
START_TEST(the_peaks_of_a_save_stay_until_the_next_begins)
{
    struct mm_figures f;
    long preserved, newborn;

    lab_run("set t @3000000*x");
    expect("snapshot_preserved_peak_bytes:0\r\n");
    ck_assert_str_eq(lab_reply("bgsave"), "+Background saving started\r\n");
    lab_run("setrange t 0 @3000000*y;set u @2000000*z");
    mm_figures(&f);
    finish();
    preserved = number("snapshot_preserved_peak_bytes:");
    newborn = number("snapshot_newborn_peak_bytes:");
    ck_assert_int_eq(preserved, (long)f.preserved_bytes); /* nothing has come back before */
    ck_assert_int_eq(newborn, (long)f.newborn_bytes);
    ck_assert_int_ge(newborn, 2000000);
    ck_assert_int_le(preserved + newborn, number("snapshot_peak_bytes:") + 4096);
    background();
    expect("snapshot_preserved_peak_bytes:0\r\n");
    expect("snapshot_newborn_peak_bytes:0\r\n");
}
END_TEST

START_TEST(info_says_how_far_a_save_is)
{
    lab_run("debug populate 20000");
    expect("current_save_state:idle\r\n");
    expect("current_save_bytes_per_second:0\r\n");
    ck_assert_str_eq(lab_reply("bgsave"), "+Background saving started\r\n");
    expect("current_save_keys_total:20003\r\n");
    ck_assert(!info_has("current_save_state:idle"));
    while (!info_has("current_save_state:ending"))
        snapshot_wait(); /* not polled: it cannot end */
    expect("current_save_keys_processed:20003\r\n");
    ck_assert_int_gt(number("current_save_bytes_per_second:"), 0);
    expect("current_fork_perc:100.00\r\n");
    expect("current_save_eta_seconds:-1\r\n");
    finish();
    expect("current_save_state:idle\r\n");
}
END_TEST

START_TEST(the_time_of_the_next_try_is_told)
{
    expect("rdb_bgsave_retry_time:-1\r\n");
    make_saves_fail(true);
    background();
    ck_assert_int_eq(number("rdb_bgsave_retry_time:"), (long)(clock_now.ms / 1000) + 6);
    config.save_point_count = 0;
    expect("rdb_bgsave_retry_time:-1\r\n"); /* nothing asks for one */
    make_saves_fail(false);
}
END_TEST

START_TEST(a_cancel_is_no_failure)
{
    long before = 0;
    bool is_cancelled = false;

    lab_run("debug populate 20000");
    for (int i = 0; i < 50 && !is_cancelled; i++) { /* it may come too late */
        before = last_save();
        lab_run("pass 1000");
        ck_assert_str_eq(lab_reply("bgsave"), "+Background saving started\r\n");
        ck_assert_str_eq(lab_reply("bgsave cancel"), "+Background saving cancelled\r\n");
        finish();
        expect("rdb_last_bgsave_status:ok");
        is_cancelled = last_save() == before;
    }
    ck_assert(is_cancelled);
}
END_TEST

/* It is said to be cancelled, but nothing is taken back: the dump is in place. */
START_TEST(a_cancel_behind_the_end_changes_nothing)
{
    long before = last_save();

    lab_run("pass 2000");
    ck_assert_str_eq(lab_reply("bgsave"), "+Background saving started\r\n");
    while (!info_has("current_save_state:ending"))
        snapshot_wait();
    ck_assert_str_eq(lab_reply("bgsave cancel"), "+Background saving cancelled\r\n");
    finish();
    ck_assert_int_eq(last_save(), before + 2);
    expect("rdb_saves:1\r\nrdb_saves_failed:0\r\nrdb_saves_cancelled:0\r\n");
    expect("rdb_last_cancel_reason:\r\n");
    expect("rdb_changes_since_last_save:0\r\n");
}
END_TEST

/* ---- who waits for an end ---- */

static struct told {
    struct persist_waiter waiter;
    int times;
    enum persist_outcome outcome;
} first, second, third;

static void
note(void *ctx, enum persist_outcome outcome)
{
    struct told *t = ctx;

    t->times++;
    t->outcome = outcome;
}

static void
wait_for(struct told *t, bool next)
{
    *t = (struct told){.waiter = {.told = note, .ctx = t}};
    persist_wait_for(&t->waiter, next);
}

static void
expect_told(const struct told *t, int times, enum persist_outcome outcome)
{
    ck_assert_int_eq(t->times, times);
    if (times > 0)
        ck_assert_int_eq(t->outcome, outcome);
}

START_TEST(who_waits_is_told_of_the_save_that_began_after_the_call)
{
    ck_assert_int_eq(persist_bgsave(), 0);
    wait_for(&first, false);
    persist_bgsave_next();
    wait_for(&second, true);
    wait_for(&third, true);
    expect("rdb_bgsave_scheduled:1\r\nrdb_bgsave_waiters:3\r\n");
    persist_wait_no_more(&third.waiter);
    make_saves_fail(true);
    persist_cron(); /* one runs */
    finish();
    expect_told(&first, 1, PERSIST_FAILED);
    expect_told(&second, 0, PERSIST_SAVED);
    make_saves_fail(false);
    persist_cron(); /* at once: a failure before does not put it off */
    expect("rdb_bgsave_in_progress:1\r\nrdb_bgsave_scheduled:0\r\n");
    expect_told(&second, 0, PERSIST_SAVED);
    finish();
    expect_told(&first, 1, PERSIST_FAILED);
    expect_told(&second, 1, PERSIST_SAVED);
    expect_told(&third, 0, PERSIST_SAVED);
    expect("rdb_bgsave_waiters:0\r\n");
    persist_cron();
    expect("rdb_bgsave_in_progress:0\r\n"); /* it was asked for once */
}
END_TEST

START_TEST(a_save_that_was_to_come_is_cancelled_for_who_waits_for_it)
{
    ck_assert_int_eq(persist_bgsave(), 0);
    persist_bgsave_next();
    wait_for(&second, true);
    finish();
    expect_told(&second, 0, PERSIST_SAVED);
    ck_assert_str_eq(lab_reply("bgsave cancel"), "+Scheduled background saving cancelled\r\n");
    expect_told(&second, 1, PERSIST_GIVEN_UP);
    ck_assert_str_eq(persist_cancel_reason(), "by BGSAVE CANCEL");
    persist_cron();
    expect("rdb_bgsave_in_progress:0\r\nrdb_bgsave_scheduled:0\r\n");
    expect("rdb_last_bgsave_status:ok\r\n");
}
END_TEST

START_TEST(the_save_of_the_end_is_for_all_who_wait)
{
    ck_assert_int_eq(persist_bgsave(), 0);
    wait_for(&first, false);
    persist_bgsave_next();
    wait_for(&second, true);
    make_saves_fail(true);
    ck_assert_int_ne(persist_shutdown(true, false), 0);
    expect_told(&first, 1, PERSIST_FAILED);
    expect_told(&second, 1, PERSIST_FAILED);
    make_saves_fail(false);
    ck_assert_int_eq(persist_bgsave(), 0);
    wait_for(&first, false);
    ck_assert_int_eq(persist_shutdown(true, false), 0);
    expect_told(&first, 1, PERSIST_SAVED);
    ck_assert_int_eq(persist_bgsave(), 0);
    persist_bgsave_next();
    wait_for(&second, true);
    ck_assert_int_eq(persist_shutdown(false, true), 0);
    expect_told(&second, 1, PERSIST_GIVEN_UP);
    expect("rdb_last_cancel_reason:the server ends\r\n");
}
END_TEST

#ifdef STILLFRAME_FAULTS
START_TEST(a_save_that_cannot_begin_is_a_failure_for_who_waits)
{
    ck_assert_int_eq(persist_bgsave(), 0);
    persist_bgsave_next();
    wait_for(&second, true);
    finish();
    fault_arm(FAULT_job_alloc, 1, false);
    persist_cron();
    ck_assert_uint_eq(fault_disarm(), 1);
    expect_told(&second, 1, PERSIST_FAILED);
    expect("rdb_last_bgsave_error:Cannot allocate memory (ENOMEM, ");
    persist_cron();
    expect("rdb_bgsave_in_progress:0\r\n"); /* whoever waited knows */
}
END_TEST
#endif

START_TEST(writes_are_refused_after_a_failure_until_a_save_succeeds)
{
    ck_assert_int_gt(config.save_point_count, 0);
    make_saves_fail(true);
    background();
    ck_assert_int_eq(strncmp(lab_reply("set a 2"), "-MISCONF ", 9), 0);
    ck_assert_str_eq(lab_reply("get a"), "$1\r\n1\r\n");
    make_saves_fail(false);
    background();
    ck_assert_str_eq(lab_reply("set a 2"), "+OK\r\n");
}
END_TEST

START_TEST(changes_made_during_a_save_are_counted_after_it)
{
    expect("rdb_changes_since_last_save:3\r\n");
    ck_assert_str_eq(lab_reply("bgsave"), "+Background saving started\r\n");
    lab_run("incr n;incr n");
    expect("rdb_changes_since_last_save:5\r\n");
    finish();
    expect("rdb_changes_since_last_save:2\r\n");
    config.stop_writes_on_bgsave_error = false;
    make_saves_fail(true);
    ck_assert_str_eq(lab_reply("bgsave"), "+Background saving started\r\n");
    lab_run("incr n");
    finish();
    expect("rdb_changes_since_last_save:3\r\n");
    make_saves_fail(false);
}
END_TEST

/* FLUSHALL counts no change any more, because a save begins at once: whatever keeps that from
 * succeeding brings them back. */
START_TEST(a_flush_is_saved_and_its_changes_come_back_if_it_is_not)
{
    lab_run("flushall");
    expect("rdb_changes_since_last_save:0\r\n");
    expect("rdb_bgsave_scheduled:1");
    make_saves_fail(true);
    persist_cron();
    expect("rdb_bgsave_in_progress:1");
    expect("rdb_bgsave_scheduled:0");
    finish();
    ck_assert(!info_has("rdb_changes_since_last_save:0\r\n"));
    make_saves_fail(false);
    background();
    expect("rdb_changes_since_last_save:0\r\n");
    lab_run("set a 1;flushall");
    ck_assert_str_eq(lab_reply("bgsave cancel"), "+Scheduled background saving cancelled\r\n");
    expect("rdb_bgsave_scheduled:0");
    ck_assert(!info_has("rdb_changes_since_last_save:0\r\n"));
    persist_cron();
    expect("rdb_bgsave_in_progress:0");
}
END_TEST

START_TEST(a_save_point_is_due_after_its_changes_and_its_time)
{
    config.save_points[0] = (struct save_point){.seconds = 10, .changes = 2};
    config.save_point_count = 1;
    background();
    lab_run("set a 1;pass 11000");
    persist_cron();
    expect("rdb_bgsave_in_progress:0"); /* one change */
    lab_run("set a 1");
    persist_cron();
    expect("rdb_bgsave_in_progress:1");
    finish();
    lab_run("set a 1;set a 2;pass 9000");
    persist_cron();
    expect("rdb_bgsave_in_progress:0"); /* nine seconds */
    lab_run("pass 2000");
    make_saves_fail(true);
    persist_cron();
    expect("rdb_bgsave_in_progress:1");
    finish();
    expect("rdb_last_bgsave_status:err");
    lab_run("pass 3000");
    persist_cron();
    expect("rdb_bgsave_in_progress:0"); /* after a failure not again at once */
    lab_run("pass 3000");
    persist_cron();
    expect("rdb_bgsave_in_progress:1");
    finish();
    make_saves_fail(false);
}
END_TEST

START_TEST(no_save_begins_while_a_dump_is_loaded)
{
    lab_run("flushall");
    db_state.loading = true;
    persist_cron();
    ck_assert(!persist_is_saving());
    db_state.loading = false;
    persist_cron();
    ck_assert(persist_is_saving());
    finish();
}
END_TEST

START_TEST(a_shutdown_whose_save_fails_does_not_happen)
{
    make_saves_fail(true);
    ck_assert_int_ne(persist_shutdown(true, false), 0);
    ck_assert_int_eq(persist_shutdown(false, true), 0);
    make_saves_fail(false);
    ck_assert_int_eq(persist_shutdown(false, false), 0);
    ck_assert_int_eq(lab_file("dump.rdb").error, 0);
    ck_assert_uint_eq(lab_file("dump.rdb").keys, 3);
}
END_TEST

START_TEST(a_reload_that_cannot_save_keeps_the_data)
{
    make_saves_fail(true);
    ck_assert_str_eq(lab_reply("debug reload"), failure("-ERR the save failed: "));
    ck_assert_str_eq(lab_reply("dbsize"), ":3\r\n");
    make_saves_fail(false);
    ck_assert_str_eq(lab_reply("debug reload"), "+OK\r\n");
    ck_assert_str_eq(lab_reply("dbsize"), ":3\r\n");
}
END_TEST

START_TEST(a_dump_that_cannot_be_read_is_no_empty_server)
{
    FILE *f;

    lab_run("flushall");
    ck_assert_int_eq(persist_load(), 0); /* there is none */
    ck_assert_ptr_nonnull(f = fopen("dump.rdb", "w"));
    fputs("REDIS0011 and then something else", f);
    fclose(f);
    ck_assert_int_eq(persist_load(), 1);
}
END_TEST

START_TEST(what_was_loaded_is_no_change)
{
    ck_assert_str_eq(lab_reply("save"), "+OK\r\n");
    lab_run("set c 1;flushdb");
    ck_assert(!info_has("rdb_changes_since_last_save:0\r\n"));
    ck_assert_int_eq(persist_load(), 0);
    expect("rdb_changes_since_last_save:0\r\n");
    ck_assert_str_eq(lab_reply("dbsize"), ":3\r\n");
}
END_TEST

START_TEST(the_log_says_how_far_a_load_is)
{
    static const struct {
        struct persist_loading l;
        const char *text;
        int64_t eta_us;
    } cases[] = {
        {{.size_bytes = 560 << 20, .offset = 224 << 20, .keys = 3800000, .elapsed_us = 2000000},
         "40 % of 560 MB, 3800000 keys, 1.9 M keys/s, 3 s left",
         3000000},
        {{.size_bytes = 5 << 20, .offset = 5 << 20, .keys = 9, .elapsed_us = 4000000},
         "100 % of 5 MB, 9 keys, 2 keys/s, 0 s left",
         0},
        {{.size_bytes = 900, .offset = 1, .keys = 0, .elapsed_us = 1000000},
         "0 % of 0 MB, 0 keys, 0 keys/s, 899 s left",
         899000000},
        {{.size_bytes = 9 << 20}, "0 % of 9 MB, 0 keys, 0 keys/s", -1},
        {{.size_bytes = 0}, "0 % of 0 MB, 0 keys, 0 keys/s", -1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text text = {.at = NULL};

        persist_loading_text(&text, &cases[i].l);
        ck_assert_str_eq(text_str(&text), cases[i].text);
        ck_assert_int_eq(persist_loading_eta_us(&cases[i].l), cases[i].eta_us);
        text_free(&text);
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("server/persist");
    TCase *t = tcase_create("persist");

    tcase_add_checked_fixture(t, save_lab_open, save_lab_close);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_save_that_fails_does_not_move_lastsave_and_one_that_succeeds_does);
    tcase_add_test(t, the_status_is_of_the_last_save_in_the_background);
    tcase_add_test(t, the_cause_of_a_failure_is_told_until_a_save_succeeds);
    tcase_add_test(t, the_cause_of_a_failure_is_one_line_and_names_the_dump_of_the_begin);
    tcase_add_test(t, what_a_save_was_stays_in_info_until_the_next);
    tcase_add_test(t, the_peaks_of_a_save_stay_until_the_next_begins);
    tcase_add_test(t, info_says_how_far_a_save_is);
    tcase_add_test(t, the_time_of_the_next_try_is_told);
    tcase_add_test(t, a_cancel_is_no_failure);
    tcase_add_test(t, a_cancel_behind_the_end_changes_nothing);
    tcase_add_test(t, who_waits_is_told_of_the_save_that_began_after_the_call);
    tcase_add_test(t, a_save_that_was_to_come_is_cancelled_for_who_waits_for_it);
    tcase_add_test(t, the_save_of_the_end_is_for_all_who_wait);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(t, a_save_that_cannot_begin_is_a_failure_for_who_waits);
#endif
    tcase_add_test(t, writes_are_refused_after_a_failure_until_a_save_succeeds);
    tcase_add_test(t, changes_made_during_a_save_are_counted_after_it);
    tcase_add_test(t, a_flush_is_saved_and_its_changes_come_back_if_it_is_not);
    tcase_add_test(t, a_save_point_is_due_after_its_changes_and_its_time);
    tcase_add_test(t, no_save_begins_while_a_dump_is_loaded);
    tcase_add_test(t, a_shutdown_whose_save_fails_does_not_happen);
    tcase_add_test(t, a_reload_that_cannot_save_keeps_the_data);
    tcase_add_test(t, a_dump_that_cannot_be_read_is_no_empty_server);
    tcase_add_test(t, what_was_loaded_is_no_change);
    tcase_add_test(t, the_log_says_how_far_a_load_is);
    suite_add_tcase(s, t);
    return run_suite(s);
}
