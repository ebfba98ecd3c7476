/* tests/server/test_rehearsal.c - the save that is tried at the start: it touches what a save
 * touches, and leaves no trace but that. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "mm/base/fault.h"
#include "mm/mm.h"
#include "server/data/db/db.h"
#include "server/persist/persist.h"
#include "snapshot/snapshot.h"
#include "tests/support/lab.h"
#include "tests/support/runner.h"
#include "tests/support/save_lab.h"

static void
empty(void)
{
    for (int i = 0; i < db_count(); i++)
        (void)db_flush(i);
    while (db_free_dead(1000))
        ;
}

START_TEST(it_takes_a_cut_and_nobody_is_told)
{
    struct mm_figures before, after;
    char *told;
    struct stat st;

    empty();
    mm_figures(&before);
    ck_assert_ptr_nonnull(told = strdup(lab_reply("info persistence")));
    ck_assert_ptr_nonnull(strstr(told, "snapshot_epoch:"));
    *strstr(told, "snapshot_epoch:") = '\0'; /* all before it stays as it was */
    persist_rehearse();
    mm_figures(&after);
    ck_assert_uint_eq(after.epoch, before.epoch + 1); /* it was a cut, ... */
    ck_assert(snapshot_is_ready());                   /* ... and is over */
    ck_assert_int_eq(strncmp(lab_reply("info persistence"), told, strlen(told)), 0);
    ck_assert_int_eq(persist_last_begin_us(), 0);
    free(told);
    ck_assert_int_lt(stat("dump.rdb", &st), 0);
    background();
    expect("rdb_saves:1\r\n");
    ck_assert_int_eq(stat("dump.rdb", &st), 0);
}
END_TEST

#ifdef STILLFRAME_FAULTS
START_TEST(if_it_fails_the_next_save_does_not)
{
    static const enum fault points[] = {FAULT_job_alloc, FAULT_sink_buffer};

    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        fault_arm(points[i], 1, false);
        persist_rehearse();
        ck_assert_uint_eq(fault_disarm(), 1);
        ck_assert(snapshot_is_ready());
        expect("rdb_last_bgsave_status:ok");
        expect("rdb_saves_failed:0\r\n");
    }
    background();
    expect("rdb_saves:1\r\n");
}
END_TEST
#endif

int
main(void)
{
    Suite *s = suite_create("server/rehearsal");
    TCase *t = tcase_create("rehearsal");

    tcase_add_checked_fixture(t, save_lab_open, save_lab_close);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, it_takes_a_cut_and_nobody_is_told);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(t, if_it_fails_the_next_save_does_not);
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
