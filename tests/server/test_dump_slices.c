/* tests/server/test_dump_slices.c - dumps that are made in slices. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/data/db/db.h"
#include "server/data/db/dump.h"
#include "server/data/db/dump_slices.h"
#include "tests/support/runner.h"
#include "tests/support/talk.h"

static const char *const keys[] = {"string", "hash", "set", "zset", "list", "stream"};
enum { KEYS = sizeof keys / sizeof *keys, ELEMENTS = 6000 };

static void
setup(void)
{
    talk_open();
    ck_assert_str_eq(talk("set string @2000000*x"), "+OK\r\n");
    for (int i = 0; i < ELEMENTS; i++) {
        (void)talk("hset hash field%d value%d", i, i);
        (void)talk("sadd set member%d", i);
        (void)talk("zadd zset %d.5 member%d", i, i);
        (void)talk("rpush list @300*%c", 'a' + i % 26);
        (void)talk("xadd stream %d-1 field value%d", i + 1, i);
    }
}

static void
teardown(void)
{
    ck_assert_uint_eq(db_state.sliced_dumps, 0);
    talk_close();
}

/* make: each slice is over at its first look at the clock.  Returns how many there were. */
static int
make(const char *key, uint8_t **ret, size_t *ret_len)
{
    struct dump_slices *d;
    int n = 1, r;

    ck_assert_int_eq(dump_slices_begin(talk_record(key), &d), 0);
    while ((r = dump_slices_go_on(d, 0)) == 1)
        n++;
    ck_assert_int_eq(r, 0);
    ck_assert_ptr_nonnull(*ret = dump_slices_take(d, ret_len));
    dump_slices_end(d);
    return n;
}

START_TEST(the_payload_is_that_of_a_dump_in_one_piece)
{
    for (int i = 0; i < KEYS; i++) {
        uint8_t *sliced, *whole;
        size_t sliced_len, whole_len;

        ck_assert_msg(dump_is_long(talk_record(keys[i])) || i >= 4, "%s", keys[i]);
        ck_assert_msg(make(keys[i], &sliced, &sliced_len) > 10, "%s", keys[i]);
        ck_assert_int_eq(dump_value(talk_record(keys[i]), &whole, &whole_len), 0);
        ck_assert_uint_eq(sliced_len, whole_len);
        ck_assert_msg(memcmp(sliced, whole, whole_len) == 0, "%s", keys[i]);
        free(sliced);
        free(whole);
    }
}
END_TEST

/* Under the address sanitizer a look at what has gone would be found. */
START_TEST(one_that_is_given_up_reads_nothing_more) /* DS1 */
{
    struct dump_slices *d;

    for (int i = 0; i < KEYS; i++) {
        ck_assert_int_eq(dump_slices_begin(talk_record(keys[i]), &d), 0);
        for (int n = 0; n < 3; n++)
            ck_assert_int_eq(dump_slices_go_on(d, 0), 1);
        ck_assert_str_eq(talk("del %s", keys[i]), ":1\r\n");
        talk_finish_work();
        dump_slices_end(d);
    }
    (void)talk("set string @2000000*x");
    ck_assert_int_eq(dump_slices_begin(talk_record("string"), &d), 0);
    dump_slices_end(d); /* before its first slice */
}
END_TEST

START_TEST(no_more_than_some_are_open)
{
    struct dump_slices *open[DUMP_SLICES_MAX], *more;

    for (int i = 0; i < DUMP_SLICES_MAX; i++)
        ck_assert_int_eq(dump_slices_begin(talk_record("hash"), &open[i]), 0);
    ck_assert_int_eq(dump_slices_begin(talk_record("hash"), &more), -EAGAIN);
    for (int i = 0; i < DUMP_SLICES_MAX; i++) {
        ck_assert_int_eq(dump_slices_go_on(open[i], 0), 1);
        dump_slices_end(open[i]);
    }
}
END_TEST

START_TEST(what_is_small_is_not_long)
{
    (void)talk("set small @1000*x");
    (void)talk("hset few a b");
    ck_assert(!dump_is_long(talk_record("small")) && !dump_is_long(talk_record("few")));
    (void)talk("set number 12");
    ck_assert(!dump_is_long(talk_record("number")));
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("server/dump_slices");
    TCase *tc = tcase_create("slices");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_payload_is_that_of_a_dump_in_one_piece);
    tcase_add_test(tc, one_that_is_given_up_reads_nothing_more);
    tcase_add_test(tc, no_more_than_some_are_open);
    tcase_add_test(tc, what_is_small_is_not_long);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
