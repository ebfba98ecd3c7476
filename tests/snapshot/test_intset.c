/* tests/snapshot/test_intset.c - intsets that are built element by element, in any order and width,
 * and found again. */
#include "snapshot/rdb/intset.h"

#include <check.h>
#include <string.h>

#include "tests/support/runner.h"

static uint8_t set[INTSET_HEADER_BYTES + 8 * 64];

/* Each order has elements that widen the set: the least, in the middle, the greatest. */
static const struct {
    int64_t add[8];
    unsigned count, width;
} cases[] = {
    {{0}, 0, 2},
    {{5, 3, 4, -32768, 32767}, 5, 2},
    {{1, 2, -32769}, 3, 4},
    {{1, 2, 32768, 0}, 4, 4},
    {{-5, 5, INT64_MIN, INT64_MAX, 0}, 5, 8},
    {{1, 2147483648, -1}, 3, 8},
    {{1, -40000, 40000, -3000000000, 3000000000, 2}, 6, 8},
};
enum { CASES = sizeof cases / sizeof *cases };

START_TEST(what_was_added_is_there_in_order)
{
    size_t len = intset_init(set);
    uint32_t count, at;

    for (unsigned i = 0; i < cases[_i].count; i++) {
        ck_assert(!intset_find(set, cases[_i].add[i], &at));
        len = intset_add(set, cases[_i].add[i]);
        ck_assert(intset_validate(set, len, &count)); /* in order, and none twice */
        ck_assert_uint_eq(count, i + 1);
        for (unsigned k = 0; k <= i; k++) {
            ck_assert(intset_find(set, cases[_i].add[k], &at));
            ck_assert_int_eq(intset_get(set, at), cases[_i].add[k]);
            ck_assert(intset_find_from(set, at / 2, cases[_i].add[k], &at));
            ck_assert_int_eq(intset_get(set, at), cases[_i].add[k]);
        }
    }
    ck_assert_uint_eq(intset_width(set), cases[_i].width);
    ck_assert_uint_eq(len, intset_bytes(cases[_i].width, cases[_i].count));
}
END_TEST

START_TEST(what_is_none_is_refused)
{
    static const uint8_t turned[] = {2, 0, 1, 0}, twice[] = {1, 0, 1, 0};
    uint32_t count;
    size_t len;

    intset_init(set);
    intset_add(set, 1);
    len = intset_add(set, 2);
    ck_assert(intset_validate(set, len, &count));
    for (size_t other = 0; other < sizeof set; other++)
        ck_assert_int_eq(intset_validate(set, other, &count), other == len);
    for (unsigned width = 0; width < 256; width++) {
        set[0] = (uint8_t)width;
        ck_assert_int_eq(intset_validate(set, len, &count), width == 2);
    }
    set[0] = 2;
    memcpy(set + INTSET_HEADER_BYTES, turned, sizeof turned);
    ck_assert(!intset_validate(set, len, &count));
    memcpy(set + INTSET_HEADER_BYTES, twice, sizeof twice);
    ck_assert(!intset_validate(set, len, &count));
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("snapshot/intset");
    TCase *t = tcase_create("intset");

    tcase_add_loop_test(t, what_was_added_is_there_in_order, 0, CASES);
    tcase_add_test(t, what_is_none_is_refused);
    suite_add_tcase(s, t);
    return run_suite(s);
}
