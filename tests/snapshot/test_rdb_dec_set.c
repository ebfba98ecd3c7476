/* tests/snapshot/test_rdb_dec_set.c - sets in every form that files have, and wrong ones. */
#include <check.h>
#include <errno.h>
#include <stdio.h>

#include "snapshot/rdb/rdb_dec.h"
#include "tests/snapshot/spell.h"
#include "tests/support/runner.h"

static char heard[512];

static void
note(const char *what, struct slice member, unsigned long number)
{
    size_t at = strlen(heard);

    if (what[0] != '\0')
        snprintf(heard + at, sizeof heard - at, "%s=%lu ", what, number);
    else
        snprintf(heard + at, sizeof heard - at, "%.*s ", (int)member.len, member.ptr);
}

static int
on_intset(void *ctx, struct slice intset, uint32_t members)
{
    (void)ctx;
    note("intset", intset, members);
    return 0;
}

static int
on_listpack(void *ctx, struct slice lp, uint32_t members)
{
    (void)ctx;
    note("listpack", lp, members);
    return 0;
}

static int
on_begin(void *ctx, uint64_t members)
{
    (void)ctx;
    note("begin", (struct slice){NULL, 0}, members);
    return 0;
}

static int
on_member(void *ctx, struct slice member)
{
    (void)ctx;
    note("", member, 0);
    return 0;
}

static int
decode(const char *text, struct rdb_error *error)
{
    static const struct rdb_events events = {.set_intset = on_intset,
                                             .set_listpack = on_listpack,
                                             .set_begin = on_begin,
                                             .set_member = on_member};

    heard[0] = '\0';
    return spell_decode(text, &events, error);
}

static const char *const good[][2] = {
    {"'REDIS0003' 02 [ 's' ] 03 [ 'a' ] [ '' ] c0 07 ff", "begin=3 a  7 "},
    {"'REDIS0010' 02 [ 's' ] 00 ff zero", "begin=0 "},
    {"'REDIS0010' 0b [ 's' ] [ 02 00 00 00 03 00 00 00 fe ff 01 00 00 7f ] ff zero", "intset=3 "},
    {"'REDIS0010' 0b [ 's' ] [ 04 00 00 00 02 00 00 00 00 00 00 80 ff ff ff 7f ] ff zero",
     "intset=2 "},
    {"'REDIS0010' 0b [ 's' ] [ 08 00 00 00 01 00 00 00 00 00 00 00 00 00 00 80 ] ff zero",
     "intset=1 "},
    {"'REDIS0011' 14 [ 's' ] [ ( 3 : 81 'a' 02 07 01 80 01 ) ] ff zero", "listpack=3 "},
};

START_TEST(every_form_is_read)
{
    struct rdb_error error;

    ck_assert_msg(decode(good[_i][0], &error) == 0, "%s", error.text);
    ck_assert_str_eq(heard, good[_i][1]);
}
END_TEST

/* What is wrong with each, and how much is told before that. */
static const char *const wrong[][3] = {
    {"'REDIS0010' 02 [ 's' ] 80 ff ff ff ff [ 'a' ] zero ff zero", "claims 4294967295", ""},
    {"'REDIS0010' 02 [ 's' ] 03 [ 'a' ] [ 'b' ]", "ends", "begin=3 a b "},
    {"'REDIS0010' 02 [ 's' ] 01 c7 ff zero", "", "begin=1 "},
    /* an intset's width, its length, its order */
    {"'REDIS0010' 0b [ 's' ] [ 03 00 00 00 01 00 00 00 01 00 00 ] ff zero", "damaged", ""},
    {"'REDIS0010' 0b [ 's' ] [ 00 00 00 00 01 00 00 00 ] ff zero", "damaged", ""},
    {"'REDIS0010' 0b [ 's' ] [ 02 00 00 00 02 00 00 00 01 00 ] ff zero", "damaged", ""},
    {"'REDIS0010' 0b [ 's' ] [ 02 00 00 00 01 00 00 00 01 00 02 00 ] ff zero", "damaged", ""},
    {"'REDIS0010' 0b [ 's' ] [ 08 00 00 00 ff ff ff 1f 01 00 ] ff zero", "damaged", ""},
    {"'REDIS0010' 0b [ 's' ] [ 02 00 00 00 02 00 00 00 05 00 04 00 ] ff zero", "damaged", ""},
    {"'REDIS0010' 0b [ 's' ] [ 02 00 00 00 02 00 00 00 05 00 05 00 ] ff zero", "damaged", ""},
    {"'REDIS0010' 0b [ 's' ] [ 02 00 00 00 02 00 00 00 01 00 ff ff ] ff zero", "damaged", ""},
    {"'REDIS0010' 0b [ 's' ] [ 02 00 00 ] ff zero", "damaged", ""},
    /* a listpack's counts, lengths, members */
    {"'REDIS0011' 14 [ 's' ] [ ( 2 : 81 'a' 02 81 'a' 02 ) ] ff zero", "twice", ""},
    {"'REDIS0011' 14 [ 's' ] [ ( 2 : 07 01 81 '7' 02 ) ] ff zero", "twice", ""},
    {"'REDIS0011' 14 [ 's' ] [ ( 1 : 85 'a' 02 ) ] ff zero", "damaged", ""},
    {"'REDIS0011' 14 [ 's' ] [ ( 1 : 81 'a' 03 ) ] ff zero", "damaged", ""},
};

START_TEST(what_is_wrong_is_refused)
{
    struct rdb_error error;

    ck_assert_int_eq(decode(wrong[_i][0], &error), -EINVAL);
    ck_assert_msg(strstr(error.text, wrong[_i][1]) != NULL, "%s", error.text);
    ck_assert_str_eq(heard, wrong[_i][2]);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("snapshot/rdb_dec_set");
    TCase *t = tcase_create("set");

    tcase_add_loop_test(t, every_form_is_read, 0, (int)(sizeof good / sizeof *good));
    tcase_add_loop_test(t, what_is_wrong_is_refused, 0, (int)(sizeof wrong / sizeof *wrong));
    suite_add_tcase(s, t);
    return run_suite(s);
}
