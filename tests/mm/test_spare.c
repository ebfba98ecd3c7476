/* tests/mm/test_spare.c - blocks where malloc() has none: whole, apart from each other, and back
 * again. */
#include "mm/base/spare.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "mm/base/fault.h"
#include "tests/support/runner.h"

enum { BLOCK_BYTES = 256 * 1024, ROUNDS = 2000, HELD = 12 };

static struct rlimit before;

/* no_more: malloc() has nothing from here on.  Blocks that it holds already are no larger than its
 * heap's rest.  The sanitizers' malloc() ends the process instead, so there a fault point stands
 * for the system. */
static void
no_more(void)
{
#ifdef STILLFRAME_FAULTS
    fault_arm(FAULT_spare_malloc, 1, true);
#else
    struct rlimit none = {.rlim_cur = 1, .rlim_max = before.rlim_max};

    ck_assert_int_eq(setrlimit(RLIMIT_AS, &none), 0);
    ck_assert_ptr_null(malloc(BLOCK_BYTES));
#endif
}

static void
more_again(void)
{
#ifdef STILLFRAME_FAULTS
    fault_disarm();
#else
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &before), 0);
#endif
}

static void
setup(void)
{
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &before), 0);
    ck_assert_int_eq(spare_open(), 0);
    ck_assert_uint_eq(spare_free_bytes(), SPARE_BYTES);
}

static void
teardown(void)
{
    more_again();
    ck_assert_uint_eq(spare_free_bytes(), SPARE_BYTES);
    spare_close();
}

START_TEST(while_malloc_has_blocks_none_is_spare)
{
    void *block = spare_take(BLOCK_BYTES);

    ck_assert_ptr_nonnull(block);
    ck_assert_uint_eq(spare_free_bytes(), SPARE_BYTES);
    spare_give(block, BLOCK_BYTES);
    spare_give(NULL, BLOCK_BYTES);
}
END_TEST

START_TEST(where_the_system_promises_nothing_there_is_as_much_as_was_said)
{
    void *blocks[SPARE_BYTES / BLOCK_BYTES];
    unsigned n = 0;

    no_more();
    while (n < SPARE_BYTES / BLOCK_BYTES) {
        ck_assert_ptr_nonnull(blocks[n] = spare_take(BLOCK_BYTES));
        memset(blocks[n], (int)n + 1, BLOCK_BYTES);
        n++;
    }
    ck_assert_uint_eq(spare_free_bytes(), SPARE_BYTES % BLOCK_BYTES);
    ck_assert_ptr_null(spare_take(BLOCK_BYTES));
    while (n > 0) {
        const uint8_t *bytes = blocks[--n];

        ck_assert_uint_eq(bytes[0], n + 1);
        ck_assert_int_eq(memcmp(bytes, bytes + 1, BLOCK_BYTES - 1), 0);
        spare_give(blocks[n], BLOCK_BYTES);
    }
    ck_assert_ptr_null(spare_take(SPARE_BYTES + 1));
}
END_TEST

/* Blocks of random sizes: each keeps its bytes until it is given back. */
START_TEST(blocks_do_not_touch_each_other)
{
    struct {
        uint8_t *at;
        size_t bytes;
    } held[HELD] = {0};
    uint32_t draw = 1;

    no_more();
    for (int round = 0; round < ROUNDS; round++) {
        unsigned i = (draw = draw * 1664525U + 1013904223U) >> 16;
        size_t bytes = 128 * 1024 + (i * 37) % (200 * 1024);

        i %= HELD;
        for (size_t k = 0; k < held[i].bytes; k += 1021)
            ck_assert_uint_eq(held[i].at[k], i + 1);
        spare_give(held[i].at, held[i].bytes);
        held[i].bytes = (held[i].at = spare_take(bytes)) == NULL ? 0 : bytes;
        if (held[i].at != NULL)
            memset(held[i].at, (int)i + 1, bytes);
    }
    for (unsigned i = 0; i < HELD; i++)
        spare_give(held[i].at, held[i].bytes);
}
END_TEST

START_TEST(without_a_promise_it_is_malloc)
{
    void *block;

    spare_close();
    ck_assert_ptr_nonnull(block = spare_take(BLOCK_BYTES));
    ck_assert_uint_eq(spare_free_bytes(), 0);
    spare_give(block, BLOCK_BYTES);
    no_more();
    ck_assert_ptr_null(spare_take(SPARE_BYTES / 2));
    more_again();
    ck_assert_int_eq(spare_open(), 0);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("spare");
    TCase *spare = tcase_create("spare");

    tcase_add_checked_fixture(spare, setup, teardown);
#ifndef STILLFRAME_FAULTS /* RLIMIT_AS says what there is */
    tcase_set_tags(spare, "kernel");
#endif
    tcase_add_test(spare, while_malloc_has_blocks_none_is_spare);
    tcase_add_test(spare, where_the_system_promises_nothing_there_is_as_much_as_was_said);
    tcase_add_test(spare, blocks_do_not_touch_each_other);
    tcase_add_test(spare, without_a_promise_it_is_malloc);
    suite_add_tcase(s, spare);
    return run_suite(s);
}
