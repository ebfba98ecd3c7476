/* tests/mm/test_no_memory.c - the system has no address space or no memory: who asks is told, what
 * there was stays, and it works as soon as there is some. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "mm/base/fault.h"
#include "mm/base/spare.h"
#include "mm/cut.h"
#include "mm/heap_impl.h"
#include "mm/page.h"
#include "tests/support/runner.h"

enum { GIB = 1 << 30, RESERVED_IN_A_ROUND = 5 };

static int
init(size_t bytes)
{
    return mm_init(&(struct mm_options){.arena_bytes = bytes});
}

START_TEST(an_arena_beyond_the_address_space_is_refused)
{
    ck_assert_int_eq(init(((size_t)1 << 46) + 1), -EINVAL);
    mm_fini(); /* of nothing */
    ck_assert_int_eq(init(GIB), 0);
    mm_fini();
    mm_fini();
}
END_TEST

START_TEST(an_arena_is_used_to_its_last_block)
{
    char *p;

    ck_assert_int_eq(init((size_t)GIB + 2 * MM_BLOCK_BYTES), 0); /* block 0 is nobody's */
    ck_assert_ptr_null(mm_alloc(MM_VALUE, (size_t)GIB + 2 * MM_BLOCK_BYTES));
    ck_assert_ptr_nonnull(p = mm_alloc(MM_VALUE, (size_t)GIB + MM_BLOCK_BYTES));
    p[0] = p[(size_t)GIB + MM_BLOCK_BYTES - 1] = 1;
    ck_assert_uint_eq(mm_spare_room(), 0);
    ck_assert_ptr_null(mm_alloc(MM_VALUE, 1));
    mm_check();
    mm_free(p);
    ck_assert_ptr_nonnull(mm_alloc(MM_VALUE, 1));
    mm_check();
    mm_fini();
}
END_TEST

#ifdef STILLFRAME_FAULTS
static size_t
arena_bytes(void)
{
    struct mm_figures f;

    mm_figures(&f);
    return f.arena_bytes;
}

static void
use(void)
{
    const char *p = mm_alloc(MM_VALUE, 1000000), *q = mm_alloc(MM_RECORD, 100);

    ck_assert(p != NULL && q != NULL);
    mm_check();
    mm_free(p);
    mm_free(q);
}

START_TEST(where_address_space_is_short_the_arena_is_half_as_large)
{
    unsigned n, delivered = 1;

    for (n = 1; delivered > 0; n++) {
        fault_arm(FAULT_mm_reserve, n, false);
        ck_assert_int_eq(init(GIB), 0);
        delivered = (unsigned)fault_disarm();
        ck_assert_uint_eq(arena_bytes(), delivered > 0 ? GIB / 2 : GIB);
        use();
        mm_fini();
    }
    ck_assert_uint_gt(n, RESERVED_IN_A_ROUND);
    fault_arm(FAULT_mm_reserve, 1, true);
    ck_assert_int_eq(init(GIB), -ENOMEM);
    fault_disarm();
    mm_fini();
    ck_assert_int_eq(init(GIB), 0);
    use();
    mm_fini();
}
END_TEST

START_TEST(without_memory_for_more_of_the_arena_an_allocation_fails_and_nothing_else)
{
    unsigned long delivered = 1, failed = 0;

    for (unsigned n = 1; delivered > 0; n++) {
        const char *p;

        ck_assert_int_eq(init(GIB), 0);
        fault_arm(FAULT_mm_commit, n, false);
        p = mm_alloc(MM_VALUE, 1000000);
        delivered = fault_disarm();
        ck_assert((p == NULL) == (delivered > 0));
        failed += delivered;
        mm_check();
        if (p != NULL)
            mm_free(p);
        use();
        mm_fini();
    }
    ck_assert_uint_ge(failed, 2); /* blocks' table, page words, the arena */
}
END_TEST

START_TEST(without_memory_for_copies_the_cut_is_broken_and_the_write_is_done)
{
    enum { BYTES = 1 << 20 };

    for (unsigned n = 1; n <= 2; n++) { /* the chain's table, the copies */
        epoch_t epoch;
        char *p;

        ck_assert_int_eq(init(GIB), 0);
        p = mm_alloc(MM_VALUE, BYTES);
        ck_assert_ptr_nonnull(p);
        memset(p, 1, BYTES);
        fault_arm(FAULT_mm_commit, n, true);
        ck_assert_int_eq(mm_cut_begin(&epoch), 0);
        for (size_t at = 0; at < BYTES; at += MM_PAGE_BYTES)
            memset(mm_modify(p + at, 1), 2, 1);
        ck_assert_uint_gt(fault_disarm(), 0);
        ck_assert(mm_cut_is_broken());
        ck_assert(!mm_cut_is_over_limit());
        for (size_t at = 0; at < BYTES; at += MM_PAGE_BYTES)
            ck_assert_int_eq(p[at], 2);
        mm_cut_end();
        while (mm_settle(64))
            ;
        mm_check();
        ck_assert_int_eq(mm_cut_begin(&epoch), 0);
        memset(mm_modify(p, 1), 3, 1);
        ck_assert(!mm_cut_is_broken()); /* the next one has its memory */
        mm_cut_end();
        while (mm_settle(64))
            ;
        mm_fini();
    }
}
END_TEST

START_TEST(spare_blocks_that_nobody_promises_are_refused_at_the_start)
{
    static const enum fault points[] = {FAULT_mm_reserve, FAULT_mm_commit};

    for (unsigned i = 0; i < 2; i++) {
        fault_arm(points[i], 1, false);
        ck_assert_int_eq(spare_open(), -ENOMEM);
        ck_assert_uint_eq(fault_disarm(), 1);
        spare_close(); /* of nothing */
        ck_assert_int_eq(spare_open(), 0);
        spare_close();
    }
}
END_TEST
#endif

int
main(void)
{
    Suite *s = suite_create("mm/no_memory");
    TCase *t = tcase_create("no_memory");

    tcase_add_test(t, an_arena_beyond_the_address_space_is_refused);
    tcase_add_test(t, an_arena_is_used_to_its_last_block);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(t, where_address_space_is_short_the_arena_is_half_as_large);
    tcase_add_test(t, without_memory_for_more_of_the_arena_an_allocation_fails_and_nothing_else);
    tcase_add_test(t, without_memory_for_copies_the_cut_is_broken_and_the_write_is_done);
    tcase_add_test(t, spare_blocks_that_nobody_promises_are_refused_at_the_start);
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
