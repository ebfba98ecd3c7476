/* tests/tool/test_seen.c - hashes that come twice, wherever they are kept meanwhile. */
#include "tool/check/seen.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "tests/support/runner.h"

/* mixed: all different for different i; none is 0. */
static uint64_t
mixed(uint64_t i)
{
    i = (i + 1) * 0x9e3779b97f4a7c15u;
    i ^= i >> 29;
    return i * 0xbf58476d1ce4e5b9u;
}

enum { SPILLED = (SEEN_MEMORY_BLOCKS + (1 << SEEN_PART_BITS) + 64) * SEEN_BLOCK };

static const struct {
    unsigned count;
    uint64_t mask, bits; /* of each hash: what stays, what is set */
} shapes[] = {
    {2, UINT64_MAX, 0},
    {24, UINT64_MAX, 0},
    {25, UINT64_MAX, 0},
    {SEEN_HELD, UINT64_MAX, 0},
    {SEEN_HELD + 1, UINT64_MAX, 0},
    {300000, UINT64_MAX, 0},
    {SPILLED, UINT64_MAX, 0},
    /* all in the last part, more than a table takes at once */
    {SEEN_TABLE / 2 + 1000, UINT64_MAX >> SEEN_PART_BITS, 0xff80000000000000u},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static uint64_t
hash_of(unsigned shape, uint64_t i)
{
    return (mixed(i) & shapes[shape].mask) | shapes[shape].bits;
}

START_TEST(what_came_twice_is_a_suspect_and_nothing_else)
{
    unsigned n = shapes[_i].count, firsts[] = {0, n / 4, n / 8 * 5}; /* of many: in the file */
    struct seen_set suspects = {0};
    struct seen s;
    int r = 0;

    seen_init(&s);
    for (unsigned round = 0; round < 3; round++) { /* it can be used again */
        unsigned first = firsts[round] % (n - 1);

        for (unsigned i = 0; i < n; i++)
            r |= seen_add(&s, hash_of(_i, i + 1 == n ? first : i));
        ck_assert_int_eq(r, 0);
        ck_assert_int_eq(seen_end(&s, &suspects), 0);
        ck_assert_uint_eq(suspects.used, 1);
        ck_assert(seen_set_has(&suspects, hash_of(_i, first)));
        ck_assert(!seen_set_has(&suspects, hash_of(_i, n + 7)));
        seen_set_fini(&suspects);
    }
    for (unsigned i = 0; i < n; i++)
        r |= seen_add(&s, hash_of(_i, i));
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(seen_end(&s, &suspects), 0);
    ck_assert_uint_eq(suspects.used, 0);
    seen_fini(&s);
}
END_TEST

START_TEST(zero_is_a_hash_like_any_other)
{
    struct seen_set suspects = {0};
    struct seen s;

    seen_init(&s);
    for (unsigned i = 0; i < 100; i++)
        ck_assert_int_eq(seen_add(&s, i == 50 || i == 99 ? 0 : mixed(i)), 0);
    ck_assert_int_eq(seen_end(&s, &suspects), 0);
    ck_assert(seen_set_has(&suspects, 0));
    seen_set_fini(&suspects);
    seen_fini(&s);
}
END_TEST

START_TEST(suspects_have_an_end)
{
    struct seen_set suspects = {0};
    struct seen s;

    seen_init(&s);
    for (unsigned i = 0; i < 4 * SEEN_SUSPECTS; i++)
        ck_assert_int_eq(seen_add(&s, mixed(i / 2)), 0);
    ck_assert_int_eq(seen_end(&s, &suspects), 0);
    ck_assert_uint_eq(suspects.used, SEEN_SUSPECTS);
    seen_set_fini(&suspects);
    seen_fini(&s);
}
END_TEST

START_TEST(without_a_place_for_the_file_it_is_told)
{
    struct seen s;
    int r = 0;

    ck_assert_int_eq(setenv("TMPDIR", "/nowhere", 1), 0);
    seen_init(&s);
    for (unsigned i = 0; r == 0 && i < SPILLED; i++)
        r = seen_add(&s, mixed(i));
    ck_assert_int_eq(r, -ENOENT);
    seen_fini(&s);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("tool/seen");
    TCase *t = tcase_create("seen");

    tcase_add_loop_test(t, what_came_twice_is_a_suspect_and_nothing_else, 0, SHAPES);
    tcase_add_test(t, zero_is_a_hash_like_any_other);
    tcase_add_test(t, suspects_have_an_end);
    tcase_add_test(t, without_a_place_for_the_file_it_is_told);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
