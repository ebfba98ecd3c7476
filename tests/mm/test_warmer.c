/* tests/mm/test_warmer.c - memory that is fetched ahead: what is fetched, when nothing is, and that
 * no byte changes. */
#include "mm/warmer.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mm/base/fault.h"
#include "mm/cut.h"
#include "mm/discarder.h"
#include "mm/heap_impl.h"
#include "mm/page.h"
#include "tests/support/runner.h"

enum { BLOCK_SLOTS = 4, SLOT_BYTES = MM_BLOCK_BYTES / BLOCK_SLOTS };

static void
setup(void)
{
    ck_assert_int_eq(mm_init(&(struct mm_options){.arena_bytes = (size_t)1 << 30}), 0);
}

static void
teardown(void)
{
    mm_fini();
}

/* fill_blocks: so many slabs. */
static void
fill_blocks(unsigned n)
{
    for (unsigned i = 0; i < n * BLOCK_SLOTS; i++) {
        char *p = mm_alloc(MM_VALUE, SLOT_BYTES);

        ck_assert_ptr_nonnull(p);
        memset(p, 1, SLOT_BYTES);
    }
}

static void
wait_until_idle(enum warm_kind k)
{
    for (unsigned ms = 0; !warmer_is_idle(k); ms++) {
        ck_assert_uint_lt(ms, 60000);
        (void)usleep(1000);
    }
}

/* pages_with_memory: of the system's in [p, p + bytes). */
static size_t
pages_with_memory(void *p, size_t bytes)
{
    static unsigned char in_core[65536];
    size_t n = 0;

    ck_assert_uint_le(bytes / 4096, sizeof in_core);
    ck_assert_int_eq(mincore(p, bytes, in_core), 0);
    for (size_t i = 0; i < bytes / 4096; i++)
        n += in_core[i] & 1;
    return n;
}

START_TEST(touching_gives_memory_and_changes_no_byte)
{
    enum { BYTES = 64 * 4096 };
    char *p = os_reserve(BYTES);

    ck_assert_int_eq(os_commit(p, BYTES), 0);
    p[5 * 4096] = 7;
    p[6 * 4096 + 1] = 8;
    os_touch(p, BYTES);
    ck_assert_uint_eq(pages_with_memory(p, BYTES), BYTES / 4096);
    for (size_t i = 0; i < BYTES; i++)
        ck_assert_int_eq(p[i], i == 5 * 4096 ? 7 : i == 6 * 4096 + 1 ? 8 : 0);
    os_populate(p, BYTES);
    ck_assert_int_eq(p[5 * 4096], 7);
    os_release(p, BYTES);
}
END_TEST

START_TEST(a_job_is_done_once_and_by_whoever_comes_first)
{
    enum { BYTES = 16 * 4096 };
    struct os_range r = {os_reserve(BYTES), BYTES};

    ck_assert_int_eq(os_commit(r.at, BYTES), 0);
    ck_assert(warmer_is_idle(WARM_IMAGES));
    warmer_work(WARM_IMAGES); /* nothing is posted */
    warmer_post(WARM_IMAGES, &r, 1);
    ck_assert(!warmer_is_idle(WARM_IMAGES));
    warmer_work(WARM_BLOCKS); /* another kind */
    ck_assert(!warmer_is_idle(WARM_IMAGES));
    mm_sweep_warm();
    ck_assert(warmer_is_idle(WARM_IMAGES));
    ck_assert_uint_eq(pages_with_memory(r.at, BYTES), BYTES / 4096);
    os_discard(r.at, BYTES);
    warmer_post(WARM_IMAGES, &r, 1);
    warmer_withdraw(WARM_IMAGES);
    ck_assert(warmer_is_idle(WARM_IMAGES));
    mm_sweep_warm();
    ck_assert_uint_eq(pages_with_memory(r.at, BYTES), 0);
    os_release(r.at, BYTES);
}
END_TEST

#ifndef STILLFRAME_BARRIER /* there the arena is a file in memory */
START_TEST(the_next_blocks_have_memory_before_they_are_taken)
{
    struct mm_figures f;

    fill_blocks(400);
    wait_until_idle(WARM_BLOCKS);
    fill_blocks(6); /* one look falls into these, and has a share of twelve fetched */
    wait_until_idle(WARM_BLOCKS);
    mm_check();
    ck_assert_uint_ge(heap.dirty_free_blocks, 5);
    ck_assert_uint_le(heap.dirty_free_blocks, 32);
    for (uint32_t b = 1; b < heap.block_top; b++)
        if (state_kind(block_state(b)) == BLOCK_FREE && heap.blocks[b].dirty)
            ck_assert_uint_eq(pages_with_memory(block_base(b), MM_BLOCK_BYTES),
                              MM_BLOCK_BYTES / 4096);
    mm_figures(&f);
    ck_assert_uint_eq(f.resident_bytes, (size_t)(heap.used_blocks + heap.dirty_free_blocks)
                                            << MM_BLOCK_SHIFT);
}
END_TEST

START_TEST(copies_have_memory_before_a_cut_and_ahead_in_it)
{
    enum { BYTES = 16 << 20 };
    char *p;
    epoch_t epoch;

    fill_blocks(400);
    wait_until_idle(WARM_BLOCKS);
    wait_until_idle(WARM_IMAGES);
    fill_blocks(6);
    wait_until_idle(WARM_IMAGES);
    ck_assert_uint_ge(page_state.warm, (300 << 10) / MM_PAGE_BYTES);
    ck_assert_uint_eq(
        pages_with_memory(page_state.images, (size_t)page_state.warm << MM_PAGE_SHIFT),
        ((size_t)page_state.warm << MM_PAGE_SHIFT) / 4096);
    p = mm_alloc(MM_VALUE, BYTES);
    memset(p, 1, BYTES);
    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    for (size_t i = 0; i < BYTES; i += MM_PAGE_BYTES) {
        memset(mm_modify(p + i, 1), 2, 1);
        ck_assert_uint_le(page_state.warm, page_state.bump + (10 << 20) / MM_PAGE_BYTES);
    }
    wait_until_idle(WARM_IMAGES);
    mm_cut_end();
    while (mm_settle(1000))
        ;
    mm_check();
}
END_TEST
#endif

START_TEST(a_small_arena_and_one_in_which_nothing_is_taken_fetch_nothing)
{
    uint32_t top;
    void *p;

    fill_blocks(50);
    ck_assert_uint_eq(heap.dirty_free_blocks, 0);
    ck_assert(warmer_is_idle(WARM_BLOCKS));
    fill_blocks(350);
    wait_until_idle(WARM_BLOCKS);
    top = heap.block_top;
    for (int i = 0; i < 100000; i++) { /* a block that comes and goes is there already */
        p = mm_alloc(MM_VALUE, MM_BLOCK_BYTES);
        mm_free(p);
    }
    wait_until_idle(WARM_BLOCKS);
    ck_assert_uint_le(heap.block_top, top + 32);
    ck_assert_uint_le(heap.dirty_free_blocks, 34);
    mm_check();
}
END_TEST

/* A page that is preserved was in use at the cut. */
START_TEST(a_cut_of_an_empty_arena_fetches_nothing)
{
    struct mm_figures f;
    epoch_t epoch;

    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    ck_assert(warmer_is_idle(WARM_IMAGES));
    ck_assert_uint_eq(page_state.committed, 0);
    mm_cut_end();
    while (mm_settle(1000))
        ;
    mm_figures(&f);
    ck_assert_uint_le(f.images_bytes, MM_PAGE_BYTES);
    mm_check();
}
END_TEST

START_TEST(nothing_is_fetched_that_has_gone_back) /* W2 */
{
    static char *p[600];

    srand(5);
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 600; i++)
            if (p[i] == NULL && rand() % 2 == 0)
                memset(p[i] = mm_alloc(MM_VALUE, MM_BLOCK_BYTES), 3, 1);
        for (int i = 0; i < 600; i++)
            if (p[i] != NULL && rand() % 8 != 0) {
                mm_free(p[i]);
                p[i] = NULL;
            }
        (void)mm_tidy(200);
    }
    while (mm_tidy(1000) == MM_TIDY_WAITS)
        (void)usleep(100);
    wait_until_idle(WARM_BLOCKS);
    mm_check();
#ifndef STILLFRAME_BARRIER
    for (uint32_t b = 1; b < heap.block_top; b++)
        if (state_kind(block_state(b)) == BLOCK_FREE && !heap.blocks[b].dirty)
            ck_assert_uint_eq(pages_with_memory(block_base(b), MM_BLOCK_BYTES), 0);
#endif
    memset(p, 0, sizeof p);
}
END_TEST

#ifdef STILLFRAME_FAULTS
START_TEST(without_a_thread_all_goes_on)
{
    fault_arm(FAULT_thread_create, 1, true);
    fill_blocks(400);
    ck_assert_uint_gt(fault_disarm(), 0);
    ck_assert_uint_eq(heap.dirty_free_blocks, 0);
    mm_check();
}
END_TEST
#endif

int
main(void)
{
    Suite *s = suite_create("mm/warmer");
    TCase *t = tcase_create("warmer"), *populated = tcase_create("populated");

    tcase_add_checked_fixture(populated, setup, teardown);
    tcase_set_timeout(populated, 120);
    tcase_set_tags(populated, "kernel"); /* MADV_POPULATE_WRITE */
    tcase_add_test(populated, a_job_is_done_once_and_by_whoever_comes_first);
#ifndef STILLFRAME_BARRIER
    tcase_add_test(populated, the_next_blocks_have_memory_before_they_are_taken);
    tcase_add_test(populated, copies_have_memory_before_a_cut_and_ahead_in_it);
#endif
    suite_add_tcase(s, populated);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, touching_gives_memory_and_changes_no_byte);
    tcase_add_test(t, a_small_arena_and_one_in_which_nothing_is_taken_fetch_nothing);
    tcase_add_test(t, a_cut_of_an_empty_arena_fetches_nothing);
    tcase_add_test(t, nothing_is_fetched_that_has_gone_back);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(t, without_a_thread_all_goes_on);
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
