/* tests/snapshot/test_rdb_dec_zset.c - sorted sets in every form that files have, and wrong
 * ones. */
#include <check.h>
#include <errno.h>
#include <stdio.h>

#include "snapshot/rdb/rdb_dec.h"
#include "tests/snapshot/spell.h"
#include "tests/support/runner.h"

static char heard[512];

static void
note(const char *what, struct slice name, double number)
{
    size_t at = strlen(heard);

    snprintf(heard + at, sizeof heard - at, "%s%.*s=%g ", what, (int)name.len, name.ptr, number);
}

static int
on_listpack(void *ctx, struct slice lp, uint32_t members)
{
    (void)ctx;
    (void)lp;
    note("listpack", SLICE(""), members);
    return 0;
}

static int
on_begin(void *ctx, uint64_t members)
{
    (void)ctx;
    note("begin", SLICE(""), (double)members);
    return 0;
}

static int
on_member(void *ctx, struct slice member, double score)
{
    (void)ctx;
    note("", member, score);
    return 0;
}

static int
decode(const char *text, struct rdb_error *error)
{
    static const struct rdb_events events = {
        .zset_listpack = on_listpack, .zset_begin = on_begin, .zset_member = on_member};

    heard[0] = '\0';
    return spell_decode(text, &events, error);
}

static const char *const good[][2] = {
    {"'REDIS0003' 03 [ 'z' ] 04 [ 'a' ] 03 '1.5' [ 'b' ] ff [ 'c' ] fe [ '' ] 02 '-0' ff",
     "begin=4 a=1.5 b=-inf c=inf =-0 "},
    {"'REDIS0010' 05 [ 'z' ] 02 [ 'a' ] 00 00 00 00 00 00 f8 3f c0 07 00 00 00 00 00 00 f0 7f ff zero",
     "begin=2 a=1.5 7=inf "},
    {"'REDIS0010' 11 [ 'z' ] [ ( 4 : 81 'a' 02 01 01 81 'b' 02 02 01 ) ] ff zero", "listpack=2 "},
    {"'REDIS0010' 11 [ 'z' ] [ ( 4 : 81 'b' 02 01 01 81 'a' 02 01 01 ) ] ff zero",
     "begin=2 b=1 a=1 "},
    {"'REDIS0010' 11 [ 'z' ] [ ( 4 : 81 'a' 02 83 '2.5' 04 81 'b' 02 02 01 ) ] ff zero",
     "begin=2 a=2.5 b=2 "},
    {"'REDIS0010' 11 [ 'z' ] [ ( 0 : ) ] ff zero", "listpack=0 "},
    {"'REDIS0009' 0c [ 'z' ] [ 10 00 00 00 0d 00 00 00 02 00 00 01 'a' 03 f2 ff ] ff zero",
     "begin=1 a=1 "},
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
    {"'REDIS0003' 03 [ 'z' ] 01 [ 'a' ] fd ff", "no score", "begin=1 "},
    {"'REDIS0003' 03 [ 'z' ] 01 [ 'a' ] 02 '1x' ff", "\"1x\" is no score", "begin=1 "},
    {"'REDIS0003' 03 [ 'z' ] 01 [ 'a' ] 00 ff", "no score", "begin=1 "},
    {"'REDIS0003' 03 [ 'z' ] 01 [ 'a' ] 20 '1'", "ends", "begin=1 "},
    {"'REDIS0010' 05 [ 'z' ] 01 [ 'a' ] 00 00 00 00 00 00 f8 7f ff zero", "no score", "begin=1 "},
    {"'REDIS0010' 05 [ 'z' ] 80 ff ff ff ff [ 'a' ] zero ff zero", "claims 4294967295", ""},
    {"'REDIS0010' 05 [ 'z' ] 81 ff x 8 [ 'a' ] zero ff zero", "claims", ""},
    {"'REDIS0010' 05 [ 'z' ] 02 [ 'a' ] zero ff zero", "", "begin=2 a=0 "},
    {"'REDIS0010' 11 [ 'z' ] [ ( 3 : 81 'a' 02 01 01 81 'b' 02 ) ] ff zero", "without a score", ""},
    {"'REDIS0010' 11 [ 'z' ] [ ( 2 : 81 'a' 02 81 'x' 02 ) ] ff zero", "\"x\" is no score", ""},
    {"'REDIS0010' 11 [ 'z' ] [ ( 2 : 81 'a' 02 83 'nan' 04 ) ] ff zero", "\"nan\" is no score", ""},
    {"'REDIS0010' 11 [ 'z' ] [ ( 4 : 81 'a' 02 01 01 81 'a' 02 02 01 ) ] ff zero",
     "member \"a\" twice", ""},
    {"'REDIS0010' 11 [ 'z' ] [ ( 4 : 81 'a' 02 01 01 81 'b' 02 02 02 ) ] ff zero", "damaged", ""},
    {"'REDIS0009' 0c [ 'z' ] [ 0e 00 00 00 0a 00 00 00 01 00 00 01 'a' ff ] ff zero", "damaged",
     ""},
    {"'REDIS0009' 0c [ 'z' ] [ 11 00 00 00 0d 00 00 00 02 00 00 01 'a' 03 01 'x' ff ] ff zero",
     "no score", ""},
    {"'REDIS0009' 0c [ 'z' ] [ 10 00 00 00 0d 00 00 00 02 00 00 01 'a' 04 f2 ff ] ff zero",
     "damaged", ""},
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
    Suite *s = suite_create("snapshot/rdb_dec_zset");
    TCase *t = tcase_create("zset");

    tcase_add_loop_test(t, every_form_is_read, 0, (int)(sizeof good / sizeof *good));
    tcase_add_loop_test(t, what_is_wrong_is_refused, 0, (int)(sizeof wrong / sizeof *wrong));
    suite_add_tcase(s, t);
    return run_suite(s);
}
