/* tests/server/test_limits.c - what is configured reaches the data: at the start, after a change
 * that was taken, and no other. */
#include <check.h>
#include <string.h>

#include "server/config/config.h"
#include "server/data/db/dump.h"
#include "server/data/db/lfu.h"
#include "server/data/hash/hash.h"
#include "server/data/list/list.h"
#include "server/data/set/set.h"
#include "server/data/stream/stream.h"
#include "server/data/zset/zset.h"
#include "server/memory/evict.h"
#include "tests/support/runner.h"
#include "tests/support/talk.h"

/* All limits, as bytes to be compared: none of the structs has a gap. */
struct all {
    struct hash_limits hash;
    struct list_limits list;
    struct set_limits set;
    struct stream_limits stream;
    struct zset_limits zset;
    struct lfu_rates lfu;
    uint64_t policy, is_bounded, compresses;
};

static struct all
all(void)
{
    return (struct all){.hash = hash_limits,
                        .list = list_limits,
                        .set = set_limits,
                        .stream = stream_limits,
                        .zset = zset_limits,
                        .lfu = lfu_rates,
                        .policy = db_state.policy,
                        .is_bounded = db_state.is_bounded,
                        .compresses = dump_compresses};
}

/* The modules have defaults of their own, for whoever uses them without a configuration. */
START_TEST(the_defaults_are_the_same_on_both_sides)
{
    struct all own = all(), configured;

    talk_open();
    configured = all();
    ck_assert_mem_eq(&own, &configured, sizeof own);
    talk_close();
}
END_TEST

static void
set_all(void)
{
    static const char *const pairs[] = {"hash-max-listpack-entries 1",
                                        "hash-max-listpack-value 2",
                                        "list-max-listpack-size 3",
                                        "set-max-intset-entries 4",
                                        "set-max-listpack-entries 5",
                                        "set-max-listpack-value 6",
                                        "stream-node-max-bytes 7",
                                        "stream-node-max-entries 8",
                                        "zset-max-listpack-entries 9",
                                        "zset-max-listpack-value 10",
                                        "lfu-log-factor 11",
                                        "lfu-decay-time 12",
                                        "maxmemory-policy allkeys-lfu",
                                        "maxmemory 13gb",
                                        "rdbcompression no"};

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct all before = all(), after;

        ck_assert_str_eq(talk("config set %s", pairs[i]), "+OK\r\n");
        after = all();
        ck_assert_msg(memcmp(&before, &after, sizeof before) != 0, "%s", pairs[i]);
    }
}

START_TEST(a_change_is_handed_down)
{
    struct all want = {.hash = {1, 2},
                       .list = {3},
                       .set = {4, 5, 6},
                       .stream = {7, 8},
                       .zset = {9, 10},
                       .lfu = {11, 12},
                       .policy = EVICT_LFU | EVICT_ALL_KEYS,
                       .is_bounded = 1},
               is;

    talk_open();
    set_all();
    is = all();
    ck_assert_mem_eq(&is, &want, sizeof is);
    talk_close();
}
END_TEST

static bool
refuse(const struct config *next, const char **why)
{
    (void)next;
    *why = "not today";
    return false;
}

/* L9: what comes before it in the same CONFIG SET was fine, and is not taken either. */
START_TEST(a_change_that_is_refused_never_shows)
{
    struct all before, after;

    talk_open();
    config_on_change("port", refuse);
    before = all();
    ck_assert_int_eq(*talk("config set hash-max-listpack-entries 1 port 1"), '-');
    ck_assert_int_eq(*talk("config set hash-max-listpack-entries x"), '-');
    after = all();
    ck_assert_mem_eq(&before, &after, sizeof before);
    talk_close();
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("server/limits");
    TCase *t = tcase_create("limits");

    tcase_add_test(t, the_defaults_are_the_same_on_both_sides);
    tcase_add_test(t, a_change_is_handed_down);
    tcase_add_test(t, a_change_that_is_refused_never_shows);
    suite_add_tcase(s, t);
    return run_suite(s);
}
