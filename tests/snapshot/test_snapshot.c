/* tests/snapshot/test_snapshot.c - snapshots as jobs: the thread, grace periods, cancel, files. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mm/heap_impl.h"
#include "snapshot/rdb/rdb.h"
#include "snapshot/rdb/rdb_dec.h"
#include "snapshot/snapshot.h"
#include "snapshot/sweeper.h"
#include "tests/snapshot/toy.h"
#include "tests/support/runner.h"
#include "tests/support/scratch.h"

static struct toy toy;
static char dir[SCRATCH_BYTES];

/* What the sweep has seen, to compare with the digest of the cut. */
struct seen {
    uint64_t sum, count;
};

static int
save_begin(void *cut, struct rdb_enc *e)
{
    (void)cut;
    rdb_put_aux(e, "redis-ver", "7.2.0");
    rdb_put_selectdb(e, 0);
    return 0;
}

static int
save_record(void *cut, struct view *v, struct rdb_enc *e, const void *live, const uint8_t *staged,
            size_t staged_bytes)
{
    const struct toy_record *r = (const struct toy_record *)(const void *)staged;
    struct seen *seen = cut;
    unsigned char *value = r->value_bytes != 0 ? malloc(r->value_bytes) : NULL;
    char name[16];
    int n = snprintf(name, sizeof name, "key%u", r->key), err;

    (void)live;
    (void)staged_bytes;
    if (value != NULL && (err = view_read(v, value, r->value, r->value_bytes)) < 0) {
        free(value);
        return err;
    }
    seen->sum += toy_record_hash(r, value);
    seen->count++;
    rdb_put_byte(e, RDB_TYPE_STRING);
    rdb_put_string(e, name, (size_t)n);
    rdb_put_string(e, r->payload, r->bytes);
    free(value);
    return 1;
}

static const struct snapshot_ops ops = {.save_begin = save_begin, .save_record = save_record};

static void
setup(void)
{
    scratch_make(dir, "job");
    ck_assert_int_eq(chdir(dir), 0);
    ck_assert_int_eq(mm_init(&(struct mm_options){.arena_bytes = (size_t)1 << 30}), 0);
    ck_assert_int_eq(snapshot_start(), 0);
    toy_init(&toy, 5000, 300, 2000, 5);
    for (uint32_t k = 0; k < toy.keys; k++)
        toy_set(&toy, k);
}

static void
teardown(void)
{
    snapshot_stop();
    free(toy.slot);
    mm_fini();
    unlink("dump.rdb");
    ck_assert_int_eq(rmdir(dir), 0);
}

static int
count_key(void *ctx, const struct rdb_key *k)
{
    (void)k;
    ++*(uint64_t *)ctx;
    return 0;
}

static uint64_t
keys_in_file(const char *path)
{
    static const struct rdb_events events = {.key = count_key};
    struct rdb_source *src;
    struct rdb_error err;
    uint64_t n = 0;

    ck_assert_int_eq(rdb_source_file(path, &src), 0);
    ck_assert_int_eq(rdb_decode(src, &events, &n, true, &err), 0);
    rdb_source_close(src);
    return n;
}

/* one: a snapshot beside writes; cancelled after that many polls (0: not). */
static struct snapshot_end
one(unsigned cancel_after)
{
    struct seen seen = {0};
    struct snapshot_request rq = {
        .ops = &ops, .cut = &seen, .path = "dump.rdb", .rdb_version = 10, .checksum = true};
    struct snapshot_end end;
    uint64_t count, want = toy_digest(&toy, &count);
    unsigned polls = 0;

    rq.keys_total = count;
    ck_assert(snapshot_is_ready());
    ck_assert_int_eq(snapshot_begin(&rq), 0);
    ck_assert_int_eq(snapshot_begin(&rq), -EBUSY);
    while (!snapshot_poll(5, &end)) {
        for (int i = 0; i < 20; i++)
            toy_mutate(&toy);
        if (++polls == cancel_after)
            snapshot_cancel();
        if (polls % 16 == 0) { /* as the loop does when nothing is ready */
            snapshot_offline();
            usleep(50);
            snapshot_online();
        } else {
            snapshot_quiescent();
        }
    }
    if (end.error == 0) {
        ck_assert_uint_eq(seen.count, count);
        ck_assert_uint_eq(seen.sum, want);
        ck_assert_uint_eq(end.keys, count);
        ck_assert_uint_eq(keys_in_file("dump.rdb"), count);
    }
    ck_assert(snapshot_is_ready());
    mm_check();
    return end;
}

START_TEST(snapshots_back_to_back_are_each_of_their_instant)
{
    for (int i = 0; i < 25; i++)
        ck_assert_int_eq(one(0).error, 0);
}
END_TEST

START_TEST(a_cancel_at_any_time_ends_it_and_the_next_one_is_whole)
{
    unsigned cancelled = 0;

    for (unsigned i = 0; i < 60; i++) {
        struct snapshot_end end = one(1 + (unsigned)(toy_random(&toy) % (i + 1)));

        ck_assert(end.error == 0 || end.error == -ECANCELED);
        cancelled += end.error != 0;
        if (i % 10 == 9)
            ck_assert_int_eq(one(0).error, 0);
    }
    ck_assert_uint_gt(cancelled, 0);
}
END_TEST

START_TEST(a_directory_that_is_not_there_is_an_error_with_its_name)
{
    struct seen seen = {0};
    struct snapshot_request rq = {
        .ops = &ops, .cut = &seen, .path = "nowhere/dump.rdb", .rdb_version = 10};
    struct snapshot_end end;

    ck_assert_int_eq(snapshot_begin(&rq), 0);
    while (!snapshot_poll(100, &end))
        snapshot_wait();
    ck_assert_int_eq(end.error, -ENOENT);
    ck_assert_ptr_nonnull(strstr(end.text, "nowhere/dump.rdb"));
    ck_assert_ptr_nonnull(strstr(end.text, "No such file"));
    ck_assert_int_eq(one(0).error, 0);
}
END_TEST

START_TEST(a_sweep_that_misses_a_key_is_an_error_and_no_file)
{
    struct seen seen = {0};
    struct snapshot_request rq = {.ops = &ops,
                                  .cut = &seen,
                                  .path = "dump.rdb",
                                  .rdb_version = 10,
                                  .keys_total = toy.keys + 1};
    struct snapshot_end end;

    ck_assert_int_eq(snapshot_begin(&rq), 0);
    while (!snapshot_poll(100, &end))
        snapshot_wait();
    ck_assert_int_eq(end.error, -EBADMSG);
    ck_assert_int_eq(access("dump.rdb", F_OK), -1);
}
END_TEST

START_TEST(stopping_while_one_runs_leaves_no_temporary_file)
{
    struct seen seen = {0};
    struct snapshot_request rq = {.ops = &ops, .cut = &seen, .path = "dump.rdb", .rdb_version = 10};

    ck_assert_int_eq(snapshot_begin(&rq), 0);
    snapshot_stop();
    ck_assert_int_eq(snapshot_start(), 0);
}
END_TEST

/* ---- C1: the looks of the sweep itself ---- */

static _Atomic bool cancel;
static struct mm_sweep seen_at_cancel;

static int
save_nothing(void *cut, struct rdb_enc *e)
{
    (void)cut;
    (void)e;
    return 0;
}

/* save_and_cancel: as if the cancel came, and its grace period ended, while the sink wrote this
 * record. */
static int
save_and_cancel(void *cut, struct view *v, struct rdb_enc *e, const void *live,
                const uint8_t *staged, size_t staged_bytes)
{
    (void)v;
    (void)e;
    (void)live;
    (void)staged;
    (void)staged_bytes;
    atomic_store_explicit(&cancel, *(bool *)cut, memory_order_release);
    return 1;
}

static void
cancel_between(void *ctx)
{
    seen_at_cancel = *(struct mm_sweep *)ctx;
    atomic_store_explicit(&cancel, true, memory_order_release);
}

/* sweep_cancelled: two slabs with a record each; in_record: the cancel comes with the first record,
 * else between the slabs.  *ret_done: how many blocks were said to be done. */
static struct mm_sweep
sweep_cancelled(bool in_record, unsigned *ret_done)
{
    static uint8_t staging[VIEW_CHUNK_BYTES];
    static const struct snapshot_ops cancelling = {.save_begin = save_nothing,
                                                   .save_record = save_and_cancel};
    struct snapshot_request rq = {
        .ops = &cancelling, .cut = &in_record, .rdb_version = 10, .keys_total = 2};
    const void *small, *large;
    struct sweep_progress progress = {0};
    struct mm_sweep sweep;
    struct rdb_enc enc;
    struct sink *out;
    struct view view;
    epoch_t epoch;

    ck_assert_int_eq(mm_init(&(struct mm_options){.arena_bytes = (size_t)1 << 30}), 0);
    ck_assert_ptr_nonnull(small = mm_alloc(MM_RECORD, 16));
    ck_assert_ptr_nonnull(large = mm_alloc(MM_RECORD, 4096));
    ck_assert_int_eq(sink_memory_open(&out), 0);
    ck_assert_int_eq(rdb_enc_init(&enc, out, 10, false), 0);
    atomic_store_explicit(&cancel, false, memory_order_release);
    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    mm_sweep_init(&sweep);
    view_init(&view, epoch);
    view.cancel = &cancel;
    ck_assert_int_eq(sweep_run(&(struct sweep_options){.rq = &rq,
                                                       .sweep = &sweep,
                                                       .view = &view,
                                                       .enc = &enc,
                                                       .staging = staging,
                                                       .is_first = true,
                                                       .worker = rq.cut,
                                                       .progress = &progress,
                                                       .between = in_record ? NULL : cancel_between,
                                                       .between_ctx = &sweep}),
                     -ECANCELED);
    *ret_done = 0;
    for (uint32_t b = 1; b < heap.block_top; b++)
        *ret_done += block_is_swept(b);
    mm_cut_end();
    while (mm_settle(7))
        ;
    rdb_enc_fini(&enc);
    sink_close(out);
    mm_free(small);
    mm_free(large);
    mm_fini();
    return sweep;
}

/* A block that is said to be swept may be given to a cut that has begun meanwhile. */
START_TEST(no_block_is_done_after_a_cancel)
{
    unsigned done;

    (void)sweep_cancelled(true, &done);
    ck_assert_uint_eq(done, 0);
}
END_TEST

START_TEST(no_further_block_is_looked_at_after_a_cancel)
{
    struct mm_sweep sweep;
    unsigned done;

    sweep = sweep_cancelled(false, &done);
    ck_assert_uint_eq(done, 1);
    ck_assert_uint_eq(sweep.next_block, seen_at_cancel.next_block);
}
END_TEST

/* ---- a sweep that waits in the middle of a slab ---- */

static _Atomic bool is_reading, may_go_on;

static int
save_record_at_the_gate(void *cut, struct view *v, struct rdb_enc *e, const void *live,
                        const uint8_t *staged, size_t staged_bytes)
{
    struct seen *seen = cut;

    if (seen->count == 3) {
        atomic_store(&is_reading, true);
        while (!atomic_load(&may_go_on))
            usleep(100);
    }
    return save_record(cut, v, e, live, staged, staged_bytes);
}

static void
begin_at_the_gate(struct seen *seen, const char *path)
{
    static const struct snapshot_ops gated = {.save_begin = save_begin,
                                              .save_record = save_record_at_the_gate};
    struct snapshot_request rq = {.ops = &gated, .cut = seen, .path = path, .rdb_version = 10};

    toy_digest(&toy, &rq.keys_total);
    atomic_store(&is_reading, false);
    atomic_store(&may_go_on, false);
    ck_assert_int_eq(snapshot_begin(&rq), 0);
    snapshot_offline();
    while (!atomic_load(&is_reading))
        usleep(100);
    snapshot_online();
}

static int
end_at_the_gate(void)
{
    struct snapshot_end end;

    atomic_store(&may_go_on, true);
    while (!snapshot_poll(100, &end))
        snapshot_wait();
    return end.error;
}

/* keep_polling: for 50 ms, which is many grace periods if nobody reads. */
static void
keep_polling(bool cancelled)
{
    for (int i = 0; i < 50; i++) {
        struct snapshot_status status;
        struct snapshot_end end;
        struct mm_figures f;

        ck_assert(!snapshot_poll(100, &end));
        mm_figures(&f);
        ck_assert(f.cut_open);
        snapshot_status(&status);
        ck_assert_int_eq(status.state, SNAPSHOT_SWEEPING);
        ck_assert(status.cancelled == cancelled);
        snapshot_offline();
        usleep(1000);
        snapshot_online();
    }
}

START_TEST(a_cut_stays_open_while_the_sweep_reads) /* C1 */
{
    struct seen seen = {0};

    begin_at_the_gate(&seen, "dump.rdb");
    keep_polling(false);
    snapshot_cancel();
    keep_polling(true);
    ck_assert_int_eq(end_at_the_gate(), -ECANCELED);
    ck_assert_int_eq(one(0).error, 0);
}
END_TEST

START_TEST(a_dump_goes_where_the_directory_was_at_the_cut)
{
    struct seen seen = {0};

    begin_at_the_gate(&seen, "dump.rdb");
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(end_at_the_gate(), 0);
    ck_assert_int_eq(chdir(dir), 0);
    ck_assert_uint_eq(keys_in_file("dump.rdb"), seen.count);
}
END_TEST

/* ---- a file that does not become durable yet ---- */

static _Atomic bool sync_waits, is_syncing;

/* Stands before the C library's. */
int
fsync(int fd)
{
    if (atomic_load(&sync_waits)) {
        atomic_store(&is_syncing, true);
        while (atomic_load(&sync_waits))
            usleep(100);
    }
    return (int)syscall(SYS_fsync, fd);
}

static _Atomic bool wake_waits, is_waking;

/* The sweep tells that it has swept by a write to the eventfd. */
ssize_t
write(int fd, const void *bytes, size_t len)
{
    if (fd == snapshot_event_fd() && atomic_load(&wake_waits)) {
        atomic_store(&is_waking, true);
        while (atomic_load(&wake_waits))
            usleep(100);
    }
    return syscall(SYS_write, fd, bytes, len);
}

START_TEST(a_cancel_after_the_sweep_leaves_no_file)
{
    struct seen seen = {0};
    struct snapshot_request rq = {.ops = &ops, .cut = &seen, .path = "dump.rdb", .rdb_version = 10};
    struct snapshot_status status;
    struct snapshot_end end;

    toy_digest(&toy, &rq.keys_total);
    atomic_store(&is_waking, false);
    atomic_store(&wake_waits, true);
    ck_assert_int_eq(snapshot_begin(&rq), 0);
    snapshot_offline();
    while (!atomic_load(&is_waking))
        usleep(100);
    snapshot_online();
    snapshot_status(&status);
    ck_assert_int_eq(status.state, SNAPSHOT_WRITING);
    snapshot_cancel();
    atomic_store(&wake_waits, false);
    while (!snapshot_poll(100, &end))
        snapshot_wait();
    ck_assert_int_eq(end.error, -ECANCELED);
    ck_assert_int_eq(access("dump.rdb", F_OK), -1);
    ck_assert_int_eq(one(0).error, 0);
}
END_TEST

static void
give_others_a_turn(void)
{
    snapshot_offline();
    usleep(1000);
    snapshot_online();
}

START_TEST(memory_comes_back_before_the_file_is_durable_and_the_end_after_that)
{
    struct seen seen = {0};
    struct snapshot_request rq = {.ops = &ops, .cut = &seen, .path = "dump.rdb", .rdb_version = 10};
    struct snapshot_status status;
    struct snapshot_end end;
    struct mm_figures f;

    toy_digest(&toy, &rq.keys_total);
    atomic_store(&is_syncing, false);
    atomic_store(&sync_waits, true);
    ck_assert_int_eq(snapshot_begin(&rq), 0);
    for (uint32_t k = 0; k < toy.keys; k += 2)
        toy_delete(&toy, k);
    for (int i = 0; i < 50 || !atomic_load(&is_syncing) || !mm_cut_is_ready(); i++) {
        ck_assert(!snapshot_poll(100, &end));
        give_others_a_turn();
    }
    mm_figures(&f);
    ck_assert_uint_eq(f.preserved_bytes + f.retired_bytes, 0);
    snapshot_status(&status);
    ck_assert_int_eq(status.state, SNAPSHOT_WRITING);
    ck_assert_int_eq(access("dump.rdb", F_OK), -1);
    atomic_store(&sync_waits, false);
    while (!snapshot_poll(100, &end))
        snapshot_wait();
    ck_assert_int_eq(end.error, 0);
    ck_assert_uint_eq(keys_in_file("dump.rdb"), toy.keys);
}
END_TEST

START_TEST(a_save_ends_when_its_leftovers_are_settled)
{
    struct seen seen = {0};
    struct snapshot_status status;
    struct snapshot_end end;
    struct mm_figures f;
    unsigned polls = 0;

    begin_at_the_gate(&seen, "dump.rdb");
    for (uint32_t k = 0; k < toy.keys; k++)
        toy_delete(&toy, k);
    atomic_store(&may_go_on, true);
    do { /* until nothing is left to do but to settle */
        ck_assert(!snapshot_poll(0, &end));
        give_others_a_turn();
        mm_figures(&f);
        snapshot_status(&status);
    } while (status.state != SNAPSHOT_ENDING || f.cut_open);
    ck_assert_uint_gt(f.retired_bytes, 0);
    while (!snapshot_poll(1, &end)) {
        ck_assert(snapshot_wants_poll());
        polls++;
    }
    ck_assert_uint_gt(polls, 10);
    mm_figures(&f);
    ck_assert_uint_eq(f.retired_bytes, 0);
    ck_assert_int_eq(end.error, 0);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("snapshot/snapshot");
    TCase *t = tcase_create("snapshot"), *looks = tcase_create("looks");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 300);
    tcase_add_test(t, snapshots_back_to_back_are_each_of_their_instant);
    tcase_add_test(t, a_cancel_at_any_time_ends_it_and_the_next_one_is_whole);
    tcase_add_test(t, a_directory_that_is_not_there_is_an_error_with_its_name);
    tcase_add_test(t, a_sweep_that_misses_a_key_is_an_error_and_no_file);
    tcase_add_test(t, stopping_while_one_runs_leaves_no_temporary_file);
    tcase_add_test(t, a_cut_stays_open_while_the_sweep_reads);
    tcase_add_test(t, a_dump_goes_where_the_directory_was_at_the_cut);
    tcase_add_test(looks, no_block_is_done_after_a_cancel);
    tcase_add_test(looks, no_further_block_is_looked_at_after_a_cancel);
    suite_add_tcase(s, looks);
    tcase_add_test(t, memory_comes_back_before_the_file_is_durable_and_the_end_after_that);
    tcase_add_test(t, a_cancel_after_the_sweep_leaves_no_file);
    tcase_add_test(t, a_save_ends_when_its_leftovers_are_settled);
    suite_add_tcase(s, t);
    return run_suite(s);
}
