/* tests/snapshot/test_snapshot_ends.c - snapshots that cannot begin, or end where they begin: each
 * says why, leaves no file, and the next one is whole. */
#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "snapshot/snapshot.h"
#include "tests/support/runner.h"
#include "tests/support/scratch.h"

static char dir[SCRATCH_BYTES];

static void
start(epoch_t first_epoch)
{
    scratch_make(dir, "ends");
    ck_assert_int_eq(chdir(dir), 0);
    ck_assert_int_eq(
        mm_init(&(struct mm_options){.arena_bytes = (size_t)1 << 30, .first_epoch = first_epoch}),
        0);
    ck_assert_int_eq(snapshot_start(), 0);
}

static void
stop(void)
{
    snapshot_stop();
    mm_fini();
    unlink("dump.rdb");
    ck_assert_int_eq(rmdir(dir), 0);
}

static int begins; /* what save_begin() returns */
static bool has_worker;

static int
save_begin(void *cut, struct rdb_enc *e)
{
    (void)cut;
    (void)e;
    return begins;
}

static int
save_record(void *cut, struct view *v, struct rdb_enc *e, const void *live, const uint8_t *staged,
            size_t staged_bytes)
{
    (void)cut;
    (void)v;
    (void)e;
    (void)live;
    (void)staged;
    (void)staged_bytes;
    return SAVE_NO_KEY;
}

static void *
worker_new(void *cut)
{
    return has_worker ? cut : NULL;
}

static void
worker_free(void *worker)
{
    ck_assert_ptr_nonnull(worker);
}

static int
refuse(void *ctx, struct sink **ret)
{
    (void)ctx;
    (void)ret;
    return -EPIPE;
}

static const struct snapshot_ops plain = {.save_begin = save_begin, .save_record = save_record};
static const struct snapshot_ops with_workers = {.save_begin = save_begin,
                                                 .save_record = save_record,
                                                 .worker_new = worker_new,
                                                 .worker_free = worker_free};

static struct snapshot_request
request(const struct snapshot_ops *ops)
{
    static int cut;

    begins = 0;
    has_worker = true;
    return (struct snapshot_request){
        .ops = ops, .cut = &cut, .path = "dump.rdb", .rdb_version = 10, .checksum = true};
}

static struct snapshot_end
run(const struct snapshot_request *rq)
{
    struct snapshot_end end;

    ck_assert_int_eq(snapshot_begin(rq), 0);
    while (!snapshot_poll(100, &end))
        snapshot_wait();
    ck_assert(snapshot_is_ready());
    ck_assert_int_eq(access("dump.rdb", F_OK), end.error == 0 ? 0 : -1);
    return end;
}

static void
check_next(void)
{
    struct snapshot_request rq = request(&with_workers);

    rq.threads = 2;
    ck_assert_int_eq(run(&rq).error, 0);
}

START_TEST(with_none_there_is_nothing_to_poll_and_nothing_to_wait_for)
{
    struct snapshot_end end;
    struct snapshot_status now;

    start(0);
    ck_assert(!snapshot_poll(100, &end));
    snapshot_wait(); /* a test that waited for ever would tell */
    snapshot_cancel();
    snapshot_status(&now);
    ck_assert_int_eq(now.state, SNAPSHOT_IDLE);
    check_next();
    stop();
    snapshot_stop();
}
END_TEST

START_TEST(when_the_epochs_are_used_up_none_begins)
{
    struct snapshot_request rq = request(&plain);

    start(UINT32_MAX);
    ck_assert_int_eq(snapshot_begin(&rq), -EOVERFLOW);
    ck_assert(snapshot_is_ready());
    stop();
}
END_TEST

START_TEST(a_head_that_cannot_be_written_is_told)
{
    struct snapshot_request rq = request(&plain);
    struct snapshot_end end;

    start(0);
    begins = -EPROTO;
    end = run(&rq);
    ck_assert_int_eq(end.error, -EPROTO);
    ck_assert_str_eq(end.text, strerror(EPROTO));
    check_next();
    stop();
}
END_TEST

START_TEST(a_worker_without_memory_is_told)
{
    struct snapshot_request rq = request(&with_workers);
    struct snapshot_end end;

    start(0);
    has_worker = false;
    end = run(&rq);
    ck_assert_int_eq(end.error, -ENOMEM);
    ck_assert_str_eq(end.text, strerror(ENOMEM));
    check_next();
    stop();
}
END_TEST

START_TEST(what_is_no_file_and_does_not_open_is_told_by_its_name)
{
    struct snapshot_request rq = request(&plain);
    struct snapshot_end end;

    start(0);
    rq.path = "the reader";
    rq.open = refuse;
    end = run(&rq);
    ck_assert_int_eq(end.error, -EPIPE);
    ck_assert_str_eq(end.text, "open of the reader: Broken pipe");
    check_next();
    stop();
}
END_TEST

START_TEST(where_the_working_directory_is_gone_a_relative_path_leads_nowhere)
{
    struct snapshot_request rq = request(&plain);
    struct snapshot_end end;

    start(0);
    ck_assert_int_eq(mkdir("gone", 0700), 0);
    ck_assert_int_eq(chdir("gone"), 0);
    ck_assert_int_eq(rmdir("../gone"), 0);
    end = run(&rq);
    ck_assert_int_eq(end.error, -ENOENT);
    ck_assert_str_eq(end.text,
                     "open of a temporary file beside dump.rdb: No such file or directory");
    ck_assert_int_eq(chdir(dir), 0);
    check_next();
    stop();
}
END_TEST

START_TEST(no_more_threads_sweep_than_there_may_be)
{
    struct snapshot_request rq = request(&with_workers);
    char path[SCRATCH_BYTES + 16];

    start(0);
    snprintf(path, sizeof path, "%s/dump.rdb", dir);
    rq.path = path; /* from the root */
    ck_assert_uint_eq(snapshot_threads(SNAPSHOT_THREADS_MAX + 100), SNAPSHOT_THREADS_MAX);
    rq.threads = SNAPSHOT_THREADS_MAX + 100;
    ck_assert_int_eq(run(&rq).error, 0);
    stop();
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("snapshot/snapshot_ends");
    TCase *t = tcase_create("ends");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, with_none_there_is_nothing_to_poll_and_nothing_to_wait_for);
    tcase_add_test(t, when_the_epochs_are_used_up_none_begins);
    tcase_add_test(t, a_head_that_cannot_be_written_is_told);
    tcase_add_test(t, a_worker_without_memory_is_told);
    tcase_add_test(t, what_is_no_file_and_does_not_open_is_told_by_its_name);
    tcase_add_test(t, where_the_working_directory_is_gone_a_relative_path_leads_nowhere);
    tcase_add_test(t, no_more_threads_sweep_than_there_may_be);
    suite_add_tcase(s, t);
    return run_suite(s);
}
