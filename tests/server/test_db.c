/* tests/server/test_db.c - databases: expiry, flushing, moving, huge strings, and what happens
 * without memory. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "mm/base/fault.h"
#include "mm/cut.h"
#include "server/data/db/blob.h"
#include "server/data/db/db.h"
#include "server/data/db/db_impl.h"
#include "server/data/db/value.h"
#include "server/figures/stats.h"
#include "tests/support/runner.h"
#include "tests/support/talk.h"

static uint64_t
preserved_pages(void)
{
    struct mm_figures f;

    mm_figures(&f);
    return f.preserved_pages;
}

static void
begin_cut(void)
{
    epoch_t epoch;

    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
}

static void
end_cut(void)
{
    mm_cut_end();
    while (mm_settle(1000))
        ;
}

static void
fill(int db, unsigned keys)
{
    talk("select %d", db);
    for (unsigned i = 0; i < keys; i++)
        talk(i % 3 == 0 ? "set key:%u value px 100000" : "hset key:%u f v", i);
}

/* ---- expiry ---- */

START_TEST(an_expired_key_goes_when_it_is_looked_at)
{
    talk("set a 1 px 10");
    talk("set b 1");
    talk_pass_ms(10);
    ck_assert_str_eq(talk("get a"), "$1\r\n1\r\n"); /* its last millisecond */
    talk_pass_ms(1);
    ck_assert_str_eq(talk("get a"), "$-1\r\n");
    ck_assert_uint_eq(db_size(talk_db()), 1);
    ck_assert_uint_eq(db_expires(talk_db()), 0);
    ck_assert_uint_eq(stats.expired_keys, 1);
    db_verify();
}
END_TEST

START_TEST(expired_keys_that_nobody_looks_at_go_too)
{
    stats.expired_keys = 0;
    for (unsigned i = 0; i < 5000; i++)
        talk("set key:%u v px %u", i, i % 2 == 0 ? 1000 : 1000000);
    talk_pass_ms(500);
    talk_finish_work();
    ck_assert_uint_eq(db_size(talk_db()), 5000);
    ck_assert_int_ge(db_avg_ttl_ms(talk_db()), 400);
    db_state.active_expire = false;
    talk_pass_ms(1000);
    talk_finish_work();
    ck_assert_uint_eq(db_size(talk_db()), 5000);
    db_state.active_expire = true;
    for (int i = 0; i < 600; i++) { /* a minute */
        talk_finish_work();
        talk_pass_ms(100);
    }
    ck_assert_uint_le(db_size(talk_db()), 2500 + 300); /* about a tenth may be left */
    ck_assert_uint_eq(stats.expired_keys, 5000 - db_size(talk_db()));
    db_verify();
}
END_TEST

START_TEST(active_expiry_keeps_to_its_budget)
{
    int64_t begin, longest = 0;

    for (unsigned i = 0; i < 20000; i++)
        talk("set key:%u v px 1000", i);
    talk_pass_ms(2000);
    for (bool more = true; more;) {
        struct timespec t;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        begin = t.tv_sec * 1000000 + t.tv_nsec / 1000;
        more = db_work(100);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        if (t.tv_sec * 1000000 + t.tv_nsec / 1000 - begin > longest)
            longest = t.tv_sec * 1000000 + t.tv_nsec / 1000 - begin;
    }
    ck_assert_uint_eq(db_size(talk_db()), 0);
    ck_assert_int_lt(longest, 20000); /* generous: the machine may be busy */
}
END_TEST

START_TEST(an_expiry_moves_with_its_record)
{
    talk("set a 1 px 1000");
    talk("append a @2000*x"); /* to a block of its own */
    talk("rename a b");
    talk("move b 3");
    talk("select 3");
    ck_assert_str_eq(talk("pttl b"), ":1000\r\n");
    talk("copy b c db 4");
    talk("persist b");
    ck_assert_uint_eq(db_expires(talk_db()), 0);
    talk("select 4");
    ck_assert_str_eq(talk("pttl c"), ":1000\r\n");
    talk("incrby d 5");
    talk("expire d 7");
    talk("incrby d 5");
    ck_assert_str_eq(talk("ttl d"), ":7\r\n");
    db_verify();
}
END_TEST

/* ---- databases ---- */

START_TEST(flushing_is_immediate_and_freeing_is_not)
{
    size_t full;

    fill(0, 3000);
    full = talk_live_bytes();
    ck_assert_uint_eq(db_flush(0), 3000);
    ck_assert_uint_eq(db_size(db_select(0)), 0);
    ck_assert_uint_eq(talk_live_bytes(), full);
    ck_assert_uint_eq(db_flush(0), 0);
    talk("set a 1");
    talk_finish_work();
    talk("del a");
    ck_assert_uint_eq(talk_live_bytes(), 0);
    ck_assert_uint_eq(db_map.dead_count, 0);
}
END_TEST

/* D4 */
START_TEST(a_number_is_given_away_again_only_after_the_cut)
{
    uint16_t number = db_number(db_select(0));

    fill(0, 10);
    begin_cut();
    db_flush(0);
    talk_finish_work();
    ck_assert_uint_eq(db_map.dead_count, 1);
    for (int i = 0; i < 5; i++) {
        talk("select 0");
        ck_assert_uint_ne(db_number(talk_db()), number);
        fill(0, 10);
        db_flush(0);
    }
    end_cut();
    talk_finish_work();
    ck_assert_uint_eq(db_map.dead_count, 0);
    for (int i = 0; i < 64 && db_number(db_select(0)) != number; i++) {
        fill(0, 10);
        db_flush(0);
        talk_finish_work();
    }
    ck_assert_uint_eq(db_number(db_select(0)), number);
}
END_TEST

START_TEST(many_dead_databases_do_not_wait_for_the_next_cut)
{
    size_t live;

    for (int i = 0; i < 100; i++) {
        fill(0, 20);
        db_flush(0);
    }
    begin_cut();
    live = talk_live_bytes();
    talk_finish_work();
    ck_assert_uint_lt(talk_live_bytes(), live / 2);
    ck_assert_ptr_nonnull(db_map.hollow); /* their numbers wait */
    end_cut();
    talk_finish_work();
    ck_assert_uint_eq(db_map.dead_count, 0);
    ck_assert_ptr_null(db_map.hollow);
    ck_assert_uint_eq(talk_live_bytes(), 0);
}
END_TEST

START_TEST(without_a_number_a_flush_empties_on_the_spot)
{
    begin_cut();
    for (unsigned i = 0; i < DB_PHYSICAL_MAX + 10U; i++) {
        talk("set a %u", i);
        if (db_flush(0) != 1 || db_size(db_select(0)) != 0)
            ck_abort_msg("not empty");
        if (i % 8192 == 0)
            talk_finish_work();
    }
    end_cut();
    talk_finish_work();
    ck_assert_uint_eq(db_map.dead_count, 0);
}
END_TEST

START_TEST(swapped_databases_keep_their_records)
{
    const struct record *a, *b;

    talk("set a zero");
    talk("select 1");
    talk("set b one px 5000");
    b = talk_record("b");
    talk("select 0");
    a = talk_record("a");
    talk("swapdb 0 1");
    ck_assert_ptr_eq(talk_record("b"), b);
    ck_assert_int_eq(db_index_of(talk_db()), 0);
    talk("select 1");
    ck_assert_ptr_eq(talk_record("a"), a);
    talk("swapdb 1 1");
    ck_assert_ptr_eq(talk_record("a"), a);
    ck_assert_uint_eq(db_total_keys(), 2);
    db_verify();
}
END_TEST

START_TEST(prefetching_changes_nothing)
{
    struct slice keys[16];
    uint64_t hits, misses;

    for (int i = 0; i < 16; i++)
        keys[i] = i % 2 == 0 ? SLICE("here") : SLICE("not here");
    db_prefetch(talk_db(), keys, 16);
    talk("set here 1");
    hits = stats.hits;
    misses = stats.misses;
    db_prefetch(talk_db(), keys, 16);
    ck_assert_uint_eq(stats.hits, hits);
    ck_assert_uint_eq(stats.misses, misses);
}
END_TEST

START_TEST(a_random_key_is_one_that_is_alive)
{
    for (int i = 0; i < 50; i++)
        talk("set dead:%d 1 px 5", i);
    talk("set alive 1");
    talk_pass_ms(10);
    for (int i = 0; i < 20; i++)
        ck_assert_str_eq(talk("randomkey"), "$5\r\nalive\r\n");
    talk("del alive");
    ck_assert_str_eq(talk("randomkey"), "$-1\r\n");
    ck_assert_uint_eq(db_size(talk_db()), 0);
}
END_TEST

/* ---- values ---- */

START_TEST(deleting_a_large_hash_only_unlinks_it)
{
    size_t full;

    for (unsigned i = 0; i < 2000; i++)
        talk("hset h field:%u value:%u", i, i);
    full = talk_live_bytes();
    ck_assert_str_eq(talk("del h"), ":1\r\n");
    ck_assert_uint_gt(talk_live_bytes(), full - 200);
    ck_assert(db_work(0)); /* one slice, more to do */
    talk_finish_work();
    ck_assert_uint_eq(talk_live_bytes(), 0);
}
END_TEST

START_TEST(a_string_that_grows_stays_where_it_is)
{
    const char *block;

    talk("setrange a 1048576 x");
    block = record_blob(talk_record("a")).ptr;
    for (int i = 0; i < 20; i++)
        talk("append a @1000000*%c", 'a' + i);
    talk("setrange a 50000000 tail");
    ck_assert_ptr_eq(record_blob(talk_record("a")).ptr, block);
    ck_assert_str_eq(talk("strlen a"), ":50000004\r\n");
    ck_assert_int_eq(memcmp(talk("getrange a 21048570 21048580"), "$11\r\nttttttt\0\0\0\0\r\n", 18),
                     0);
    ck_assert_int_eq(memcmp(talk("getrange a -6 -1"), "$6\r\n\0\0tail\r\n", 12), 0);
}
END_TEST

/* B1 */
/* A new string takes what it needs; one that grows bit by bit moves as rarely as it doubles. */
START_TEST(a_string_takes_about_what_it_needs)
{
    static const unsigned lengths[] = {5000, 10000, 30000, 33000, 100000, 700000};
    size_t before = talk_live_bytes();
    const char *block = NULL;
    unsigned moves = 0;

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        static const char *const writes[] = {"setrange k %u x", "append k @%u*x", "set k @%u*x",
                                             "setbit k %u000 1"};

        for (unsigned w = 0; w < 4; w++) {
            talk(writes[w], w < 3 ? lengths[i] : lengths[i] / 125);
            ck_assert_uint_le(talk_live_bytes() - before, lengths[i] + lengths[i] / 8 + 200);
            talk("del k");
        }
        talk("set k short");
        talk("setrange k %u x", lengths[i]);
        ck_assert_uint_le(talk_live_bytes() - before, lengths[i] + lengths[i] / 8 + 200);
        talk("del k");
    }
    talk("set k @1100*x");
    for (unsigned i = 0; i < 20000; i++) {
        talk("append k 0123456789");
        moves += record_blob(talk_record("k")).ptr != block;
        block = record_blob(talk_record("k")).ptr;
    }
    ck_assert_uint_le(moves, 10);
    ck_assert_uint_le(talk_live_bytes() - before, 2 * 201100);
}
END_TEST

START_TEST(a_write_into_a_huge_string_preserves_the_pages_that_it_changes)
{
    uint64_t before;

    talk("set a @40000000*x");
    begin_cut();
    talk("setrange a 20000000 middle");
    ck_assert_uint_le(preserved_pages(), 2);
    before = preserved_pages();
    talk("append a @3000*y");
    ck_assert_uint_le(preserved_pages() - before, 3000 / 512 + 2);
    before = preserved_pages();
    talk("setrange a 100 z");
    ck_assert_uint_le(preserved_pages() - before, 1);
    end_cut();
}
END_TEST

START_TEST(growing_far_beyond_the_end_does_not_preserve_what_was_never_written)
{
    talk("set a @1100000*x");
    begin_cut();
    talk("setrange a 12000000 end");
    ck_assert_uint_le(preserved_pages(), 2);
    end_cut();
    ck_assert_str_eq(talk("strlen a"), ":12000003\r\n");
    ck_assert_int_eq(memcmp(talk("getrange a 1099998 1100001"), "$4\r\nxx\0\0\r\n", 10), 0);
}
END_TEST

START_TEST(lengths_around_the_limits_of_a_record_work)
{
    static const unsigned lengths[] = {0,   1,   44,   45,   63,   64,   65,   800,  900,
                                       980, 990, 1000, 1010, 1024, 1025, 3000, 40000};

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
            char want[32];

            snprintf(want, sizeof want, ":%u\r\n", lengths[i] + lengths[k]);
            talk("set a @%u*x", lengths[i]);
            ck_assert_str_eq(talk("append a @%u*y", lengths[k]), want);
            ck_assert_str_eq(talk("strlen a"), want);
            talk("set a @%u*z", lengths[k]);
            talk("copy a b replace");
            talk("set @%u*k @%u*z", lengths[i], lengths[k]);
        }
    db_verify();
}
END_TEST

/* ---- several keys at once, and no memory ---- */

START_TEST(several_keys_are_set_in_order_and_lose_their_expiry)
{
    talk("set a old px 1000");
    talk("set c @3000*c");
    ck_assert_str_eq(talk("mset a 1 b 2 a 3 c 4 a 5"), "+OK\r\n");
    ck_assert_str_eq(talk("mget a b c"), "*3\r\n$1\r\n5\r\n$1\r\n2\r\n$1\r\n4\r\n");
    ck_assert_str_eq(talk("ttl a"), ":-1\r\n");
    db_verify();
}
END_TEST

#ifdef STILLFRAME_FAULTS
/* D2: each write, with the n-th allocation failing, for every n.  Either it is done, or it answers
 * OOM and nothing has changed.  The setup makes tables so full that buckets overflow. */
#define TEN(p)                                                                                     \
    p "0 v " p "1 v " p "2 v " p "3 v " p "4 v " p "5 v " p "6 v " p "7 v " p "8 v " p "9 v "
static const char *const writes[] = {
    "set a new",
    "set a new px 1000",
    "set new @3000*x",
    "set a @3000*x get",
    "set new 5 ex 7",
    "mset a 1 new1 2 new2 @2000*x big 4 new3 5 new4 6",
    "mset a 1 e 2 " TEN("new:1") TEN("new:2") TEN("new:3") TEN("new:4"),
    "msetex 42 a 1 e 2 " TEN("new:1") TEN("new:2") TEN("new:3") TEN("new:4") "ex 100",
    "incr n",
    "incr newcounter",
    "append a @1500*x",
    "append big tail",
    "append new x",
    "setrange a 3 xyz",
    "setrange a 3000 xyz",
    "setrange big 10 xyz",
    "setrange big 100000 xyz",
    "rename a new",
    "rename a b",
    "rename table new",
    "rename e new",
    "move a 1",
    "move table 1",
    "copy a new",
    "copy big new",
    "copy table new",
    "copy small a replace",
    "expire a 100",
    "expire e 7",
    "persist e",
    "hset small f 2",
    "hset small g 2",
    "hset small g @100*x",
    "hset newhash f v",
    "hset newhash f @100*v",
    "hset table f1 v g1 v g2 v f2 @80*x g3 v",
    "hset table f1 @30*x",
    "hset table new v",
    "hincrby small f 1",
    "hincrby table newcounter 1",
    "hdel small f",
    "hdel table f1 f2",
    "del a e table",
    "flushdb",
    "debug populate 5 p 3000",
    "hsetnx table new v",
    "hset outer f1 @60*y",
    "hset outer new @60*y",
};

static void
make_data(void)
{
    talk("mset a old b other n 41 big @3000*x");
    talk("set e @20*e px 5000");
    talk("hset small f 1");
    for (int i = 0; i < 40; i++)
        talk("hset table f%d @%d*v", i, i == 0 ? 100 : 10);
    for (int i = 0; i < 40; i++)
        talk("hset outer f%d @60*v", i);
    for (int i = 0; i < 36; i++)
        talk("set filler:%d 1 px 100000", i);
}

START_TEST(without_memory_nothing_has_changed)
{
    unsigned refused = 0;

    for (unsigned n = 1;; n++) {
        unsigned long delivered;
        char before[64], reply[64];
        size_t live;

        make_data();
        snprintf(before, sizeof before, "%s", talk_digest());
        live = talk_live_bytes();
        fault_arm(FAULT_ANY, n, false);
        snprintf(reply, sizeof reply, "%s", talk("%s", writes[_i]));
        delivered = fault_disarm();
        if (strncmp(reply, "-OOM", 4) == 0) {
            if (strncmp(writes[_i], "debug", 5) != 0) {
                ck_assert_msg(strcmp(before, talk_digest()) == 0,
                              "%s, allocation %u: the data has changed", writes[_i], n);
                ck_assert_msg(live == talk_live_bytes(),
                              "%s, allocation %u: %zu bytes before, %zu after", writes[_i], n, live,
                              talk_live_bytes());
            }
            refused++;
        } else {
            ck_assert_msg(reply[0] != '-', "%s: %s", writes[_i], reply);
        }
        db_verify();
        mm_check();
        talk("flushall");
        talk_finish_work();
        ck_assert_uint_eq(talk_live_bytes(), 0);
        if (delivered == 0)
            break;
    }
    printf("%s: refused %u times\n", writes[_i], refused);
}
END_TEST
#endif

int
main(void)
{
    Suite *s = suite_create("server/db");
    TCase *t = tcase_create("db");

    tcase_add_checked_fixture(t, talk_open, talk_close);
    tcase_set_timeout(t, 300);
    tcase_add_test(t, an_expired_key_goes_when_it_is_looked_at);
    tcase_add_test(t, expired_keys_that_nobody_looks_at_go_too);
    tcase_add_test(t, active_expiry_keeps_to_its_budget);
    tcase_add_test(t, an_expiry_moves_with_its_record);
    tcase_add_test(t, flushing_is_immediate_and_freeing_is_not);
    tcase_add_test(t, a_number_is_given_away_again_only_after_the_cut);
    tcase_add_test(t, many_dead_databases_do_not_wait_for_the_next_cut);
    tcase_add_test(t, without_a_number_a_flush_empties_on_the_spot);
    tcase_add_test(t, swapped_databases_keep_their_records);
    tcase_add_test(t, prefetching_changes_nothing);
    tcase_add_test(t, a_random_key_is_one_that_is_alive);
    tcase_add_test(t, deleting_a_large_hash_only_unlinks_it);
    tcase_add_test(t, a_string_that_grows_stays_where_it_is);
    tcase_add_test(t, a_string_takes_about_what_it_needs);
    tcase_add_test(t, a_write_into_a_huge_string_preserves_the_pages_that_it_changes);
    tcase_add_test(t, growing_far_beyond_the_end_does_not_preserve_what_was_never_written);
    tcase_add_test(t, lengths_around_the_limits_of_a_record_work);
    tcase_add_test(t, several_keys_are_set_in_order_and_lose_their_expiry);
#ifdef STILLFRAME_FAULTS
    tcase_add_loop_test(t, without_memory_nothing_has_changed, 0, sizeof writes / sizeof *writes);
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
