/* tests/snapshot/test_cut.c - what a sweep reads is the instant of the cut, whatever is written
 * meanwhile. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "mm/base/fault.h"
#include "mm/base/os.h"
#include "mm/page.h"
#include "snapshot/sweeper.h"
#include "tests/snapshot/toy.h"
#include "tests/support/runner.h"

static struct toy toy;

static void
setup(void)
{
    ck_assert_int_eq(mm_init(&(struct mm_options){.arena_bytes = (size_t)2 << 30}), 0);
}

static void
teardown(void)
{
    free(toy.slot);
    toy.slot = NULL;
    mm_fini();
}

static void
settle_all(void)
{
    while (mm_settle(7))
        ;
    ck_assert(mm_cut_is_ready());
}

/* One cut, swept block by block with writes in between: equal digests. */
static void
one_cut(unsigned writes_per_block, unsigned cancel_one_in)
{
    uint64_t want_count, want = toy_digest(&toy, &want_count), sum = 0, count = 0;
    struct mm_sweep sw;
    struct mm_extent x;
    struct view v;
    epoch_t epoch;
    bool cancelled = false;

    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    mm_sweep_init(&sw);
    view_init(&v, epoch);
    do {
        for (unsigned i = 0; i < writes_per_block; i++)
            toy_mutate(&toy);
        mm_settle((unsigned)(toy_random(&toy) % 4));
        if (cancel_one_in != 0 && toy_random(&toy) % cancel_one_in == 0) {
            cancelled = true;
            break;
        }
        if (!mm_sweep_next(&sw, &x))
            break;
        ck_assert_int_eq(toy_sweep_extent(&v, &x, &sum, &count), 0);
        mm_sweep_done(&sw, &x);
    } while (true);
    mm_check();
    mm_cut_end();
    for (unsigned i = 0; i < 3; i++) { /* writes while leftovers are worked off */
        toy_mutate(&toy);
        mm_settle(2);
    }
    mm_check();
    settle_all();
    mm_check();
    if (cancelled)
        return;
    ck_assert_uint_eq(count, want_count);
    ck_assert_uint_eq(sum, want);
}

/* S1, S2, V1: hundreds of cuts in a row over the same data, so that what one leaves behind would
 * show in the next. */
START_TEST(a_sweep_reads_the_instant_of_its_cut)
{
    toy_init(&toy, 3000, 400, 3000, (uint64_t)_i + 1);
    for (uint32_t k = 0; k < toy.keys; k++)
        toy_set(&toy, k);
    for (int i = 0; i < 60; i++)
        one_cut(1 + (unsigned)(toy_random(&toy) % 200), 0);
}
END_TEST

START_TEST(huge_records_and_values_too)
{
    toy_init(&toy, 60, 100000, 400000, (uint64_t)_i + 77);
    for (uint32_t k = 0; k < toy.keys; k++)
        toy_set(&toy, k);
    for (int i = 0; i < 30; i++)
        one_cut(1 + (unsigned)(toy_random(&toy) % 20), 0);
}
END_TEST

START_TEST(a_cancelled_cut_leaves_nothing_for_the_next)
{
    toy_init(&toy, 1000, 300, 1000, (uint64_t)_i + 7);
    for (uint32_t k = 0; k < toy.keys; k++)
        toy_set(&toy, k);
    for (int i = 0; i < 200; i++)
        one_cut(30, 8);
    one_cut(30, 0);
}
END_TEST

START_TEST(no_cut_begins_over_leftovers) /* S1 */
{
    epoch_t epoch;

    toy_init(&toy, 100, 100, 0, 1);
    for (uint32_t k = 0; k < toy.keys; k++)
        toy_set(&toy, k);
    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    ck_assert_int_eq(mm_cut_begin(&epoch), -EBUSY);
    toy_delete(&toy, 1);
    mm_cut_end();
    ck_assert_int_eq(mm_cut_begin(&epoch), -EBUSY);
    settle_all();
    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    mm_cut_end();
}
END_TEST

START_TEST(the_last_epoch_is_refused_and_not_wrapped)
{
    epoch_t epoch;

    mm_fini();
    ck_assert_int_eq(
        mm_init(&(struct mm_options){.arena_bytes = 1 << 30, .first_epoch = UINT32_MAX - 1}), 0);
    toy_init(&toy, 10, 100, 0, 1);
    toy_set(&toy, 1);
    one_cut(5, 0);
    ck_assert_int_eq(mm_cut_begin(&epoch), -EOVERFLOW);
}
END_TEST

START_TEST(a_write_into_a_huge_value_preserves_the_pages_that_it_touches)
{
    struct mm_figures f;
    epoch_t epoch;

    toy_init(&toy, 2, 100, 0, 1);
    toy.slot[0] = toy_new(&toy, 0, 10, (size_t)64 << 20);
    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    toy_poke(&toy, 0);
    mm_figures(&f);
    ck_assert_uint_ge(f.preserved_pages, 1);
    ck_assert_uint_le(f.preserved_pages, 2);
    mm_cut_end();
    settle_all();
}
END_TEST

#ifdef STILLFRAME_FAULTS
START_TEST(without_memory_for_an_image_the_view_is_broken_and_the_write_goes_on) /* C2 */
{
    struct mm_sweep sw;
    struct mm_extent x;
    struct view v;
    epoch_t epoch;
    uint64_t sum = 0, count = 0, version;

    toy_init(&toy, 10, 100, 0, 3);
    toy_set(&toy, 1);
    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    mm_sweep_init(&sw);
    view_init(&v, epoch);
    ck_assert(mm_sweep_next(&sw, &x));
    version = toy.slot[1]->version;
    fault_arm(FAULT_mm_image, 1, true);
    toy_touch(&toy, 1, false);
    ck_assert_uint_ge(fault_disarm(), 1);
    ck_assert(toy.slot[1]->version != version);
    ck_assert_int_eq(toy_sweep_extent(&v, &x, &sum, &count), -ENOMEM);
    mm_cut_end();
    settle_all();
    one_cut(10, 0); /* and the next one is whole */
}
END_TEST
#endif

/* ---- with two threads ---- */

struct sweep_thread {
    struct mm_sweep sw;
    uint64_t sum, count;
    int error;
    _Atomic bool done;
};

static void *
sweep_main(void *arg)
{
    struct sweep_thread *s = arg;
    struct mm_extent x;
    struct view v;

    view_init(&v, s->sw.epoch);
    while (s->error == 0 && mm_sweep_next(&s->sw, &x)) {
        s->error = toy_sweep_extent(&v, &x, &s->sum, &s->count);
        mm_sweep_done(&s->sw, &x);
    }
    atomic_store_explicit(&s->done, true, memory_order_release);
    return NULL;
}

START_TEST(a_sweep_in_a_thread_beside_writes_at_full_speed_reads_its_instant)
{
    toy_init(&toy, 20000, 300, 2000, (uint64_t)_i + 99);
    for (uint32_t k = 0; k < toy.keys; k++)
        toy_set(&toy, k);
    for (int i = 0; i < 20; i++) {
        struct sweep_thread s = {.sum = 0};
        uint64_t count, want = toy_digest(&toy, &count);
        pthread_t thread;
        epoch_t epoch;

        ck_assert_int_eq(mm_cut_begin(&epoch), 0);
        mm_sweep_init(&s.sw);
        ck_assert_int_eq(pthread_create(&thread, NULL, sweep_main, &s), 0);
        while (!atomic_load_explicit(&s.done, memory_order_acquire)) {
            toy_mutate(&toy);
            mm_settle(1);
        }
        pthread_join(thread, NULL);
        mm_cut_end();
        settle_all();
        ck_assert_int_eq(s.error, 0);
        ck_assert_uint_eq(s.count, count);
        ck_assert_uint_eq(s.sum, want);
    }
    mm_check();
}
END_TEST

/* ---- C1: a read that is cancelled ---- */

static _Atomic bool cancel;

static int
cancel_now(void *ctx)
{
    unsigned *left = ctx;

    if (--*left == 0)
        atomic_store_explicit(&cancel, true, memory_order_release);
    return 0; /* it had looked before the flag was set */
}

/* After a quiescent state the memory may be another's: no piece is read unless the flag was looked
 * at. */
START_TEST(a_long_read_looks_for_a_cancel_before_each_piece)
{
    enum { PIECES = 6, LEN = PIECES * VIEW_CHUNK_BYTES };
    unsigned left = (unsigned)_i;
    uint8_t *dst = malloc(LEN);
    const void *block = mm_alloc(MM_VALUE, LEN);
    struct view v;
    epoch_t epoch;

    ck_assert(dst != NULL && block != NULL);
    memset(mm_modify(block, LEN), 'a', LEN);
    memset(dst, '-', LEN);
    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    view_init(&v, epoch);
    atomic_store_explicit(&cancel, _i == 0, memory_order_release);
    v.cancel = &cancel;
    v.poll = cancel_now;
    v.poll_ctx = &left;
    ck_assert_int_eq(view_read(&v, dst, block, LEN), _i < PIECES ? -ECANCELED : 0);
    for (int piece = 0; piece < PIECES; piece++)
        ck_assert_int_eq(dst[piece * VIEW_CHUNK_BYTES], piece < _i || _i >= PIECES ? 'a' : '-');
    mm_cut_end();
    settle_all();
    mm_free(block);
    free(dst);
}
END_TEST

static int
save_nothing(void *ctx, struct rdb_enc *e)
{
    (void)ctx;
    (void)e;
    return 0;
}

static int
skip_record(void *ctx, struct view *v, struct rdb_enc *e, const void *live, const uint8_t *staged,
            size_t staged_bytes)
{
    (void)ctx;
    (void)v;
    (void)e;
    (void)live;
    (void)staged;
    (void)staged_bytes;
    return 1;
}

/* cancel_between: between two blocks, where the thread is quiescent; ctx: where the sweep stands
 * then. */
static struct mm_sweep sweep_at_cancel;

static void
cancel_between(void *ctx)
{
    if (!atomic_load(&cancel))
        sweep_at_cancel = *(struct mm_sweep *)ctx;
    atomic_store(&cancel, true);
}

/* A block's bitmap may be gone then, and the block another's. */
START_TEST(after_a_cancel_the_sweep_looks_at_no_further_block)
{
    static const struct snapshot_ops ops = {.save_begin = save_nothing, .save_record = skip_record};
    static uint8_t staging[VIEW_CHUNK_BYTES];
    struct snapshot_request rq = {.ops = &ops};
    struct sweep_progress progress = {0};
    struct mm_sweep sw;
    struct rdb_enc enc;
    struct sink *out;
    struct view v;
    epoch_t epoch;

    toy_init(&toy, 2000, 400, 0, 5);
    for (uint32_t k = 0; k < toy.keys; k++)
        toy_set(&toy, k);
    ck_assert_int_eq(sink_memory_open(&out), 0);
    ck_assert_int_eq(rdb_enc_init(&enc, out, 10, false), 0);
    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    mm_sweep_init(&sw);
    view_init(&v, epoch);
    atomic_store(&cancel, false);
    v.cancel = &cancel;
    ck_assert_int_eq(sweep_run(&(struct sweep_options){.rq = &rq,
                                                       .sweep = &sw,
                                                       .view = &v,
                                                       .enc = &enc,
                                                       .staging = staging,
                                                       .is_first = true,
                                                       .worker = rq.cut,
                                                       .progress = &progress,
                                                       .between = cancel_between,
                                                       .between_ctx = &sw}),
                     -ECANCELED);
    ck_assert_uint_lt(sw.next_block, sw.end_block);
    ck_assert_uint_eq(sw.next_block, sweep_at_cancel.next_block);
    mm_cut_end();
    settle_all();
    rdb_enc_fini(&enc);
    sink_close(out);
}
END_TEST

static int
end_with_an_error(void *ctx)
{
    unsigned *left = ctx;

    return --*left == 0 ? -EPIPE : 0;
}

START_TEST(a_long_read_ends_as_its_poll_says)
{
    enum { PIECES = 4, LEN = PIECES * VIEW_CHUNK_BYTES };
    unsigned left = 2;
    uint8_t *dst = calloc(1, LEN);
    const void *block = mm_alloc(MM_VALUE, LEN);
    struct view v;
    epoch_t epoch;

    ck_assert(dst != NULL && block != NULL);
    memset(mm_modify(block, LEN), 'a', LEN);
    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    view_init(&v, epoch);
    v.poll = end_with_an_error;
    v.poll_ctx = &left;
    ck_assert_int_eq(view_read(&v, dst, block, LEN), -EPIPE);
    ck_assert_int_eq(dst[2 * VIEW_CHUNK_BYTES - 1], 'a');
    ck_assert_int_eq(dst[2 * VIEW_CHUNK_BYTES], 0);
    mm_cut_end();
    settle_all();
    mm_free(block);
    free(dst);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("snapshot/cut");
    TCase *t = tcase_create("cut");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, a_sweep_reads_the_instant_of_its_cut, 0, 4);
    tcase_add_loop_test(t, huge_records_and_values_too, 0, 2);
    tcase_add_loop_test(t, a_cancelled_cut_leaves_nothing_for_the_next, 0, 2);
    tcase_add_loop_test(t, a_long_read_looks_for_a_cancel_before_each_piece, 0, 7);
    tcase_add_test(t, after_a_cancel_the_sweep_looks_at_no_further_block);
    tcase_add_test(t, a_long_read_ends_as_its_poll_says);
    tcase_add_test(t, no_cut_begins_over_leftovers);
    tcase_add_test(t, the_last_epoch_is_refused_and_not_wrapped);
    tcase_add_test(t, a_write_into_a_huge_value_preserves_the_pages_that_it_touches);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(t, without_memory_for_an_image_the_view_is_broken_and_the_write_goes_on);
#endif
    tcase_add_loop_test(t, a_sweep_in_a_thread_beside_writes_at_full_speed_reads_its_instant, 0, 2);
    suite_add_tcase(s, t);
    return run_suite(s);
}
