/* tests/snapshot/test_rdb_dec_sweep.c - the decoder, with every form of every type: each event
 * refused in turn, each missing, each prefix, each allocation failed, each byte changed. */
#include <check.h>
#include <errno.h>
#include <stddef.h>

#include "mm/base/fault.h"
#include "snapshot/rdb/rdb.h"
#include "snapshot/rdb/rdb_dec.h"
#include "tests/snapshot/spell.h"
#include "tests/support/runner.h"

/* Streams: a node under 5-0 of one field, and its items; a group with two consumers. */
#define NODE        "10 00 x 7 05 00 x 8 "
#define MASTER      " 01 01 81 'f' 02 00 01 "
#define ITEM(ms)    " 02 01 " ms " 01 00 01 81 'v' 02 04 01 "
#define GONE(ms)    " 03 01 " ms " 01 00 01 81 'v' 02 04 01 "
#define OWN(ms)     " 00 01 " ms " 01 00 01 01 01 81 'g' 02 81 'w' 02 06 01 "
#define TWO         "[( 15 : 02 01 00 01" MASTER ITEM("00") ITEM("01") ")] "
#define MIXED       "[( 22 : 02 01 01 01" MASTER ITEM("00") GONE("01") OWN("02") ")] "
#define LONG_AT(ms) " 02 01 " ms " 01 00 01 e1 2c 'v' x 300 02 ae 04 01 "
#define TURNED_LONG "[( 20 : 02 01 01 01" MASTER ITEM("00") GONE("09") LONG_AT("01") ")] "
#define TURNED      "[( 20 : 02 01 01 01" MASTER ITEM("00") GONE("09") ITEM("01") ")] "
#define RAW(ms)     "00 x 7 " ms " 00 x 8 "
#define PENDING     "02 " RAW("05") "09 00 x 7 01 " RAW("06") "09 00 x 7 02 "
#define OWNERS(active)                                                                             \
    "02 ['c'] 01 00 x 7 " active "01 " RAW("06") "['d'] 01 00 x 7 " active "01 " RAW("05")
#define LONG_TEXT                                                                                  \
    "[ 'a string that is longer than what is told to who only counts, and than an integer' ] "

static const char *const files[] = {
    /* the frame */
    "'REDIS0012' fa ['redis-ver'] ['7.4.0'] fa ['used-mem'] c0 40 fe 02 fb 05 01 f4 01 02 03 "
    "f5 ['#!lua name=x'] ff crc",
    "'REDIS0003' fd 00 00 00 40 00 ['k'] ['v'] ff",
    "'REDIS0012' f8 40 64 f9 ff fc 01 00 x 7 00 ['k'] ['v'] ff crc",
    "'REDIS0012' f8 81 ff x 8 00 ['k'] ['v'] ff crc",
    "'REDIS0079' 00 ['k'] ['v'] ff crc",
    "'REDIS0012' 00 ['k'] ['v'] fa ['repl-id'] ['x'] ff crc",
    /* what is of modules */
    "'REDIS0010' 07 ['m'] 00 01 05 02 40 ff 03 00 x 4 04 00 x 8 05 ['s'] 05 "
    "c3 04 06 00 'a' 60 00 00 ff crc",
    "'REDIS0010' f7 00 02 01 05 ['s'] 00 00 ['k'] ['v'] ff crc",
    "'REDIS0009' fa ['keydb-subexpire-key'] ['f'] ff crc",
    /* strings */
    "'REDIS0012' 00 ['k'] c1 00 80 00 c0 05 c0 06 ff crc",
    "'REDIS0012' 00 ['k'] c3 09 13 02 'abc' e0 06 02 00 '!' ff crc",
    "'REDIS0012' 00 c3 04 06 00 'a' 60 00 " LONG_TEXT "ff crc",
    /* lists */
    "'REDIS0012' 01 ['k'] 03 ['a'] c0 07 " LONG_TEXT "ff crc",
    "'REDIS0012' 01 ['k'] 02 c3 04 06 00 'a' 60 00 c3 09 13 02 'abc' e0 06 02 00 '!' ff crc",
    "'REDIS0012' 0a ['k'] [0f 00 00 00 0c 00 00 00 02 00 00 f1 02 f2 ff] ff crc",
    "'REDIS0012' 0a ['k'] [0d 00 00 00 0a 00 00 00 02 00 00 f1 ff] ff crc",
    "'REDIS0012' 0e ['k'] 02 [0f 00 00 00 0c 00 00 00 02 00 00 f1 02 f2 ff] "
    "[0b 00 00 00 0a 00 00 00 00 00 ff] ff crc",
    "'REDIS0012' 12 ['k'] 03 01 ['plain'] 02 [( 1 : 01 01 )] 02 [( 2 : 05 01 )] ff crc",
    "'REDIS0010' 12 ['l'] 02 02 [( 0 : )] 02 [( 0 : )] ff crc",
    "'REDIS0003' 01 ['l'] 00 ff",
    "'REDIS0006' 0a ['l'] [0b 00 00 00 0a 00 00 00 00 00 ff] ff crc",
    /* sets */
    "'REDIS0012' 02 ['k'] 02 ['a'] ['b'] ff crc",
    "'REDIS0012' 02 ['k'] 00 ff crc",
    "'REDIS0012' 0b ['k'] [02 00 00 00 02 00 00 00 01 00 02 00] ff crc",
    "'REDIS0012' 0b ['k'] [04 00 00 00 02 00 00 00 00 00 00 80 ff ff ff 7f] ff crc",
    "'REDIS0012' 0b ['k'] [08 00 00 00 01 00 00 00 00 00 00 00 00 00 00 80] ff crc",
    "'REDIS0012' 0b ['k'] [02 00 00 00 00 00 00 00] ff crc",
    "'REDIS0012' 14 ['k'] [( 4 : 81 'm' 02 02 01 80 01 83 'abc' 04 )] ff crc",
    "'REDIS0012' 14 ['k'] [( 3 : 81 'a' 02 81 'b' 02 )] ff crc",
    "'REDIS0012' 14 ['k'] [( 0 : )] ff crc",
    /* sorted sets */
    "'REDIS0003' 03 ['k'] 05 ['a'] ff ['b'] 01 '1' ['c'] 03 '1.5' ['d'] fe [] 02 '-0' ff",
    "'REDIS0003' 03 ['k'] 00 ff",
    "'REDIS0012' 05 ['k'] 02 ['a'] 00 x 6 f0 3f c0 07 00 x 6 f0 7f ff crc",
    "'REDIS0012' 0c ['k'] [0f 00 00 00 0c 00 00 00 02 00 00 f1 02 f2 ff] ff crc",
    "'REDIS0009' 0c ['z'] [10 00 00 00 0d 00 00 00 02 00 00 01 'a' 03 f2 ff] ff crc",
    "'REDIS0012' 0c ['k'] [0b 00 00 00 0a 00 00 00 00 00 ff] ff crc",
    "'REDIS0012' 11 ['k'] [( 4 : 81 'a' 02 01 01 81 'b' 02 02 01 )] ff crc",
    "'REDIS0012' 11 ['k'] [( 4 : 81 'b' 02 02 01 81 'a' 02 01 01 )] ff crc",
    "'REDIS0012' 11 ['k'] [( 6 : 81 'a' 02 01 01 82 'ab' 03 01 01 81 'b' 02 83 '2.5' 04 )] ff crc",
    "'REDIS0012' 11 ['k'] [( 4 : 82 'ab' 03 01 01 81 'a' 02 01 01 )] ff crc",
    "'REDIS0012' 11 ['k'] [( 3 : 81 'a' 02 07 01 )] ff crc",
    "'REDIS0012' 11 ['k'] [( 0 : )] ff crc",
    /* hashes */
    "'REDIS0012' 04 ['k'] 03 ['f'] ['v'] c0 05 c1 00 01 ['g'] " LONG_TEXT "ff crc",
    "'REDIS0012' 04 ['k'] 01 c3 04 06 00 'a' 60 00 c3 09 13 02 'abc' e0 06 02 00 '!' ff crc",
    "'REDIS0012' 04 ['k'] 00 ff crc",
    "'REDIS0003' 09 ['k'] [02 01 'f' 03 02 'val..' 00 00 00 ff] ff",
    "'REDIS0003' 09 ['k'] [fe fe 01 00 00 00 'f' 02 01 'va.' ff] ff",
    "'REDIS0003' 09 ['k'] [00 ff] ff",
    "'REDIS0012' 0d ['k'] [0f 00 00 00 0c 00 00 00 02 00 00 f1 02 f2 ff] ff crc",
    "'REDIS0012' 0d ['k'] [0b 00 00 00 0a 00 00 00 00 00 ff] ff crc",
    "'REDIS0012' 10 ['k'] [( 4 : 81 'f' 02 f1 00 10 03 05 01 f4 00 x 7 80 09 )] ff crc",
    "'REDIS0012' 10 ['k'] [( 4 : 05 01 06 01 )] ff crc",
    "'REDIS0012' 10 ['k'] [( 0 : )] ff crc",
    /* ... whose fields expire */
    "'REDIS0012' 16 ['k'] 02 05 ['f'] ['v'] 00 ['g'] ['w'] ff crc",
    "'REDIS0012' 17 ['k'] [( 6 : 81 'f' 02 81 'v' 02 05 01 81 'g' 02 81 'w' 02 00 01 )] ff crc",
    "'REDIS0012' 17 ['k'] [( 0 : )] ff crc",
    "'REDIS0012' 18 ['k'] 64 00 x 7 03 01 ['f'] ['v'] 0b ['g'] ['w'] 00 c0 05 " LONG_TEXT "ff crc",
    "'REDIS0012' 18 ['k'] 00 x 8 00 ff crc",
    "'REDIS0012' 18 ['k'] 00 x 8 02 00 ['f'] ['v'] 00 c0 05 c1 00 01 ff crc",
    "'REDIS0012' 19 ['k'] 05 00 x 7 [( 6 : 81 'f' 02 81 'v' 02 05 01 05 01 06 01 00 01 )] ff crc",
    "'VALKEY080' 16 ['k'] 02 ['f'] ['v'] 05 00 x 7 ['g'] " LONG_TEXT "ff x 8 ff crc",
    "'VALKEY080' 16 ['k'] 01 c3 04 06 00 'a' 60 00 c3 09 13 02 'abc' e0 06 02 00 '!' ff x 8 ff crc",
    /* streams */
    "'REDIS0009' 0f ['k'] 01 " NODE TWO "02 07 00 00 ff crc",
    "'REDIS0009' 0f ['k'] 00 01 05 07 00 ff crc",
    "'REDIS0012' 13 ['k'] 01 " NODE TWO
    "02 07 00 05 00 00 00 02 01 ['g'] 05 07 03 " PENDING OWNERS("") "ff crc",
    "'REDIS0012' 15 ['k'] 01 " NODE MIXED
    "02 07 00 05 00 06 00 03 01 ['g'] 05 07 03 " PENDING OWNERS("02 00 x 7 ") "ff crc",
    "'REDIS0012' 15 ['k'] 02 " NODE TWO "10 00 x 7 07 00 x 8 " TWO
    "04 08 00 05 00 00 00 04 02 ['g'] 05 07 03 00 00 ['h'] 05 07 03 00 01 ['c'] "
    "01 00 x 7 02 00 x 7 00 ff crc",
    "'REDIS0012' 15 ['k'] 01 " NODE TURNED "06 05 00 05 00 0e 00 01 00 ff crc",
    "'REDIS0012' 15 ['k'] 01 " NODE TURNED_LONG "06 05 00 05 00 0e 00 01 00 ff crc",
};
enum { FILES = sizeof files / sizeof *files, REFUSED = 4711 };

/* ---- a sink that is asked so often, and then says no ---- */

struct sink {
    unsigned long calls, refuse_at; /* 0: none */
};

static int
answer(void *ctx)
{
    struct sink *s = ctx;

    return ++s->calls == s->refuse_at ? REFUSED : 0;
}

#define ASKS0(name)                                                                                \
    static int on_##name(void *ctx)                                                                \
    {                                                                                              \
        return answer(ctx);                                                                        \
    }
#define ASKS1(name, a)                                                                             \
    static int on_##name(void *ctx, a arg)                                                         \
    {                                                                                              \
        (void)arg;                                                                                 \
        return answer(ctx);                                                                        \
    }
#define ASKS2(name, a, b)                                                                          \
    static int on_##name(void *ctx, a arg, b other)                                                \
    {                                                                                              \
        (void)arg;                                                                                 \
        (void)other;                                                                               \
        return answer(ctx);                                                                        \
    }
#define ASKS3(name, a, b, c)                                                                       \
    static int on_##name(void *ctx, a arg, b other, c third)                                       \
    {                                                                                              \
        (void)arg;                                                                                 \
        (void)other;                                                                               \
        (void)third;                                                                               \
        return answer(ctx);                                                                        \
    }
ASKS2(unknown, const struct rdb_key *, const char *)
ASKS1(start, int)
ASKS2(aux, struct slice, struct slice)
ASKS1(number, uint64_t)
ASKS2(numbers, uint64_t, uint64_t)
ASKS1(bytes, struct slice)
ASKS1(finding, const struct rdb_finding *)
ASKS1(key, const struct rdb_key *)
ASKS2(plain_string, const struct rdb_key *, struct slice)
ASKS0(nothing)
ASKS2(blob, struct slice, uint32_t)
ASKS2(pair, struct slice, struct slice)
ASKS3(expiring, struct slice, struct slice, int64_t)
ASKS2(scored, struct slice, double)
ASKS3(node, struct stream_id, struct slice, const struct stream_node_sum *)
ASKS1(facts, const struct rdb_stream *)
ASKS1(group, const struct rdb_stream_group *)
ASKS3(consumer, struct slice, int64_t, int64_t)
ASKS1(pending, const struct rdb_stream_pending *)
ASKS1(form, enum rdb_form)
ASKS1(end, enum rdb_crc)

static const struct rdb_events all = {
    .any_version = true,
    .skip_unknown = true,
    .unknown = on_unknown,
    .start = on_start,
    .aux = on_aux,
    .selectdb = on_number,
    .resizedb = on_numbers,
    .function = on_bytes,
    .finding = on_finding,
    .key = on_key,
    .raw = on_bytes,
    .item = on_number,
    .plain_string = on_plain_string,
    .string_begin = on_number,
    .string_bytes = on_bytes,
    .list_begin = on_nothing,
    .list_ziplist = on_nothing,
    .list_element = on_bytes,
    .list_listpack = on_blob,
    .list_end = on_nothing,
    .hash_listpack = on_blob,
    .hash_begin = on_number,
    .hash_field = on_pair,
    .hash_field_expiring = on_expiring,
    .set_intset = on_blob,
    .set_listpack = on_blob,
    .set_begin = on_number,
    .set_member = on_bytes,
    .zset_listpack = on_blob,
    .zset_begin = on_number,
    .zset_member = on_scored,
    .stream_begin = on_number,
    .stream_node = on_node,
    .stream_facts = on_facts,
    .stream_group = on_group,
    .stream_consumer = on_consumer,
    .stream_pending = on_pending,
    .value_end = on_nothing,
    .progress = on_number,
    .form = on_form,
    .end = on_end,
};

/* ---- where the bytes come from: memory, or a reader of one byte after the other ---- */

struct drip {
    const uint8_t *bytes;
    size_t len, at;
    uint8_t room[RDB_READER_HEADROOM + 1];
};

static int
drip_next(void *ctx, uint8_t **ret, size_t *ret_len)
{
    struct drip *d = ctx;

    *ret = d->room + RDB_READER_HEADROOM;
    *ret_len = d->at < d->len;
    if (d->at < d->len)
        **ret = d->bytes[d->at++];
    return 0;
}

static int
decode(const uint8_t *bytes, size_t len, bool drips, const struct rdb_events *ev, struct sink *sink)
{
    static const struct rdb_reader reader = {.next = drip_next};
    static struct drip drip;
    struct rdb_source *src;
    struct rdb_error err;
    int r;

    drip.bytes = bytes;
    drip.len = len;
    drip.at = 0;
    r = drips ? rdb_source_reader(&reader, &drip, len, false, false, &src)
              : rdb_source_memory(bytes, len, &src);
    if (r < 0)
        return r;
    sink->calls = 0;
    r = rdb_decode(src, ev, sink, true, &err);
    rdb_source_close(src);
    return r;
}

/* each_way(i, &ev): the events of the i-th way to look: all; strings in pieces; of who counts. */
enum { WAYS = 3 };
static struct rdb_events
way(int i)
{
    struct rdb_events ev = all;

    if (i > 0)
        ev.plain_string = NULL;
    ev.no_values = i == 2;
    return ev;
}

START_TEST(each_event_may_be_refused)
{
    struct spelled s = spell(files[_i]);

    for (int w = 0; w < WAYS; w++)
        for (int drips = 0; drips < 2; drips++) {
            struct rdb_events ev = way(w);
            struct sink sink = {0};
            unsigned long events;

            ck_assert_int_eq(decode(s.bytes, s.len, drips, &ev, &sink), 0);
            events = sink.calls;
            ck_assert_uint_gt(events, 2);
            for (sink.refuse_at = 1; sink.refuse_at <= events; sink.refuse_at++) {
                ck_assert_int_eq(decode(s.bytes, s.len, drips, &ev, &sink), REFUSED);
                ck_assert_uint_eq(sink.calls, sink.refuse_at);
            }
        }
}
END_TEST

START_TEST(each_event_may_be_missing)
{
    struct spelled s = spell(files[_i]);
    struct rdb_events none = {
        .any_version = true, .skip_unknown = true, .hash_field_expiring = on_expiring};

    for (int drips = 0; drips < 2; drips++) {
        struct sink sink = {0};

        for (size_t at = offsetof(struct rdb_events, unknown); at < sizeof(struct rdb_events);
             at += sizeof(all.unknown)) {
            struct rdb_events ev = all;

            memset((char *)&ev + at, 0, sizeof ev.unknown);
            if (ev.hash_field_expiring != NULL)
                ck_assert_int_eq(decode(s.bytes, s.len, drips, &ev, &sink), 0);
        }
        ck_assert_int_eq(decode(s.bytes, s.len, drips, &none, &sink), 0);
    }
}
END_TEST

START_TEST(each_prefix_is_too_short)
{
    struct spelled s = spell(files[_i]);

    for (int w = 0; w < WAYS; w++)
        for (int drips = 0; drips < 2; drips++)
            for (size_t len = 0; len < s.len; len++) {
                struct rdb_events ev = way(w);
                struct sink sink = {0};

                ck_assert_int_eq(decode(s.bytes, len, drips, &ev, &sink), -EINVAL);
            }
}
END_TEST

START_TEST(each_changed_byte_ends_in_events_or_an_error)
{
    struct spelled s = spell(files[_i]);

    for (size_t at = 9; at < s.len; at++) {
        uint8_t was = s.bytes[at];

        for (unsigned b = at % 3; b < 256; b += 3) { /* each place has a third of them */
            struct rdb_events ev = way(b % WAYS != 0);
            struct sink sink = {0};
            int r;

            s.bytes[at] = (uint8_t)b;
            r = decode(s.bytes, s.len, b % 16 == 0, &ev, &sink);
            ck_assert_msg(r == -EINVAL || r == -ENOTSUP || (r == 0 && b == was) ||
                              strstr(files[_i], "crc") == NULL,
                          "byte %zu as %02x: %d", at, b, r);
        }
        s.bytes[at] = was;
    }
}
END_TEST

#ifdef STILLFRAME_FAULTS
START_TEST(each_allocation_may_fail)
{
    struct spelled s = spell(files[_i]);

    for (int w = 0; w < WAYS; w++)
        for (int drips = 0; drips < 2; drips++) {
            unsigned long delivered = 1;

            for (unsigned long n = 1; delivered > 0; n++) {
                struct rdb_events ev = way(w);
                struct sink sink = {0};
                int r;

                fault_arm(FAULT_load_alloc, n, false);
                r = decode(s.bytes, s.len, drips, &ev, &sink);
                delivered = fault_disarm();
                ck_assert_int_eq(r, delivered > 0 ? -ENOMEM : 0);
            }
        }
}
END_TEST
#endif

int
main(void)
{
    Suite *s = suite_create("snapshot/rdb_dec_sweep");
    TCase *t = tcase_create("sweep");

    tcase_add_loop_test(t, each_event_may_be_refused, 0, FILES);
    tcase_add_loop_test(t, each_event_may_be_missing, 0, FILES);
    tcase_add_loop_test(t, each_prefix_is_too_short, 0, FILES);
    tcase_add_loop_test(t, each_changed_byte_ends_in_events_or_an_error, 0, FILES);
#ifdef STILLFRAME_FAULTS
    tcase_add_loop_test(t, each_allocation_may_fail, 0, FILES);
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
