/* tests/server/test_load.c - from RDB to databases: what is kept, what is skipped, what is refused,
 * and no memory. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "mm/base/clock.h"
#include "mm/base/fault.h"
#include "server/data/db/db.h"
#include "server/data/db/load.h"
#include "server/data/hash/hash.h"
#include "snapshot/rdb/listpack.h"
#include "snapshot/rdb/rdb.h"
#include "snapshot/rdb/rdb_enc.h"
#include "tests/support/runner.h"
#include "tests/support/talk.h"

/* ---- a dump made by hand ---- */

static struct sink *out;
static struct rdb_enc enc;
static uint8_t *dump;
static size_t dump_len;

static void
begin_dump(void)
{
    ck_assert_int_eq(sink_memory_open(&out), 0);
    ck_assert_int_eq(rdb_enc_init(&enc, out, RDB_VERSION_DEFAULT, true), 0);
    rdb_put_magic(&enc);
}

static void
put_text(const char *text)
{
    rdb_put_string(&enc, text, strlen(text));
}

static void
put_string(const char *key, const char *value)
{
    rdb_put_byte(&enc, RDB_TYPE_STRING);
    put_text(key);
    put_text(value);
}

static void
put_hash(const char *key, unsigned fields, const char *last_field)
{
    char text[32];

    rdb_put_byte(&enc, RDB_TYPE_HASH);
    put_text(key);
    rdb_put_len(&enc, fields);
    for (unsigned i = 0; i < fields; i++) {
        snprintf(text, sizeof text, "f%u", i);
        put_text(i + 1 == fields && last_field != NULL ? last_field : text);
        snprintf(text, sizeof text, "%u", i * 3);
        put_text(text);
    }
}

/* put_members: a plain set, or with scores a plain sorted set, whose last member is this one. */
static void
put_members(const char *key, unsigned members, bool scores, const char *last)
{
    char text[32];

    rdb_put_byte(&enc, scores ? RDB_TYPE_ZSET_2 : RDB_TYPE_SET);
    put_text(key);
    rdb_put_len(&enc, members);
    for (unsigned i = 0; i < members; i++) {
        double score = -(double)i;

        snprintf(text, sizeof text, "m%u", i);
        put_text(i + 1 == members && last != NULL ? last : text);
        if (scores)
            sink_put(out, &score, sizeof score);
    }
}

static void
put_listpack(const char *key, unsigned fields)
{
    uint8_t *lp = malloc(LP_EMPTY_BYTES + fields * 40U);
    char text[32];
    uint32_t len;

    ck_assert_ptr_nonnull(lp);
    len = lp_init(lp);
    for (unsigned i = 0; i < fields; i++) {
        snprintf(text, sizeof text, "f%u", i);
        lp_append(lp, text, strlen(text));
        len = lp_append(lp, "v", 1);
    }
    rdb_put_byte(&enc, RDB_TYPE_HASH_LISTPACK);
    put_text(key);
    rdb_put_blob(&enc, lp, len);
    free(lp);
}

static void
end_dump(void)
{
    free(dump);
    rdb_put_eof(&enc);
    rdb_enc_fini(&enc);
    ck_assert_int_eq(sink_flush(out), 0);
    dump = sink_memory_take(out, &dump_len);
    sink_close(out);
}

static struct load_state state;
static char error_text[512];

/* load: decode the dump into the databases. */
static int
load(bool merge)
{
    struct rdb_error err = {.offset = 0};
    struct rdb_source *src;
    int r;

    if ((r = rdb_source_memory(dump, dump_len, &src)) < 0)
        return r;
    load_init(&state);
    state.merge = merge;
    state.size_bytes = dump_len;
    db_state.loading = true;
    r = rdb_decode(src, load_events(), &state, true, &err);
    db_state.loading = false;
    snprintf(error_text, sizeof error_text, "%s%s", state.error, err.text);
    load_fini(&state);
    rdb_source_close(src);
    return r;
}

static void
teardown(void)
{
    free(dump);
    dump = NULL;
    talk_close();
}

/* ---- what is kept ---- */

START_TEST(all_kinds_of_values_arrive)
{
    char *large = malloc(3000001);

    memset(large, 'x', 3000000);
    large[3000000] = '\0';
    begin_dump();
    rdb_put_selectdb(&enc, 2);
    rdb_put_resizedb(&enc, 8, 1);
    put_string("small", "text");
    put_string("number", "-12345");
    put_string("large", large);
    large[100000] = '\0';
    put_string("medium", large);
    rdb_put_expire_ms(&enc, 99999999999999);
    put_string("expires", "later");
    put_hash("hash", 10, NULL);
    put_hash("wide", 600, NULL);
    put_listpack("listpack", 20);
    put_listpack("long listpack", 600);
    end_dump();
    ck_assert_int_eq(load(false), 0);
    ck_assert_uint_eq(state.keys_loaded, 9);
    talk("select 2");
    ck_assert_str_eq(talk("get small"), "$4\r\ntext\r\n");
    ck_assert_str_eq(talk("object encoding number"), "$3\r\nint\r\n");
    ck_assert_str_eq(talk("strlen large"), ":3000000\r\n");
    ck_assert_str_eq(talk("getrange large 2999998 -1"), "$2\r\nxx\r\n");
    ck_assert_str_eq(talk("strlen medium"), ":100000\r\n");
    ck_assert_str_eq(talk("pexpiretime expires"), ":99999999999999\r\n");
    ck_assert_str_eq(talk("object encoding hash"), "$8\r\nlistpack\r\n");
    ck_assert_str_eq(talk("hget hash f9"), "$2\r\n27\r\n");
    ck_assert_str_eq(talk("object encoding wide"), "$9\r\nhashtable\r\n");
    ck_assert_str_eq(talk("hget wide f599"), "$4\r\n1797\r\n");
    ck_assert_str_eq(talk("object encoding listpack"), "$8\r\nlistpack\r\n");
    ck_assert_str_eq(talk("object encoding long"), "$-1\r\n");
    ck_assert_str_eq(talk("append large tail"), ":3000004\r\n");
    ck_assert_str_eq(talk("hset hash new 1"), ":1\r\n");
    ck_assert_uint_eq(db_size(talk_db()), 9);
    db_verify();
    free(large);
}
END_TEST

START_TEST(expired_and_empty_keys_are_skipped_and_counted)
{
    begin_dump();
    rdb_put_selectdb(&enc, 0);
    rdb_put_expire_ms(&enc, clock_now.ms - 1);
    put_string("expired", "v");
    rdb_put_expire_ms(&enc, 5);
    put_hash("expired hash", 600, NULL);
    put_hash("empty", 0, NULL);
    put_listpack("empty listpack", 0);
    put_string("stays", "v");
    end_dump();
    ck_assert_int_eq(load(false), 0);
    ck_assert_uint_eq(state.keys_loaded, 1);
    ck_assert_uint_eq(state.keys_expired, 2);
    ck_assert_uint_eq(state.findings[RDB_FINDING_EMPTY_KEY], 2);
    ck_assert_uint_eq(db_size(talk_db()), 1);
    ck_assert_str_eq(talk("get stays"), "$1\r\nv\r\n");
}
END_TEST

START_TEST(the_idle_time_comes_along)
{
    begin_dump();
    rdb_put_selectdb(&enc, 0);
    rdb_put_byte(&enc, RDB_OP_IDLE);
    rdb_put_len(&enc, 1000);
    put_string("a", "v");
    end_dump();
    ck_assert_int_eq(load(false), 0);
    ck_assert_str_eq(talk("object idletime a"), ":1000\r\n");
}
END_TEST

START_TEST(limits_decide_what_a_loaded_hash_becomes)
{
    hash_limits.listpack_pairs = 5;
    hash_limits.listpack_word_bytes = 10;
    begin_dump();
    rdb_put_selectdb(&enc, 0);
    put_hash("a", 5, NULL);
    put_hash("b", 6, NULL);
    put_hash("c", 5, "a-long-field");
    put_listpack("d", 5);
    put_listpack("e", 6);
    end_dump();
    ck_assert_int_eq(load(false), 0);
    ck_assert_str_eq(talk("object encoding a"), "$8\r\nlistpack\r\n");
    ck_assert_str_eq(talk("object encoding b"), "$9\r\nhashtable\r\n");
    ck_assert_str_eq(talk("object encoding c"), "$9\r\nhashtable\r\n");
    ck_assert_str_eq(talk("object encoding d"), "$8\r\nlistpack\r\n");
    ck_assert_str_eq(talk("object encoding e"), "$9\r\nhashtable\r\n");
    ck_assert_str_eq(talk("hget c a-long-field"), "$2\r\n12\r\n");
    ck_assert_str_eq(talk("hlen c"), ":5\r\n");
}
END_TEST

/* ---- what is refused ---- */

START_TEST(a_key_that_comes_twice_is_an_error_with_its_name)
{
    begin_dump();
    rdb_put_selectdb(&enc, 0);
    put_string("the\nsame", "1");
    put_hash("the\nsame", 600, NULL);
    end_dump();
    ck_assert_int_eq(load(false), -EEXIST);
    ck_assert_ptr_nonnull(strstr(error_text, "the\\x0asame"));
    talk("flushall");
    ck_assert_int_eq(load(true), 0); /* with MERGE the later one wins */
    ck_assert_uint_eq(db_size(talk_db()), 1);
}
END_TEST

/* What the file says of its databases' sizes, true, too small, or a lie: it is a hint. */
START_TEST(any_number_of_keys_may_be_announced)
{
    static const uint64_t sizes[] = {0, 1, 5000, 6000, 40000, (uint64_t)1 << 40, UINT64_MAX};
    size_t full;
    char key[16];

    begin_dump();
    rdb_put_resizedb(&enc, 7, 7); /* before any SELECTDB: of no use */
    rdb_put_selectdb(&enc, 3);
    rdb_put_resizedb(&enc, sizes[_i], sizes[_i]);
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof key, "key%d", i);
        if (i % 10 == 0)
            rdb_put_expire_ms(&enc, 99999999999999);
        put_string(key, "a value of some length, so that the table is the smaller part");
    }
    rdb_put_selectdb(&enc, 4);
    rdb_put_resizedb(&enc, sizes[_i], 0);
    end_dump();
    ck_assert_int_eq(load(false), 0);
    talk("select 3");
    ck_assert_uint_eq(db_size(talk_db()), 5000);
    ck_assert_uint_eq(db_expires(talk_db()), 500);
    full = db_table_bytes();
    ck_assert_uint_lt(full, (5000 + 500) * 64 + 65536);
    db_verify();
    talk("flushall");
    talk_finish_work();
    ck_assert_int_eq(load(false), 0);
    ck_assert_uint_eq(db_table_bytes(), full);
}
END_TEST

/* A load that fails leaves no table for keys that did not come. */
START_TEST(announced_keys_that_do_not_come_leave_no_buckets)
{
    begin_dump();
    rdb_put_selectdb(&enc, 0);
    rdb_put_resizedb(&enc, 1000000, 0);
    put_string("padding", "");
    for (int i = 0; i < 10; i++)
        put_string("twice", "");
    end_dump();
    dump_len--;
    ck_assert_int_ne(load(false), 0);
    talk("flushall");
    talk_finish_work();
    ck_assert_uint_eq(talk_live_bytes(), 0);
    ck_assert_uint_eq(db_table_bytes(), 0);
}
END_TEST

/* More keys than wait for their places at once; the name is not that of the key in hand. */
START_TEST(a_key_that_comes_twice_is_named_however_late_it_is_noticed)
{
    char key[16], value[16];

    begin_dump();
    rdb_put_selectdb(&enc, 0);
    for (int i = 0; i < 10 * LOAD_AHEAD; i++) {
        snprintf(key, sizeof key, "key%d", i == 5 * LOAD_AHEAD + 1 ? 5 : i);
        snprintf(value, sizeof value, "value%d", i);
        put_string(key, value);
    }
    end_dump();
    ck_assert_int_eq(load(false), -EEXIST);
    ck_assert_ptr_nonnull(strstr(error_text, "'key5'"));
    ck_assert_uint_eq(state.keys_loaded, 5 * LOAD_AHEAD + 1);
    db_verify();
    talk("flushall");
    talk_finish_work();
    ck_assert_uint_eq(talk_live_bytes(), 0);
    ck_assert_int_eq(load(true), 0);
    ck_assert_uint_eq(state.keys_loaded, 10 * LOAD_AHEAD);
    ck_assert_uint_eq(db_size(talk_db()), 10 * LOAD_AHEAD - 1);
    snprintf(value, sizeof value, "value%d", 5 * LOAD_AHEAD + 1);
    ck_assert_ptr_nonnull(strstr(talk("get key5"), value));
    db_verify();
}
END_TEST

/* What the later value of a key replaces, and what it brings. */
START_TEST(with_merge_a_later_value_takes_all_of_its_place)
{
    begin_dump();
    rdb_put_selectdb(&enc, 0);
    rdb_put_expire_ms(&enc, 99999999999999);
    put_hash("a", 600, NULL);
    put_string("b", "old");
    put_string("a", "new");
    rdb_put_expire_ms(&enc, 99999999999999);
    rdb_put_byte(&enc, RDB_OP_IDLE);
    rdb_put_len(&enc, 1000);
    put_hash("b", 600, NULL);
    end_dump();
    ck_assert_int_eq(load(true), 0);
    ck_assert_str_eq(talk("get a"), "$3\r\nnew\r\n");
    ck_assert_str_eq(talk("pttl a"), ":-1\r\n");
    ck_assert_str_eq(talk("pexpiretime b"), ":99999999999999\r\n");
    ck_assert_str_eq(talk("object idletime b"), ":1000\r\n");
    ck_assert_str_eq(talk("hlen b"), ":600\r\n");
    db_verify();
}
END_TEST

START_TEST(a_field_that_comes_twice_is_an_error)
{
    begin_dump();
    rdb_put_selectdb(&enc, 0);
    put_hash("h", (unsigned)_i, "f0");
    end_dump();
    ck_assert_int_ne(load(false), 0);
    ck_assert_ptr_nonnull(strstr(error_text, "field"));
    ck_assert_uint_eq(db_size(talk_db()), 0);
}
END_TEST

/* Small and large ones, with the double among those that wait for their places, or before. */
START_TEST(a_member_that_comes_twice_is_an_error)
{
    static const unsigned sizes[] = {5, 600, 640, 641, 672};
    const char *twice = _i / 2 % 2 == 0 ? "m2" : "m639";
    unsigned members = sizes[_i / 4];

    begin_dump();
    rdb_put_selectdb(&enc, 0);
    put_members("good", 700, _i % 2 != 0, NULL);
    put_members("bad", members, _i % 2 != 0, members < 641 ? "m2" : twice);
    end_dump();
    ck_assert_int_eq(load(false), -EEXIST);
    ck_assert_ptr_nonnull(strstr(error_text, "a member twice: key 'bad'"));
    talk("flushall");
    talk_finish_work();
    ck_assert_uint_eq(talk_live_bytes(), 0);
}
END_TEST

START_TEST(large_values_are_whole)
{
    begin_dump();
    rdb_put_selectdb(&enc, 0);
    for (unsigned i = 0; i < 3; i++) { /* up to what waits, and more */
        unsigned n = 10 * LOAD_AHEAD * 2 + i;
        char key[16];

        snprintf(key, sizeof key, "set%u", i);
        put_members(key, n, false, NULL);
        snprintf(key, sizeof key, "zset%u", i);
        put_members(key, n, true, NULL);
        snprintf(key, sizeof key, "hash%u", i);
        put_hash(key, n, NULL);
    }
    end_dump();
    ck_assert_int_eq(load(false), 0);
    db_verify();
    ck_assert_str_eq(talk("scard set2"), ":642\r\n");
    ck_assert_str_eq(talk("zcard zset2"), ":642\r\n");
    ck_assert_str_eq(talk("hlen hash2"), ":642\r\n");
    ck_assert_str_eq(talk("sismember set1 m640"), ":1\r\n");
    ck_assert_str_eq(talk("zrange zset1 0 0"), "*1\r\n$4\r\nm640\r\n");
    ck_assert_str_eq(talk("hget hash1 f640"), "$4\r\n1920\r\n");
}
END_TEST

START_TEST(a_database_that_is_not_there_is_an_error)
{
    begin_dump();
    rdb_put_selectdb(&enc, 16);
    put_string("a", "1");
    end_dump();
    ck_assert_int_eq(load(false), -ERANGE);
    ck_assert_ptr_nonnull(strstr(error_text, "databases"));
}
END_TEST

/* The length that a file claims costs nothing but address space until its bytes are there. */
START_TEST(a_length_without_its_bytes_is_an_error_and_leaves_nothing)
{
    static const uint64_t claims[] = {70000, 400 << 20, 600 << 20, (uint64_t)1 << 40, UINT64_MAX};

    begin_dump();
    rdb_put_selectdb(&enc, 0);
    rdb_put_byte(&enc, RDB_TYPE_STRING);
    put_text("key");
    rdb_put_len(&enc, claims[_i]);
    put_text("and no more");
    end_dump();
    ck_assert_int_ne(load(false), 0);
    ck_assert_uint_eq(talk_live_bytes(), 0);
}
END_TEST

#ifdef STILLFRAME_FAULTS
START_TEST(without_memory_loading_ends_clean)
{
    char text[200000];
    unsigned n, failed = 0;

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    begin_dump();
    rdb_put_selectdb(&enc, 0);
    put_string("a", "1");
    put_string("long", text);
    text[2000] = '\0';
    put_string(text, text);
    put_hash("h", 20, NULL);
    put_hash("wide", 20, text);
    put_listpack("l", 200);
    put_listpack("many", 513);
    put_hash("table", 550, NULL);
    put_members("set", 550, false, NULL);
    put_members("zset", 550, true, NULL);
    end_dump();
    for (n = 1;; n++) {
        int r;

        fault_arm(FAULT_ANY, n, false);
        r = load(false);
        if (fault_disarm() == 0)
            break;
        failed += r != 0;
        ck_assert(r == 0 || r == -ENOMEM || r == -EIO);
        db_verify();
        talk("flushall");
        talk_finish_work();
        ck_assert_msg(talk_live_bytes() == 0, "allocation %u, result %d: %zu bytes left", n, r,
                      talk_live_bytes());
    }
    ck_assert_uint_gt(failed, 50);
    ck_assert_uint_eq(db_size(talk_db()), 10);
}
END_TEST
#endif

int
main(void)
{
    Suite *s = suite_create("server/load");
    TCase *t = tcase_create("load");

    tcase_add_checked_fixture(t, talk_open, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, all_kinds_of_values_arrive);
    tcase_add_test(t, expired_and_empty_keys_are_skipped_and_counted);
    tcase_add_test(t, the_idle_time_comes_along);
    tcase_add_test(t, limits_decide_what_a_loaded_hash_becomes);
    tcase_add_test(t, a_key_that_comes_twice_is_an_error_with_its_name);
    tcase_add_loop_test(t, any_number_of_keys_may_be_announced, 0, 7);
    tcase_add_test(t, announced_keys_that_do_not_come_leave_no_buckets);
    tcase_add_test(t, a_key_that_comes_twice_is_named_however_late_it_is_noticed);
    tcase_add_test(t, with_merge_a_later_value_takes_all_of_its_place);
    tcase_add_loop_test(t, a_field_that_comes_twice_is_an_error, 5, 6);
    tcase_add_loop_test(t, a_field_that_comes_twice_is_an_error, 700, 701);
    tcase_add_loop_test(t, a_member_that_comes_twice_is_an_error, 0, 20);
    tcase_add_test(t, large_values_are_whole);
    tcase_add_test(t, a_database_that_is_not_there_is_an_error);
    tcase_add_loop_test(t, a_length_without_its_bytes_is_an_error_and_leaves_nothing, 0, 5);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(t, without_memory_loading_ends_clean);
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
