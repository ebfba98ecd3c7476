/* tests/snapshot/test_rdb_dec_places.c - where things stand in a file, for who copies or skips
 * them: item, begin, raw, RDB_SKIP_VALUE, rdb_decode_items(). */
#include "snapshot/rdb/rdb_dec.h"

#include <check.h>
#include <errno.h>
#include <unistd.h>

#include "snapshot/rdb/rdb.h"
#include "tests/snapshot/rdb_files.h"
#include "tests/snapshot/spell.h"
#include "tests/snapshot/trace.h"
#include "tests/support/runner.h"

/* A value of each shape; strings of each form, too. */
static const struct {
    const char *head, *value;
} shapes[] = {
    {"'REDIS0012' 00 ['k']", "['v']"},
    {"'REDIS0012' 00 ['k']", "c1 00 80"},
    {"'REDIS0012' 00 ['k']", "c3 09 13 02 'abc' e0 06 02 00 '!'"},
    {"'REDIS0012' 01 ['k']", "02 ['a'] c0 07"},
    {"'REDIS0012' 02 ['k']", "02 ['a'] ['b']"},
    {"'REDIS0012' 03 ['k']", "04 ['a'] ff ['b'] 01 '1' ['c'] 03 '1.5' ['d'] fe"},
    {"'REDIS0012' 04 ['k']", "02 ['f'] ['v'] c0 05 c1 00 01"},
    {"'REDIS0012' 05 ['k']", "01 ['a'] 00 x 6 f0 3f"},
    {"'REDIS0012' 09 ['k']", "[02 01 'f' 03 02 'val..' 00 00 00 ff]"},
    {"'REDIS0012' 0a ['k']", "[0f 00 00 00 0c 00 00 00 02 00 00 f1 02 f2 ff]"},
    {"'REDIS0012' 0b ['k']", "[02 00 00 00 02 00 00 00 01 00 02 00]"},
    {"'REDIS0012' 0c ['k']", "[0f 00 00 00 0c 00 00 00 02 00 00 f1 02 f2 ff]"},
    {"'REDIS0012' 0d ['k']", "[0f 00 00 00 0c 00 00 00 02 00 00 f1 02 f2 ff]"},
    {"'REDIS0012' 0e ['k']", "01 [0f 00 00 00 0c 00 00 00 02 00 00 f1 02 f2 ff]"},
    {"'REDIS0012' 0f ['k']", "00 01 05 07 00"},
    {"'REDIS0012' 10 ['k']", "[( 2 : 01 01 02 01 )]"},
    {"'REDIS0012' 11 ['k']", "[( 2 : 81 'm' 02 02 01 )]"},
    {"'REDIS0012' 12 ['k']", "02 01 ['plain'] 02 [( 1 : 01 01 )]"},
    {"'REDIS0012' 13 ['k']", "00 00 05 07 00 00 00 00 09 01 ['g'] 05 07 03 "
                             "01 00 x 16 01 00 x 7 02 01 ['c'] 01 00 x 7 01 00 x 16"},
    {"'REDIS0012' 14 ['k']", "[( 2 : 81 'm' 02 02 01 )]"},
    {"'REDIS0012' 15 ['k']", "00 00 05 07 00 00 00 00 09 01 ['g'] 05 07 03 "
                             "01 00 x 16 01 00 x 7 02 01 ['c'] 01 00 x 7 02 00 x 7 01 00 x 16"},
    {"'REDIS0012' 16 ['k']", "01 05 ['f'] ['v']"},
    {"'REDIS0012' 17 ['k']", "[( 3 : 81 'f' 02 81 'v' 02 05 01 )]"},
    {"'REDIS0012' 18 ['k']", "01 00 x 7 02 05 ['f'] ['v'] 00 ['g'] ['w']"},
    {"'REDIS0012' 19 ['k']", "01 00 x 7 [( 3 : 81 'f' 02 81 'v' 02 05 01 )]"},
    {"'VALKEY080' 16 ['k']", "01 ['f'] ['v'] 05 00 x 7"},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* What a sink of places is told. */
struct places {
    struct trace trace;
    uint8_t raw[4096];
    size_t raw_len;
    unsigned raw_pieces;
    uint64_t items[64];
    unsigned item_count;
    uint64_t begin, offset;
    bool skips;
    unsigned keys, ends;
};

static int
on_key(void *ctx, const struct rdb_key *k)
{
    struct places *p = ctx;

    p->keys++;
    p->begin = k->begin;
    p->offset = k->offset;
    p->raw_len = 0;
    return p->skips ? RDB_SKIP_VALUE : 0;
}

static int
on_raw(void *ctx, struct slice piece)
{
    struct places *p = ctx;

    ck_assert_uint_gt(piece.len, 0);
    ck_assert_uint_le(p->raw_len + piece.len, sizeof p->raw);
    memcpy(p->raw + p->raw_len, piece.ptr, piece.len);
    p->raw_len += piece.len;
    p->raw_pieces++;
    return 0;
}

static int
on_item(void *ctx, uint64_t offset)
{
    struct places *p = ctx;

    p->items[p->item_count++] = offset;
    return 0;
}

static int
on_expiring(void *ctx, struct slice field, struct slice value, int64_t expire_at_ms)
{
    (void)ctx;
    (void)field;
    (void)value;
    (void)expire_at_ms;
    return 0;
}

static int
on_value_end(void *ctx)
{
    struct places *p = ctx;

    p->ends++;
    return 0;
}

static int
on_value(void *ctx)
{
    (void)ctx;
    ck_abort_msg("a value that nobody wants");
}

static int
on_value_slice(void *ctx, struct slice s)
{
    (void)s;
    return on_value(ctx);
}

static int
on_value_claim(void *ctx, uint64_t n)
{
    (void)n;
    return on_value(ctx);
}

static int
on_value_blob(void *ctx, struct slice s, uint32_t n)
{
    (void)n;
    return on_value_slice(ctx, s);
}

static int
on_value_form(void *ctx, enum rdb_form form)
{
    (void)form;
    return on_value(ctx);
}

static const struct rdb_events places = {.item = on_item,
                                         .key = on_key,
                                         .raw = on_raw,
                                         .hash_field_expiring = on_expiring,
                                         .value_end = on_value_end};
static const struct rdb_events skipping = {.item = on_item,
                                           .key = on_key,
                                           .raw = on_value_slice,
                                           .form = on_value_form,
                                           .string_begin = on_value_claim,
                                           .string_bytes = on_value_slice,
                                           .list_begin = on_value,
                                           .hash_begin = on_value_claim,
                                           .hash_listpack = on_value_blob,
                                           .set_begin = on_value_claim,
                                           .set_intset = on_value_blob,
                                           .set_listpack = on_value_blob,
                                           .zset_begin = on_value_claim,
                                           .zset_listpack = on_value_blob,
                                           .stream_begin = on_value_claim,
                                           .value_end = on_value_end};

static int
decode(const struct spelled *s, const struct rdb_events *ev, struct places *p,
       struct rdb_error *err)
{
    struct rdb_source *src;
    int r;

    ck_assert_int_eq(rdb_source_memory(s->bytes, s->len, &src), 0);
    r = rdb_decode(src, ev, p, true, err);
    rdb_source_close(src);
    return r;
}

/* shaped: a file with that value, between two attributes and another key. */
static struct spelled
shaped(int i, struct spelled *ret_value)
{
    char text[1024];

    snprintf(text, sizeof text, "%.11s f8 05 %s %s 00 ['last'] ['v'] ff crc", shapes[i].head,
             shapes[i].head + 11, shapes[i].value);
    *ret_value = spell(shapes[i].value);
    return spell(text);
}

START_TEST(a_value_is_told_as_it_stands_in_the_file)
{
    struct spelled value, file = shaped(_i, &value);
    struct rdb_events first = places;
    struct places p = {.raw_len = 0};
    struct rdb_error err;

    ck_assert_int_eq(decode(&file, &first, &p, &err), 0);
    ck_assert_uint_eq(p.keys, 2);
    ck_assert_uint_eq(p.raw_len, 2); /* of the last one */
    ck_assert_mem_eq(p.raw, "\1v", 2);
    ck_assert_uint_eq(p.begin, p.offset);
    ck_assert_uint_eq(p.begin, file.len - 9 - 2 - 6);
    ck_assert_uint_eq(p.item_count, 3);
    ck_assert_uint_eq(p.items[0], 9);
    ck_assert_uint_eq(p.items[1], p.begin);
    ck_assert_uint_eq(p.items[2], file.len - 9);

    /* the same without the last one */
    file.len = p.begin;
    spell_append(&file, "\xff\0\0\0\0\0\0\0\0", 9);
    p = (struct places){.raw_len = 0};
    ck_assert_int_eq(decode(&file, &first, &p, &err), 0);
    ck_assert_uint_eq(p.raw_len, value.len);
    ck_assert_mem_eq(p.raw, value.bytes, value.len);
    ck_assert_uint_eq(p.begin, 9);
    ck_assert_uint_eq(p.offset, 11);
}
END_TEST

START_TEST(a_value_that_is_skipped_ends_where_it_ends)
{
    struct spelled value, file = shaped(_i, &value);
    struct places p = {.skips = true};
    struct rdb_error err;

    ck_assert_int_eq(decode(&file, &skipping, &p, &err), 0);
    ck_assert_uint_eq(p.keys, 2);
    ck_assert_uint_eq(p.ends, 2);
    ck_assert_uint_eq(p.items[1], p.begin);
    ck_assert_uint_eq(p.begin, 9 + 2 + 3 + value.len);

    /* each prefix of it is too short */
    for (size_t len = 9; len < file.len; len++) {
        struct spelled cut = file;

        cut.len = len;
        p = (struct places){.skips = true};
        ck_assert_int_eq(decode(&cut, &skipping, &p, &err), -EINVAL);
        ck_assert_uint_eq(err.offset > len, false);
    }
}
END_TEST

START_TEST(a_sink_that_says_no_to_raw_or_item_ends_decoding)
{
    struct spelled file = spell("'REDIS0010' fe 01 00 ['k'] ['v'] ff crc");
    struct rdb_events ev = {0};
    struct rdb_source *src;
    struct trace t = {0};
    struct rdb_error err;

    ev.raw = _i == 0 ? trace_list_element : NULL;
    ev.item = _i == 0 ? NULL : trace_selectdb;
    t.fail_at = _i == 0 ? 1 : 2;
    t.fail_with = 77;
    ck_assert_int_eq(rdb_source_memory(file.bytes, file.len, &src), 0);
    ck_assert_int_eq(rdb_decode(src, &ev, &t, true, &err), 77);
    ck_assert_str_eq(err.key, _i == 0 ? "k" : "");
    rdb_source_close(src);
    trace_fini(&t);
}
END_TEST

/* decode_from: what follows the item at that offset. */
static int
decode_from(const struct spelled *s, const struct rdb_place *place, struct trace *t,
            struct rdb_error *err)
{
    struct rdb_source *src;
    int r;

    ck_assert_int_eq(
        rdb_source_memory(s->bytes + place->offset, s->len - (size_t)place->offset, &src), 0);
    trace_add(t, "%s", "");
    r = rdb_decode_items(src, place, &trace_events, t, err);
    ck_assert_uint_eq(rdb_source_offset(src), s->len);
    rdb_source_close(src);
    return r;
}

START_TEST(decoding_from_each_item_on_gives_the_rest)
{
    struct spelled file = spell(everything);
    struct trace whole = {0};
    struct places p = {.raw_len = 0};
    struct rdb_error err;
    size_t last = 0;

    ck_assert_int_eq(trace_memory(&whole, file.bytes, file.len, true, &err), 0);
    ck_assert_int_eq(decode(&file, &places, &p, &err), 0);
    ck_assert_uint_eq(p.item_count, 13);
    for (unsigned i = p.item_count; i-- > 0;) {
        struct rdb_place place = {12, 0, p.items[i]};
        struct trace t = {0};

        ck_assert_int_eq(decode_from(&file, &place, &t, &err), 0);
        ck_assert_uint_ge(t.len, last); /* SLOT_INFO is told to nobody */
        ck_assert_uint_lt(t.len, whole.len);
        ck_assert_str_eq(t.text, whole.text + whole.len - t.len);
        last = t.len;
        trace_fini(&t);
    }
    ck_assert_uint_eq(last, whole.len - strlen("start 12\n"));
    trace_fini(&whole);
}
END_TEST

START_TEST(a_place_counts_and_names_its_database)
{
    struct spelled s = spell("00 ['k'] ['v'] 00 ['l'] 05 'v'");
    struct rdb_place place = {.version = 10, .db = 7, .offset = 1000};
    struct trace t = {0};
    struct rdb_source *src;
    struct rdb_error err;

    ck_assert_int_eq(rdb_source_memory(s.bytes, s.len, &src), 0);
    ck_assert_int_eq(rdb_decode_items(src, &place, &trace_events, &t, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(t.text, "key 7 k type 0"));
    ck_assert_uint_eq(err.offset, 1008);
    ck_assert_str_eq(err.key, "l");
    ck_assert_ptr_nonnull(strstr(err.text, "the value claims 5 bytes where the file has 1"));
    rdb_source_close(src);
    trace_fini(&t);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("snapshot/rdb_dec_places");
    TCase *t = tcase_create("places");

    tcase_add_loop_test(t, a_value_is_told_as_it_stands_in_the_file, 0, SHAPES);
    tcase_add_loop_test(t, a_value_that_is_skipped_ends_where_it_ends, 0, SHAPES);
    tcase_add_loop_test(t, a_sink_that_says_no_to_raw_or_item_ends_decoding, 0, 2);
    tcase_add_test(t, decoding_from_each_item_on_gives_the_rest);
    tcase_add_test(t, a_place_counts_and_names_its_database);
    suite_add_tcase(s, t);
    return run_suite(s);
}
