/* tests/fault/test_save_faults.c - fail each step of a save in turn, once and for good: the server
 * lives, the old dump is whole, the error is told, nothing is left behind, and the next save
 * succeeds.  Then: crash at each step. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mm/base/fault.h"
#include "mm/base/spare.h"
#include "server/config/config.h"
#include "server/persist/persist.h"
#include "snapshot/rdb/retained.h"
#include "snapshot/snapshot.h"
#include "tests/support/lab.h"
#include "tests/support/runner.h"
#include "tests/support/scratch.h"

#ifdef STILLFRAME_FAULTS

static char dir[SCRATCH_BYTES];
static struct lab_digest saved; /* what dump.rdb must hold */

static int
files_in(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;

    ck_assert_ptr_nonnull(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n - 2;
}

static int
open_descriptors(void)
{
    return files_in("/proc/self/fd");
}

static void
fill(void)
{
    lab_run(
        "debug populate 300 key 50;set large @100000*x;set n 1;set a @3000*k;hset h f @70*v g 1;hset s f v");
    lab_run("debug populate 60 run 40000");
}

static void
setup(void)
{
    scratch_make(dir, "fault");
    ck_assert_int_eq(chdir(dir), 0);
    lab_open();
    ck_assert_int_eq(snapshot_start(), 0);
    ck_assert_int_eq(persist_init(), 0);
    config.rdb_compression = RDB_PLAIN; /* more bytes, more writes */
    /* a failed save must not keep this test from writing */
    config.stop_writes_on_bgsave_error = false;
    fill();
    saved = lab_quiet();
    ck_assert_str_eq(lab_reply("save"), "+OK\r\n");
    ck_assert(lab_same(lab_file("dump.rdb"), saved));
}

static void
teardown(void)
{
    snapshot_stop();
    lab_close();
    unlink("dump.rdb");
    ck_assert_int_eq(rmdir(dir), 0); /* nothing else is left */
}

static bool
in_progress(void)
{
    return strstr(lab_reply("info persistence"), "rdb_bgsave_in_progress:1") != NULL;
}

static void
finish_save(void)
{
    while (in_progress()) {
        lab_run("incr n;setrange large 50000 changed;hset h f @70*w;append a x");
        snapshot_wait();
        persist_poll();
    }
}

/* one_save: a background save with what is armed.  True if it succeeded. */
static bool
one_save(void)
{
    struct lab_digest now = lab_quiet();
    bool ok;

    if (strncmp(lab_reply("bgsave"), "+Background saving started", 26) == 0)
        finish_save();
    ok = strstr(lab_reply("info persistence"), "rdb_last_bgsave_status:ok") != NULL;
    if (ok)
        saved = now;
    return ok;
}

/* The fault sweep over one point: n = 1, 2, 3, ... until a save sees no fault. */
static void
sweep_point(unsigned point, bool forever)
{
    unsigned long delivered = 1, failures = 0;
    int descriptors = open_descriptors();

    for (unsigned long n = 1; delivered > 0 && n < 3000; n++) {
        struct lab_digest before, after;
        struct mm_figures f;
        bool ok;

        before = lab_quiet();
        fault_arm(point, n, forever);
        ok = strncmp(lab_reply("bgsave"), "+Background saving started", 26) == 0;
        if (ok)
            finish_save();
        ok = ok && strstr(lab_reply("info persistence"), "rdb_last_bgsave_status:ok") != NULL;
        delivered = fault_disarm();
        failures += !ok;
        after = lab_file("dump.rdb");
        if (ok)
            saved = before;
        else if (!lab_same(after, saved)) /* after the rename the new one may be there, but whole */
            ck_assert_msg(lab_same(after, before),
                          "%s: the dump is neither the old nor the new one", fault_name(point));
        else
            ck_assert(delivered > 0);
        if (ok)
            ck_assert_msg(lab_same(after, saved), "point %u, call %lu: the dump is not of its cut",
                          point, n);
        ck_assert_int_eq(files_in("."), 1); /* no temporary file */
        ck_assert_int_eq(open_descriptors(), descriptors);
        mm_figures(&f);
        ck_assert_uint_eq(f.preserved_bytes + f.retired_bytes, 0);
        mm_check();
        lab_run("set alive 1;del alive");
        ck_assert_msg(one_save(), "point %u, call %lu: the next save failed too", point, n);
        ck_assert(lab_same(lab_file("dump.rdb"), saved));
    }
    ck_assert_uint_eq(delivered, 0);
    printf("fault: %-18s %s: %lu saves failed\n", point == FAULT_ANY ? "any" : fault_name(point),
           forever ? "for good" : "once    ", failures);
}

/* The points that a save passes after the start of the server. */
static const enum fault points[] = {
    FAULT_job_alloc,        FAULT_sink_buffer,   FAULT_sink_open,  FAULT_sink_write,
    FAULT_sink_short_write, FAULT_sink_fsync,    FAULT_sink_close, FAULT_sink_rename,
    FAULT_sink_dir_open,    FAULT_sink_dir_fsync};

START_TEST(a_save_survives_the_failure_of_each_step)
{
    sweep_point(points[_i / 2], _i % 2 != 0);
}
END_TEST

/* Those that it passes with snapshot-verify, too. */
static const enum fault verify_points[] = {FAULT_sink_damage, FAULT_load_open, FAULT_load_read,
                                           FAULT_load_alloc};

START_TEST(a_save_that_is_read_back_survives_the_failure_of_each_step)
{
    config.snapshot_verify = true;
    sweep_point(verify_points[_i / 2], _i % 2 != 0);
}
END_TEST

START_TEST(a_dump_that_was_damaged_behind_our_back_does_not_replace_the_old_one)
{
    const char *info;

    config.snapshot_verify = true;
    lab_run("set n 77");
    fault_arm(FAULT_sink_damage, 1, false);
    ck_assert(!one_save());
    ck_assert_uint_eq(fault_disarm(), 1);
    info = lab_reply("info persistence");
    ck_assert_ptr_nonnull(strstr(info, "rdb_last_bgsave_verify:err\r\n"));
    ck_assert_ptr_nonnull(strstr(info, "rdb_last_bgsave_error:verify of dump.rdb: at offset "));
    ck_assert(lab_same(lab_file("dump.rdb"), saved));
    ck_assert_int_eq(files_in("."), 1);
    ck_assert(one_save());
    ck_assert_ptr_nonnull(strstr(lab_reply("info persistence"), "rdb_last_bgsave_verify:ok\r\n"));
}
END_TEST

/* Reading it back needs a descriptor, memory and a disk that reads: without, nothing is known of
 * the dump.  The save fails by what it was, and calls nothing damaged. */
START_TEST(a_dump_that_cannot_be_read_back_is_not_called_damaged)
{
    static const struct {
        enum fault point;
        unsigned long nth;
        const char *text;
    } cases[] = {
        {FAULT_load_open, 1,
         "verify of dump.rdb: it cannot be opened: Permission denied (EACCES, "},
        {FAULT_load_alloc, 1,
         "verify of dump.rdb: it cannot be opened: Cannot allocate memory (ENOMEM, "},
        {FAULT_load_alloc, 3,
         "verify of dump.rdb: not read on at offset 11: no memory for an AUX field "},
        {FAULT_load_read, 1, "verify of dump.rdb: not read on at offset 0: cannot be read: Input"}};
    char want[128];
    const char *info;

    config.snapshot_verify = true;
    fault_arm(cases[_i].point, cases[_i].nth, false);
    ck_assert_str_eq(lab_reply("bgsave"), "+Background saving started\r\n");
    finish_save();
    ck_assert_uint_eq(fault_disarm(), 1);
    info = lab_reply("info persistence");
    snprintf(want, sizeof want, "rdb_last_bgsave_error:%s", cases[_i].text);
    ck_assert_msg(strstr(info, want) != NULL, "%s is not in %s", want, info);
    ck_assert_ptr_nonnull(strstr(info, "rdb_last_bgsave_verify:off\r\n"));
    ck_assert(lab_same(lab_file("dump.rdb"), saved));
    ck_assert(one_save());
    ck_assert_ptr_nonnull(strstr(lab_reply("info persistence"), "rdb_last_bgsave_verify:ok\r\n"));
}
END_TEST

/* Nor does one that nobody reads back fail: what the sweep above arms is found by that alone. */
START_TEST(without_reading_it_back_a_damaged_dump_is_not_noticed)
{
    fault_arm(FAULT_sink_damage, 1, false);
    ck_assert_str_eq(lab_reply("save"), "+OK\r\n");
    ck_assert_uint_eq(fault_disarm(), 1);
    ck_assert(!lab_same(lab_file("dump.rdb"), saved));
    ck_assert(one_save());
}
END_TEST

/* ---- kept dumps ---- */

/* kept_dumps: how many there are, each whole.  Removes them if asked to. */
static int
kept_dumps(bool remove_them)
{
    DIR *d = opendir(".");
    struct dirent *e;
    int n = 0;

    ck_assert_ptr_nonnull(d);
    while ((e = readdir(d)) != NULL)
        if (retained_is_of(e->d_name, "dump.rdb")) {
            ck_assert_msg(lab_file(e->d_name).error == 0, "%s is not whole", e->d_name);
            n++;
            if (remove_them)
                unlink(e->d_name);
        }
    closedir(d);
    return n;
}

static const enum fault retain_points[] = {FAULT_retain_link, FAULT_retain_remove};

START_TEST(what_cannot_be_kept_fails_no_save)
{
    config.snapshot_retain = 2;
    for (int i = 0; i < 5; i++) {
        fault_arm(retain_points[_i], 1, true);
        ck_assert(one_save());
        fault_disarm();
        ck_assert(lab_same(lab_file("dump.rdb"), saved));
    }
    ck_assert_int_eq(files_in("."), 1 + kept_dumps(false));
    ck_assert_int_eq(kept_dumps(false), retain_points[_i] == FAULT_retain_remove ? 5 : 2);
    ck_assert(one_save());
    ck_assert_int_eq(kept_dumps(true), 2);
}
END_TEST

START_TEST(a_failure_that_may_stay_silent_does)
{
    struct lab_digest now = lab_quiet();

    fault_arm(FAULT_sink_flush_range, 1, true);
    ck_assert_str_eq(lab_reply("save"), "+OK\r\n");
    fault_disarm();
    ck_assert(lab_same(lab_file("dump.rdb"), now));
}
END_TEST

/* What a save cannot do without was promised at start. */
START_TEST(a_save_does_without_malloc_for_its_buffers)
{
    config.rdb_compression = _i == 0 ? RDB_LZF : RDB_LZ4;
    config.snapshot_threads = 1; /* what is promised is for one sweeper (spare.h) */
    lab_run("set n 78");
    fault_arm(FAULT_spare_malloc, 1, true);
    ck_assert(one_save());
    ck_assert_uint_ge(fault_disarm(), 5); /* sink, encoder, worker, two chunks at least */
    ck_assert(lab_same(lab_file("dump.rdb"), saved));
    ck_assert_uint_eq(spare_free_bytes(), SPARE_BYTES);
}
END_TEST

/* write_to_each: of the 60 runs.  Each write must succeed. */
static void
write_to_each(void)
{
    char command[64];

    for (int i = 0; i < 60; i++) {
        snprintf(command, sizeof command, "setrange run:%d 30000 while-it-runs", i);
        lab_run(command);
    }
}

/* C2: the copy of a page fails under a write; the write has its reply, the save is given up.  The
 * writer sleeps behind the first chunk, and the sweeper waits for it when it has filled three: some
 * runs, which are ten times as much, it has not come to, whoever is faster. */
START_TEST(without_memory_for_a_page_the_save_is_given_up_and_the_write_is_not)
{
    config.snapshot_threads = 1;
    snapshot_rate(1);
    ck_assert_str_eq(lab_reply("bgsave"), "+Background saving started\r\n");
    fault_arm(FAULT_mm_image, 1, true);
    write_to_each();
    snapshot_rate(0);
    finish_save();
    ck_assert_uint_gt(fault_disarm(), 0);
    ck_assert_ptr_nonnull(strstr(
        lab_reply("info persistence"),
        "rdb_last_bgsave_error:no memory for the copy of a page that a client was changing"));
    ck_assert(lab_same(lab_file("dump.rdb"), saved));
    for (int i = 0; i < 60; i++) {
        char command[64];

        snprintf(command, sizeof command, "getrange run:%d 30000 30012", i);
        ck_assert_str_eq(lab_reply(command), "$13\r\nwhile-it-runs\r\n");
    }
    ck_assert(one_save());
}
END_TEST

START_TEST(threads_or_memory_that_cannot_be_had_are_a_refusal_at_start)
{
    static const enum fault memory[] = {FAULT_mm_reserve, FAULT_mm_commit};

    snapshot_stop();
    snapshot_stop(); /* of nothing */
    for (unsigned i = 0; i < 2; i++) {
        fault_arm(memory[i], 1, false);
        ck_assert_int_eq(snapshot_start(), -ENOMEM);
        ck_assert_uint_eq(fault_disarm(), 1);
    }
    for (unsigned long n = 1; n <= 3; n++) {
        fault_arm(FAULT_thread_create, n, false);
        ck_assert_int_eq(snapshot_start(), -EAGAIN);
        fault_disarm();
    }
    fault_arm(FAULT_eventfd_create, 1, false);
    ck_assert_int_eq(snapshot_start(), -EMFILE);
    fault_disarm();
    ck_assert_int_eq(snapshot_start(), 0);
    ck_assert(one_save());
}
END_TEST

/* In a child: crash at the n-th step of a save.  What the directory holds then is the old dump or
 * the new one, whole.
 *
 * Which step is the n-th depends on the threads: the chunks of the joiner, which are steps too, are
 * as many as the writer is slow.  So more crashes in a row may come between the link of a kept dump
 * and the removal of the oldest than there are steps, and each of them leaves one more. */
START_TEST(after_a_crash_at_any_step_the_dump_is_the_old_or_the_new_one)
{
    unsigned long old_ones = 0, new_ones = 0;
    int status = FAULT_CRASH_STATUS << 8, kept = 0;

    config.snapshot_verify = _i % 2 != 0;
    config.snapshot_retain = 3 * (_i / 2);
    snapshot_stop(); /* threads do not survive the fork of this test */
    for (unsigned long n = 1; WEXITSTATUS(status) == FAULT_CRASH_STATUS; n++) {
        struct lab_digest now, found;
        int kept_before = kept;
        pid_t pid;

        lab_run("incr n;set step x");
        now = lab_quiet();
        if ((pid = fork()) == 0) {
            if (snapshot_start() < 0)
                _exit(3);
            fault_arm_crash(n);
            (void)lab_reply("save");
            _exit(0);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFEXITED(status) &&
                  (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == FAULT_CRASH_STATUS));
        found = lab_file("dump.rdb");
        ck_assert_int_eq(found.error, 0);
        if (lab_same(found, now)) {
            new_ones++;
            saved = now;
        } else {
            ck_assert_msg(lab_same(found, saved), "crash at step %lu: neither old nor new", n);
            old_ones++;
        }
        ck_assert_int_eq(system("rm -f temp-*.rdb"), 0);
        kept = kept_dumps(false);
        if (WEXITSTATUS(status) == 0)
            ck_assert_int_le(kept, config.snapshot_retain); /* whatever the crashes left */
        else
            ck_assert_int_le(kept, kept_before + (config.snapshot_retain > 0));
        ck_assert_int_eq(files_in("."), 1 + kept);
    }
    ck_assert_uint_gt(old_ones, 3);
    ck_assert_uint_gt(new_ones, 0);
    ck_assert_int_eq(snapshot_start(), 0);
    for (int i = 0; i < config.snapshot_retain; i++)
        ck_assert(one_save());
    ck_assert_int_eq(kept_dumps(true), config.snapshot_retain);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("fault/save");
    TCase *t = tcase_create("save"), *crash = tcase_create("crash");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 600);
    tcase_add_loop_test(t, a_save_survives_the_failure_of_each_step, 0,
                        2 * (int)(sizeof points / sizeof *points));
    tcase_add_loop_test(t, a_save_that_is_read_back_survives_the_failure_of_each_step, 0,
                        2 * (int)(sizeof verify_points / sizeof *verify_points));
    tcase_add_test(t, a_dump_that_was_damaged_behind_our_back_does_not_replace_the_old_one);
    tcase_add_loop_test(t, a_dump_that_cannot_be_read_back_is_not_called_damaged, 0, 4);
    tcase_add_test(t, without_reading_it_back_a_damaged_dump_is_not_noticed);
    tcase_add_loop_test(t, what_cannot_be_kept_fails_no_save, 0,
                        sizeof retain_points / sizeof *retain_points);
    tcase_add_test(t, a_failure_that_may_stay_silent_does);
    tcase_add_loop_test(t, a_save_does_without_malloc_for_its_buffers, 0, 2);
    tcase_add_test(t, without_memory_for_a_page_the_save_is_given_up_and_the_write_is_not);
    tcase_add_test(t, threads_or_memory_that_cannot_be_had_are_a_refusal_at_start);
    suite_add_tcase(s, t);
    tcase_add_checked_fixture(crash, setup, teardown);
    tcase_set_timeout(crash, 600);
    tcase_add_loop_test(crash, after_a_crash_at_any_step_the_dump_is_the_old_or_the_new_one, 0, 4);
    suite_add_tcase(s, crash);
    return run_suite(s);
}

#else

int
main(void)
{
    printf("fault points are compiled out in this flavour\n");
    return 0;
}

#endif
