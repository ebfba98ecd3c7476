/* tests/server/test_digest.c - the fingerprint of the data: what redis-server 7.0 gives for the
 * same data. */
#include <check.h>
#include <stdio.h>

#include "server/data/db/digest.h"
#include "server/data/hash/hash.h"
#include "tests/support/runner.h"
#include "tests/support/talk.h"

/* The data of all cases below; each figure was asked of redis-server with the same commands. */
static void
make_data(void)
{
    talk("set a hello");
    talk("set n 12345");
    talk("hset h f v g 12");
    talk("set e x px 99999999");
    talk("select 3");
    talk("hset big @100*x @300*y");
    talk("select 15");
    talk("set '' ''");
    talk("select 0");
}

static const char *
value_digest(const char *key)
{
    static char text[DIGEST_TEXT_BYTES];
    uint8_t digest[DIGEST_BYTES];

    digest_value(talk_record(key), digest);
    digest_text(digest, text);
    return text;
}

START_TEST(no_data_gives_zeros)
{
    ck_assert_str_eq(talk_digest(), "0000000000000000000000000000000000000000");
}
END_TEST

START_TEST(values_give_what_redis_gives)
{
    make_data();
    ck_assert_str_eq(value_digest("a"), "36b23a1456b2dce2c3ed252c456761301dba8060");
    ck_assert_str_eq(value_digest("n"), "e1cf90774e995ae03de66e8109dc5cb9d9c2dc83");
    ck_assert_str_eq(value_digest("h"), "8530acc75d5274eb0fc0da86f28ed5533274a6d4");
    ck_assert_str_eq(value_digest("e"), "0745672cb1bf060476eedeb8a28f5ffe1ff5a2be");
    talk("select 3");
    ck_assert_str_eq(value_digest("big"), "3c52f08be88604bf76c8226f2dd253cd6882f69c");
    talk("select 15");
    ck_assert_str_eq(value_digest(""), "8b3447c33a834b810e3e181b6fd6a2ee1020921c");
}
END_TEST

START_TEST(all_data_gives_what_redis_gives)
{
    talk("set a hello");
    ck_assert_str_eq(talk_digest(), "7bba0c6c0ba7cf343554878a513cce31a28c4abb");
    make_data();
    ck_assert_str_eq(talk_digest(), "a1b16f9c8a8a0fd640ac3aeea5b286d8e4d39701");
}
END_TEST

START_TEST(the_encoding_and_the_order_do_not_show)
{
    char before[DIGEST_TEXT_BYTES];

    for (int i = 0; i < 200; i++)
        talk("hset h f%d %d", i, i);
    for (int i = 0; i < 200; i++)
        talk("set key:%d %d", i, i);
    snprintf(before, sizeof before, "%s", talk_digest());
    talk("flushall");
    hash_limits.listpack_pairs = 10;
    for (int i = 199; i >= 0; i--)
        talk("set key:%d %d", i, i);
    for (int i = 199; i >= 0; i--)
        talk("hset h f%d %d", i, i);
    ck_assert_str_eq(talk_digest(), before);
    talk("append key:7 ''"); /* an integer becomes text */
    ck_assert_str_eq(talk_digest(), before);
}
END_TEST

START_TEST(every_part_of_the_data_shows)
{
    static const char *const changes[] = {"set a hellp",  "set b hello", "rename a b",
                                          "hset h f w",   "hset h i v",  "hdel h g",
                                          "expire a 100", "persist e",   "move a 1",
                                          "swapdb 0 1",   "del e",       "select 1;set a hello"};
    char before[DIGEST_TEXT_BYTES], line[64];

    make_data();
    snprintf(before, sizeof before, "%s", talk_digest());
    snprintf(line, sizeof line, "%s", changes[_i]);
    for (char *p = line, *end; p != NULL; p = end) {
        if ((end = strchr(p, ';')) != NULL)
            *end++ = '\0';
        talk("%s", p);
    }
    ck_assert_str_ne(talk_digest(), before);
}
END_TEST

START_TEST(when_a_key_expires_does_not_show)
{
    char before[DIGEST_TEXT_BYTES];

    make_data();
    snprintf(before, sizeof before, "%s", talk_digest());
    talk("pexpire e 5000");
    ck_assert_str_eq(talk_digest(), before);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("server/digest");
    TCase *t = tcase_create("digest");

    tcase_add_checked_fixture(t, talk_open, talk_close);
    tcase_add_test(t, no_data_gives_zeros);
    tcase_add_test(t, values_give_what_redis_gives);
    tcase_add_test(t, all_data_gives_what_redis_gives);
    tcase_add_test(t, the_encoding_and_the_order_do_not_show);
    tcase_add_loop_test(t, every_part_of_the_data_shows, 0, 12);
    tcase_add_test(t, when_a_key_expires_does_not_show);
    suite_add_tcase(s, t);
    return run_suite(s);
}
