/* tests/snapshot/test_field_set.c - what was there before is known, in tables of any size, again
 * and again. */
#include "snapshot/rdb/field_set.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mm/base/fault.h"
#include "tests/support/runner.h"

static struct field_set set;

static int
add(unsigned i)
{
    char text[16];

    return field_set_add(&set, text, (size_t)snprintf(text, sizeof text, "field%u", i));
}

static bool
has(unsigned i)
{
    char text[16];
    int len = snprintf(text, sizeof text, "field%u", i);

    return field_set_has(&set, field_mark_of(&set, 0, text, (size_t)len));
}

START_TEST(each_field_is_new_once)
{
    static const unsigned sizes[] = {1, 100, 3000, 10000, 0, 5, 1000, 0, 0, 40};

    field_set_init(&set);
    ck_assert(!has(0)); /* it has no table yet */
    /* one value after the other: what a table of another size had is forgotten */
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        for (unsigned i = 0; i < sizes[k]; i++) {
            ck_assert(!has(i));
            ck_assert_int_eq(add(i), 1);
            ck_assert_int_eq(add(i), 0);
            ck_assert(has(i));
        }
        ck_assert(!has(sizes[k]));
        field_set_clear(&set);
    }
    field_set_fini(&set);
}
END_TEST

START_TEST(fields_of_other_spaces_are_others)
{
    field_set_init(&set);
    for (uint64_t space = 0; space < 50; space++) {
        ck_assert_int_eq(field_set_add_in(&set, space, "f", 1), 1);
        ck_assert_int_eq(field_set_add_in(&set, space, "f", 1), 0);
    }
    ck_assert_int_eq(field_set_add(&set, "f", 1), 0); /* the first space */
    field_set_fini(&set);
}
END_TEST

#ifdef STILLFRAME_FAULTS
START_TEST(without_memory_what_was_added_stays)
{
    field_set_init(&set);
    fault_arm(FAULT_load_alloc, 1, false);
    ck_assert_int_eq(add(0), -ENOMEM);
    for (unsigned i = 0; i < 16; i++)
        ck_assert_int_eq(add(i), 1);
    fault_arm(FAULT_load_alloc, 1, false);
    ck_assert_int_eq(add(16), -ENOMEM); /* it would have to grow */
    ck_assert_uint_eq(fault_disarm(), 1);
    for (unsigned i = 0; i < 16; i++)
        ck_assert(has(i));
    ck_assert_int_eq(add(16), 1);
    field_set_fini(&set);
}
END_TEST
#endif

int
main(void)
{
    Suite *s = suite_create("snapshot/field_set");
    TCase *t = tcase_create("field_set");

    tcase_add_test(t, each_field_is_new_once);
    tcase_add_test(t, fields_of_other_spaces_are_others);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(t, without_memory_what_was_added_stays);
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
