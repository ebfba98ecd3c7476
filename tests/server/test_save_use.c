/* tests/server/test_save_use.c - access clocks in a dump: as what, under which policy, and what
 * becomes of those that change while the save runs. */
#include <check.h>
#include <stdlib.h>

#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/data/db/lfu.h"
#include "server/data/db/save.h"
#include "server/memory/evict.h"
#include "snapshot/rdb/rdb.h"
#include "snapshot/rdb/rdb_dec.h"
#include "tests/support/runner.h"
#include "tests/support/talk.h"

static struct save_cut *cut;
static struct mm_sweep sweep;
static uint64_t keys;

static void
set_policy(int64_t policy)
{
    db_state.policy = (unsigned)policy;
}

static void
cut_begin(void)
{
    epoch_t epoch;

    cut = save_cut_new();
    ck_assert_ptr_nonnull(cut);
    keys = db_total_keys();
    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    mm_sweep_init(&sweep);
}

/* What the dump says of key "a". */
static int64_t idle_s;
static int freq;

static int
note_key(void *ctx, const struct rdb_key *k)
{
    (void)ctx;
    if (k->name.len == 1 && k->name.ptr[0] == 'a') {
        idle_s = k->idle_s;
        freq = k->freq;
    }
    return 0;
}

static void
cut_save(void)
{
    static const struct rdb_events events = {.key = note_key};
    struct snapshot_request rq = {.ops = &save_snapshot_ops,
                                  .cut = cut,
                                  .rdb_version = RDB_VERSION_DEFAULT,
                                  .keys_total = keys};
    struct rdb_source *src;
    struct rdb_error err;
    struct sink *out;
    uint8_t *bytes;
    size_t len;

    ck_assert_int_eq(sink_memory_open(&out), 0);
    out->with_crc = true;
    ck_assert_int_eq(snapshot_run_here(&rq, &sweep, out, &keys), 0);
    bytes = sink_memory_take(out, &len);
    sink_close(out);
    mm_cut_end();
    while (mm_settle(3))
        ;
    save_cut_free(cut);
    idle_s = freq = -2;
    ck_assert_int_eq(rdb_source_memory(bytes, len, &src), 0);
    ck_assert_msg(rdb_decode(src, &events, NULL, true, &err) == 0, "%s", err.text);
    rdb_source_close(src);
    free(bytes);
}

START_TEST(what_is_written_is_what_the_policy_goes_by)
{
    static const int64_t policies[] = {
        EVICT_NO,  EVICT_ALL_KEYS | EVICT_RANDOM, EVICT_RANDOM, EVICT_TTL,
        EVICT_LRU, EVICT_ALL_KEYS | EVICT_LRU,    EVICT_LFU,    EVICT_ALL_KEYS | EVICT_LFU};
    int64_t policy = policies[_i];

    set_policy(policy);
    talk("set a 1");
    talk("pexpire a 100000000");
    db_set_use(talk_record("a"), 1000, 150);
    cut_begin();
    cut_save();
    ck_assert_int_eq(idle_s, (policy & EVICT_LRU) != 0 ? 1000 : -1);
    ck_assert_int_eq(freq, (policy & EVICT_LFU) != 0 ? 150 : -1);
}
END_TEST

START_TEST(a_counter_is_written_less_what_it_has_lost)
{
    set_policy(EVICT_ALL_KEYS | EVICT_LFU);
    lfu_rates.decay_minutes = 2;
    talk("set a 1");
    db_set_use(talk_record("a"), -1, 100);
    talk_pass_ms(10 * 60000);
    cut_begin();
    lfu_rates.decay_minutes = 0; /* of the running save's business no more */
    cut_save();
    ck_assert_int_eq(freq, 95);
}
END_TEST

START_TEST(an_idle_time_beyond_the_clock_is_the_longest_one)
{
    set_policy(EVICT_ALL_KEYS | EVICT_LRU);
    talk("set a 1");
    db_set_use(talk_record("a"), 5000000000, -1);
    ck_assert_str_eq(talk("object idletime a"), ":16777215\r\n");
    db_set_use(talk_record("a"), LFU_FIELD_MASK - 200, -1);
    cut_begin();
    cut_save();
    ck_assert_int_eq(idle_s, LFU_FIELD_MASK - 200);
}
END_TEST

/* A client's access behind the cut: its time may be ahead of the one that the sweep reckons
 * with. */
START_TEST(a_key_that_was_used_after_the_cut_is_not_idle)
{
    set_policy(_i == 0 ? EVICT_LRU : EVICT_LFU);
    talk("set a 1");
    db_set_use(talk_record("a"), 1000, 200);
    cut_begin();
    talk_pass_ms(_i == 0 ? 5000 : 60000);
    talk("get a");
    if (_i == 1)
        db_set_use(talk_record("a"), -1, 201);
    cut_save();
    ck_assert_int_eq(_i == 0 ? idle_s : freq, _i == 0 ? 0 : 201);
}
END_TEST

/* Either form of a clock says both, so a change of policy meanwhile takes nothing from the dump. */
START_TEST(a_save_goes_on_as_its_cut_began)
{
    bool lru = _i == 0;

    evict_init(); /* hooks CONFIG SET */
    config.maxmemory_policy = EVICT_ALL_KEYS | (lru ? EVICT_LRU : EVICT_LFU);
    talk(lru ? "config set maxmemory-policy allkeys-lru"
             : "config set maxmemory-policy allkeys-lfu");
    talk("set a 1");
    db_set_use(talk_record("a"), 1000, 200);
    cut_begin();
    ck_assert_str_eq(talk(lru ? "config set maxmemory-policy allkeys-lfu"
                              : "config set maxmemory-policy allkeys-lru"),
                     "+OK\r\n");
    talk("get a");
    cut_save();
    ck_assert_int_eq(idle_s, lru ? 0 : -1);
    ck_assert_int_eq(freq, lru ? -1 : LFU_NEW);
    cut_begin();
    cut_save();
    ck_assert_int_ge(lru ? freq : (int)idle_s, 0);
    ck_assert_int_eq(lru ? (int)idle_s : freq, -1);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("server/save_use");
    TCase *t = tcase_create("save_use");

    tcase_add_checked_fixture(t, talk_open, talk_close);
    tcase_add_loop_test(t, what_is_written_is_what_the_policy_goes_by, 0, 8);
    tcase_add_test(t, a_counter_is_written_less_what_it_has_lost);
    tcase_add_test(t, an_idle_time_beyond_the_clock_is_the_longest_one);
    tcase_add_loop_test(t, a_key_that_was_used_after_the_cut_is_not_idle, 0, 2);
    tcase_add_loop_test(t, a_save_goes_on_as_its_cut_began, 0, 2);
    suite_add_tcase(s, t);
    return run_suite(s);
}
