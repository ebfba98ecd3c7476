/* tests/mm/test_alloc.c - size classes, slots, runs, and memory that goes back. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "mm/cut.h"
#include "mm/fault.h"
#include "mm/heap.h"
#include "mm/os.h"
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
    for (unsigned c = 0; c < class_count; c++)
        for (uint32_t slot = 0; slot < class_slots[c]; slot++) {
            const char *p = heap.base + (size_t)slot * class_bytes[c];

            ck_assert_uint_eq(slot_index(c, p), slot);
            ck_assert_uint_eq(slot_index(c, p + class_bytes[c] - 1), slot);
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

/* Whether the system takes several ranges in a call or not: these pages are empty then, and no other. */
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
    TCase *t = tcase_create("alloc");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, every_offset_in_a_slab_maps_to_its_slot);
    tcase_add_test(t, a_size_class_holds_what_it_is_asked_for_and_wastes_an_eighth_at_most);
    tcase_add_test(t, blocks_never_overlap);
    tcase_add_test(t, free_memory_goes_back_to_the_system);
    tcase_add_test(t, scattered_blocks_go_back_and_what_lies_between_stays);
    tcase_add_test(t, ranges_are_discarded_and_nothing_else);
    tcase_add_test(t, a_roomy_run_grows_in_place_without_memory_for_its_room);
    tcase_add_test(t, an_arena_that_is_full_says_so_and_stays_whole);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(t, each_failing_step_of_an_allocation_is_a_null_and_no_loss);
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
