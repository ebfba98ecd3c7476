/* tests/server/test_timed_hash.c - hashes with fields that expire: both forms beside a model, the
 * ways between them, expiry by who looks and by the clock, all or nothing. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "mm/base/clock.h"
#include "mm/base/fault.h"
#include "server/data/hash/timed.h"
#include "server/figures/stats.h"
#include "tests/support/runner.h"
#include "tests/support/talk.h"

static bool
is_timed(const char *key)
{
    return talk_record(key) != NULL && record_is_timed(talk_record(key));
}

/* in_both_forms: the test's number says which. */
static void
in_form(int large)
{
    hash_limits.listpack_pairs = large ? 2 : 512;
    hash_limits.listpack_word_bytes = 64;
}

/* ---- a model ---- */

enum { FIELDS = 40, SHOWN_MAX = 300 };
static struct {
    int value; /* 0: the field is not there */
    int64_t at_ms;
} model[FIELDS];

static void
model_pass(void)
{
    for (int i = 0; i < FIELDS; i++)
        if (model[i].value != 0 && model[i].at_ms != RECORD_NO_EXPIRE &&
            model[i].at_ms < clock_now.ms)
            model[i].value = 0;
}

static void
expect(const char *reply, const char *format, long long n)
{
    char want[64];

    snprintf(want, sizeof want, format, n);
    ck_assert_str_eq(reply, want);
}

static void
check_field(int i)
{
    char want[64], value[32];

    if (model[i].value == 0) {
        ck_assert_str_eq(talk("hget h f%d", i), "$-1\r\n");
        ck_assert_str_eq(talk("hpexpiretime h FIELDS 1 f%d", i), "*1\r\n:-2\r\n");
        return;
    }
    snprintf(value, sizeof value, "%d", model[i].value);
    snprintf(want, sizeof want, "$%zu\r\n%s\r\n", strlen(value), value);
    ck_assert_str_eq(talk("hget h f%d", i), want);
    expect(talk("hpexpiretime h FIELDS 1 f%d", i), "*1\r\n:%lld\r\n", (long long)model[i].at_ms);
}

static void
check_all(void)
{
    unsigned there = 0;
    bool any_timed = false;

    for (int i = 0; i < FIELDS; i++) {
        check_field(i);
        there += model[i].value != 0;
        any_timed |= model[i].value != 0 && model[i].at_ms != RECORD_NO_EXPIRE;
    }
    db_verify();
    if (talk_record("h") == NULL) {
        ck_assert_uint_eq(there, 0);
        return;
    }
    ck_assert_uint_eq(hash_shown(talk_record("h")), there);
    for (unsigned most = 0; most < FIELDS + 5; most += 1 + most / 3)
        ck_assert_uint_eq(hash_shown_upto(talk_record("h"), most), most < there ? most : there);
    if (any_timed)
        ck_assert(is_timed("h"));
    ck_assert_uint_eq(db_timed(talk_db()), is_timed("h"));
}

static void
set_at_random(int i)
{
    int value = 1 + rand() % 1000000;

    talk("hset h f%d %d", i, value);
    model[i].value = value;
    model[i].at_ms = RECORD_NO_EXPIRE;
}

static void
expire_at_random(int i)
{
    static const char *const words[] = {"", "NX", "XX", "GT", "LT"};
    int k = rand() % 5;
    int64_t at = clock_now.ms - 5 + rand() % 60, old = model[i].at_ms;
    bool has = old != RECORD_NO_EXPIRE, met;
    long long answer = -2;

    met = k == 0 || (k == 1 && !has) || (k == 2 && has) || (k == 3 && has && at > old) ||
          (k == 4 && (!has || at < old));
    if (model[i].value != 0)
        answer = !met ? 0 : at <= clock_now.ms ? 2 : 1;
    expect(talk("hpexpireat h %lld %s FIELDS 1 f%d", (long long)at, words[k], i), "*1\r\n:%lld\r\n",
           answer);
    if (answer == 2)
        model[i].value = 0;
    if (answer == 1)
        model[i].at_ms = at;
}

static void
setex_at_random(int i)
{
    int value = 1 + rand() % 1000000, ms = 1 + rand() % 60;
    bool keeps = rand() % 3 == 0;

    if (keeps)
        talk("hsetex h KEEPTTL FIELDS 1 f%d %d", i, value);
    else
        talk("hsetex h PX %d FIELDS 1 f%d %d", ms, i, value);
    if (!keeps)
        model[i].at_ms = clock_now.ms + ms;
    else if (model[i].value == 0)
        model[i].at_ms = RECORD_NO_EXPIRE;
    model[i].value = value;
}

static void
change_at_random(void)
{
    int i = rand() % FIELDS;
    long long answer;

    switch (rand() % 8) {
    case 0:
        set_at_random(i);
        break;
    case 1:
    case 2:
        expire_at_random(i);
        break;
    case 3:
        setex_at_random(i);
        break;
    case 4:
        talk("hincrby h f%d 7", i);
        if (model[i].value == 0)
            model[i].at_ms = RECORD_NO_EXPIRE;
        model[i].value += 7;
        break;
    case 5:
        answer = model[i].value == 0 ? -2 : model[i].at_ms == RECORD_NO_EXPIRE ? -1 : 1;
        expect(talk("hpersist h FIELDS 1 f%d", i), "*1\r\n:%lld\r\n", answer);
        model[i].at_ms = RECORD_NO_EXPIRE;
        break;
    case 6:
        expect(talk("hdel h f%d", i), ":%lld\r\n", model[i].value != 0);
        model[i].value = 0;
        break;
    case 7:
        talk_pass_ms(rand() % 8);
        if (rand() % 3 == 0)
            talk_finish_work();
        break;
    }
}

/* _i: bit 0: large; bit 1: nothing expires but what is met. */
START_TEST(random_changes_agree_with_a_model)
{
    in_form(_i & 1);
    db_state.active_expire = (_i & 2) == 0;
    srand(1 + (unsigned)_i);
    memset(model, 0, sizeof model);
    for (int n = 0; n < 4000; n++) {
        change_at_random();
        model_pass();
        check_field(rand() % FIELDS);
        if (n % 50 == 0)
            check_all();
    }
    check_all();
}
END_TEST

/* ---- forms ---- */

START_TEST(a_hash_is_timed_while_a_field_has_a_time)
{
    in_form(_i);
    talk("hset h a 1 b 2 c 3");
    ck_assert(!is_timed("h"));
    talk("expire h 1000");
    talk("hexpire h 100 FIELDS 2 a b");
    ck_assert(is_timed("h"));
    ck_assert_str_eq(talk("object encoding h"),
                     _i ? "$9\r\nhashtable\r\n" : "$10\r\nlistpackex\r\n");
    ck_assert_str_eq(talk("type h"), "+hash\r\n");
    ck_assert_str_eq(talk("ttl h"), ":1000\r\n");
    db_verify();
    talk("hset h a 2");
    ck_assert(is_timed("h"));
    talk("hpersist h FIELDS 1 b");
    ck_assert(!is_timed("h"));
    ck_assert_str_eq(talk("object encoding h"), _i ? "$9\r\nhashtable\r\n" : "$8\r\nlistpack\r\n");
    ck_assert_str_eq(talk("ttl h"), ":1000\r\n");
    ck_assert_str_eq(talk("hmget h a b c"), "*3\r\n$1\r\n2\r\n$1\r\n2\r\n$1\r\n3\r\n");
    db_verify();
}
END_TEST

START_TEST(a_small_one_becomes_a_table_beyond_the_limits)
{
    hash_limits.listpack_pairs = 4;
    talk("hsetex h EX 100 FIELDS 4 a 1 b 2 c 3 d 4");
    ck_assert_str_eq(talk("object encoding h"), "$10\r\nlistpackex\r\n");
    talk("hset h e 5");
    ck_assert_str_eq(talk("object encoding h"), "$9\r\nhashtable\r\n");
    ck_assert_str_eq(talk("httl h FIELDS 3 a d e"), "*3\r\n:100\r\n:100\r\n:-1\r\n");
    talk("hsetex g EX 100 FIELDS 1 a @65*x");
    ck_assert_str_eq(talk("object encoding g"), "$9\r\nhashtable\r\n");
    talk("hset s a 1 b @65*x");
    talk("hexpire s 100 FIELDS 1 b");
    talk("hexpire s 50 FIELDS 1 b");
    ck_assert_str_eq(talk("httl s FIELDS 2 a b"), "*2\r\n:-1\r\n:50\r\n");
    ck_assert_str_eq(talk("hstrlen s b"), ":65\r\n");
    db_verify();
}
END_TEST

START_TEST(other_keys_take_its_place_and_it_takes_theirs)
{
    static const char *const others[] = {"set h x",    "mset h x i y", "sadd o 1 2 3",
                                         "zadd o 1 a", "rpush o a",    "hset o a 1"};

    in_form(_i);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        talk("del h o");
        talk("hsetex h EX 100 FIELDS 3 a 1 b 2 c 3");
        talk("%s", others[i]);
        if (i > 1) { /* the first two are stored over h itself */
            talk("copy o h replace");
            db_verify();
            talk("hsetex g EX 100 FIELDS 3 a 1 b 2 c 3");
            talk("rename g o");
            ck_assert(is_timed("o"));
        }
        db_verify();
        ck_assert(!is_timed("h"));
    }
    talk("hsetex h EX 100 FIELDS 3 a 1 b 2 c 3");
    talk("move h 3");
    talk("swapdb 0 3");
    ck_assert(is_timed("h"));
    talk("flushall");
    talk_finish_work();
    ck_assert_uint_eq(db_total_timed(), 0);
    db_verify();
}
END_TEST

START_TEST(copies_have_the_times)
{
    in_form(_i);
    talk("hset h p 1 q 2");
    talk("hpexpireat h %lld FIELDS 1 p", (long long)clock_now.ms + 5000);
    talk("hsetex h PX 7000 FIELDS 2 a 1 b 2");
    talk("copy h g");
    ck_assert_str_eq(talk("hpttl g FIELDS 4 a b p q"), "*4\r\n:7000\r\n:7000\r\n:5000\r\n:-1\r\n");
    talk("hset h p other");
    ck_assert_str_eq(talk("hget g p"), "$1\r\n1\r\n");
    db_verify();
}
END_TEST

/* ---- expiry ---- */

START_TEST(fields_expire_though_nobody_looks)
{
    uint64_t before = stats.expired_subkeys;

    in_form(_i);
    for (int i = 0; i < 300; i++)
        talk("hsetex h%d PX %d FIELDS 3 a 1 b 2 c 3", i % 30, 10 + i);
    for (int i = 0; i < 500; i++)
        talk("hsetex big PX 50 FIELDS 1 f%d v", i);
    talk("hset big stays v");
    talk_pass_ms(1000);
    for (int i = 0; i < 100; i++) {
        talk_pass_ms(100);
        talk_finish_work();
    }
    ck_assert_uint_eq(stats.expired_subkeys - before, 500 + 90);
    ck_assert_uint_eq(db_size(talk_db()), 1);
    ck_assert_str_eq(talk("hgetall big"), "*2\r\n$5\r\nstays\r\n$1\r\nv\r\n");
    ck_assert_uint_eq(db_timed(talk_db()), 0);
    db_verify();
}
END_TEST

/* check_drawn: so many, each once, and of those that are shown: s0 to s<shown - 1>. */
static void
check_drawn(unsigned count, unsigned shown)
{
    bool seen[SHOWN_MAX] = {false};
    const char *reply = talk("hrandfield h %u", count);
    char head[16];
    unsigned found = 0, number;

    snprintf(head, sizeof head, "*%u\r\n", count);
    ck_assert_msg(strncmp(reply, head, strlen(head)) == 0, "%.20s", reply);
    while ((reply = strstr(reply, "\r\ns")) != NULL) {
        ck_assert_int_eq(sscanf(reply += 3, "%u", &number), 1);
        ck_assert(number < shown && !seen[number]);
        seen[number] = true;
        found++;
    }
    ck_assert_uint_eq(found, count);
}

/* Few of a large hash are drawn, however many of its fields wait to be taken away. */
START_TEST(what_is_drawn_is_shown_and_differs)
{
    static const unsigned expired[] = {0, 10, 1000, 20000};

    db_state.active_expire = false;
    for (unsigned k = 0; k < sizeof expired / sizeof expired[0]; k++) {
        talk("flushall");
        for (unsigned i = 0; i < SHOWN_MAX; i++)
            talk("hsetex h EX %u FIELDS 1 s%u @70*v", 1000 + i, i);
        talk("hset h s0 now-without-a-time");
        for (unsigned i = 0; i < expired[k]; i++)
            talk("hsetex h PX 5 FIELDS 1 gone%u v", i);
        talk_pass_ms(10);
        for (unsigned count = 1; count <= SHOWN_MAX; count = 2 * count + 1)
            check_drawn(count, SHOWN_MAX);
        check_drawn(SHOWN_MAX, SHOWN_MAX);
    }
    db_verify();
}
END_TEST

START_TEST(nobody_is_shown_a_field_that_has_expired)
{
    in_form(_i);
    db_state.active_expire = false;
    for (int i = 0; i < 100; i++)
        talk("hsetex h PX 5 FIELDS 1 f%d v", i);
    talk("hset h a 1 b 2");
    talk_pass_ms(10);
    ck_assert_uint_eq(hash_shown(talk_record("h")), 2);
    ck_assert_ptr_null(strstr(talk("hscan h 0 count 1000"), "f1"));
    ck_assert_ptr_null(strstr(talk("sort n by nosort get h->f1"), "v"));
    /* Each of these takes some away, and shows none of the others. */
    ck_assert_ptr_null(strstr(talk("hgetall h"), "f"));
    ck_assert_str_eq(talk("hget h f99"), "$-1\r\n");
    ck_assert_str_eq(talk("hexists h f99"), ":0\r\n");
    ck_assert_str_eq(talk("hstrlen h f98"), ":0\r\n");
    for (int i = 0; i < 3; i++)
        ck_assert_ptr_null(strstr(talk("hrandfield h -10"), "f"));
    ck_assert_str_eq(talk("hlen h"), ":2\r\n");
    db_verify();
}
END_TEST

START_TEST(a_key_goes_with_its_last_field)
{
    in_form(_i);
    talk("hsetex h PX 5 FIELDS 3 a 1 b 2 c 3");
    talk_pass_ms(10);
    ck_assert_str_eq(talk("exists h"), ":1\r\n"); /* as in Redis: nobody has looked into it */
    ck_assert_str_eq(talk("hget h a"), "$-1\r\n");
    ck_assert_str_eq(talk("exists h"), ":0\r\n");
    talk("hsetex h EX 5 FIELDS 3 a 1 b 2 c 3");
    ck_assert_str_eq(talk("hexpireat h 1 FIELDS 3 a b c"), "*3\r\n:2\r\n:2\r\n:2\r\n");
    ck_assert_str_eq(talk("exists h"), ":0\r\n");
    talk("hsetex h EX 5 FIELDS 3 a 1 b 2 c 3");
    talk("hgetdel h FIELDS 3 a b c");
    ck_assert_str_eq(talk("exists h"), ":0\r\n");
    talk("hsetex h EX 5 FIELDS 1 a 1");
    talk("hgetex h EXAT 1 FIELDS 1 a");
    ck_assert_str_eq(talk("exists h"), ":0\r\n");
    db_verify();
}
END_TEST

START_TEST(what_is_said_twice_counts_once)
{
    in_form(_i);
    talk("hset h a 1 b 2");
    ck_assert_str_eq(talk("hexpire h 10 FIELDS 3 a a a"), "*3\r\n:1\r\n:1\r\n:1\r\n");
    ck_assert_str_eq(talk("hexpire h 10 NX FIELDS 3 a b b"), "*3\r\n:0\r\n:1\r\n:0\r\n");
    ck_assert_str_eq(talk("hexpire h 20 GT FIELDS 2 a a"), "*2\r\n:1\r\n:0\r\n");
    ck_assert_str_eq(talk("hpersist h FIELDS 3 a a c"), "*3\r\n:1\r\n:-1\r\n:-2\r\n");
    ck_assert_str_eq(talk("hexpireat h 1 FIELDS 2 a a"), "*2\r\n:2\r\n:-2\r\n");
    ck_assert_str_eq(talk("hgetdel h FIELDS 2 b b"), "*2\r\n$1\r\n2\r\n$-1\r\n");
    ck_assert_str_eq(talk("exists h"), ":0\r\n");
    talk("hsetex h EX 10 FIELDS 2 a 1 a 2");
    ck_assert_str_eq(talk("hgetex h EX 20 FIELDS 2 a a"), "*2\r\n$1\r\n2\r\n$1\r\n2\r\n");
    ck_assert_str_eq(talk("hlen h"), ":1\r\n");
    db_verify();
}
END_TEST

/* ---- all or nothing ---- */

#ifdef STILLFRAME_FAULTS
static void
fill_small(void)
{
    hash_limits.listpack_pairs = 8;
    talk("hset h a 1 b 2 c 3 d 4 e 5 f 6 g 7");
    talk("hexpire h 100 FIELDS 2 a b");
    talk("hset p a 1 b 2");
}

static void
fill_large(void)
{
    hash_limits.listpack_pairs = 2;
    for (int i = 0; i < 60; i++)
        talk("hset h f%d v", i);
    talk("hset h a 1 b 2 c 3");
    for (int i = 0; i < 40; i++)
        talk("hexpire h %d FIELDS 1 f%d", 100 + i, i);
    talk("hset p a 1 b 2 c 3");
}

START_TEST(without_memory_nothing_changes)
{
    static const char *const commands[] = {
        "hset h a 10 b 20 n1 x n2 y n3 z",
        "hexpire h 50 FIELDS 3 a b c",
        "hsetex h EX 50 FIELDS 5 a 1 n1 x n2 y n3 z n4 z",
        "hpersist h FIELDS 2 a b",
        "hincrby h a 1",
        "hgetdel h FIELDS 2 a c",
        "hdel h a",
        "hgetex h EX 9 FIELDS 2 a c",
        "hexpire p 50 FIELDS 2 a b",
        "hsetex new EX 50 FIELDS 2 a b c d",
        "copy h new",
    };
    unsigned refused = 0;

    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        for (int how = 0; how < 4; how++)
            refused +=
                talk_starve((how & 1) ? fill_large : fill_small, commands[i], (how & 2) != 0);
    ck_assert_uint_gt(refused, 100);
}
END_TEST
#endif

int
main(void)
{
    Suite *s = suite_create("server/timed_hash");
    TCase *t = tcase_create("timed_hash");

    tcase_add_checked_fixture(t, talk_open, talk_close);
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, random_changes_agree_with_a_model, 0, 4);
    tcase_add_loop_test(t, a_hash_is_timed_while_a_field_has_a_time, 0, 2);
    tcase_add_test(t, a_small_one_becomes_a_table_beyond_the_limits);
    tcase_add_loop_test(t, other_keys_take_its_place_and_it_takes_theirs, 0, 2);
    tcase_add_loop_test(t, copies_have_the_times, 0, 2);
    tcase_add_loop_test(t, fields_expire_though_nobody_looks, 0, 2);
    tcase_add_test(t, what_is_drawn_is_shown_and_differs);
    tcase_add_loop_test(t, nobody_is_shown_a_field_that_has_expired, 0, 2);
    tcase_add_loop_test(t, a_key_goes_with_its_last_field, 0, 2);
    tcase_add_loop_test(t, what_is_said_twice_counts_once, 0, 2);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(t, without_memory_nothing_changes);
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
