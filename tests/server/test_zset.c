/* tests/server/test_zset.c - the sorted set type: both encodings, the way from one to the other,
 * all or nothing. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "mm/cut.h"
#include "server/data/zset/zset.h"
#include "tests/support/runner.h"
#include "tests/support/talk.h"

static bool
is_large(const char *key)
{
    return record_encoding(talk_record(key)) == ENC_ROOT;
}

START_TEST(it_becomes_large_at_the_limit_of_members)
{
    zset_limits.listpack_members = 8;
    for (int i = 0; i < 8; i++)
        talk("zadd z %d m%d", i, i);
    ck_assert(!is_large("z"));
    talk("zadd z 9 m3");
    talk("zadd z xx 9 m9");
    ck_assert(!is_large("z"));
    talk("expire z 100");
    talk("zadd z 9 m8");
    ck_assert(is_large("z"));
    ck_assert_str_eq(talk("ttl z"), ":100\r\n");
    ck_assert_str_eq(talk("zcard z"), ":9\r\n");
    ck_assert_str_eq(talk("zrange z 0 1 withscores"),
                     "*4\r\n$2\r\nm0\r\n$1\r\n0\r\n$2\r\nm1\r\n$1\r\n1\r\n");
    talk("zremrangebyrank z 0 5");
    ck_assert(is_large("z"));
    ck_assert_str_eq(talk("object encoding z"), "$8\r\nskiplist\r\n");
    db_verify();
}
END_TEST

START_TEST(it_becomes_large_with_a_long_member)
{
    talk("zadd a 1 @64*m");
    ck_assert(!is_large("a"));
    talk("zadd a xx 1 @65*m");
    ck_assert(!is_large("a"));
    talk("zadd a 1 @65*m");
    ck_assert(is_large("a"));
    talk("zincrby b 2 @300*m");
    ck_assert(is_large("b"));
    ck_assert_str_eq(talk("zscore b @300*m"), "$1\r\n2\r\n");
    db_verify();
}
END_TEST

START_TEST(the_key_goes_with_its_last_member)
{
    talk("zadd a 1 x 2 y");
    talk("zadd b 1 x 2 @70*y");
    talk("zadd c 1 x 2 @70*y");
    talk("zadd d 1 x 2 @70*y");
    talk("expire b 100");
    ck_assert_str_eq(talk("zrem a x y z"), ":2\r\n");
    ck_assert_str_eq(talk("zrem b @70*y x y"), ":2\r\n");
    talk("zpopmin c 5");
    ck_assert_str_eq(talk("zremrangebyscore d -inf +inf"), ":2\r\n");
    ck_assert_uint_eq(db_size(talk_db()), 0);
    ck_assert_uint_eq(db_expires(talk_db()), 0);
    talk_finish_work();
    ck_assert_uint_eq(talk_live_bytes(), 0);
}
END_TEST

START_TEST(no_key_is_made_where_no_member_is_added)
{
    ck_assert_str_eq(talk("zadd z xx 1 a 2 b"), ":0\r\n");
    ck_assert_str_eq(talk("zadd z xx incr 1 a"), "$-1\r\n");
    ck_assert_ptr_null(talk_record("z"));
    zset_limits.listpack_members = 0;
    ck_assert_str_eq(talk("zadd z xx 1 a 2 b"), ":0\r\n");
    ck_assert_ptr_null(talk_record("z"));
}
END_TEST

/* The same commands on a small and on a large one. */
START_TEST(members_given_twice_are_taken_in_order)
{
    zset_limits.listpack_members = _i == 0 ? 128 : 0;
    ck_assert_str_eq(talk("zadd z 1 a 2 b 3 a"), ":2\r\n");
    ck_assert_str_eq(talk("zadd z ch 5 a 3 a 4 b 7 c 8 c"), ":5\r\n");
    ck_assert_str_eq(talk("zadd z ch 1 a 9 a 1 a 3 a"), ":4\r\n");
    ck_assert_str_eq(talk("zrange z 0 -1 withscores"),
                     "*6\r\n$1\r\na\r\n$1\r\n3\r\n$1\r\nb\r\n$1\r\n4\r\n$1\r\nc\r\n$1\r\n8\r\n");
    ck_assert_int_eq(is_large("z"), _i);
    db_verify();
}
END_TEST

START_TEST(rank_with_score)
{
    zset_limits.listpack_members = _i == 0 ? 128 : 0;
    talk("zadd z 1 a 2.5 b 3 c");
    ck_assert_str_eq(talk("zrank z b withscore"), "*2\r\n:1\r\n$3\r\n2.5\r\n");
    ck_assert_str_eq(talk("zrevrank z a WITHSCORE"), "*2\r\n:2\r\n$1\r\n1\r\n");
    ck_assert_str_eq(talk("zrank z x withscore"), "*-1\r\n");
    ck_assert_str_eq(talk("zrank n x withscore"), "*-1\r\n");
    ck_assert_str_eq(talk("zrank z x"), "$-1\r\n");
    ck_assert_str_eq(talk("zrank z a foo"), "-ERR syntax error\r\n");
    ck_assert_str_eq(talk("zrank z a withscore b"),
                     "-ERR wrong number of arguments for 'zrank' command\r\n");
    talk("hello 3");
    ck_assert_str_eq(talk("zrank z b withscore"), "*2\r\n:1\r\n,2.5\r\n");
    ck_assert_str_eq(talk("zrank z x withscore"), "_\r\n");
    talk("hello 2");
}
END_TEST

START_TEST(scores_are_printed_with_the_fewest_digits)
{
    static const char *const scores[][2] = {{"0.1", "0.1"},
                                            {"3.1000000000000001", "3.1"},
                                            {"1e17", "100000000000000000"},
                                            {"1e20", "1e+20"},
                                            {"1e-7", "1e-7"},
                                            {"-0", "0"},
                                            {"5e-324", "5e-324"},
                                            {"1.7976931348623157e308", "1.7976931348623157e+308"},
                                            {"0x10", "16"},
                                            {"-inf", "-inf"},
                                            {"0.30000000000000004", "0.30000000000000004"},
                                            {"1e-5", "0.00001"},
                                            {"123456789.987654321", "1.2345678998765433e+8"}};

    for (size_t i = 0; i < sizeof scores / sizeof *scores; i++) {
        char want[64];

        talk("zadd z %s m", scores[i][0]);
        snprintf(want, sizeof want, "$%zu\r\n%s\r\n", strlen(scores[i][1]), scores[i][1]);
        ck_assert_str_eq(talk("zscore z m"), want);
        talk("zadd large %s m 0 @70*x", scores[i][0]);
        if (strcmp(scores[i][0], "-0") != 0)
            ck_assert_str_eq(talk("zscore large m"), want);
    }
}
END_TEST

/* Where scores differ a range of members means nothing, but it ends. */
START_TEST(ranges_of_members_over_different_scores_end)
{
    zset_limits.listpack_members = _i == 0 ? 1000 : 0;
    for (int i = 0; i < 300; i++)
        talk("zadd z %d m%d", i * 7 % 10, i);
    for (int i = 0; i < 300; i += 7) {
        talk("zrangebylex z [m%d (m%d", i, i * 5 % 300);
        talk("zremrangebylex z [m%d [m%d", i, i);
    }
    db_verify();
}
END_TEST

START_TEST(a_listpack_moves_out_of_its_record_and_back)
{
    zset_limits.listpack_members = 200;
    for (int i = 0; i < 100; i++)
        talk("zadd z %d member:%030d", i, i);
    ck_assert_int_eq(record_encoding(talk_record("z")), ENC_OUTER);
    talk("zremrangebyrank z 3 -1");
    ck_assert_int_eq(record_encoding(talk_record("z")), ENC_INLINE);
    ck_assert_str_eq(talk("zcard z"), ":3\r\n");
}
END_TEST

START_TEST(a_change_during_a_cut_preserves_few_pages)
{
    struct mm_figures f;
    epoch_t epoch;

    for (int i = 0; i < 20000; i++)
        talk("zadd z %d member:%d", i * 7919 % 20011, i);
    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    talk("zadd z 5000.5 new");
    talk("zadd z 700 member:9");
    mm_figures(&f);
    /* both: root, bucket, entry, leaves, the pages of counts above */
    ck_assert_uint_le(f.preserved_pages, 24);
    mm_cut_end();
    while (mm_settle(1000))
        ;
    db_verify();
}
END_TEST

#ifdef STILLFRAME_FAULTS
/* Commands that change several members, or make a key: the n-th allocation fails, for every n. */
static const char *const refusable[] = {
    "zadd z 5 m1 900 m2 17.5 m3 3 m1 1 n1 2 n2 3 n3 4 n4 5 n5 6 n6 7 n7 8 n8 9 n9 10 n10 11 n11 12 n12",
    "zrem z m1 m2 m3",
    "zpopmin z 3",
    "zremrangebyrank z 1 4",
    "zadd z 1 @70*x 2 y 3 w",
    "zadd fresh 1 a 2 b 3 @70*c",
    "zunionstore z 2 z y weights 1 3",
    "zinterstore fresh 2 z y",
    "zdiffstore fresh 2 z y",
    "zrangestore fresh z 2 20",
    "zrangestore y z 0 -1",
    "copy z fresh",
    "zunion 2 z y",
    "zrandmember z 2",
};

static void
set_up(void)
{
    for (int i = 0; i < 90; i++)
        talk("zadd z %d m%d", i * 10, i);
    for (int i = 0; i < 60; i++)
        talk("zadd y %d m%d", i * 10, i * 2);
}

START_TEST(without_memory_nothing_changes)
{
    unsigned refused = 0;

    for (int entries = 0; entries <= 128; entries += 64) {
        zset_limits.listpack_members = entries;
        refused += talk_starve(set_up, refusable[_i], false);
    }
    ck_assert_uint_gt(refused, 0);
}
END_TEST
#endif

int
main(void)
{
    Suite *s = suite_create("server/zset");
    TCase *t = tcase_create("zset");

    tcase_add_checked_fixture(t, talk_open, talk_close);
    tcase_set_timeout(t, 300);
    tcase_add_test(t, it_becomes_large_at_the_limit_of_members);
    tcase_add_test(t, it_becomes_large_with_a_long_member);
    tcase_add_test(t, the_key_goes_with_its_last_member);
    tcase_add_test(t, no_key_is_made_where_no_member_is_added);
    tcase_add_loop_test(t, members_given_twice_are_taken_in_order, 0, 2);
    tcase_add_loop_test(t, rank_with_score, 0, 2);
    tcase_add_test(t, scores_are_printed_with_the_fewest_digits);
    tcase_add_loop_test(t, ranges_of_members_over_different_scores_end, 0, 2);
    tcase_add_test(t, a_listpack_moves_out_of_its_record_and_back);
    tcase_add_test(t, a_change_during_a_cut_preserves_few_pages);
#ifdef STILLFRAME_FAULTS
    tcase_add_loop_test(t, without_memory_nothing_changes, 0,
                        (int)(sizeof refusable / sizeof *refusable));
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
