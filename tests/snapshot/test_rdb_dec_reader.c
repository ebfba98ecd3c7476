/* tests/snapshot/test_rdb_dec_reader.c - decoding what somebody else reads, in stretches of any
 * length. */
#include "snapshot/rdb/rdb_dec.h"

#include <check.h>
#include <errno.h>
#include <sys/resource.h>

#include "snapshot/rdb/rdb.h"
#include "tests/snapshot/rdb_files.h"
#include "tests/snapshot/spell.h"
#include "tests/snapshot/trace.h"
#include "tests/support/runner.h"

/* A reader of bytes in memory: stretches of `step`; what it gave before is overwritten then, and
 * its end lies at the end of a block, so that nobody reads beyond. */
struct pieces {
    const uint8_t *bytes;
    size_t len, at, step;
    uint8_t *block; /* [owned] */
    unsigned calls, closed;
    int error; /* in the place of the end */
    const char *wrong;
};

static int
next(void *ctx, uint8_t **ret, size_t *ret_len)
{
    struct pieces *p = ctx;
    size_t n = p->len - p->at < p->step ? p->len - p->at : p->step;

    p->calls++;
    if (p->block != NULL)
        memset(p->block, 0xee, RDB_READER_HEADROOM);
    free(p->block);
    p->block = NULL;
    *ret_len = n;
    if (n == 0)
        return p->error;
    p->block = malloc(RDB_READER_HEADROOM + n);
    memcpy(p->block + RDB_READER_HEADROOM, p->bytes + p->at, n);
    p->at += n;
    *ret = p->block + RDB_READER_HEADROOM;
    return 0;
}

static const char *
wrong(void *ctx)
{
    struct pieces *p = ctx;

    return p->wrong;
}

static uint64_t
consumed(void *ctx)
{
    struct pieces *p = ctx;

    return p->at / 2;
}

static void
close_pieces(void *ctx)
{
    struct pieces *p = ctx;

    free(p->block);
    p->closed++;
}

static const struct rdb_reader reader = {next, wrong, consumed, close_pieces, NULL};

/* How a reader's input is described. */
struct described {
    bool with_size, is_packed, has_sums;
};

static int
decode(struct pieces *p, struct described how, struct trace *t, struct rdb_error *err)
{
    struct rdb_source *src;
    int r;

    ck_assert_int_eq(rdb_source_reader(&reader, p, how.with_size ? p->len : 0, how.is_packed,
                                       how.has_sums, &src),
                     0);
    trace_add(t, "%s", "");
    r = rdb_decode(src, &trace_events, t, true, err);
    ck_assert_int_eq(rdb_source_is_packed(src), how.is_packed);
    ck_assert_uint_eq(p->closed, 0);
    rdb_source_close(src);
    ck_assert_uint_eq(p->closed, 1);
    return r;
}

START_TEST(stretches_of_any_length_give_the_same)
{
    static const size_t steps[] = {1, 2, 3, 7, 64, 5000};
    struct spelled s = spell(good[_i].file);

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        for (int described = 0; described < 3; described++) {
            struct pieces p = {.bytes = s.bytes, .len = s.len, .step = steps[i]};
            struct trace memory = {0}, t = {0};
            struct rdb_error err;

            memory.with_forms = t.with_forms = memory.with_findings = t.with_findings = true;
            ck_assert_int_eq(trace_memory(&memory, s.bytes, s.len, true, &err), 0);
            ck_assert_msg(decode(&p, (struct described){described == 0, described == 2, false}, &t,
                                 &err) == 0,
                          "%s", err.text);
            if (described < 2)
                ck_assert_str_eq(t.text, memory.text);
            trace_fini(&memory);
            trace_fini(&t);
        }
}
END_TEST

/* A reader's place for what is large. */
static struct {
    unsigned held, calls, settled;
    size_t refused_above;
} large;

static void *
large_memory(void *at, size_t had, size_t room)
{
    ck_assert(at == NULL || had > RDB_LARGE_BYTES);
    large.calls++;
    if (room == 0) {
        large.held--;
        free(at);
        return NULL;
    }
    ck_assert_uint_gt(room, RDB_LARGE_BYTES);
    if (room > large.refused_above)
        return NULL;
    if (room == had) {
        large.settled++;
        return at;
    }
    large.held += at == NULL;
    return realloc(at, room);
}

/* value_is: the value of field "f", with a byte of its own at each place. */
static int
value_is(void *ctx, struct slice field, struct slice value)
{
    unsigned *ret_fields = ctx;

    ck_assert(slice_is(field, "f"));
    for (size_t i = 0; i < value.len; i++)
        if ((uint8_t)value.ptr[i] != (uint8_t)(i * 7 + i / 251))
            return -EDOM;
    ++*ret_fields;
    return 0;
}

START_TEST(what_is_large_is_held_where_the_reader_says)
{
    enum { LEN = 20 << 20 };
    /* all of it there; refused from the beginning; refused when it grows */
    static const size_t refused_above[] = {SIZE_MAX, 0, RDB_LARGE_BYTES * 2};
    struct spelled head = spell("'REDIS0010' 04 ['h'] 01 ['f'] 80 01 40 00 00");
    struct rdb_reader with_large = reader;
    struct rdb_events events = {.hash_field = value_is};
    uint8_t *bytes = malloc(head.len + LEN + 9);
    struct rdb_error err;
    struct rdb_source *src;
    unsigned fields = 0;

    memcpy(bytes, head.bytes, head.len);
    for (size_t i = 0; i < LEN; i++)
        bytes[head.len + i] = (uint8_t)(i * 7 + i / 251);
    memcpy(bytes + head.len + LEN, "\xff\0\0\0\0\0\0\0", 9);
    with_large.large = large_memory;
    for (unsigned i = 0; i < sizeof refused_above / sizeof *refused_above; i++) {
        struct pieces p = {.bytes = bytes, .len = head.len + LEN + 9, .step = 1000000};

        memset(&large, 0, sizeof large);
        large.refused_above = refused_above[i];
        ck_assert_int_eq(rdb_source_reader(&with_large, &p, p.len, false, false, &src), 0);
        ck_assert_msg(rdb_decode(src, &events, &fields, true, &err) == 0, "%s", err.text);
        rdb_source_close(src);
        ck_assert_uint_eq(fields, i + 1);
        ck_assert_uint_gt(large.calls, 0);
        ck_assert_uint_eq(large.held, 0);
        ck_assert_int_eq(large.settled > 0, refused_above[i] > 0);
    }
    free(bytes);
}
END_TEST

/* What is large from the beginning: the name of a value that stands alone. */
START_TEST(a_large_name_is_held_where_the_reader_says)
{
    enum { LEN = RDB_LARGE_BYTES + 10 };
    static const struct rdb_events none = {.finding = NULL};
    struct spelled s = spell("00 ['v']");
    struct pieces p = {.bytes = s.bytes, .len = s.len, .step = 2};
    struct rdb_reader with_large = reader;
    char *name = malloc(LEN);
    struct rdb_source *src;
    struct rdb_error err;

    memset(name, 'n', LEN);
    memset(&large, 0, sizeof large);
    large.refused_above = SIZE_MAX;
    with_large.large = large_memory;
    ck_assert_int_eq(rdb_source_reader(&with_large, &p, p.len, false, false, &src), 0);
    ck_assert_int_eq(rdb_decode_value(src, 12, slice_of(name, LEN), &none, NULL, &err), 0);
    rdb_source_close(src);
    ck_assert_uint_gt(large.calls, 0);
    ck_assert_uint_eq(large.held, 0);
    free(name);
}
END_TEST

/* A reader that says nothing but the next bytes, and then how it failed. */
START_TEST(a_reader_that_says_little_is_told_by_its_error)
{
    static const struct rdb_reader next_only = {.next = next};
    static const char *const files[] = {
        "'REDIS0010' ff zero",                              /* all is there: and then that */
        "'REDIS0010' 00 ['k'] c3 14 40 20 1f 'of 20 bytes'" /* in what is only looked over */
    };
    static const struct rdb_events none = {.finding = NULL};
    struct spelled s = spell(files[_i]);
    struct pieces p = {.bytes = s.bytes, .len = s.len, .step = 7, .error = -EIO};
    struct rdb_source *src;
    struct rdb_error err;

    ck_assert_int_eq(rdb_source_reader(&next_only, &p, 0, true, false, &src), 0);
    ck_assert_int_eq(rdb_decode(src, &none, NULL, true, &err), -EIO);
    ck_assert_str_eq(err.text, "cannot be read: Input/output error");
    ck_assert_uint_eq(rdb_source_consumed(src), rdb_source_offset(src));
    rdb_source_close(src);
    free(p.block);
}
END_TEST

START_TEST(long_strings_cross_stretches)
{
    enum { LEN = 3000000 };
    static const size_t steps[] = {1000, 65537, 262144, 1000000};
    struct spelled head = spell("'REDIS0010' 00 ['k'] 80 00 2d c6 c0");
    uint8_t *bytes = malloc(head.len + LEN + 9);
    struct trace memory = {0};
    struct rdb_error err;

    memcpy(bytes, head.bytes, head.len);
    for (size_t i = 0; i < LEN; i++)
        bytes[head.len + i] = (uint8_t)(i * 2654435761u >> 24);
    memset(bytes + head.len + LEN, 0, 9);
    bytes[head.len + LEN] = RDB_OP_EOF;
    ck_assert_int_eq(trace_memory(&memory, bytes, head.len + LEN + 9, true, &err), 0);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct pieces p = {.bytes = bytes, .len = head.len + LEN + 9, .step = steps[i]};
        struct trace t = {0};

        ck_assert_int_eq(decode(&p, (struct described){false, false, false}, &t, &err), 0);
        ck_assert_str_eq(t.text, memory.text);
        trace_fini(&t);
    }
    trace_fini(&memory);
    free(bytes);
}
END_TEST

struct raw {
    uint8_t bytes[4096];
    size_t len;
};

static int
on_raw(void *ctx, struct slice piece)
{
    struct raw *raw = ctx;

    ck_assert_uint_le(raw->len + piece.len, sizeof raw->bytes);
    memcpy(raw->bytes + raw->len, piece.ptr, piece.len);
    raw->len += piece.len;
    return 0;
}

START_TEST(a_value_is_told_as_it_stands_across_stretches)
{
    static const struct rdb_events events = {.raw = on_raw};
    struct spelled value = spell("03 ['f'] ['v'] ['a longer field'] c3 04 06 00 'a' 60 00 "
                                 "['another one'] ['a longer value, which is cut often']");
    struct spelled s = spell("'REDIS0010' 04 ['h']");

    spell_append(&s, value.bytes, value.len);
    spell_append(&s, "\xff\0\0\0\0\0\0\0\0", 9);
    for (size_t step = 1; step < s.len; step++) {
        struct pieces p = {.bytes = s.bytes, .len = s.len, .step = step};
        struct raw raw = {.len = 0};
        struct rdb_source *src;
        struct rdb_error err;

        ck_assert_int_eq(rdb_source_reader(&reader, &p, 0, false, false, &src), 0);
        ck_assert_int_eq(rdb_decode(src, &events, &raw, true, &err), 0);
        rdb_source_close(src);
        ck_assert_uint_eq(raw.len, value.len);
        ck_assert_mem_eq(raw.bytes, value.bytes, value.len);
    }
}
END_TEST

START_TEST(a_prefix_is_too_short_wherever_it_ends)
{
    struct spelled s = spell(everything);

    for (size_t len = 0; len < s.len; len++) {
        struct pieces p = {.bytes = s.bytes, .len = len, .step = 5};
        struct trace t = {0};
        struct rdb_error err;

        ck_assert_int_eq(decode(&p, (struct described){_i != 0, false, false}, &t, &err), -EINVAL);
        ck_assert_uint_le(err.offset, len);
        ck_assert_str_ne(err.text, "");
        trace_fini(&t);
    }
}
END_TEST

START_TEST(what_follows_the_end_is_an_error)
{
    struct spelled s = spell("'REDIS0010' ff zero 00");
    struct pieces p = {.bytes = s.bytes, .len = s.len, .step = 4};
    struct trace t = {0};
    struct rdb_error err;

    ck_assert_int_eq(decode(&p, (struct described){false, _i != 0, false}, &t, &err), -EINVAL);
    ck_assert_str_eq(err.text, "more bytes after the end");
    ck_assert_str_eq(err.within, _i != 0 ? " of the decompressed RDB" : "");
    ck_assert_uint_eq(err.offset, 18);
    trace_fini(&t);
}
END_TEST

START_TEST(a_reader_s_error_is_told_in_its_words)
{
    struct spelled s = spell("'REDIS0010' 00 ['key'] 05 'ab'");
    struct pieces p = {.bytes = s.bytes, .len = s.len, .step = 6, .error = -EBADMSG};
    struct trace t = {0};
    struct rdb_error err;

    p.wrong = "the gzip member ends early";
    ck_assert_int_eq(decode(&p, (struct described){true, true, true}, &t, &err), -EINVAL);
    ck_assert_str_eq(err.text, "the gzip member ends early");
    ck_assert_str_eq(err.within, "");
    ck_assert_str_eq(err.key, "key");
    ck_assert_uint_eq(err.offset, s.len / 2); /* of the file */
    trace_fini(&t);

    p = (struct pieces){.bytes = s.bytes, .len = s.len, .step = 6, .error = -EIO};
    ck_assert_int_eq(decode(&p, (struct described){true, false, false}, &t, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "claims 5 bytes where the file has 2"));
    p = (struct pieces){.bytes = s.bytes, .len = s.len, .step = 6, .error = -EIO};
    ck_assert_int_eq(decode(&p, (struct described){false, false, false}, &t, &err), -EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "cannot be read: Input/output error"));
    trace_fini(&t);
}
END_TEST

START_TEST(checksums_around_it_are_told)
{
    struct spelled s = spell("'REDIS0010' ff zero"), bad = spell("'REDIS0010' ff 01 x 8");
    struct pieces p = {.bytes = s.bytes, .len = s.len, .step = 100};
    struct trace t = {0};
    struct rdb_error err;

    ck_assert_int_eq(decode(&p, (struct described){false, true, true}, &t, &err), 0);
    ck_assert_ptr_nonnull(strstr(t.text, "end frame"));
    p = (struct pieces){.bytes = bad.bytes, .len = bad.len, .step = 1};
    ck_assert_int_eq(decode(&p, (struct described){false, true, true}, &t, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "wrong checksum"));
    trace_fini(&t);
}
END_TEST

START_TEST(claims_of_what_nobody_has_counted_take_no_memory)
{
    static const char *const claims[] = {"'REDIS0010' 00 81 3f ff x 7 'a'",
                                         "'REDIS0010' 04 ['k'] 81 0f ff x 7 ['f']",
                                         "'REDIS0010' 01 ['k'] 81 0f ff x 7 80 7f ff ff ff 'a'",
                                         "'REDIS0010' 10 ['k'] 81 00 00 01 00 00 00 00 00 'a'"};
    struct rlimit limit = {512 << 20, 512 << 20};
    struct spelled s = spell(claims[_i]);
    struct pieces p = {.bytes = s.bytes, .len = s.len, .step = 3};
    struct trace t = {0};
    struct rdb_error err;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
#else
    (void)limit;
#endif
    ck_assert_int_eq(decode(&p, (struct described){false, false, false}, &t, &err), -EINVAL);
    ck_assert_msg(strstr(err.text, "the file ends in the middle of") != NULL, "%s", err.text);
    trace_fini(&t);
}
END_TEST

START_TEST(an_input_longer_than_its_size_is_read)
{
    struct spelled s = spell("'REDIS0010' 00 ['k'] ['value'] ff zero");
    struct pieces p = {.bytes = s.bytes, .len = s.len, .step = 10};
    struct rdb_source *src;
    struct trace t = {0};
    struct rdb_error err;

    ck_assert_int_eq(rdb_source_reader(&reader, &p, 12, false, false, &src), 0);
    trace_add(&t, "%s", "");
    ck_assert_int_eq(rdb_decode(src, &trace_events, &t, true, &err), 0);
    ck_assert_ptr_nonnull(strstr(t.text, "string value\n"));
    rdb_source_close(src);
    trace_fini(&t);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("snapshot/rdb_dec_reader");
    TCase *t = tcase_create("reader");

    tcase_add_loop_test(t, stretches_of_any_length_give_the_same, 0, GOOD);
    tcase_add_test(t, what_is_large_is_held_where_the_reader_says);
    tcase_add_test(t, a_large_name_is_held_where_the_reader_says);
    tcase_add_loop_test(t, a_reader_that_says_little_is_told_by_its_error, 0, 2);
    tcase_add_test(t, long_strings_cross_stretches);
    tcase_add_test(t, a_value_is_told_as_it_stands_across_stretches);
    tcase_add_loop_test(t, a_prefix_is_too_short_wherever_it_ends, 0, 2);
    tcase_add_loop_test(t, what_follows_the_end_is_an_error, 0, 2);
    tcase_add_test(t, a_reader_s_error_is_told_in_its_words);
    tcase_add_test(t, checksums_around_it_are_told);
    tcase_add_loop_test(t, claims_of_what_nobody_has_counted_take_no_memory, 0, 4);
    tcase_add_test(t, an_input_longer_than_its_size_is_read);
    suite_add_tcase(s, t);
    return run_suite(s);
}
