/* tests/mm/test_page.c - page copies, and what else a save holds: how much there may be, when it
 * comes back, what is counted of it. */
#include "mm/page.h"

#include <check.h>
#include <string.h>

#include "mm/cut.h"
#include "mm/heap_impl.h"
#include "tests/support/runner.h"

enum { VALUE_BYTES = 2048 * MM_PAGE_BYTES };

static const char *value;

static void
setup(void)
{
    char *p;

    ck_assert_int_eq(mm_init(&(struct mm_options){.arena_bytes = (size_t)1 << 30}), 0);
    ck_assert_ptr_nonnull(p = mm_alloc(MM_VALUE, VALUE_BYTES));
    memset(p, 1, VALUE_BYTES);
    value = p;
}

static void
teardown(void)
{
    pages_limit(0);
    mm_fini();
}

static void
begin(void)
{
    epoch_t epoch;

    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
}

static void
end(void)
{
    mm_cut_end();
    while (mm_settle(64))
        ;
    mm_check();
}

static void
write_page(size_t i)
{
    memset(mm_modify(value + i * MM_PAGE_BYTES, 1), 2, 1);
}

START_TEST(a_barrier_alone_makes_a_peak)
{
    enum { WRITES = 100 };
    struct mm_figures f;

    begin();
    for (size_t i = 0; i < WRITES; i++)
        write_page(i);
    end();
    mm_figures(&f);
    ck_assert_uint_eq(f.preserved_bytes, 0);
    ck_assert_uint_eq(f.peak_bytes, WRITES * MM_PAGE_BYTES);
}
END_TEST

static size_t
peak(void)
{
    struct mm_figures f;

    mm_figures(&f);
    return f.peak_bytes;
}

START_TEST(what_is_retired_or_born_makes_a_peak)
{
    enum { SLOT = 100, RUN = 100000, RUN_CHARGED = 102400, GROWN_CHARGED = 409600 };
    const void *slot = mm_alloc(MM_VALUE, SLOT), *run = mm_alloc(MM_VALUE, RUN);

    begin();
    mm_free(slot);
    ck_assert_uint_eq(peak(), mm_size_class(SLOT));
    end();
    begin();
    mm_free(run);
    ck_assert_uint_eq(peak(), RUN_CHARGED);
    end();
    begin();
    slot = mm_alloc(MM_VALUE, 5000); /* the first of its size */
    ck_assert_uint_eq(peak(), MM_BLOCK_BYTES);
    end();
    begin();
    run = mm_alloc_roomy(RUN, 1 << 20);
    ck_assert_uint_eq(peak(), RUN_CHARGED);
    mm_grow(run, GROWN_CHARGED);
    ck_assert_uint_eq(peak(), GROWN_CHARGED);
    end();
    mm_free(slot);
    mm_free(run);
}
END_TEST

START_TEST(a_peak_is_of_its_own_cut)
{
    begin();
    for (size_t i = 0; i < 10; i++)
        write_page(i);
    end();
    ck_assert_uint_eq(peak(), 10 * MM_PAGE_BYTES);
    begin();
    write_page(0);
    end();
    ck_assert_uint_eq(peak(), MM_PAGE_BYTES);
}
END_TEST

START_TEST(cuts_take_the_same_memory_for_their_copies)
{
    enum { WRITES = 100 };

    for (int cut = 0; cut < 5; cut++) {
        begin();
        for (size_t i = 0; i < WRITES; i++)
            write_page(i);
        ck_assert_uint_eq(page_state.bump, 1 + WRITES);
        end();
    }
}
END_TEST

static uint64_t
preserved(void)
{
    struct mm_figures f;

    mm_figures(&f);
    return f.preserved_pages;
}

/* written: pages preserved by a write of len bytes at `at`. */
static uint64_t
written(const char *p, size_t at, size_t len)
{
    uint64_t before = preserved();

    memset(mm_modify(p + at, len), 2, len);
    return preserved() - before;
}

START_TEST(what_a_run_grows_into_is_not_copied_and_what_it_held_is) /* V3 */
{
    enum {
        LEN = 100 * MM_PAGE_BYTES - 10,
        GROWN = 400 * MM_PAGE_BYTES,
        MORE = 900 * MM_PAGE_BYTES
    };
    char *p = mm_alloc_roomy(LEN, MORE);

    memset(p, 1, LEN);
    begin();
    mm_grow(p, LEN + 3 * MM_PAGE_BYTES); /* the page of the old end holds something of the cut */
    ck_assert_uint_eq(written(p, LEN, 5), 1);
    ck_assert_int_eq(page_image(atomic_load(&page_state.words[page_index(p + LEN)]))[0], 1);
    mm_grow(p, GROWN); /* a second time: the end at the cut is the first one's */
    ck_assert_uint_eq(written(p, LEN + 5, GROWN - LEN - 5), 0);
    mm_grow(p, MORE);
    ck_assert_uint_eq(written(p, 0, MORE), 99);
    end();
    begin();
    ck_assert_uint_eq(written(p, 0, MORE), 900); /* of this cut all of it is */
    end();
    begin();
    mm_free(p);
    p = mm_alloc_roomy(LEN, MORE); /* born */
    mm_grow(p, MORE);
    ck_assert_uint_eq(written(p, 0, MORE), 0);
    end();
    mm_free(p);
}
END_TEST

START_TEST(a_run_may_grow_between_cuts_and_from_the_end_of_a_block) /* V3 */
{
    enum { ROOM = 10 * MM_BLOCK_BYTES };
    char *p = mm_alloc_roomy(MM_BLOCK_BYTES, ROOM);

    begin();
    mm_grow(p, MM_BLOCK_BYTES + 1);
    ck_assert_uint_eq(written(p, MM_BLOCK_BYTES, 1), 0);
    end();
    mm_grow(p, 3 * MM_BLOCK_BYTES);
    begin();
    ck_assert_uint_eq(written(p, MM_BLOCK_BYTES, MM_BLOCK_BYTES), MM_BLOCK_BYTES / MM_PAGE_BYTES);
    mm_grow(p, ROOM);
    ck_assert_uint_eq(written(p, 0, ROOM), 2 * MM_BLOCK_BYTES / MM_PAGE_BYTES);
    end();
    mm_free(p);
}
END_TEST

enum { SLABS = 6, SLOT_BYTES = 4096, SLOTS = MM_BLOCK_BYTES / SLOT_BYTES };

/* fill_slabs: SLABS slabs of SLOTS slots each. */
static void
fill_slabs(enum mm_kind kind, const void *ret[SLABS][SLOTS])
{
    for (int s = 0; s < SLABS; s++)
        for (int i = 0; i < SLOTS; i++)
            ck_assert_ptr_nonnull(ret[s][i] = mm_alloc(kind, SLOT_BYTES));
}

/* sweep_a_block: the next one; what is in it. */
static const void *
sweep_a_block(struct mm_sweep *s)
{
    struct mm_extent x;

    ck_assert(mm_sweep_next(s, &x));
    mm_sweep_done(s, &x);
    return x.base;
}

START_TEST(what_the_sweep_has_passed_comes_back_while_it_goes_on) /* S3, O-3 */
{
    const void *slot[SLABS][SLOTS];
    struct mm_figures f;
    struct mm_sweep sweep;
    uint32_t copies = 0;

    fill_slabs(MM_RECORD, slot);
    begin();
    mm_sweep_init(&sweep);
    for (int s = 0; s < SLABS; s++) {
        memset(mm_modify(slot[s][0], SLOT_BYTES), 2, SLOT_BYTES);
        mm_free(slot[s][1]);
        mm_figures(&f);
        ck_assert_uint_eq(f.preserved_bytes, SLOT_BYTES);
        ck_assert_uint_eq(f.retired_bytes, SLOT_BYTES);
        if (s == 0)
            copies = page_state.bump;
        ck_assert_uint_eq(page_state.bump, copies); /* the same memory again */
        ck_assert_ptr_eq(sweep_a_block(&sweep), slot[s][0]);
        while (mm_settle(1))
            ;
        mm_figures(&f);
        ck_assert_uint_eq(f.preserved_bytes + f.retired_bytes, 0);
    }
    end();
}
END_TEST

START_TEST(what_was_born_is_written_without_a_copy) /* S3 */
{
    const void *old = mm_alloc(MM_RECORD, SLOT_BYTES);
    char *born[2];
    struct mm_figures f;

    begin();
    ck_assert(mm_is_frozen(old));
    for (int i = 0; i < 2; i++) {
        ck_assert_ptr_nonnull(born[i] = mm_alloc(i == 0 ? MM_RECORD : MM_VALUE, SLOT_BYTES));
        ck_assert(!mm_is_frozen(born[i]));
        memset(mm_modify(born[i], SLOT_BYTES), 2, SLOT_BYTES);
        mm_free(born[i]);
    }
    mm_figures(&f);
    ck_assert_uint_eq(f.preserved_pages, 0);
    ck_assert_uint_eq(f.retired_bytes, 0);
    end();
}
END_TEST

/* settle_one_by_one: no call does more than one slab.  Returns what is retired in the end. */
static size_t
settle_one_by_one(void)
{
    size_t before;
    bool more;

    do {
        before = heap.retired_bytes;
        more = mm_settle(1);
        ck_assert_uint_ge(heap.retired_bytes + SLOT_BYTES, before);
    } while (more);
    return heap.retired_bytes;
}

START_TEST(settling_does_not_more_than_it_was_asked_to)
{
    const void *record[SLABS][SLOTS], *in_value[SLABS][SLOTS];
    struct mm_sweep sweep;

    fill_slabs(MM_RECORD, record);
    fill_slabs(MM_VALUE, in_value);
    begin();
    mm_sweep_init(&sweep);
    for (int s = 0; s < SLABS; s++) {
        mm_free(record[s][0]);
        mm_free(in_value[s][0]);
        (void)sweep_a_block(&sweep);
    }
    ck_assert_uint_eq(settle_one_by_one(), SLABS * SLOT_BYTES); /* the values */
    mm_cut_end();
    ck_assert_uint_eq(settle_one_by_one(), 0);
    mm_check();
}
END_TEST

START_TEST(above_the_limit_no_page_is_copied_and_the_write_goes_on) /* C2 */
{
    /* the first copy's word brings its table, and each has a link */
    enum { LIMIT = 10, WRITES = 30, TABLES = 4096 + LIMIT * sizeof(uint32_t) };
    struct mm_figures f;

    pages_limit(LIMIT * MM_PAGE_BYTES + TABLES);
    begin();
    for (size_t i = 0; i < LIMIT; i++)
        write_page(i);
    ck_assert(!mm_cut_is_broken() && !mm_cut_is_over_limit());
    for (size_t i = LIMIT; i < WRITES; i++)
        write_page(i);
    ck_assert(mm_cut_is_broken() && mm_cut_is_over_limit());
    for (size_t i = 0; i < WRITES; i++)
        ck_assert_int_eq(value[i * MM_PAGE_BYTES], 2);
    mm_figures(&f);
    /* the one that comes to the limit is still copied */
    ck_assert_uint_eq(f.preserved_pages, LIMIT + 1);
    end();
    pages_limit(0);
    begin();
    for (size_t i = 0; i < WRITES; i++)
        write_page(i);
    ck_assert(!mm_cut_is_broken() && !mm_cut_is_over_limit());
    end();
}
END_TEST

START_TEST(at_the_limit_copies_that_came_back_are_used_again) /* C2 */
{
    const void *slot[SLABS][SLOTS];
    struct mm_sweep sweep;
    size_t grown;

    fill_slabs(MM_RECORD, slot);
    begin();
    mm_sweep_init(&sweep);
    memset(mm_modify(slot[0][0], SLOT_BYTES), 2, SLOT_BYTES);
    grown = mm_cut_memory().grown_bytes;
    pages_limit(1);
    for (int s = 1; s < SLABS; s++) {
        ck_assert_ptr_eq(sweep_a_block(&sweep), slot[s - 1][0]);
        while (mm_settle(1))
            ;
        memset(mm_modify(slot[s][0], SLOT_BYTES), 2, SLOT_BYTES);
    }
    ck_assert(!mm_cut_is_broken());
    /* no image, but there may be a table more */
    ck_assert_uint_le(mm_cut_memory().grown_bytes, grown + 4096);
    end();
}
END_TEST

START_TEST(what_is_only_deleted_costs_a_save_nothing)
{
    const void *slot[SLABS][SLOTS];

    fill_slabs(MM_VALUE, slot);
    begin();
    for (int i = 0; i < SLABS * SLOTS; i++)
        mm_free(slot[i / SLOTS][i % SLOTS]);
    ck_assert_uint_eq(mm_cut_memory().held_bytes, 0);
    ck_assert_uint_eq(mm_cut_memory().grown_bytes, 0);
    fill_slabs(MM_VALUE, slot); /* in other places, since those are still to be read */
    ck_assert_uint_eq(mm_cut_memory().held_bytes, SLABS * MM_BLOCK_BYTES);
    ck_assert_uint_eq(mm_cut_memory().grown_bytes, SLABS * MM_BLOCK_BYTES);
    end();
    ck_assert_uint_eq(mm_cut_memory().held_bytes + mm_cut_memory().grown_bytes, 0);
}
END_TEST

START_TEST(what_data_grows_by_is_none_of_the_saves_memory)
{
    const void *slot[SLABS][SLOTS];

    begin();
    fill_slabs(MM_RECORD, slot);
    ck_assert_uint_eq(mm_cut_memory().held_bytes, 0);
    ck_assert_uint_eq(mm_cut_memory().grown_bytes, 0);
    for (size_t i = 0; i < 10; i++)
        write_page(i);
    ck_assert_uint_ge(mm_cut_memory().held_bytes, 10 * MM_PAGE_BYTES);
    ck_assert_uint_ge(mm_cut_memory().grown_bytes, 10 * MM_PAGE_BYTES);
    end();
}
END_TEST

/* Address space alone is no memory: neither that of a string which may grow, nor that of page words
 * that were never written. */
START_TEST(tables_are_counted_by_the_memory_that_they_have)
{
    struct mm_figures before, roomy, written;
    const void *p;

    mm_figures(&before);
    ck_assert_ptr_nonnull(p = mm_alloc_roomy(100000, 256 << 20));
    mm_figures(&roomy);
    ck_assert_uint_le(roomy.side_bytes - before.side_bytes,
                      ((256 << 20 >> MM_BLOCK_SHIFT) + AHEAD_BLOCKS) * sizeof(struct block));
    begin();
    for (size_t i = 0; i < VALUE_BYTES / MM_PAGE_BYTES; i++)
        write_page(i);
    end();
    mm_figures(&written);
    /* Eight bytes a page, in whole pages of the system's, of which the first and the last may have
     * other words, too. */
    ck_assert_uint_ge(written.side_bytes - roomy.side_bytes, VALUE_BYTES / MM_PAGE_BYTES * 8);
    ck_assert_uint_le(written.side_bytes - roomy.side_bytes,
                      VALUE_BYTES / MM_PAGE_BYTES * 8 + 2 * 4096);
    mm_free(p);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("mm/page");
    TCase *t = tcase_create("page");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_barrier_alone_makes_a_peak);
    tcase_add_test(t, what_is_retired_or_born_makes_a_peak);
    tcase_add_test(t, a_peak_is_of_its_own_cut);
    tcase_add_test(t, cuts_take_the_same_memory_for_their_copies);
    tcase_add_test(t, what_a_run_grows_into_is_not_copied_and_what_it_held_is);
    tcase_add_test(t, a_run_may_grow_between_cuts_and_from_the_end_of_a_block);
    tcase_add_test(t, what_the_sweep_has_passed_comes_back_while_it_goes_on);
    tcase_add_test(t, what_was_born_is_written_without_a_copy);
    tcase_add_test(t, settling_does_not_more_than_it_was_asked_to);
    tcase_add_test(t, above_the_limit_no_page_is_copied_and_the_write_goes_on);
    tcase_add_test(t, at_the_limit_copies_that_came_back_are_used_again);
    tcase_add_test(t, what_is_only_deleted_costs_a_save_nothing);
    tcase_add_test(t, what_data_grows_by_is_none_of_the_saves_memory);
    tcase_add_test(t, tables_are_counted_by_the_memory_that_they_have);
    suite_add_tcase(s, t);
    return run_suite(s);
}
