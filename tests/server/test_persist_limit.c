/* tests/server/test_persist_limit.c - snapshot-memory-limit: who waits near it, when the save
 * is given up, and what is told of that.  The disk is held, so that a save lasts until it is let
 * go. */
#include <check.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mm/base/clock.h"
#include "mm/base/os.h"
#include "mm/cut.h"
#include "mm/mm.h"
#include "server/config/config.h"
#include "server/exec/exec.h"
#include "server/persist/persist.h"
#include "tests/support/lab.h"
#include "tests/support/runner.h"
#include "tests/support/save_lab.h"

/* While it is held, the disk takes no more than what a sink has in its buffer. */
enum { BUFFER_LEAST_BYTES = 4096 };
static _Atomic bool disk_is_held;

/* In the place of the C library's. */
ssize_t
write(int fd, const void *p, size_t n)
{
    while (n >= BUFFER_LEAST_BYTES && disk_is_held)
        usleep(1000);
    return syscall(SYS_write, fd, p, n);
}

static void
end_save(void)
{
    disk_is_held = false;
    finish();
}

static void
close_lab(void)
{
    disk_is_held = false; /* a test that failed has left it so */
    save_lab_close();
}

static bool
writers_wait(void)
{
    clock_now.turn_ns = os_monotonic_ns(); /* another turn of the loop */
    return exec_gates.writers_wait();
}

/* give_back: what the last save left with memory is no growth of the next one. */
static void
give_back(void)
{
    while (mm_tidy(1000) != MM_TIDY_DONE)
        usleep(1000);
}

static void
begin_at(int64_t limit)
{
    give_back();
    config.snapshot_memory_limit = limit;
    clock_now.turn_ns = os_monotonic_ns();
    disk_is_held = true;
    ck_assert_str_eq(lab_reply("bgsave"), "+Background saving started\r\n");
}

/* finish_given_up: it is noticed before the disk goes on. */
static void
finish_given_up(void)
{
    persist_poll();
    end_save();
}

/* C2: one write that needs more copies than the limit leaves has its reply, and the save is given
 * up; and while what a save holds is at the limit, nobody writes. */
START_TEST(the_memory_of_a_save_has_a_limit)
{
    enum { LIMIT = 2 << 20 };
    struct mm_figures f;

    lab_run("setrange s 40000000 x;set t @3000000*x");
    begin_at(LIMIT);
    ck_assert(!writers_wait());
    lab_run("setrange t 0 @1500000*y");
    ck_assert(writers_wait());
    for (int i = 0; i < 8; i++) {
        char command[64];

        snprintf(command, sizeof command, "setrange s %d @4000000*z", i * 4500000);
        lab_run(command);
    }
    mm_figures(&f);
    ck_assert_uint_ge(f.preserved_bytes, LIMIT * 3 / 4); /* tables are counted, too */
    ck_assert_uint_le(f.preserved_bytes, LIMIT + 4096);
    ck_assert(mm_cut_is_broken());
    end_save();
    ck_assert(!writers_wait());
    config.snapshot_memory_limit = 0;
    background();
    expect("rdb_last_bgsave_status:ok");
}
END_TEST

/* There is no new dump, and whoever looks is told so; but a write that is refused would help
 * nobody. */
START_TEST(a_save_that_is_given_up_for_its_memory_refuses_no_write)
{
    lab_run("setrange s 40000000 x");
    begin_at(1 << 20);
    lab_run("setrange s 0 @4000000*z");
    finish_given_up();
    expect("rdb_last_bgsave_status:err");
    expect("snapshot_given_up:1\r\n");
    ck_assert_ptr_null(persist_write_error());
    lab_run("set a 2");
    make_saves_fail(true);
    config.snapshot_memory_limit = 0;
    background();
    ck_assert_ptr_nonnull(persist_write_error());
    make_saves_fail(false);
    begin_at(1 << 20);
    config.stop_writes_on_bgsave_error = false;
    lab_run("setrange s 0 @4000000*z");
    config.stop_writes_on_bgsave_error = true;
    finish_given_up();
    expect("snapshot_given_up:2\r\n");
    ck_assert_ptr_nonnull(persist_write_error()); /* the disk has not shown that it is well */
}
END_TEST

START_TEST(with_policy_cancel_no_writer_waits)
{
    lab_run("setrange s 40000000 x;set t @3000000*x");
    config.snapshot_memory_policy = MEMORY_CANCEL;
    begin_at(2 << 20);
    lab_run("setrange t 0 @1500000*y");
    ck_assert(!writers_wait());
    ck_assert(!writers_wait());
    finish_given_up();
    expect("rdb_last_bgsave_status:err");
    expect("snapshot_given_up:1\r\n");
    expect("snapshot_writers_delayed:0\r\n");
}
END_TEST

START_TEST(what_is_deleted_in_a_save_makes_nobody_wait)
{
    lab_run("set t @30000000*x;set u @1000*u");
    begin_at(2 << 20);
    lab_run("del t;set u @1000*v");
    ck_assert(!writers_wait());
    end_save();
    expect("rdb_last_bgsave_status:ok");
}
END_TEST

START_TEST(what_is_new_in_a_save_makes_nobody_wait)
{
    begin_at(2 << 20);
    lab_run("set t @30000000*x;setrange u 20000000 y");
    ck_assert(!writers_wait());
    end_save();
    expect("rdb_last_bgsave_status:ok");
}
END_TEST

/* Near the limit writers go on, but no faster than what lets the room last. */
START_TEST(near_the_limit_writers_go_on_in_steps)
{
    struct mm_cut_memory m;
    int waited = 0, went_on = 0;

    lab_run("set t @60000000*x");
    begin_at(32 << 20);
    lab_run("setrange t 0 @15000000*y"); /* above half of what they may have */
    for (int i = 0; waited == 0 || went_on < 20; i++) {
        char command[64];

        if (writers_wait()) {
            waited++;
            usleep(100);
            continue;
        }
        snprintf(command, sizeof command, "setrange t %d @20000*z", 16000000 + 20000 * i);
        lab_run(command);
        went_on++;
    }
    m = mm_cut_memory();
    ck_assert_int_gt(waited, 0);
    ck_assert_uint_lt(m.held_bytes, 28 << 20);
    expect("snapshot_throttled:1\r\n");
    expect("snapshot_writers_delayed:1\r\n");
    end_save();
    expect("snapshot_throttled:0\r\n");
    expect("rdb_last_bgsave_status:ok");
}
END_TEST

START_TEST(near_the_limit_a_burst_is_short)
{
    lab_run("set t @60000000*x");
    begin_at(32 << 20);
    lab_run("setrange t 0 @16000000*y");
    usleep(150 * 1000);
    ck_assert(!writers_wait());
    lab_run("setrange t 16000000 @3000000*z");
    ck_assert(exec_gates.writers_wait()); /* in the same turn */
    end_save();
}
END_TEST

START_TEST(while_writers_wait_nothing_expires)
{
    lab_run("set t @3000000*x;set gone 1 px 5");
    begin_at(2 << 20);
    lab_run("setrange t 0 @1500000*y;pass 10");
    ck_assert(writers_wait());
    ck_assert_str_eq(lab_reply("get gone"), "$-1\r\n");
    ck_assert_str_eq(lab_reply("dbsize"), ":5\r\n");
    end_save();
    ck_assert_str_eq(lab_reply("get gone"), "$-1\r\n");
    ck_assert_str_eq(lab_reply("dbsize"), ":4\r\n");
}
END_TEST

START_TEST(a_limit_in_percent_is_of_the_data_at_the_cut)
{
    struct mm_figures f;
    char line[64];

    lab_run("set t @100000000*x");
    mm_figures(&f);
    begin_at(-25);
    lab_run("set u @10000000*y");
    snprintf(line, sizeof line, "snapshot_memory_limit_bytes:%zu\r\n", f.live_bytes / 4);
    expect(line);
    lab_run("config set snapshot-memory-limit 50%");
    snprintf(line, sizeof line, "snapshot_memory_limit_bytes:%zu\r\n", f.live_bytes / 2);
    expect(line);
    lab_run("config set snapshot-memory-limit 1%"); /* never less */
    expect("snapshot_memory_limit_bytes:16777216\r\n");
    lab_run("config set snapshot-memory-limit 0");
    expect("snapshot_memory_limit_bytes:0\r\n");
    end_save();
}
END_TEST

START_TEST(a_limit_that_is_changed_acts_at_once)
{
    lab_run("set t @3000000*x");
    begin_at(0);
    lab_run("setrange t 0 @1500000*y");
    ck_assert(!writers_wait());
    lab_run("config set snapshot-memory-limit 2mb");
    ck_assert(writers_wait());
    lab_run("config set snapshot-memory-limit 32mb");
    ck_assert(!writers_wait());
    end_save();
    expect("rdb_last_bgsave_status:ok");
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("server/persist_limit");
    TCase *t = tcase_create("limit");

    tcase_add_checked_fixture(t, save_lab_open, close_lab);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, the_memory_of_a_save_has_a_limit);
    tcase_add_test(t, a_save_that_is_given_up_for_its_memory_refuses_no_write);
    tcase_add_test(t, with_policy_cancel_no_writer_waits);
    tcase_add_test(t, what_is_deleted_in_a_save_makes_nobody_wait);
    tcase_add_test(t, what_is_new_in_a_save_makes_nobody_wait);
    tcase_add_test(t, near_the_limit_writers_go_on_in_steps);
    tcase_add_test(t, near_the_limit_a_burst_is_short);
    tcase_add_test(t, while_writers_wait_nothing_expires);
    tcase_add_test(t, a_limit_in_percent_is_of_the_data_at_the_cut);
    tcase_add_test(t, a_limit_that_is_changed_acts_at_once);
    suite_add_tcase(s, t);
    return run_suite(s);
}
