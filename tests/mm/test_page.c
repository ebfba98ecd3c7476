/* tests/mm/test_page.c - page copies: how many there may be, and what is counted of them. */
#include "mm/page.h"

#include <check.h>
#include <string.h>

#include "mm/cut.h"
#include "mm/heap.h"
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

START_TEST(above_the_limit_no_page_is_copied_and_the_write_goes_on) /* C2 */
{
    enum { LIMIT = 10, WRITES = 30 };
    struct mm_figures f;

    pages_limit(LIMIT * MM_PAGE_BYTES);
    begin();
    for (size_t i = 0; i < LIMIT; i++)
        write_page(i);
    ck_assert(!mm_cut_is_broken());
    for (size_t i = LIMIT; i < WRITES; i++)
        write_page(i);
    ck_assert(mm_cut_is_broken());
    for (size_t i = 0; i < WRITES; i++)
        ck_assert_int_eq(value[i * MM_PAGE_BYTES], 2);
    mm_figures(&f);
    ck_assert_uint_eq(f.preserved_pages, LIMIT + 1); /* the one that comes to the limit is still copied */
    end();
    pages_limit(0);
    begin();
    for (size_t i = 0; i < WRITES; i++)
        write_page(i);
    ck_assert(!mm_cut_is_broken());
    end();
}
END_TEST

/* Address space alone is no memory: neither that of a string which may grow, nor that of page words that were never
 * written. */
START_TEST(tables_are_counted_by_the_memory_that_they_have)
{
    struct mm_figures before, roomy, written;
    const void *p;

    mm_figures(&before);
    ck_assert_ptr_nonnull(p = mm_alloc_roomy(100000, 256 << 20));
    mm_figures(&roomy);
    ck_assert_uint_le(roomy.side_bytes - before.side_bytes,
                      (256 << 20 >> MM_BLOCK_SHIFT) * sizeof(struct block));
    begin();
    for (size_t i = 0; i < VALUE_BYTES / MM_PAGE_BYTES; i++)
        write_page(i);
    end();
    mm_figures(&written);
    /* Eight bytes a page, in whole pages of the system's, of which the first and the last may have other words, too. */
    ck_assert_uint_ge(written.side_bytes - roomy.side_bytes, VALUE_BYTES / MM_PAGE_BYTES * 8);
    ck_assert_uint_le(written.side_bytes - roomy.side_bytes, VALUE_BYTES / MM_PAGE_BYTES * 8 + 2 * 4096);
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
    tcase_add_test(t, above_the_limit_no_page_is_copied_and_the_write_goes_on);
    tcase_add_test(t, tables_are_counted_by_the_memory_that_they_have);
    suite_add_tcase(s, t);
    return run_suite(s);
}
