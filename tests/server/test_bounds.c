/* tests/server/test_bounds.c - what one command or one turn may look at, whatever was removed
 * before or has expired; which keys go first; and room for strings. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "mm/base/fault.h"
#include "server/config/config.h"
#include "server/data/db/blob.h"
#include "server/data/db/db.h"
#include "server/data/db/db_impl.h"
#include "server/data/db/lfu.h"
#include "server/memory/evict.h"
#include "tests/support/runner.h"
#include "tests/support/talk.h"

/* ---- walks ---- */

/* in_reply: words of a reply to SCAN or its kin, without the cursor, which is *ret. */
static unsigned
in_reply(const char *reply, unsigned long *ret)
{
    unsigned words = 0;

    for (const char *p = strchr(reply, '$'); p != NULL; p = strchr(p + 1, '$'))
        words++;
    must(sscanf(reply, "*2\r\n$%*u\r\n%lu", ret) == 1);
    return words - 1;
}

/* However the hashes of what is there agree: a step shows a few tens. */
START_TEST(a_step_of_a_scan_is_bounded)
{
    enum { CROWD = 600, STEP_MAX = LT_CHAIN_MAX };
    static const struct {
        const char *fill, *scan;
        unsigned words;
    } kinds[] = {{"sadd s ^%u", "sscan s %lu count 1", 1},
                 {"hset h ^%u v", "hscan h %lu count 1", 2},
                 {"zadd z 1 ^%u", "zscan z %lu count 1", 2},
                 {"set ^%u v", "scan %lu count 1", 1}};
    unsigned long cursor = 0;
    unsigned all = 0;

    for (unsigned i = 0; i < CROWD; i++)
        talk(kinds[_i].fill, i);
    do {
        unsigned words = in_reply(talk(kinds[_i].scan, cursor), &cursor);

        ck_assert_uint_le(words, STEP_MAX * kinds[_i].words);
        all += words;
    } while (cursor != 0);
    ck_assert_uint_eq(all, CROWD * kinds[_i].words);
    db_verify();
}
END_TEST

/* ---- random keys, fields and members ---- */

/* Not as many deletions as there are dead keys, in one command; and what is alive is found within
 * them. */
START_TEST(a_random_key_is_not_looked_for_without_end)
{
    enum { DEAD = 5000, MOST = 1000 };

    db_state.active_expire = false;
    for (int i = 0; i < DEAD; i++)
        talk("set dead:%d 1 px 5", i);
    talk_pass_ms(10);
    for (unsigned left = DEAD; left > 0; left -= MOST) {
        ck_assert_str_eq(talk("randomkey"), "$-1\r\n");
        ck_assert_uint_eq(db_size(talk_db()), left - MOST);
    }
    talk("set alive 1");
    for (int i = 0; i < MOST; i++)
        talk("set dead:%d 1 px 5", i);
    talk_pass_ms(10);
    ck_assert_str_eq(talk("randomkey"), "$5\r\nalive\r\n");
    db_state.active_expire = true;
}
END_TEST

static unsigned
different_words(const char *reply)
{
    enum { WORDS_OF_REPLY = 8192 };
    static unsigned long words[WORDS_OF_REPLY];
    unsigned n = 0, different = 0;

    for (const char *p = strchr(reply, '^'); p != NULL; p = strchr(p + 1, '^'))
        words[n++] = strtoul(p + 1, NULL, 10);
    for (unsigned i = 0, k; i < n; i++) {
        for (k = 0; k < i && words[k] != words[i]; k++)
            ;
        different += k == i;
    }
    return different;
}

/* All in one bucket: it used to be drawn from sixteen places of it. */
START_TEST(draws_of_a_crowd_end_and_meet_all_of_it)
{
    enum { CROWD = 600, FEW = CROWD / 3, EVEN = 200, MOST = (CROWD + EVEN) / 3 };

    for (unsigned i = 0; i < CROWD; i++) {
        talk("sadd s ^%u", i);
        talk("hset h ^%u v", i);
    }
    ck_assert_uint_eq(different_words(talk("srandmember s %u", FEW)), FEW);
    ck_assert_uint_eq(different_words(talk("hrandfield h %u", FEW)), FEW);
    /* One in 20,000 is expected not to be met. */
    ck_assert_uint_ge(different_words(talk("srandmember s -%u", 10 * CROWD)), CROWD - 3);
    ck_assert_uint_ge(different_words(talk("hrandfield h -%u", 10 * CROWD)), CROWD - 3);
    /* Beside others, each in a place of its own: these are drawn more often. */
    for (unsigned i = 0; i < EVEN; i++) {
        talk("sadd s even^%u000000", i + 1);
        talk("hset h even^%u000000 v", i + 1);
    }
    ck_assert_uint_eq(different_words(talk("srandmember s %u", MOST)), MOST);
    ck_assert_uint_eq(different_words(talk("hrandfield h %u", MOST)), MOST);
    talk("spop s %u", MOST);
    ck_assert_uint_eq(different_words(talk("smembers s")), CROWD + EVEN - MOST);
    db_verify();
}
END_TEST

/* ---- when and how often a key was used ---- */

static uint32_t
idle_s(const char *key)
{
    return lfu_idle_s(record_clock(talk_record(key)));
}

static uint8_t
counter(const char *key)
{
    return lfu_counter(record_clock(talk_record(key)));
}

/* What CONFIG SET maxmemory-policy does to the records: nothing. */
START_TEST(a_switch_of_policy_keeps_what_is_known_of_use)
{
    talk("set long 1");
    talk_pass_ms(3600 * 1000);
    talk("set short 1");
    talk_pass_ms(130 * 1000);
    talk("set now 1");
    db_state.policy = EVICT_LFU;
    ck_assert_uint_eq(counter("now"), LFU_NEW);
    ck_assert_uint_eq(counter("short"), LFU_NEW - 2);
    ck_assert_uint_eq(counter("long"), 0);
    talk("set new 1");
    ck_assert_uint_eq(counter("new"), LFU_NEW);
    talk("get now");
    ck_assert_uint_eq(counter("now"), LFU_NEW + 1);
    talk_pass_ms(120 * 1000);
    talk("get long"); /* what it has lost is lost */
    ck_assert_uint_eq(counter("long"), 1);
    ck_assert_uint_eq(counter("now"), LFU_NEW + 1 - 2);
    db_state.policy = EVICT_LRU;
    ck_assert_uint_eq(idle_s("short"), 250);
    ck_assert_uint_eq(idle_s("long"), 0);
    ck_assert_uint_ge(idle_s("now"), 60);
    ck_assert_uint_le(idle_s("now"), 120);
    ck_assert_uint_le(idle_s("new"), 120);
    talk("get now");
    ck_assert_uint_eq(idle_s("now"), 0);
    db_set_use(talk_record("now"), (int64_t)1 << 40, -1);
    ck_assert_uint_eq(idle_s("now"), LFU_FIELD_MASK);
    db_set_use(talk_record("now"), 1000, -1);
    ck_assert_uint_eq(idle_s("now"), 1000);
}
END_TEST

/* ---- eviction and expiry ---- */

/* limit_memory: so that about so many bytes have to go. */
static void
limit_memory(int policy, uint64_t bytes)
{
    config.maxmemory_policy = policy;
    config.maxmemory = evict_memory_used() - bytes;
}

START_TEST(eviction_finds_the_keys_of_a_crowd)
{
    static const int policies[] = {EVICT_LRU, EVICT_LFU, EVICT_RANDOM};

    for (unsigned i = 0; i < 600; i++)
        talk("set ^%u @100*x", i);
    for (unsigned i = 0; i < sizeof policies / sizeof *policies; i++) {
        limit_memory(policies[i] | EVICT_ALL_KEYS, 10000);
        ck_assert(evict_make_room());
        while (evict_work(1000))
            ;
        ck_assert_uint_le(evict_memory_used(), config.maxmemory);
    }
    ck_assert_uint_gt(db_size(talk_db()), 100);
    db_verify();
}
END_TEST

#ifdef STILLFRAME_FAULTS
START_TEST(eviction_ends_without_memory_for_candidates)
{
    for (unsigned i = 0; i < 100; i++)
        talk("set @%u*k v", 300 + i);
    limit_memory(EVICT_LRU | EVICT_ALL_KEYS, 10000);
    fault_arm(FAULT_side_alloc, 1, true);
    ck_assert(evict_make_room());
    while (evict_work(1000))
        ;
    fault_disarm();
    ck_assert_uint_le(evict_memory_used(), config.maxmemory);
    db_verify();
}
END_TEST
#endif

/* A round goes on where its last slice ended, and every database gets its turn. */
START_TEST(active_expiry_gets_round_many_databases)
{
    for (int i = 0; i < 300; i++) {
        talk("select %d", i % 16);
        for (int k = 0; k < 100; k++)
            talk("set key:%d:%d v px 10", i, k);
    }
    talk_pass_ms(200);
    for (int i = 0; i < 100000 && db_total_keys() > 0; i++) {
        db_work(0); /* a batch at most */
        if (i % 100 == 0)
            talk_pass_ms(100);
    }
    ck_assert_uint_eq(db_total_keys(), 0);
}
END_TEST

/* ---- room for strings ---- */

/* A quarter of the arena in strings of a megabyte, each with the room it gets, and as much again
 * for others. */
START_TEST(room_for_strings_to_grow_keeps_nothing_out)
{
    enum { STRINGS = 2000, BYTES = 1 << 20 };
    static void *strings[STRINGS], *others[STRINGS];

    for (int i = 0; i < STRINGS; i++)
        ck_assert_ptr_nonnull(strings[i] = blob_alloc(BYTES));
    ck_assert_uint_gt(mm_usable(strings[0]), BYTES);
    for (int i = 0; i < STRINGS; i++)
        ck_assert_ptr_nonnull(others[i] = mm_alloc(MM_VALUE, BYTES));
    for (int i = 0; i < STRINGS; i++) {
        mm_free(strings[i]);
        mm_free(others[i]);
    }
}
END_TEST

/* Where no address space is left to set aside, growth is by a part of the length, not by what is
 * appended. */
START_TEST(a_string_that_grows_where_room_is_short_is_copied_rarely)
{
    enum { FROM = 1 << 20, TO = 40 << 20, STEP = 20000, SHORT = 128 << 20 };
    void *hoard[64], *block;
    unsigned hoards = 0, copies = 0;

    for (size_t room = (size_t)4 << 30; room >= SHORT; room /= 2) {
        while ((block = mm_alloc_roomy(FROM, room)) != NULL && mm_usable(block) > FROM)
            hoard[hoards++] = block;
        mm_free(block);
    }
    block = blob_alloc_growing(FROM);
    for (size_t len = FROM; len < TO; len += STEP) {
        if (len <= mm_usable(block))
            continue;
        mm_free(block);
        ck_assert_ptr_nonnull(block = blob_alloc_growing(len));
        copies++;
    }
    ck_assert_uint_le(copies, 50); /* by an eighth each: 32 */
    mm_free(block);
    while (hoards > 0)
        mm_free(hoard[--hoards]);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("server/bounds");
    TCase *t = tcase_create("bounds"), *space = tcase_create("space");

    tcase_add_checked_fixture(t, talk_open, talk_close);
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, a_step_of_a_scan_is_bounded, 0, 4);
    tcase_add_test(t, a_random_key_is_not_looked_for_without_end);
    tcase_add_test(t, draws_of_a_crowd_end_and_meet_all_of_it);
    tcase_add_test(t, a_switch_of_policy_keeps_what_is_known_of_use);
    tcase_add_test(t, eviction_finds_the_keys_of_a_crowd);
    tcase_add_test(t, active_expiry_gets_round_many_databases);
    tcase_add_test(t, a_string_that_grows_where_room_is_short_is_copied_rarely);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(t, eviction_ends_without_memory_for_candidates);
#endif
    suite_add_tcase(s, t);
    tcase_set_tags(space, "space"); /* 4 GiB of it */
    tcase_add_checked_fixture(space, talk_open, talk_close);
    tcase_set_timeout(space, 300);
    tcase_add_test(space, room_for_strings_to_grow_keeps_nothing_out);
    suite_add_tcase(s, space);
    return run_suite(s);
}
