/* tests/mm/test_alloc.c - size classes, slots, runs, and memory that goes back. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mm/base/fault.h"
#include "mm/base/os.h"
#include "mm/cut.h"
#include "mm/heap_impl.h"
#include "mm/page.h"
#include "tests/support/runner.h"

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

START_TEST(every_offset_in_a_slab_maps_to_its_slot)
{
    for (unsigned c = 0; c < size_class_count; c++)
        for (uint32_t slot = 0; slot < size_class_slots[c]; slot++) {
            const char *p = heap.base + (size_t)slot * size_class_bytes[c];

            ck_assert_uint_eq(slot_index(c, p), slot);
            ck_assert_uint_eq(slot_index(c, p + size_class_bytes[c] - 1), slot);
        }
}
END_TEST

START_TEST(a_size_class_holds_what_it_is_asked_for_and_wastes_an_eighth_at_most)
{
    for (size_t n = 1; n <= MM_SLOT_MAX_BYTES; n++) {
        size_t got = mm_size_class(n);

        ck_assert_uint_ge(got, n);
        if (n >= 64 && n <= 4096)
            ck_assert_uint_le(got - n, n / 8 + 8);
    }
}
END_TEST

struct piece {
    unsigned char *p;
    size_t len;
    unsigned char fill;
};

static size_t
random_size(void)
{
    switch (rand() % 8) {
    case 0:
        return 1 + (size_t)rand() % 300000;
    case 1:
        return 1 + (size_t)rand() % 40000;
    default:
        return 1 + (size_t)rand() % 500;
    }
}

/* Each block keeps its own bytes through 200,000 random allocations and frees. */
START_TEST(blocks_never_overlap)
{
    enum { PIECES = 3000 };
    struct piece *pieces = calloc(PIECES, sizeof *pieces);
    struct mm_figures f;

    srand(1);
    for (int i = 0; i < 200000; i++) {
        struct piece *x = &pieces[rand() % PIECES];

        if (x->p != NULL) {
            for (size_t k = 0; k < x->len; k += x->len / 7 + 1)
                ck_assert_uint_eq(x->p[k], x->fill);
            ck_assert_uint_eq(x->p[x->len - 1], x->fill);
            mm_free(x->p);
            x->p = NULL;
        } else {
            x->len = random_size();
            x->fill = (unsigned char)i;
            x->p = mm_alloc(rand() % 2 ? MM_RECORD : MM_VALUE, x->len);
            ck_assert_ptr_nonnull(x->p);
            ck_assert_uint_ge(mm_usable(x->p), x->len);
            memset(x->p, x->fill, x->len);
        }
        if (i % 20000 == 0)
            mm_check();
    }
    for (int i = 0; i < PIECES; i++)
        if (pieces[i].p != NULL)
            mm_free(pieces[i].p);
    mm_check();
    mm_figures(&f);
    ck_assert_uint_eq(f.live_bytes, 0);
    free(pieces);
}
END_TEST

START_TEST(free_memory_goes_back_to_the_system)
{
    enum { RUNS = 100 };
    const void *p[RUNS];
    struct mm_figures before, after;

    for (int i = 0; i < RUNS; i++) {
        char *q = mm_alloc(MM_VALUE, 1 << 20);

        memset(q, 1, 1 << 20);
        p[i] = q;
    }
    mm_figures(&before);
    for (int i = 0; i < RUNS; i++)
        mm_free(p[i]);
    while (mm_tidy(1000))
        ;
    mm_check();
    mm_figures(&after);
    ck_assert_uint_ge(before.resident_bytes, (size_t)RUNS << 20);
    ck_assert_uint_le(after.resident_bytes, (size_t)17 << 20);
}
END_TEST

/* A little is kept for a while; what nobody asks for in two periods of 2 s goes, and so do slabs
 * that allocation has held on to. */
START_TEST(what_is_not_needed_for_a_while_goes_too)
{
    enum { SIZES = 40, WAIT_MS = 4300 };
    const void *p[SIZES], *run = mm_alloc(MM_VALUE, 10 << 20);
    struct mm_figures before, after;

    for (unsigned i = 0; i < SIZES; i++)
        p[i] = mm_alloc(MM_RECORD, 100 + 700 * (size_t)i);
    for (unsigned i = 0; i < SIZES; i++)
        mm_free(p[i]);
    mm_free(run);
    while (mm_tidy(1000) != MM_TIDY_DONE)
        ;
    mm_figures(&before);
    ck_assert_uint_ge(before.resident_bytes, 10 << 20);
    for (int i = 0; i < WAIT_MS / 10; i++) {
        usleep(10000);
        (void)mm_tidy(1000);
    }
    mm_figures(&after);
    ck_assert_uint_le(after.resident_bytes, 2 << 20);
    ck_assert_uint_eq(heap.used_blocks, 0);
    mm_check();
}
END_TEST

/* is_resident: does the system keep memory for the page at p? */
static bool
is_resident(const char *p)
{
    unsigned char there = 0;

    ck_assert_int_eq(mincore((void *)((uintptr_t)p & ~(uintptr_t)4095), 4096, &there), 0);
    return (there & 1) != 0;
}

START_TEST(scattered_blocks_go_back_and_what_lies_between_stays)
{
    enum { RUNS = 1024, BYTES = 40000, KEPT_WARM = 256 };
    char *p[RUNS];
    unsigned gone = 0;

    for (int i = 0; i < RUNS; i++) {
        ck_assert_ptr_nonnull(p[i] = mm_alloc(MM_VALUE, BYTES));
        memset(p[i], i % 251 + 1, BYTES);
    }
    for (int i = 0; i < RUNS; i += 2)
        mm_free(p[i]);
    while (mm_tidy(100))
        ;
    for (int i = 0; i < RUNS; i++) {
        if (i % 2 == 0) {
            gone += !is_resident(p[i]) && !is_resident(p[i] + BYTES - 1);
            continue;
        }
        for (int k = 0; k < BYTES; k += 1000)
            ck_assert_int_eq((unsigned char)p[i][k], i % 251 + 1);
    }
#ifndef STILLFRAME_BARRIER /* there the arena is a file in memory, which keeps its pages */
    ck_assert_uint_ge(gone, RUNS / 2 - KEPT_WARM);
#endif
    mm_check();
}
END_TEST

enum {
    SPARSE = 16384
}; /* bytes from one that is written to the next, where memory is the matter and not its content */

static void
fill_sparsely(unsigned char *p, size_t len, unsigned char fill)
{
    for (size_t k = 0; k < len; k += SPARSE)
        p[k] = fill;
}

/* differing: how many of these are not the fill.  (An assertion for each would take longer than the
 * rest.) */
static size_t
differing(const unsigned char *p, size_t len, unsigned char fill)
{
    size_t n = 0;

    for (size_t k = 0; k < len; k += SPARSE)
        n += p[k] != fill;
    return n;
}

/* Memory comes and goes while some of it is on loan to the discarder: what is in use stays as it
 * is. */
START_TEST(blocks_in_use_stay_while_free_ones_go_back)
{
    enum { PIECES = 600, STEPS = 12000 };
    struct piece *pieces = calloc(PIECES, sizeof *pieces);
    unsigned waits = 0, most_lent = 0;

    srand(3);
    for (int i = 0; i < STEPS; i++) {
        struct piece *x = &pieces[rand() % (i / 1000 % 2 == 0 ? PIECES : PIECES / 8)];

        if (x->p != NULL) {
            ck_assert_uint_eq(differing(x->p, x->len, x->fill), 0);
            mm_free(x->p);
            x->p = NULL;
        } else {
            x->len = 40000 + (size_t)rand() % 400000;
            x->fill = (unsigned char)(1 + rand() % 255);
            ck_assert_ptr_nonnull(x->p = mm_alloc(MM_VALUE, x->len));
            fill_sparsely(x->p, x->len, x->fill);
        }
        if (i % 1000 == 999) /* most go at once, so that it is worth it */
            for (int k = PIECES / 8; k < PIECES; k++)
                if (pieces[k].p != NULL) {
                    mm_free(pieces[k].p);
                    pieces[k].p = NULL;
                }
        if (i % 3 == 0)
            waits += mm_tidy(50) == MM_TIDY_WAITS;
        if (heap.lent_blocks > most_lent)
            most_lent = heap.lent_blocks;
        if (i % 500 == 0)
            mm_check();
    }
    ck_assert_uint_gt(waits, 20);
    ck_assert_uint_gt(most_lent, 200);
    for (int i = 0; i < PIECES; i++)
        if (pieces[i].p != NULL)
            ck_assert_uint_eq(differing(pieces[i].p, pieces[i].len, pieces[i].fill), 0);
    free(pieces);
}
END_TEST

/* What is on loan is not missed: an allocation that needs it waits for it. */
START_TEST(memory_on_loan_is_taken_back_when_there_is_no_other)
{
    enum { RUNS = 900, RUN_BYTES = 1 << 20 };
    /* a bin's length: more than is left beside the loan, or above */
    const size_t most = (size_t)896 << 20;
    unsigned char *p[RUNS + 1], *last;

    for (int i = 0; i <= RUNS; i++) {
        ck_assert_ptr_nonnull(p[i] = mm_alloc(MM_VALUE, RUN_BYTES));
        fill_sparsely(p[i], RUN_BYTES, 5);
    }
    for (int i = 0; i < RUNS; i++)
        mm_free(p[i]);
    ck_assert_int_eq(mm_tidy(1000), MM_TIDY_WAITS);
    ck_assert_uint_gt(heap.lent_blocks, 0);
    mm_check();
    ck_assert_ptr_nonnull(last = mm_alloc(MM_VALUE, most));
    ck_assert_uint_eq(heap.lent_blocks, 0);
    fill_sparsely(last, most, 6);
    ck_assert_int_eq(mm_tidy(1000), MM_TIDY_DONE);
    ck_assert_uint_eq(differing(last, most, 6), 0);
    mm_check();
}
END_TEST

/* change_all: the first byte of each page becomes `to`, and each page's copy says `from`. */
static void
change_all(char *p, size_t bytes, char from, char to)
{
    size_t wrong = 0;

    for (size_t i = 0; i < bytes; i += MM_PAGE_BYTES)
        memset(mm_modify(p + i, 1), to, 1);
    for (size_t i = 0; i < bytes; i += MM_PAGE_BYTES) {
        uint64_t word = atomic_load(&page_state.words[page_index(p + i)]);

        wrong += page_word_epoch(word) != heap.epoch || *page_image(word) != from;
    }
    ck_assert_uint_eq(wrong, 0);
}

/* A cut that begins while the copies' memory of the one before is on its way back needs it
 * again. */
START_TEST(memory_of_page_copies_goes_back_and_a_cut_may_want_it_sooner)
{
    enum { BYTES = 24 << 20 };
    char *p = mm_alloc(MM_VALUE, BYTES);
    epoch_t epoch;

    memset(p, 1, BYTES);
    for (char round = 1; round <= 5; round++) {
        ck_assert_int_eq(mm_cut_begin(&epoch), 0);
        change_all(p, BYTES, round, (char)(round + 1));
        ck_assert_uint_eq(page_state.lent_from, UINT32_MAX);
        ck_assert(!mm_cut_is_broken());
        mm_cut_end();
        while (mm_settle(1000))
            ;
        ck_assert_int_eq(mm_tidy(1000), MM_TIDY_WAITS);
        ck_assert_uint_lt(page_state.lent_from, UINT32_MAX);
    }
    while (mm_tidy(1000) != MM_TIDY_DONE)
        ;
    ck_assert_uint_eq(page_state.lent_from, UINT32_MAX);
    ck_assert_uint_le(page_state.touched, (8 << 20) / MM_PAGE_BYTES);
    mm_check();
}
END_TEST

/* give_back_all: but the little that is always kept. */
static void
give_back_all(void)
{
    while (heap.dirty_free_blocks > 32) {
        heap.surplus_blocks = heap.dirty_free_blocks;
        (void)mm_tidy(1000000);
    }
    while (mm_tidy(1000) == MM_TIDY_WAITS)
        ;
    mm_check();
}

/* The walk passes 600 clean blocks, more than it looks at between two looks at the clock, before it
 * comes to those that are due.  In the first round with a thread, in the second without. */
START_TEST(what_is_due_is_found_behind_long_stretches_that_are_clean)
{
    enum { BLOCKS = 600, MORE = 300, MANY = 8000 };
    char *p[6];

    if (_i == 1)
        fault_arm(FAULT_thread_create, 1, true);
    for (int i = 0; i < 6; i++)
        ck_assert_ptr_nonnull(p[i] = mm_alloc(MM_VALUE, (size_t)(i % 2 == 1 ? 1
                                                                 : i == 4   ? MORE
                                                                            : BLOCKS)
                                                            << MM_BLOCK_SHIFT));
    mm_free(p[0]);
    mm_free(p[2]);
    heap.tidy_next = block_of(p[0]);
    give_back_all();
    for (uint32_t b = block_of(p[0]); b < block_of(p[1]); b++)
        ck_assert(!heap.blocks[b].dirty);
    heap.surplus_blocks = 1; /* of what is kept nothing goes */
    ck_assert_int_eq(mm_tidy(1000), MM_TIDY_DONE);
    mm_free(p[4]);
    heap.tidy_next = block_of(p[0]);
    ck_assert_int_eq(mm_tidy(0), MM_TIDY_MORE); /* no time: it has seen clean ones alone */
    ck_assert_uint_eq(heap.lent_blocks, 0);
    while (mm_tidy(1000) != MM_TIDY_DONE)
        ;
    ck_assert_uint_le(heap.dirty_free_blocks, 256);
    mm_check();
    give_back_all();

    /* Beside very many in use these are no burst. */
    ck_assert_ptr_nonnull(p[0] = mm_alloc(MM_VALUE, (size_t)MORE << MM_BLOCK_SHIFT));
    ck_assert_ptr_nonnull(p[2] = mm_alloc(MM_VALUE, (size_t)MANY << MM_BLOCK_SHIFT));
    mm_free(p[0]);
    heap.surplus_blocks = heap.idle_blocks = 0;
    ck_assert_int_eq(mm_tidy(1000), MM_TIDY_DONE);
    ck_assert_uint_ge(heap.dirty_free_blocks, MORE);
    fault_disarm();
}
END_TEST

#ifdef STILLFRAME_FAULTS
START_TEST(without_a_thread_memory_of_page_copies_goes_back_a_range_at_a_time)
{
    enum { BYTES = 64 << 20 };
    epoch_t epoch;
    int calls = 1;
    char *p;

    fault_arm(FAULT_thread_create, 1, true);
    ck_assert_ptr_nonnull(p = mm_alloc(MM_VALUE, BYTES));
    memset(p, 1, BYTES);
    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    change_all(p, BYTES, 1, 2);
    mm_cut_end();
    while (mm_settle(1000))
        ;
    while (mm_tidy(1000) != MM_TIDY_DONE) {
        ck_assert_uint_eq(page_state.lent_from, UINT32_MAX); /* nothing stays on loan */
        calls++;
    }
    fault_disarm();
    ck_assert_int_gt(calls, 5);
    ck_assert_uint_le(page_state.touched, (8 << 20) / MM_PAGE_BYTES);
    mm_check();
}
END_TEST

START_TEST(without_a_thread_memory_goes_back_all_the_same)
{
    char *p[100];
    struct mm_figures f;
    enum mm_tidy r;
    int calls = 0;

    fault_arm(FAULT_thread_create, 1, true);
    for (int i = 0; i < 100; i++)
        memset(p[i] = mm_alloc(MM_VALUE, 1 << 20), 5, 1 << 20);
    for (int i = 0; i < 100; i++)
        mm_free(p[i]);
    while ((r = mm_tidy(1)) != MM_TIDY_DONE) {
        ck_assert_int_eq(r, MM_TIDY_MORE);
        calls++;
    }
    ck_assert_uint_gt(fault_disarm(), 10);
    ck_assert_int_gt(calls, 10); /* 2 MiB each */
    mm_check();
    mm_figures(&f);
    ck_assert_uint_le(f.resident_bytes, (size_t)17 << 20);
}
END_TEST
#endif

/* Whether the system takes several ranges in a call or not: these pages are empty then, and no
 * other. */
START_TEST(ranges_are_discarded_and_nothing_else)
{
    enum { RANGES = 5, PIECE = 8192 };
    struct os_range r[RANGES];
    char *p = os_reserve((size_t)2 * RANGES * PIECE);

    ck_assert_ptr_nonnull(p);
    ck_assert_int_eq(os_commit(p, (size_t)2 * RANGES * PIECE), 0);
    memset(p, 7, (size_t)2 * RANGES * PIECE);
    for (size_t i = 0; i < RANGES; i++)
        r[i] = (struct os_range){p + 2 * i * PIECE, PIECE};
    (void)os_discard_ranges(r, RANGES);
    for (size_t i = 0; i < (size_t)2 * RANGES * PIECE; i++)
        ck_assert_int_eq(p[i], i / PIECE % 2 == 0 ? 0 : 7);
    os_release(p, (size_t)2 * RANGES * PIECE);
}
END_TEST

START_TEST(a_roomy_run_grows_in_place_without_memory_for_its_room)
{
    char *p = mm_alloc_roomy(1 << 20, 256 << 20);
    struct mm_figures f;

    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(mm_usable(p), 256 << 20);
    mm_figures(&f);
    ck_assert_uint_eq(f.live_bytes, 1 << 20);
    memset(p, 7, 3 << 20);
    mm_grow(p, 3 << 20);
    mm_grow(p, 2 << 20); /* no way back */
    mm_figures(&f);
    ck_assert_uint_eq(f.live_bytes, 3 << 20);
    ck_assert_uint_eq(f.resident_bytes, 3 << 20);
    mm_check();
    mm_free(p);
    /* no address space for the room: an exact run */
    p = mm_alloc_roomy(1 << 20, (size_t)900 << 20);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(mm_usable(p), 1 << 20);
    mm_free(p);
    mm_check();
}
END_TEST

START_TEST(an_arena_that_is_full_says_so_and_stays_whole)
{
    size_t n = 0;
    void *last = NULL, *p;

    while ((p = mm_alloc(MM_VALUE, 30000)) != NULL) {
        last = p;
        n++;
    }
    ck_assert_uint_gt(n, 30000);
    ck_assert_ptr_null(mm_alloc(MM_VALUE, 1 << 20));
    ck_assert_ptr_null(mm_alloc(MM_VALUE, (size_t)1 << 40));
    mm_free(last);
    ck_assert_ptr_nonnull(mm_alloc(MM_VALUE, 30000));
    mm_check();
}
END_TEST

#ifdef STILLFRAME_FAULTS
START_TEST(each_failing_step_of_an_allocation_is_a_null_and_no_loss)
{
    for (unsigned f = 0; f < FAULT_COUNT; f++)
        for (size_t size = 100; size < 200000; size *= 40) {
            void *p;

            fault_arm(f, 1, true);
            for (int i = 0; i < 40 && (p = mm_alloc(MM_RECORD, size)) != NULL; i++)
                ;
            fault_disarm();
            ck_assert_ptr_nonnull(mm_alloc(MM_RECORD, size));
            mm_check();
        }
}
END_TEST
#endif

int
main(void)
{
    Suite *s = suite_create("mm/alloc");
    TCase *t = tcase_create("alloc"), *tidy = tcase_create("tidy");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, every_offset_in_a_slab_maps_to_its_slot);
    tcase_add_test(t, a_size_class_holds_what_it_is_asked_for_and_wastes_an_eighth_at_most);
    tcase_add_test(t, blocks_never_overlap);
    tcase_add_test(t, ranges_are_discarded_and_nothing_else);
    tcase_add_test(t, a_roomy_run_grows_in_place_without_memory_for_its_room);
    tcase_add_test(t, an_arena_that_is_full_says_so_and_stays_whole);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(t, each_failing_step_of_an_allocation_is_a_null_and_no_loss);
#endif
    suite_add_tcase(s, t);
    tcase_add_checked_fixture(tidy, setup, teardown);
    tcase_set_timeout(tidy, 120);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(tidy, without_a_thread_memory_of_page_copies_goes_back_a_range_at_a_time);
    tcase_add_loop_test(tidy, what_is_due_is_found_behind_long_stretches_that_are_clean, 0, 2);
#else
    tcase_add_loop_test(tidy, what_is_due_is_found_behind_long_stretches_that_are_clean, 0, 1);
#endif
    tcase_add_test(tidy, blocks_in_use_stay_while_free_ones_go_back);
    tcase_add_test(tidy, memory_on_loan_is_taken_back_when_there_is_no_other);
    tcase_add_test(tidy, memory_of_page_copies_goes_back_and_a_cut_may_want_it_sooner);
    tcase_add_test(tidy, free_memory_goes_back_to_the_system);
    tcase_add_test(tidy, scattered_blocks_go_back_and_what_lies_between_stays);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(tidy, without_a_thread_memory_goes_back_all_the_same);
#endif
    tcase_add_test(tidy, what_is_not_needed_for_a_while_goes_too);
    suite_add_tcase(s, tidy);
    return run_suite(s);
}
