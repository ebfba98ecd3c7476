/* tests/snapshot/test_rdb_dec.c - the decoder: files spelled out by hand give the events that they
 * should, and wrong ones the error and its place. */
#include "snapshot/rdb/rdb_dec.h"

#include <check.h>
#include <errno.h>
#include <liblzf/lzf.h>
#include <sys/resource.h>

#include "snapshot/rdb/field_set.h"
#include "snapshot/rdb/rdb.h"
#include "snapshot/rdb/rdb_enc.h"
#include "tests/snapshot/rdb_files.h"
#include "tests/snapshot/spell.h"
#include "tests/snapshot/trace.h"
#include "tests/support/runner.h"

/* decode: exactly the spelled bytes, in memory of their size, so that a sanitizer sees a read past
 * the end. */
static int
decode(struct trace *t, const char *file, struct rdb_error *err)
{
    struct spelled s = spell(file);
    uint8_t *bytes = malloc(s.len > 0 ? s.len : 1);
    int r;

    memcpy(bytes, s.bytes, s.len);
    r = trace_memory(t, bytes, s.len, true, err);
    free(bytes);
    return r;
}

START_TEST(a_good_file_gives_its_events)
{
    struct trace t = {.with_forms = true};
    struct rdb_error err;
    int r = decode(&t, good[_i].file, &err);

    ck_assert_msg(r == 0, "%s\n%d: at %llu: %s", good[_i].file, r, (unsigned long long)err.offset,
                  err.text);
    ck_assert_str_eq(t.text, good[_i].events);
    trace_fini(&t);
}
END_TEST

static const struct {
    const char *file;
    int error;
    uint64_t offset;
    const char *key, *text; /* text: a part of it */
} bad[] = {
    /* the frame */
    {"", -EINVAL, 0, "", "the file is empty"},
    {"'REDIS'", -EINVAL, 5, "", "the file ends in the middle of the magic"},
    {"'hello world'", -EINVAL, 0, "", "not an RDB file: it begins with \"hello wor\""},
    {"00 x 9", -EINVAL, 0, "", "not an RDB file: it begins with \"\\x00\\x00"},
    {"'REDIS00x0' ff zero", -EINVAL, 0, "", "not an RDB file"},
    {"'REDIS0000' ff zero", -ENOTSUP, 0, "", "REDIS0000 (RDB version 0) is not read"},
    {"'REDIS0013' ff zero", -ENOTSUP, 0, "", "REDIS0013 (RDB version 13) is not read"},
    {"'REDIS0080' ff zero", -ENOTSUP, 0, "", "REDIS0080 (RDB version 80) is not read"},
    {"'VALKEY081' ff zero", -ENOTSUP, 0, "", "VALKEY081 (RDB version 81) is not read"},
    {"'VALKEY012' ff zero", -ENOTSUP, 0, "", "VALKEY012 (RDB version 12) is not read"},
    {"'VCS' 01", -EINVAL, 4, "", "ends in the middle of the envelope of a compressed RDB"},
    {"'VCS' 02 01 00 01 28 b5 2f fd", -ENOTSUP, 3, "", "of the unknown version 2"},
    {"'VCS' 01 02 00 01 28 b5 2f fd", -ENOTSUP, 4, "", "by Zstd (codec 2 of Valkey's envelope)"},
    {"'VCS' 01 03 00 01 28 b5 2f fd", -ENOTSUP, 4, "", "with the unknown codec 3"},
    {"'VCS' 01 01 07 01 04 22 4d 18", -ENOTSUP, 5, "", "with 7 in its reserved byte"},
    {"'VCS' 01 01 00 02 04 22 4d 18", -ENOTSUP, 6, "", "of kind 2, which is no RDB"},
    {"'VCS' 01 01 00 01", -EINVAL, 7, "", "the file ends in the middle of the LZ4 frame"},
    {"'VCS' 01 01 00 01 50 2a 4d 18 00 00 00 00", -EINVAL, 7, "", "no LZ4 frame where"},
    {"'REDIS0010'", -EINVAL, 9, "", "the file ends in the middle of its contents"},
    {"'REDIS0010' ff", -EINVAL, 10, "", "the file ends in the middle of the checksum"},
    {"'REDIS0010' ff 00 x 7", -EINVAL, 17, "", "the file ends in the middle of the checksum"},
    {"'REDIS0010' ff 01 00 x 7", -EINVAL, 10, "", "wrong checksum: the file says 0000000000000001"},
    {"'REDIS0010' ff zero 00", -EINVAL, 18, "", "1 more bytes after the end"},
    {"'REDIS0010' ff crc 'REDIS0010'", -EINVAL, 18, "", "9 more bytes after the end"},
    {"'REDIS0003' ff 00", -EINVAL, 10, "", "1 more bytes after the end"},
    {"'REDIS0010' fe", -EINVAL, 10, "", "in the middle of a database's number"},
    {"'REDIS0010' fe c0 01", -EINVAL, 10, "", "a string (0xc0) where a length belongs"},
    {"'REDIS0010' fe 82 01", -EINVAL, 10, "", "a length that starts with 0x82"},
    {"'REDIS0010' fb 01 81 00", -EINVAL, 13, "", "in the middle of a database's size"},
    {"'REDIS0010' fa ['abc']", -EINVAL, 14, "", "in the middle of an AUX field"},
    {"'REDIS0009' fa ['keydb-subexpire-key'] ['f'] ff zero", -ENOTSUP, 9, "",
     "the AUX field keydb-subexpire-key (KeyDB's members that expire on their own) is not read"},
    {"'REDIS0010' f5 ['#!lua name=x'] f5 ['#!lua name=x'] ff zero", -EINVAL, 23, "",
     "there are two function libraries \"x\""},
    /* opcodes and types by name */
    {"'REDIS0010' f7 01", -ENOTSUP, 9, "",
     "MODULE_AUX (opcode 247) of the module type AAAAAAAAA is not read"},
    {"'REDIS0010' f6 01", -ENOTSUP, 9, "", "FUNCTION of the 7.0 release candidates (opcode 246)"},
    {"'REDIS0011' f4 01", -EINVAL, 9, "", "244 (0xf4) is neither a type nor an opcode"},
    {"'REDIS0010' f3 01", -EINVAL, 9, "", "243 (0xf3) is neither"},
    {"'VALKEY080' f3 01", -ENOTSUP, 9, "", "SLOT_IMPORT (opcode 243)"},
    {"'REDIS0009' ca 01", -ENOTSUP, 9, "", "Dragonfly"},
    {"'REDIS0009' 1e ['k']", -ENOTSUP, 9, "k", "Dragonfly"},
    {"'REDIS0010' 07 ['k'] 00", -ENOTSUP, 9, "k",
     "(type 7) of the module type AAAAAAAAA is not read"},
    {"'REDIS0010' 07 ['k'] 81 98 07 91 93 49 76 44 17 80 04", -ENOTSUP, 9, "k",
     "module value (type 7) of the module type"},
    {"'REDIS0010' 06 ['k'] 00", -ENOTSUP, 9, "k",
     "module value, first form (type 6) of the module type"},
    {"'REDIS0012' 18 ['k'] 00 x 8 01 05 ['f'] ['v'] ff", -ENOTSUP, 21, "k",
     "a hash with field expiry (type 24): its field \"f\" expires, which is not read"},
    {"'REDIS0012' 19 ['k'] 00 x 8 [( 6 : 81 'f' 02 81 'v' 02 00 01 81 'g' 02 81 'w' 02 05 01 )] ff",
     -ENOTSUP, 20, "k", "(type 25): its field \"g\" expires"},
    {"'REDIS0012' 19 ['k'] 00 x 8 [( 3 : 81 'f' 02 81 'v' 02 81 'x' 02 )] ff", -EINVAL, 20, "k",
     "a field's expiry in the hash's listpack is no time"},
    {"'REDIS0012' 19 ['k'] 00 x 8 [( 2 : 81 'f' 02 81 'v' 02 )] ff", -EINVAL, 20, "k",
     "the hash's listpack has 2 elements: not three for each field"},
    {"'REDIS0012' 18 ['k'] 00 x 8 05 00 ['f'] ['v'] ff", -EINVAL, 20, "k",
     "a hash claims 5 fields where the file has 6 bytes"},
    {"'REDIS0012' 18 ['k'] 00 x 7", -EINVAL, 19, "k", "in the middle of a hash's smallest expiry"},
    {"'VALKEY080' 16 ['k'] 01 ['f'] ['v'] 00 x 8 ff", -ENOTSUP, 17, "k",
     "(type 22): its field \"f\" expires"},
    {"'REDIS0011' 18 ['k'] 00", -EINVAL, 9, "", "24 (0x18) is neither"},
    {"'REDIS0012' 16 ['k'] 01 05 ['f'] ['v'] ff", -ENOTSUP, 13, "k",
     "(type 22): its field \"f\" expires"},
    {"'REDIS0012' 17 ['k'] [( 3 : 81 'f' 02 81 'v' 02 05 01 )] ff", -ENOTSUP, 12, "k",
     "(type 23): its field \"f\" expires"},
    {"'VALKEY080' 17 ['k'] 00", -EINVAL, 9, "", "23 (0x17) is neither"},
    {"'REDIS0010' 08 ['k'] 00", -EINVAL, 9, "", "8 (0x08) is neither"},
    {"'REDIS0010' 63 ['k'] 00", -EINVAL, 9, "", "99 (0x63) is neither"},
    {"'REDIS0010' fc 01 00 x 7 ff", -EINVAL, 18, "", "EOF where a key should follow"},
    {"'REDIS0010' f9 01 fe 00", -EINVAL, 11, "", "SELECTDB where a key should follow"},
    {"'REDIS0010' fc 01 00 x 7 f9", -EINVAL, 19, "", "in the middle of a key's access frequency"},
    {"'REDIS0010' f8 81 ff x 8", -EINVAL, 19, "", "in the middle of its contents"},
    /* strings */
    {"'REDIS0010' 00", -EINVAL, 10, "", "in the middle of a key"},
    {"'REDIS0010' 00 04 'abc'", -EINVAL, 10, "", "a key claims 4 bytes where the file has 3"},
    {"'REDIS0010' 00 ['k'] 81 ff x 8 'abc'", -EINVAL, 12, "k",
     "the value claims 18446744073709551615 bytes where"},
    {"'REDIS0010' 00 ['k'] c4 'abc'", -EINVAL, 12, "k", "a string of unknown form 0xc4"},
    {"'REDIS0010' 00 ['k'] ff 'abc'", -EINVAL, 12, "k", "a string of unknown form 0xff"},
    {"'REDIS0010' 00 ['k'] c2 00 00 00", -EINVAL, 16, "k", "in the middle of the value"},
    {"'REDIS0010' 00 ['a' 00 0a '\"' ff] c2", -EINVAL, 17, "a\\x00\\x0a\\\"\\xff",
     "in the middle of the value"},
    {"'REDIS0010' 00 ['k'] c3 09 0a 'abc'", -EINVAL, 12, "k",
     "the value claims 9 bytes where the file has 3"},
    {"'REDIS0010' 00 ['k'] c3 03 41 60 'abc'", -EINVAL, 12, "k", "claims to unpack 3 bytes to 352"},
    {"'REDIS0010' 00 ['k'] c3 00 05", -EINVAL, 12, "k", "claims to unpack 0 bytes to 5"},
    {"'REDIS0010' 00 ['k'] c3 02 00 00 'a'", -EINVAL, 12, "k", "claims to unpack 2 bytes to 0"},
    {"'REDIS0010' 00 ['k'] c3 02 05 20 00", -EINVAL, 15, "k", "the value is badly compressed"},
    {"'REDIS0010' 00 ['k'] c3 02 05 00 'a' 60 00", -EINVAL, 12, "k",
     "unpacks to another length than the 5 bytes"},
    {"'REDIS0010' 00 ['k'] c3 04 05 00 'a' 60 00", -EINVAL, 12, "k",
     "unpacks to another length than the 5 bytes"},
    {"'REDIS0010' 00 ['k'] c3 04 07 00 'a' 60 00", -EINVAL, 12, "k",
     "unpacks to another length than the 7 bytes"},
    {"'REDIS0010' 00 ['k'] c3 03 06 00 'a' 60 00", -EINVAL, 17, "k",
     "the value is badly compressed"},
    {"'REDIS0010' 00 ['k'] c3 04 06 00 'a' 60 01", -EINVAL, 17, "k",
     "the value is badly compressed"},
    {"'REDIS0010' 00 ['k'] c3 05 06 02 'abc' 02 'abc'", -EINVAL, 19, "k",
     "the value is badly compressed"},
    /* hashes */
    {"'REDIS0010' 04 ['h'] 03 ['f'] ['v']", -EINVAL, 12, "h",
     "a hash claims 3 fields where the file has 4 bytes"},
    {"'REDIS0010' 04 ['h'] 02 ['f'] ['v'] ['g']", -EINVAL, 19, "h",
     "in the middle of a field's value"},
    {"'REDIS0010' 04 ['h'] 81 ff x 8", -EINVAL, 12, "h",
     "a hash claims 18446744073709551615 fields"},
    {"'REDIS0010' 10 ['h'] [( 1 : 81 'f' 02 )] ff", -EINVAL, 12, "h",
     "has 1 elements: a field without a value"},
    {"'REDIS0010' 10 ['h'] [( 2 : 81 'f' 02 )] ff", -EINVAL, 12, "h",
     "has 1 elements: a field without a value"},
    {"'REDIS0010' 10 ['h'] [] ff", -EINVAL, 12, "h", "listpack of 0 bytes is damaged"},
    {"'REDIS0010' 10 ['h'] c0 05 ff", -EINVAL, 12, "h", "listpack of 1 bytes is damaged"},
    {"'REDIS0010' 10 ['h'] [( 4 : 81 'f' 02 05 01 81 'f' 02 06 01 )] ff", -EINVAL, 12, "h",
     "the field \"f\" twice"},
    {"'REDIS0010' 10 ['h'] [( 4 : 07 01 05 01 81 '7' 02 06 01 )] ff", -EINVAL, 12, "h",
     "the field \"7\" twice"},
    {"'REDIS0003' 09 ['h'] [01 01 'f' 01 00 'v'] ff", -EINVAL, 12, "h",
     "zipmap of 6 bytes is damaged"},
    {"'REDIS0003' 09 ['h'] [01 01 'f' 01 01 'v' ff] ff", -EINVAL, 12, "h",
     "zipmap of 7 bytes is damaged"},
    {"'REDIS0003' 09 ['h'] [01 01 'f' fe ff ff ff ff 00 ff] ff", -EINVAL, 12, "h",
     "zipmap of 10 bytes is damaged"},
    {"'REDIS0003' 09 ['h'] [01 01 'f' ff] ff", -EINVAL, 12, "h", "zipmap of 4 bytes is damaged"},
    {"'REDIS0003' 09 ['h'] [02 01 'f' 00 00 01 'f' 00 00 ff] ff", -EINVAL, 12, "h",
     "the field \"f\" twice"},
    {"'REDIS0006' 0d ['h'] [0c 00 00 00 0a 00 00 00 00 00 ff] ff", -EINVAL, 12, "h",
     "ziplist of 11 bytes is damaged"},
    {"'REDIS0006' 0d ['h'] [0c 00 00 00 0a 00 00 00 01 00 00 ff] ff", -EINVAL, 12, "h",
     "ziplist of 12 bytes is damaged"},
    {"'REDIS0006' 0d ['h'] [0e 00 00 00 0a 00 00 00 01 00 00 01 'f' ff] ff", -EINVAL, 12, "h",
     "ziplist of 14 bytes is damaged"},
    {"'REDIS0006' 0d ['h'] [0f 00 00 00 0c 00 00 00 02 00 00 f1 03 f2 ff] ff", -EINVAL, 12, "h",
     "ziplist of 15 bytes is damaged"},
    {"'REDIS0006' 0d ['h'] [0f 00 00 00 0c 00 00 00 02 00 00 f1 02 81 ff] ff", -EINVAL, 12, "h",
     "ziplist of 15 bytes is damaged"},
    {"'REDIS0006' 0d ['h'] [0f 00 00 00 0c 00 00 00 02 00 00 f1 02 01 ff] ff", -EINVAL, 12, "h",
     "ziplist of 15 bytes is damaged"},
    {"'REDIS0006' 0d ['h'] [0f 00 00 00 0c 00 00 00 02 00 00 f1 02 e0 ff] ff", -EINVAL, 12, "h",
     "ziplist of 15 bytes is damaged"},
    {"'REDIS0006' 0d ['h'] [13 00 00 00 10 00 00 00 04 00 00 f1 02 f2 02 f1 02 f3 ff] ff", -EINVAL,
     12, "h", "the field \"0\" twice"},
};
enum { BAD = sizeof bad / sizeof *bad };

START_TEST(a_bad_file_is_refused_with_reason_and_place)
{
    struct trace t = {0};
    struct rdb_error err;
    int r = decode(&t, bad[_i].file, &err);

    ck_assert_msg(r == bad[_i].error && err.offset == bad[_i].offset &&
                      strcmp(err.key, bad[_i].key) == 0 && strstr(err.text, bad[_i].text) != NULL,
                  "%s\n%d: at %llu, key \"%s\": %s", bad[_i].file, r,
                  (unsigned long long)err.offset, err.key, err.text);
    trace_fini(&t);
}
END_TEST

START_TEST(a_checksum_is_checked_when_asked_for)
{
    struct spelled s = spell("'REDIS0010' 00 ['k'] ['v'] ff 01 x 8");
    struct trace t = {0};
    struct rdb_error err;

    ck_assert_int_eq(trace_memory(&t, s.bytes, s.len, true, &err), -EINVAL);
    trace_fini(&t);
    ck_assert_int_eq(trace_memory(&t, s.bytes, s.len, false, &err), 0);
    ck_assert_ptr_nonnull(strstr(t.text, "end unchecked\n"));
    trace_fini(&t);
}
END_TEST

START_TEST(a_sink_that_says_no_ends_decoding_with_its_word)
{
    struct spelled s = spell(
        "'REDIS0010' fa ['a'] ['b'] fe 01 fb 01 01 f5 ['c'] 00 ['k'] ['v'] 04 ['h'] 01 ['f'] ['v'] "
        "10 ['l'] [( 2 : 05 01 06 01 )] ff crc");
    struct trace whole = {.with_forms = true};
    struct rdb_error err;

    ck_assert_int_eq(trace_memory(&whole, s.bytes, s.len, true, &err), 0);
    ck_assert_uint_eq(whole.events, 15);
    for (unsigned long n = 1; n <= whole.events; n++) {
        struct trace t = {.with_forms = true, .fail_at = n, .fail_with = 7};

        ck_assert_int_eq(trace_memory(&t, s.bytes, s.len, true, &err), 7);
        ck_assert_uint_eq(t.events, n);
        ck_assert_uint_gt(err.offset, 8);
        ck_assert_str_eq(err.text, "");
        trace_fini(&t);
    }
    trace_fini(&whole);
}
END_TEST

START_TEST(events_that_nobody_wants_are_read_over)
{
    static const struct rdb_events none;

    for (int i = 0; i < GOOD; i++) {
        struct spelled s = spell(good[i].file);
        struct rdb_source *src;
        struct rdb_error err;

        ck_assert_int_eq(rdb_source_memory(s.bytes, s.len, &src), 0);
        ck_assert_int_eq(rdb_decode(src, &none, NULL, true, &err), 0);
        ck_assert_uint_eq(rdb_source_offset(src), s.len);
        ck_assert_uint_eq(rdb_source_size(src), s.len);
        rdb_source_close(src);
    }
}
END_TEST

START_TEST(what_the_lzf_library_packs_is_read)
{
    static const size_t lens[] = {50, 5000, 65536, 70000, 3000000};
    size_t len = lens[_i];
    uint8_t *bytes = malloc(len), *file = malloc(len + 100);
    struct spelled head = spell("'REDIS0010' 00 ['k'] c3");
    struct trace t = {0};
    struct rdb_error err;
    unsigned packed;
    uint32_t x = 5;
    size_t at;
    char want[600], shown[512];

    for (size_t i = 0; i < len; i++) {
        x = x * 1664525 + 1013904223;
        bytes[i] = (uint8_t) "aaaaabcd"[x >> 29];
    }
    at = head.len + 10;
    packed = lzf_compress(bytes, (unsigned)len, file + at, (unsigned)len);
    ck_assert_uint_gt(packed, 0);
    memcpy(file, head.bytes, head.len);
    file[head.len] = file[head.len + 5] = 0x80;
    for (int i = 0; i < 4; i++) {
        file[head.len + 1 + (size_t)i] = (uint8_t)(packed >> (24 - 8 * i));
        file[head.len + 6 + (size_t)i] = (uint8_t)(len >> (24 - 8 * i));
    }
    memcpy(file + at + packed, "\xff\0\0\0\0\0\0\0\0", 9);
    ck_assert_int_eq(trace_memory(&t, file, at + packed + 9, true, &err), 0);
    snprintf(want, sizeof want, "string %s\n", trace_shown(shown, slice_of(bytes, len)));
    ck_assert_ptr_nonnull(strstr(t.text, want));
    trace_fini(&t);
    free(file);
    free(bytes);
}
END_TEST

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/* limit_memory: address space for so many bytes more than now. */
static void
limit_memory(rlim_t more)
{
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    struct rlimit limit;

    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fscanf(f, "%lu", &pages), 1);
    fclose(f);
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &limit), 0);
    limit.rlim_cur = more == RLIM_INFINITY ? limit.rlim_max : pages * 4096 + more;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
}

START_TEST(claims_take_no_memory)
{
    /* Each could be true by the file's size, and is not by what is in it. */
    static const struct {
        const char *head, *text;
    } claims[] = {
        {"'REDIS0010' 00 c3 80 00 3f 00 00 80 15 a8 00 00 20 ff", "a key is badly compressed"},
        {"'REDIS0010' 04 ['h'] 01 ['f'] c3 80 00 3f 00 00 80 15 a8 00 00 20 ff",
         "a field's value is badly compressed"},
        {"'REDIS0010' 10 ['h'] c3 80 00 3f 00 00 80 15 a8 00 00 20 ff",
         "the value is badly compressed"},
        {"'REDIS0010' fa ['a'] c3 80 00 3f 00 00 80 15 a8 00 00 20 ff",
         "an AUX field is badly compressed"},
        {"'REDIS0010' 04 ['h'] 80 00 1f 00 00 c4", "a string of unknown form"},
    };
    enum { LEN = 4 << 20 };
    struct spelled s = spell(claims[_i].head);
    uint8_t *bytes = calloc(1, LEN);
    struct trace t = {0};
    struct rdb_error err;

    memcpy(bytes, s.bytes, s.len);
    limit_memory(32 << 20); /* the claims: 346 MiB, and two million fields */
    ck_assert_int_eq(trace_memory(&t, bytes, LEN, true, &err), -EINVAL);
    limit_memory(RLIM_INFINITY);
    ck_assert_ptr_nonnull(strstr(err.text, claims[_i].text));
    trace_fini(&t);
    free(bytes);
}
END_TEST
#endif

START_TEST(many_fields_are_compared_without_mistake)
{
    struct field_set set;
    char text[32];

    field_set_init(&set);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 100000; i++)
            ck_assert_int_eq(
                field_set_add(&set, text, (size_t)snprintf(text, sizeof text, "field:%d", i)), 1);
        for (int i = 0; i < 100000; i++)
            ck_assert_int_eq(
                field_set_add(&set, text, (size_t)snprintf(text, sizeof text, "field:%d", i)), 0);
        field_set_clear(&set);
        for (int i = 0; i < 100; i++)
            ck_assert_int_eq(
                field_set_add(&set, text, (size_t)snprintf(text, sizeof text, "field:%d", i)), 1);
        ck_assert_int_eq(field_set_add(&set, "", 0), 1);
        ck_assert_int_eq(field_set_add(&set, "", 0), 0);
        field_set_clear(&set);
    }
    field_set_fini(&set);
}
END_TEST

static const struct {
    const char *file;
    int result;
    const char *text;
} unknown_versions[] = {
    {"'REDIS0013' 00 ['k'] ['v'] ff crc", 0, ""},
    {"'REDIS0079' f4 01 02 03 18 ['h'] 00 x 8 01 00 ['f'] ['v'] ff crc", 0, ""},
    {"'VALKEY081' 16 ['h'] 01 ['f'] ['v'] ff x 8 ff crc", 0, ""},
    {"'REDIS0080' ff crc", -ENOTSUP, "REDIS0080 (RDB version 80) is not read"},
    {"'VALKEY079' ff crc", -ENOTSUP, "VALKEY079 (RDB version 79) is not read"},
    {"'REDIS0000' ff crc", -ENOTSUP, "REDIS0000 (RDB version 0) is not read"},
    {"'REDIS0013' 1a ['k'] ff", -ENOTSUP, "stream 4 (type 26) is not read"},
    {"'REDIS0014' 1c ['k'] ff", -ENOTSUP, "array (type 28) is not read"},
    {"'REDIS0015' 20 ['k'] ff", -ENOTSUP, "hash by a template (type 32) is not read"},
    {"'VALKEY081' 17 ['k'] ff", -ENOTSUP, "path hash (type 23) is not read"},
    {"'VALKEY081' f2 ff", -ENOTSUP, "UPDATE (opcode 242) is not read"},
    {"'REDIS0013' f3 ff", -ENOTSUP, "KEY_META (opcode 243) is not read"},
    {"'REDIS0013' f2 ff", -EINVAL, "242 (0xf2) is neither a type nor an opcode of RDB"},
    {"'VALKEY099' 64 ff", -EINVAL, "100 (0x64) is neither"},
};

START_TEST(an_unknown_version_is_tried_if_its_reader_says_so)
{
    struct spelled s = spell(unknown_versions[_i].file);
    struct rdb_events ev = trace_events;
    struct trace t = {.with_findings = true};
    struct rdb_source *src;
    struct rdb_error err;

    ck_assert_int_eq(rdb_source_memory(s.bytes, s.len, &src), 0);
    ck_assert_int_eq(rdb_decode(src, &ev, &t, true, &err), -ENOTSUP);
    rdb_source_close(src);
    ck_assert_int_eq(rdb_source_memory(s.bytes, s.len, &src), 0);
    ev.any_version = true;
    trace_add(&t, "%s", "");
    ck_assert_int_eq(rdb_decode(src, &ev, &t, true, &err), unknown_versions[_i].result);
    ck_assert_msg(strstr(err.text, unknown_versions[_i].text) != NULL, "%s", err.text);
    if (unknown_versions[_i].result == 0)
        ck_assert_ptr_nonnull(
            strstr(t.text, ", RDB of an unknown version: read as far as it is known"));
    rdb_source_close(src);
    trace_fini(&t);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("snapshot/rdb_dec");
    TCase *t = tcase_create("files");

    tcase_add_loop_test(t, a_good_file_gives_its_events, 0, GOOD);
    tcase_add_loop_test(t, a_bad_file_is_refused_with_reason_and_place, 0, BAD);
    tcase_add_test(t, a_checksum_is_checked_when_asked_for);
    tcase_add_test(t, a_sink_that_says_no_ends_decoding_with_its_word);
    tcase_add_test(t, events_that_nobody_wants_are_read_over);
    tcase_add_loop_test(t, what_the_lzf_library_packs_is_read, 0, 5);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    tcase_add_loop_test(t, claims_take_no_memory, 0, 5);
#endif
    tcase_add_test(t, many_fields_are_compared_without_mistake);
    tcase_add_loop_test(t, an_unknown_version_is_tried_if_its_reader_says_so, 0,
                        (int)(sizeof unknown_versions / sizeof *unknown_versions));
    suite_add_tcase(s, t);
    return run_suite(s);
}
