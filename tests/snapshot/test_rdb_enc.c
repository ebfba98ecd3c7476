/* tests/snapshot/test_rdb_enc.c - the encoder against bytes written by hand, against liblzf, and
 * through the decoder.
 *
 * test_rdb_enc --write FILE VERSION yes|no   writes a dump of every form there is (compressed or
 * not), for other readers: tests/integration/test_rdb_tool.py knows what must be in it. */
#include "snapshot/rdb/rdb_enc.h"

#include <check.h>
#include <errno.h>
#include <liblzf/lzf.h>

#include "mm/base/fault.h"
#include "mm/base/must.h"
#include "snapshot/rdb/lzf.h"
#include "snapshot/rdb/rdb.h"
#include "tests/snapshot/trace.h"
#include "tests/support/runner.h"

struct out {
    struct sink *sink;
    struct rdb_enc enc;
};

static void
open_out(struct out *o, int version, bool compress)
{
    ck_assert_int_eq(sink_memory_open(&o->sink), 0);
    o->sink->with_crc = true;
    ck_assert_int_eq(rdb_enc_init(&o->enc, o->sink, version, compress), 0);
}

static uint8_t *
close_out(struct out *o, size_t *ret_len)
{
    uint8_t *bytes = sink_memory_take(o->sink, ret_len);

    ck_assert_ptr_nonnull(bytes);
    rdb_enc_fini(&o->enc);
    sink_close(o->sink);
    return bytes;
}

/* expect: what was put is exactly this. */
static void
expect(struct out *o, const char *want, size_t want_len)
{
    size_t len;
    uint8_t *bytes = close_out(o, &len);

    ck_assert_uint_eq(len, want_len);
    ck_assert_mem_eq(bytes, want, len);
    free(bytes);
}
#define EXPECT(o, literal) expect(o, literal, sizeof(literal) - 1)

START_TEST(lengths_take_one_two_five_or_nine_bytes)
{
    struct out o;

    open_out(&o, 10, false);
    rdb_put_len(&o.enc, 0);
    rdb_put_len(&o.enc, 63);
    rdb_put_len(&o.enc, 64);
    rdb_put_len(&o.enc, 16383);
    rdb_put_len(&o.enc, 16384);
    rdb_put_len(&o.enc, UINT32_MAX);
    rdb_put_len(&o.enc, (uint64_t)UINT32_MAX + 1);
    rdb_put_len(&o.enc, UINT64_MAX);
    EXPECT(&o, "\x00\x3f\x40\x40\x7f\xff\x80\x00\x00\x40\x00\x80\xff\xff\xff\xff"
               "\x81\x00\x00\x00\x01\x00\x00\x00\x00\x81\xff\xff\xff\xff\xff\xff\xff\xff");
}
END_TEST

static const struct {
    const char *text, *bytes;
    size_t len;
} strings[] = {
    {"", "\x00", 1},
    {"abc",
     "\x03"
     "abc",
     4},
    {"0", "\xc0\x00", 2},
    {"-1", "\xc0\xff", 2},
    {"127", "\xc0\x7f", 2},
    {"-128", "\xc0\x80", 2},
    {"128", "\xc1\x80\x00", 3},
    {"-129", "\xc1\x7f\xff", 3},
    {"32767", "\xc1\xff\x7f", 3},
    {"-32768", "\xc1\x00\x80", 3},
    {"32768", "\xc2\x00\x80\x00\x00", 5},
    {"2147483647", "\xc2\xff\xff\xff\x7f", 5},
    {"-2147483648", "\xc2\x00\x00\x00\x80", 5},
    {"2147483648",
     "\x0a"
     "2147483648",
     11},
    {"-2147483649",
     "\x0b"
     "-2147483649",
     12},
    {"007",
     "\x03"
     "007",
     4},
    {"-0",
     "\x02"
     "-0",
     3},
    {"+5",
     "\x02"
     "+5",
     3},
    {"aaaaaaaaaaaaaaaaaaaa",
     "\x14"
     "aaaaaaaaaaaaaaaaaaaa",
     21}, /* 20 bytes: never compressed */
};

START_TEST(strings_take_the_form_that_the_format_has_for_them)
{
    struct out o;

    open_out(&o, 10, _i % 2 != 0);
    rdb_put_string(&o.enc, strings[_i / 2].text, strlen(strings[_i / 2].text));
    expect(&o, strings[_i / 2].bytes, strings[_i / 2].len);
}
END_TEST

START_TEST(integers_and_blobs_have_their_own_rules)
{
    struct out o;

    open_out(&o, 10, true);
    rdb_put_int_string(&o.enc, -7);
    rdb_put_int_string(&o.enc, 300);
    rdb_put_int_string(&o.enc, INT32_MIN);
    rdb_put_int_string(&o.enc, INT64_MIN);
    rdb_put_blob(&o.enc, "12", 2);
    EXPECT(&o, "\xc0\xf9\xc1\x2c\x01\xc2\x00\x00\x00\x80\x14"
               "-9223372036854775808"
               "\x02"
               "12");
}
END_TEST

START_TEST(the_frame_of_a_file_is_the_formats)
{
    struct out o;

    open_out(&o, 9 + _i, false);
    rdb_put_magic(&o.enc);
    rdb_put_aux(&o.enc, "redis-ver", "7.0.0");
    rdb_put_aux_int(&o.enc, "redis-bits", 64);
    rdb_put_selectdb(&o.enc, 5);
    rdb_put_resizedb(&o.enc, 2, 1);
    rdb_put_expire_ms(&o.enc, 0x0102030405060708);
    rdb_put_byte(&o.enc, RDB_TYPE_STRING);
    o.sink->with_crc = false;
    rdb_put_eof(&o.enc);
    if (_i == 0)
        EXPECT(&o, "REDIS0009\xfa\x09redis-ver\x05"
                   "7.0.0\xfa\x0aredis-bits\xc0\x40\xfe\x05\xfb\x02\x01"
                   "\xfc\x08\x07\x06\x05\x04\x03\x02\x01\x00\xff\x00\x00\x00\x00\x00\x00\x00\x00");
    else
        EXPECT(&o, "REDIS0010\xfa\x09redis-ver\x05"
                   "7.0.0\xfa\x0aredis-bits\xc0\x40\xfe\x05\xfb\x02\x01"
                   "\xfc\x08\x07\x06\x05\x04\x03\x02\x01\x00\xff\x00\x00\x00\x00\x00\x00\x00\x00");
}
END_TEST

START_TEST(the_trailer_is_the_checksum_of_all_before_it)
{
    struct out o;
    uint8_t *bytes;
    uint64_t crc;
    size_t len;

    open_out(&o, 10, false);
    rdb_put_magic(&o.enc);
    for (int i = 0; i < 100000; i++) {
        rdb_put_byte(&o.enc, RDB_TYPE_STRING);
        rdb_put_int_string(&o.enc, i);
        rdb_put_string(&o.enc, "value", 5);
    }
    rdb_put_eof(&o.enc);
    bytes = close_out(&o, &len);
    memcpy(&crc, bytes + len - 8, 8);
    ck_assert_uint_eq(crc, crc64(0, bytes, len - 8));
    free(bytes);
}
END_TEST

/* Contents to compress. */
enum kind { ZEROS, TEXT, NOISE, MIXED, KINDS };

static uint8_t *
contents(enum kind kind, size_t len)
{
    static const char *const words[] = {"snapshot", "page", "epoch", "the ",
                                        "record",   ", ",   "0123",  "\n"};
    uint8_t *p = malloc(len + 16);
    uint32_t x = 4711;

    for (size_t i = 0; i < len;) {
        enum kind now = kind != MIXED ? kind : (enum kind)(i / 50000 % MIXED);

        x = x * 1664525 + 1013904223;
        if (now == TEXT) {
            const char *w = words[x >> 29];

            memcpy(p + i, w, strlen(w));
            i += strlen(w);
        } else {
            p[i++] = now == ZEROS ? 0 : (uint8_t)(x >> 24);
        }
    }
    return p;
}

struct read_ctx {
    const uint8_t *bytes;
    uint64_t len;
    unsigned calls, fail_at;
};

static int
read_contents(void *ctx, uint64_t offset, void *dst, size_t n)
{
    struct read_ctx *r = ctx;

    must(n <= 65536); /* also called outside of a test */
    must(offset + n <= r->len);
    memcpy(dst, r->bytes + offset, n);
    return ++r->calls == r->fail_at ? -ECANCELED : 0;
}

static const size_t stream_lengths[] = {0,    1,     20,    21,    22,    100,    8191,   8192,
                                        8200, 65535, 65536, 65537, 65538, 131072, 200001, 1000000};
enum { STREAM_LENGTHS = sizeof stream_lengths / sizeof *stream_lengths };

/* put_key: the whole of a string key, streamed or not. */
static void
put_key(struct out *o, const uint8_t *bytes, size_t len, bool stream)
{
    struct read_ctx ctx = {bytes, len, 0, 0};

    rdb_put_byte(&o->enc, RDB_TYPE_STRING);
    rdb_put_string(&o->enc, "k", 1);
    if (stream)
        ck_assert_int_eq(rdb_put_string_stream(&o->enc, len, read_contents, &ctx), 0);
    else
        rdb_put_blob(&o->enc, bytes, len);
}

START_TEST(strings_of_every_length_come_back)
{
    bool compress = (_i & 1) != 0, stream = (_i & 2) != 0;
    enum kind kind = (enum kind)(_i >> 2);

    for (int i = 0; i < STREAM_LENGTHS; i++) {
        size_t len = stream_lengths[i], file_len;
        uint8_t *bytes = contents(kind, len), *file;
        struct trace t = {.with_forms = true};
        struct rdb_error err;
        char want[600], shown[512];
        struct out o;

        open_out(&o, 10, compress);
        rdb_put_magic(&o.enc);
        put_key(&o, bytes, len, stream);
        rdb_put_eof(&o.enc);
        file = close_out(&o, &file_len);
        if (!compress || (kind == NOISE && len > 100))
            ck_assert_uint_le(file_len, len + 9 + 3 + 9 + 9);
        else if (kind != MIXED && kind != NOISE && len > 8000)
            ck_assert_uint_lt(file_len, len);
        ck_assert_int_eq(trace_memory(&t, file, file_len, true, &err), 0);
        snprintf(want, sizeof want, "string %s\nend good\n",
                 trace_shown(shown, slice_of(bytes, len)));
        ck_assert_ptr_nonnull(strstr(t.text, want));
        ck_assert_uint_le(t.longest_piece, 65536);
        trace_fini(&t);
        free(file);
        free(bytes);
    }
}
END_TEST

START_TEST(a_stream_that_compression_helps_is_written_compressed)
{
    enum { LEN = 1000000 };
    uint8_t *bytes = contents((enum kind)_i, LEN), *file;
    struct out o;
    size_t len;

    open_out(&o, 10, true);
    put_key(&o, bytes, LEN, true);
    file = close_out(&o, &len);
    if (_i == NOISE) {
        ck_assert_mem_eq(file, "\x00\x01k\x80\x00\x0f\x42\x40", 8);
        ck_assert_uint_eq(len, 8 + LEN);
    } else {
        uint8_t *back = malloc(LEN);
        bool is_short = file[4] < 0x80; /* the packed length takes two bytes, or five */
        unsigned packed = is_short ? (file[4] & 0x3fu) << 8 | file[5]
                                   : (unsigned)file[5] << 24 | (unsigned)file[6] << 16 |
                                         (unsigned)file[7] << 8 | file[8];
        const uint8_t *p = file + (is_short ? 6 : 9);

        ck_assert_mem_eq(file, "\x00\x01k\xc3", 4);
        ck_assert_mem_eq(p, "\x80\x00\x0f\x42\x40", 5);
        ck_assert_ptr_eq(p + 5 + packed, file + len);
        /* The library's own decompressor takes the joined blocks for one stream. */
        ck_assert_uint_eq(lzf_decompress(p + 5, packed, back, LEN), LEN);
        ck_assert_mem_eq(back, bytes, LEN);
        free(back);
    }
    free(file);
    free(bytes);
}
END_TEST

START_TEST(a_block_packs_the_same_each_time_and_unpacks)
{
    static const size_t lens[] = {0,  1,   2,   3,   4,    31,   32,    33,
                                  34, 263, 264, 265, 8192, 8193, 20000, 65536};
    struct lzf_packer *fresh = malloc(sizeof *fresh), *used = malloc(sizeof *used);
    uint8_t *back = malloc(65536);

    lzf_packer_init(used);
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        size_t len = lens[i], n;
        uint8_t *bytes = contents((enum kind)_i, len), *a = malloc(lzf_pack_bound(len)),
                *b = malloc(lzf_pack_bound(len));

        lzf_packer_init(fresh);
        n = lzf_pack(fresh, bytes, len, a);
        ck_assert_uint_le(n, lzf_pack_bound(len));
        ck_assert_uint_eq(lzf_pack(used, bytes, len, b), n);
        ck_assert_mem_eq(a, b, n);
        if (len > 0) {
            ck_assert_uint_eq(lzf_decompress(a, (unsigned)n, back, (unsigned)len), len);
            ck_assert_mem_eq(back, bytes, len);
        }
        free(a);
        free(b);
        free(bytes);
    }
    free(back);
    free(fresh);
    free(used);
}
END_TEST

START_TEST(what_stood_before_a_block_does_not_change_it)
{
    enum { LEN = 3000 };
    struct lzf_packer *fresh = malloc(sizeof *fresh), *used = malloc(sizeof *used);
    uint8_t *bytes = contents((enum kind)_i, 10 * LEN), *a = malloc(lzf_pack_bound(10 * LEN)),
            *b = malloc(lzf_pack_bound(10 * LEN));

    lzf_packer_init(used);
    used->next = UINT32_MAX - 1000000; /* its numbers come to their end within the test */
    for (size_t i = 0; i < 200; i++) {
        size_t len = i % 5 == 0 ? 10 * LEN : i * 13, n;
        const uint8_t *from = len > LEN ? bytes : bytes + i;

        lzf_packer_init(fresh);
        n = lzf_pack(fresh, from, len, a);
        ck_assert_uint_eq(lzf_pack(used, from, len, b), n);
        ck_assert_int_eq(memcmp(a, b, n), 0);
    }
    ck_assert_uint_lt(used->next, UINT32_MAX / 2);
    free(fresh);
    free(used);
    free(bytes);
    free(a);
    free(b);
}
END_TEST

/* words: text that packs; digits: base64, which does not, and looks the same at its beginning. */
static void
words(uint8_t *p, size_t len, unsigned i)
{
    for (size_t at = 0; at < len; at++)
        p[at] = (uint8_t) "some-words-that-come-again-"[(at + i) % 27];
}

static void
digits(uint8_t *p, size_t len, unsigned i)
{
    uint32_t x = i * 2654435761u + 1;

    for (size_t at = 0; at < len; at++) {
        x = x * 1664525 + 1013904223;
        p[at] =
            (uint8_t) "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[x >> 26];
    }
}

/* noise: bytes of all kinds. */
static void
noise(uint8_t *p, size_t len, unsigned i)
{
    uint32_t x = i * 2654435761u + 7;

    for (size_t at = 0; at < len; at++) {
        x = x * 1664525 + 1013904223;
        p[at] = (uint8_t)(x >> 24);
    }
}

/* put: one value; true if it was written packed. */
static bool
put(struct out *o, void (*fill)(uint8_t *p, size_t len, unsigned i), size_t len, unsigned i)
{
    uint8_t value[8192];
    uint64_t before = o->sink->put_bytes + o->sink->fill;

    fill(value, len, i);
    rdb_put_blob(&o->enc, value, len);
    return o->sink->put_bytes + o->sink->fill - before < len;
}

static void
drop_out(struct out *o)
{
    size_t len;

    free(close_out(o, &len));
}

static const size_t lens_tried[] = {21, 31, 32, 100, 1000, 4095};

START_TEST(values_that_pack_are_all_packed_whatever_stands_between_them)
{
    size_t len = lens_tried[_i] < 100 ? 100 : lens_tried[_i];
    struct out o;

    open_out(&o, 10, true);
    for (unsigned i = 0; i < 20000; i++)
        if (i % 500 == 0)
            ck_assert(put(&o, words, len, i));
        else
            ck_assert(!put(&o, noise, lens_tried[_i], i));
    drop_out(&o);
}
END_TEST

START_TEST(some_values_that_pack_are_enough_for_their_kind_to_be_tried)
{
    struct out o;

    open_out(&o, 10, true);
    for (unsigned i = 0; i < 20000; i++)
        if (i % 50 == 49)
            ck_assert(put(&o, words, 200, i));
        else
            ck_assert(!put(&o, digits, 200, i));
    drop_out(&o);
}
END_TEST

START_TEST(after_many_that_do_not_pack_a_value_is_tried_now_and_then)
{
    unsigned passed = 0, i = 0;
    struct out o;

    open_out(&o, 10, true);
    for (; i < 1000; i++)
        ck_assert(!put(&o, digits, 200, i));
    while (!put(&o, words, 200, i++))
        passed++;
    ck_assert_uint_gt(passed, 0); /* or packing was tried each time */
    ck_assert_uint_lt(passed, 100);
    for (; i < 5000; i++)
        ck_assert(put(&o, words, 200, i));
    drop_out(&o);
}
END_TEST

START_TEST(a_long_value_is_always_tried)
{
    struct out o;

    open_out(&o, 10, true);
    for (unsigned i = 0; i < 2000; i++)
        ck_assert(!put(&o, digits, 4096, i));
    ck_assert(put(&o, words, 4096, 0));
    drop_out(&o);
}
END_TEST

START_TEST(the_same_strings_in_the_same_order_give_the_same_bytes)
{
    struct out a, b;
    size_t len;
    uint8_t *bytes;

    open_out(&a, 10, true);
    open_out(&b, 10, true);
    for (unsigned i = 0; i < 5000; i++) {
        void (*fill)(uint8_t *, size_t, unsigned) = i % 300 < 200 ? digits : words;

        (void)put(&a, fill, 21 + i % 300, i);
        (void)put(&b, fill, 21 + i % 300, i);
    }
    bytes = close_out(&a, &len);
    expect(&b, (const char *)bytes, len);
    free(bytes);
}
END_TEST

START_TEST(a_read_that_fails_ends_the_stream)
{
    uint8_t *bytes = contents(TEXT, 200000);

    for (unsigned fail_at = 1; fail_at <= 8; fail_at++) { /* four blocks, twice */
        struct read_ctx ctx = {bytes, 200000, 0, fail_at};
        struct out o;
        size_t len;

        open_out(&o, 10, true);
        ck_assert_int_eq(rdb_put_string_stream(&o.enc, 200000, read_contents, &ctx), -ECANCELED);
        ck_assert_uint_eq(ctx.calls, fail_at);
        free(close_out(&o, &len));
    }
    free(bytes);
}
END_TEST

#ifdef STILLFRAME_FAULTS
START_TEST(a_sink_that_fails_ends_the_stream)
{
    enum { LEN = 4000000 };
    uint8_t *bytes = contents(NOISE, LEN);
    struct read_ctx ctx = {bytes, LEN, 0, 0};
    struct out o;

    open_out(&o, 10, false);
    fault_arm(FAULT_sink_write, 2, true);
    ck_assert_int_eq(rdb_put_string_stream(&o.enc, LEN, read_contents, &ctx), -ENOMEM);
    ck_assert_uint_lt(ctx.calls, 40);
    fault_disarm();
    rdb_enc_fini(&o.enc);
    fault_arm(FAULT_sink_buffer, 1, false);
    ck_assert_int_eq(rdb_enc_init(&o.enc, o.sink, 10, false), -ENOMEM);
    fault_disarm();
    sink_close(o.sink);
    free(bytes);
}
END_TEST
#endif

/* The dump for other readers.  Keys in database 0: s:<i> strings of all forms, h:<n> listpack
 * hashes, p:<n> plain hashes; in database 3 the same few keys with expiry. */
enum { SAMPLE_STRINGS = 500, SAMPLE_HASHES = 40 };

static void
put_listpack_hash(struct rdb_enc *e, unsigned fields)
{
    uint8_t *lp = malloc(1 << 20);
    uint32_t len = lp_init(lp);
    char text[64];

    for (unsigned i = 0; i < fields; i++) {
        len = lp_append(lp, text,
                        (size_t)snprintf(text, sizeof text, i % 3 == 0 ? "%u" : "field:%u", i));
        len = lp_append(
            lp, text,
            (size_t)snprintf(text, sizeof text, i % 2 == 0 ? "%d" : "value %d", (int)i * -99991));
    }
    rdb_put_blob(e, lp, len);
    free(lp);
}

static void
put_plain_hash(struct rdb_enc *e, unsigned fields)
{
    char text[64];

    rdb_put_len(e, fields);
    for (unsigned i = 0; i < fields; i++) {
        rdb_put_string(e, text, (size_t)snprintf(text, sizeof text, "field:%u", i));
        rdb_put_string(
            e, text,
            (size_t)snprintf(text, sizeof text, i % 2 == 0 ? "%d" : "value %d", (int)i * -99991));
    }
}

static void
put_sample_strings(struct rdb_enc *e)
{
    char name[32];

    for (unsigned i = 0; i < SAMPLE_STRINGS; i++) {
        enum kind kind = (enum kind)(i % KINDS);
        size_t len = i < 100 ? i : i < 490 ? (size_t)i * i / 10 : (size_t)(i - 489) * 100000;
        uint8_t *bytes = contents(kind, len);
        struct read_ctx ctx = {bytes, len, 0, 0};

        rdb_put_byte(e, RDB_TYPE_STRING);
        rdb_put_string(e, name, (size_t)snprintf(name, sizeof name, "s:%u", i));
        if (i % 7 == 0)
            rdb_put_int_string(e, (int64_t)(1ull << i % 63) * (i % 2 != 0 ? -1 : 1));
        else if (i % 3 == 0)
            rdb_put_string_stream(e, len, read_contents, &ctx);
        else
            rdb_put_string(e, bytes, len);
        free(bytes);
    }
}

static void
put_sample_hashes(struct rdb_enc *e)
{
    char name[32];

    for (unsigned i = 1; i <= SAMPLE_HASHES; i++) {
        rdb_put_byte(e, RDB_TYPE_HASH_LISTPACK);
        rdb_put_string(e, name, (size_t)snprintf(name, sizeof name, "h:%u", i));
        put_listpack_hash(e, i * 3);
        rdb_put_byte(e, RDB_TYPE_HASH);
        rdb_put_string(e, name, (size_t)snprintf(name, sizeof name, "p:%u", i));
        put_plain_hash(e, i * i * 3);
    }
}

static void
put_sample_expires(struct rdb_enc *e)
{
    char name[32];

    rdb_put_selectdb(e, 3);
    for (unsigned i = 0; i < 10; i++) {
        rdb_put_expire_ms(e, 4102444800000 + i); /* in the year 2100 */
        rdb_put_byte(e, RDB_TYPE_STRING);
        rdb_put_string(e, name, (size_t)snprintf(name, sizeof name, "e:%u", i));
        rdb_put_int_string(e, i);
    }
}

static int
write_sample(const char *path, int version, bool compress)
{
    struct rdb_enc e;
    struct sink *s;
    int r;

    if ((r = sink_file_open(&(struct sink_file_options){.path = path,
                                                        .temp_name = "temp-sample.rdb",
                                                        .writeout_bytes = 1 << 20},
                            &s)) < 0)
        return r;
    s->with_crc = true;
    if ((r = rdb_enc_init(&e, s, version, compress)) < 0)
        return r;
    rdb_put_magic(&e);
    rdb_put_aux(&e, "redis-ver", "7.0.15");
    rdb_put_aux_int(&e, "ctime", 1700000000);
    rdb_put_selectdb(&e, 0);
    rdb_put_resizedb(&e, SAMPLE_STRINGS + 2 * SAMPLE_HASHES, 0);
    put_sample_strings(&e);
    put_sample_expires(&e);
    rdb_put_selectdb(&e, 0); /* back again, as a sweep in address order does */
    put_sample_hashes(&e);
    rdb_put_eof(&e);
    r = sink_commit(s);
    rdb_enc_fini(&e);
    sink_close(s);
    return r;
}

static int
run_tests(void)
{
    Suite *s = suite_create("snapshot/rdb_enc");
    TCase *form = tcase_create("form"), *lzf = tcase_create("lzf"),
          *stream = tcase_create("stream");

    tcase_add_test(form, lengths_take_one_two_five_or_nine_bytes);
    tcase_add_loop_test(form, strings_take_the_form_that_the_format_has_for_them, 0,
                        2 * sizeof strings / sizeof *strings);
    tcase_add_test(form, integers_and_blobs_have_their_own_rules);
    tcase_add_loop_test(form, the_frame_of_a_file_is_the_formats, 0, 2);
    tcase_add_test(form, the_trailer_is_the_checksum_of_all_before_it);
    tcase_add_loop_test(lzf, a_block_packs_the_same_each_time_and_unpacks, 0, KINDS);
    tcase_add_loop_test(lzf, what_stood_before_a_block_does_not_change_it, 0, KINDS);
    tcase_add_loop_test(lzf, values_that_pack_are_all_packed_whatever_stands_between_them, 0,
                        (int)(sizeof lens_tried / sizeof *lens_tried));
    tcase_add_test(lzf, some_values_that_pack_are_enough_for_their_kind_to_be_tried);
    tcase_add_test(lzf, after_many_that_do_not_pack_a_value_is_tried_now_and_then);
    tcase_add_test(lzf, a_long_value_is_always_tried);
    tcase_add_test(lzf, the_same_strings_in_the_same_order_give_the_same_bytes);
    tcase_add_loop_test(stream, strings_of_every_length_come_back, 0, 4 * KINDS);
    tcase_add_loop_test(stream, a_stream_that_compression_helps_is_written_compressed, 0, KINDS);
    tcase_add_test(stream, a_read_that_fails_ends_the_stream);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(stream, a_sink_that_fails_ends_the_stream);
#endif
    suite_add_tcase(s, form);
    suite_add_tcase(s, lzf);
    suite_add_tcase(s, stream);
    return run_suite(s);
}

int
main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "--write") == 0)
        return write_sample(argv[2], atoi(argv[3]), strcmp(argv[4], "yes") == 0) != 0;
    return run_tests();
}
