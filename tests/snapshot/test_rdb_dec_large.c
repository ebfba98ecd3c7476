/* tests/snapshot/test_rdb_dec_large.c - values of megabytes: who asks to be told how far it is may
 * end it each time; what is held whole, and what is only looked over; as many as there may be. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/fault.h"
#include "snapshot/rdb/rdb.h"
#include "snapshot/rdb/rdb_dec.h"
#include "tests/snapshot/spell.h"
#include "tests/support/runner.h"

enum { ROOM = 16 << 20, REFUSED = 4711, MIB = 1 << 20 };

/* ---- a large file, piece by piece ---- */

static struct {
    uint8_t *bytes;
    size_t len;
} file;

static void
setup(void)
{
    file.bytes = malloc(ROOM);
    file.len = 0;
}

static void
teardown(void)
{
    fault_disarm();
    free(file.bytes);
}

static void
put(const void *bytes, size_t len)
{
    ck_assert_uint_le(file.len + len, ROOM);
    memcpy(file.bytes + file.len, bytes, len);
    file.len += len;
}

static void
put_spelled(const char *text)
{
    struct spelled s = spell(text);

    put(s.bytes, s.len);
}

/* put_many: times times. */
static void
put_many(const char *text, unsigned times)
{
    struct spelled s = spell(text);

    for (unsigned i = 0; i < times; i++)
        put(s.bytes, s.len);
}

static void
put_len(uint32_t len)
{
    const uint8_t bytes[] = {0x80, (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
                             (uint8_t)len};

    put(bytes, sizeof bytes);
}

static void
put_plain(uint32_t len)
{
    ck_assert_uint_le(file.len + len + 5, ROOM);
    put_len(len);
    memset(file.bytes + file.len, 'p', len);
    file.len += len;
}

/* put_lzf: a string of so many runs of 32 bytes as they are; it claims `len` bytes. */
static void
put_lzf(uint32_t runs, uint32_t len)
{
    put("\xc3", 1);
    put_len(runs * 33);
    put_len(len);
    put_many("1f 'a' x 32", runs);
}

/* ---- values of several MiB, each of whose kinds asks by itself ---- */

static void
put_hash(void)
{
    put_spelled("04 ['k']");
    put_len(200000);
    put_many("['field'] ['a value of some thirty bytes or so']", 200000);
}

static void
put_string(void)
{
    put_spelled("00 ['k']");
    put_plain(5 * MIB);
}

static void
put_packed_string(void)
{
    put_spelled("00 ['k']");
    put_lzf(150000, 150000 * 32);
}

static void
put_list(void)
{
    put_spelled("01 ['k']");
    put_len(100000);
    put_many("['an element of some forty bytes, which is not long']", 100000);
}

/* What is pending in a group and for its consumer: ids that rise. */
static void
put_pending(unsigned count, unsigned more_bytes)
{
    put_len(count);
    for (unsigned i = 0; i < count; i++) {
        uint8_t entry[16 + 9] = {
            [4] = (uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};

        put(entry, 16 + more_bytes);
    }
}

static void
put_stream(void)
{
    put_spelled("0f ['k'] 00 00 05 07 01 ['g'] 05 07");
    put_pending(200000, 9);
    put_spelled("01 ['c'] 01 00 x 7");
    put_pending(200000, 0);
}

static void (*const values[])(void) = {put_hash, put_string, put_packed_string, put_list,
                                       put_stream};
enum { VALUES = sizeof values / sizeof *values };

/* ---- a sink ---- */

struct sink {
    unsigned long progress, refuse_at; /* 0: none */
    unsigned pending, carried;
    size_t element_bytes, string_bytes;
    bool skips;
};

static int
on_key(void *ctx, const struct rdb_key *key)
{
    const struct sink *s = ctx;

    (void)key;
    return s->skips ? RDB_SKIP_VALUE : 0;
}

static int
on_progress(void *ctx, uint64_t offset)
{
    struct sink *s = ctx;

    (void)offset;
    return ++s->progress == s->refuse_at ? REFUSED : 0;
}

static int
on_pending(void *ctx, const struct rdb_stream_pending *p)
{
    struct sink *s = ctx;

    (void)p;
    s->pending++;
    return 0;
}

static int
on_element(void *ctx, struct slice element)
{
    struct sink *s = ctx;

    for (size_t i = 0; i < element.len; i++)
        if (element.ptr[i] != 'p')
            return -EDOM;
    s->element_bytes += element.len;
    return 0;
}

static int
on_string_bytes(void *ctx, struct slice piece)
{
    struct sink *s = ctx;

    s->string_bytes += piece.len;
    return 0;
}

static int
on_aux(void *ctx, struct slice name, struct slice value)
{
    struct sink *s = ctx;

    (void)name, (void)value;
    s->carried++;
    return 0;
}

static int
decode(const struct rdb_events *ev, struct sink *s, struct rdb_error *err)
{
    struct rdb_source *src;
    int r;

    ck_assert_int_eq(rdb_source_memory(file.bytes, file.len, &src), 0);
    s->progress = 0;
    r = rdb_decode(src, ev, s, true, err);
    rdb_source_close(src);
    return r;
}

/* ---- */

/* Decoded, only looked over, and skipped. */
START_TEST(who_is_told_how_far_it_is_may_end_it_each_time)
{
    struct rdb_events ev = {.key = on_key, .progress = on_progress, .stream_pending = on_pending};
    struct rdb_error err;

    put_spelled("'REDIS0009'");
    values[_i]();
    put_spelled("ff zero");
    for (int way = 0; way < 4; way++) {
        struct sink s = {.skips = way == 2};
        unsigned long times;

        ev.stream_pending = way == 3 ? NULL : on_pending;
        ev.string_bytes = way == 1 ? on_string_bytes : NULL;
        ck_assert_msg(decode(&ev, &s, &err) == 0, "%s", err.text);
        ck_assert_uint_ge(times = s.progress, 2); /* what is packed in memory is one step */
        for (s.refuse_at = 1; s.refuse_at <= times; s.refuse_at++) {
            ck_assert_int_eq(decode(&ev, &s, &err), REFUSED);
            ck_assert_uint_eq(s.progress, s.refuse_at);
        }
    }
}
END_TEST

static struct {
    uint8_t room[RDB_READER_HEADROOM + 100000];
    size_t at;
} stretch;

static int
next_stretch(void *ctx, uint8_t **ret, size_t *ret_len)
{
    size_t left = file.len - stretch.at, n = left < 100000 ? left : 100000;

    (void)ctx;
    memcpy(stretch.room + RDB_READER_HEADROOM, file.bytes + stretch.at, n);
    stretch.at += n;
    *ret = stretch.room + RDB_READER_HEADROOM;
    *ret_len = n;
    return 0;
}

/* By malloc(): memory has no place for it, and neither has this reader. */
START_TEST(what_is_large_is_held_whole)
{
    static const struct rdb_reader reader = {.next = next_stretch};
    static const struct rdb_events ev = {.list_element = on_element};
    struct sink s = {.skips = false};
    struct rdb_source *src;
    struct rdb_error err;

    put_spelled("'REDIS0009' 01 ['k'] 02");
    put_plain(6 * MIB);
    put_plain(5 * MIB);
    put_spelled("ff zero");
    stretch.at = 0;
    ck_assert_int_eq(_i == 0 ? rdb_source_memory(file.bytes, file.len, &src)
                             : rdb_source_reader(&reader, NULL, 0, false, false, &src),
                     0);
    ck_assert_msg(rdb_decode(src, &ev, &s, true, &err) == 0, "%s", err.text);
    rdb_source_close(src);
    ck_assert_uint_eq(s.element_bytes, 11 * MIB);
}
END_TEST

/* The window is full just where the claim ends, and there is more. */
START_TEST(packed_bytes_behind_a_full_window_are_left_over)
{
    static const struct rdb_events ev = {.string_bytes = on_string_bytes};
    struct sink s = {.skips = false};
    struct rdb_error err;

    put_spelled("'REDIS0009' 00 ['k']");
    put_lzf(2040, 2039 * 32);
    put_spelled("ff zero");
    ck_assert_int_eq(decode(&ev, &s, &err), -EINVAL);
    ck_assert_str_eq(err.text, "the value has compressed bytes left over");
    ck_assert_uint_eq(s.string_bytes, 0);
}
END_TEST

START_TEST(what_others_have_to_carry_on_is_bounded)
{
    static const char *const last[] = {"", "fa ['a'] ['v']", "f5 ['#!lua name=x']"};
    static const struct rdb_events ev = {.aux = on_aux};
    struct sink s = {.carried = 0};
    struct rdb_error err;

    put_spelled("'REDIS0010'");
    put_many("fa ['a'] ['v']", RDB_CARRIED_MOST);
    put_spelled(last[_i]);
    put_spelled("ff zero");
    ck_assert_int_eq(decode(&ev, &s, &err), _i == 0 ? 0 : -EINVAL);
    ck_assert_uint_eq(s.carried, RDB_CARRIED_MOST);
    if (_i > 0)
        ck_assert_str_eq(err.text, "more than 16384 function libraries and AUX fields");
}
END_TEST

START_TEST(a_value_alone_may_have_a_key_without_a_name)
{
    static const struct rdb_events ev = {.string_bytes = on_string_bytes};
    struct sink s = {.skips = false};
    struct rdb_source *src;
    struct rdb_error err;

    put_spelled("00 ['value']");
    ck_assert_int_eq(rdb_source_memory(file.bytes, file.len, &src), 0);
    ck_assert_int_eq(rdb_decode_value(src, 12, slice_of(NULL, 0), &ev, &s, &err), 0);
    rdb_source_close(src);
    ck_assert_uint_eq(s.string_bytes, 5);
}
END_TEST

#ifdef STILLFRAME_FAULTS
static int
on_plain_string(void *ctx, const struct rdb_key *key, struct slice value)
{
    (void)ctx, (void)key, (void)value;
    return REFUSED;
}

START_TEST(without_memory_for_its_name_a_value_alone_is_not_read)
{
    static const struct rdb_events ev = {.string_bytes = on_string_bytes};
    struct sink s = {.skips = false};
    struct rdb_source *src;
    struct rdb_error err;

    put_spelled("00 ['value']");
    ck_assert_int_eq(rdb_source_memory(file.bytes, file.len, &src), 0);
    fault_arm(FAULT_load_alloc, 1, false);
    ck_assert_int_eq(rdb_decode_value(src, 12, slice_of("k", 1), &ev, &s, &err), -ENOMEM);
    ck_assert_uint_eq(fault_disarm(), 1);
    rdb_source_close(src);
    ck_assert_uint_eq(s.string_bytes, 0);
}
END_TEST

/* The sink's no is what is told, with the key or without. */
START_TEST(a_string_that_is_refused_needs_no_memory_for_its_key)
{
    static const struct rdb_events ev = {.plain_string = on_plain_string};
    struct sink s = {.skips = false};
    struct rdb_source *src;
    struct rdb_error err;

    put_spelled("'REDIS0009' 00 ['name'] ['value'] ff zero");
    ck_assert_int_eq(rdb_source_memory(file.bytes, file.len, &src), 0);
    if (_i > 0)
        fault_arm(FAULT_load_alloc, 1, true);
    ck_assert_int_eq(rdb_decode(src, &ev, &s, true, &err), REFUSED);
    if (_i > 0)
        ck_assert_uint_gt(fault_disarm(), 0);
    rdb_source_close(src);
    ck_assert_str_eq(err.key, _i > 0 ? "" : "name");
}
END_TEST

#endif

int
main(void)
{
    Suite *s = suite_create("snapshot/rdb_dec_large");
    TCase *t = tcase_create("large");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, who_is_told_how_far_it_is_may_end_it_each_time, 0, VALUES);
    tcase_add_loop_test(t, what_is_large_is_held_whole, 0, 2);
    tcase_add_test(t, packed_bytes_behind_a_full_window_are_left_over);
    tcase_add_loop_test(t, what_others_have_to_carry_on_is_bounded, 0, 3);
    tcase_add_test(t, a_value_alone_may_have_a_key_without_a_name);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(t, without_memory_for_its_name_a_value_alone_is_not_read);
    tcase_add_loop_test(t, a_string_that_is_refused_needs_no_memory_for_its_key, 0, 2);
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
