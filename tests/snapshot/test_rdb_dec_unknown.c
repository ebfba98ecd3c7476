/* tests/snapshot/test_rdb_dec_unknown.c - what the server does not read and the tool does: fields
 * that expire, what modules have written; and by which names things are refused. */
#include "snapshot/rdb/rdb_dec.h"

#include <check.h>
#include <errno.h>

#include "snapshot/rdb/rdb.h"
#include "tests/snapshot/rdb_files.h"
#include "tests/snapshot/spell.h"
#include "tests/snapshot/trace.h"
#include "tests/support/runner.h"

static int
on_expiring(void *ctx, struct slice field, struct slice value, int64_t expire_at_ms)
{
    char f[512], v[512];

    return trace_add(ctx, "field %s=%s until %" PRId64 "\n", trace_shown(f, field),
                     trace_shown(v, value), expire_at_ms);
}

static int
on_unknown(void *ctx, const struct rdb_key *key, const char *what)
{
    char name[512];

    if (key == NULL)
        return trace_add(ctx, "unknown %s\n", what);
    return trace_add(ctx, "unknown %s of %s in %" PRIu64 " type %u until %" PRId64 "\n", what,
                     trace_shown(name, key->name), key->db, key->type, key->expire_at_ms);
}

/* decode: as the tool does. */
static int
decode(const char *text, struct trace *t, struct rdb_error *err)
{
    struct spelled s = spell(text);
    struct rdb_events ev = trace_events;

    ev.hash_field_expiring = on_expiring;
    ev.skip_unknown = true;
    ev.unknown = on_unknown;
    return trace_memory_by(&ev, t, s.bytes, s.len, true, err);
}

static const struct {
    const char *file, *events;
} read_files[] = {
    /* 24: counted from the smallest; 25: as they are; and both of the release candidates */
    {"'REDIS0012' 18 ['h'] 64 00 x 7 03 01 ['f'] ['v'] 0b ['g'] ['w'] 00 ['i'] ['x'] ff crc",
     "hash 3\nfield f=v until 100\nfield g=w until 110\nfield i=x\n"},
    {"'REDIS0012' 19 ['h'] 05 00 x 7 [( 6 : 81 'f' 02 81 'v' 02 05 01 81 'g' 02 81 'w' 02 00 01 )] ff crc",
     "hash 2\nfield f=v until 5\nfield g=w\n"},
    {"'REDIS0012' 16 ['h'] 02 05 ['f'] ['v'] 00 ['g'] ['w'] ff crc",
     "hash 2\nfield f=v until 5\nfield g=w\n"},
    {"'REDIS0012' 17 ['h'] [( 3 : 81 'f' 02 81 'v' 02 05 01 )] ff crc",
     "hash 1\nfield f=v until 5\n"},
    {"'VALKEY080' 16 ['h'] 02 ['f'] ['v'] 05 00 x 7 ['g'] ['w'] ff x 8 ff crc",
     "hash 2\nfield f=v until 5\nfield g=w\n"},
    {"'REDIS0012' 18 ['h'] ff x 7 7f 01 01 ['f'] ['v'] ff crc",
     "field f=v until 9223372036854775807\n"},
    /* parts of each kind; the key's attributes are its own */
    {"'REDIS0010' fe 03 fc 05 00 x 7 07 ['m'] 00 01 05 02 40 ff 03 00 x 4 04 00 x 8 05 ['s'] 05 "
     "c3 04 06 00 'a' 60 00 00 00 ['k'] ['v'] ff crc",
     "unknown module value (type 7) of the module type AAAAAAAAA of m in 3 type 7 until 5\n"
     "key 3 k type 0\n"},
    {"'REDIS0010' f7 00 02 01 05 ['s'] 00 00 ['k'] ['v'] ff crc",
     "unknown MODULE_AUX (opcode 247) of the module type AAAAAAAAA\nkey 0 k type 0\n"},
    {"'REDIS0009' fa ['keydb-subexpire-key'] ['f'] ff crc",
     "unknown the AUX field keydb-subexpire-key (KeyDB's members that expire on their own)\n"},
};

START_TEST(what_only_the_tool_reads_gives_its_events)
{
    struct trace t = {0};
    struct rdb_error err;

    ck_assert_msg(decode(read_files[_i].file, &t, &err) == 0, "%s", err.text);
    ck_assert_msg(strstr(t.text, read_files[_i].events) != NULL, "%s", t.text);
    ck_assert_ptr_nonnull(strstr(t.text, "end good"));
    trace_fini(&t);
}
END_TEST

static const struct {
    const char *file;
    int result;
    uint64_t offset;
    const char *text;
} refused[] = {
    {"'REDIS0012' 18 ['h'] ff x 7 7f 01 02 ['f'] ['v'] ff", -EINVAL, 21,
     "a field's expiry is no time"},
    {"'REDIS0012' 18 ['h'] ff x 8 01 01 ['f'] ['v'] ff", -EINVAL, 21,
     "a field's expiry is no time"},
    {"'REDIS0012' 16 ['h'] 01 81 80 00 x 7 ['f'] ['v'] ff", -EINVAL, 13,
     "a field's expiry is no time"},
    {"'VALKEY080' 16 ['h'] 01 ['f'] ['v'] fe ff x 7 ff", -EINVAL, 17,
     "a field's expiry is no time"},
    {"'REDIS0012' 19 ['h'] 00 x 8 [( 3 : 81 'f' 02 81 'v' 02 df ff 02 )] ff", -EINVAL, 20,
     "a field's expiry in the hash's listpack is no time"},
    {"'REDIS0010' 07 ['m'] 00 06 00", -EINVAL, 13, "has a part of the unknown kind 6"},
    {"'REDIS0010' 07 ['m'] 00 05 04 's' 00", -EINVAL, 14, "claims 4 bytes where the file has 2"},
    {"'REDIS0010' 07 ['m'] 00 04 00 x 7", -EINVAL, 21, "in the middle of a module's value"},
    {"'REDIS0010' 06 ['m'] 00 00", -ENOTSUP, 9, "module value, first form (type 6)"},
    {"'REDIS0010' f6 ['m'] 00 00", -ENOTSUP, 9, "FUNCTION of the 7.0 release candidates"},
    {"'VALKEY080' f3 01", -ENOTSUP, 9,
     "SLOT_IMPORT (opcode 243) is not read: it came with Valkey 9.0"},
    {"'REDIS0013' ff crc", -ENOTSUP, 0, "; it was written by Redis 8.6"},
    {"'REDIS0014' ff crc", -ENOTSUP, 0, "; it was written by Redis 8.8"},
    {"'REDIS0015' ff crc", -ENOTSUP, 0, "; it was written by Redis 8.10"},
    {"'REDIS0016' ff crc", -ENOTSUP, 0, "; it was written by a Redis later than 8.10"},
    {"'VALKEY081' ff crc", -ENOTSUP, 0, "; it was written by Valkey 9.2"},
    {"'VALKEY082' ff crc", -ENOTSUP, 0, "; it was written by a Valkey later than 9.2"},
    {"'REDIS0080' ff crc", -ENOTSUP, 0, "VALKEY080 are"},
};

START_TEST(what_the_tool_does_not_read_is_refused_by_its_name)
{
    struct trace t = {0};
    struct rdb_error err;

    ck_assert_int_eq(decode(refused[_i].file, &t, &err), refused[_i].result);
    ck_assert_msg(strstr(err.text, refused[_i].text) != NULL, "%s", err.text);
    ck_assert_uint_eq(err.offset, refused[_i].offset);
    trace_fini(&t);
}
END_TEST

START_TEST(a_name_is_known_in_its_versions_only)
{
    ck_assert_str_eq(rdb_type_since(13, 26), "Redis 8.6");
    ck_assert_str_eq(rdb_type_since(15, 33), "Redis 8.10");
    ck_assert_str_eq(rdb_type_since(80, 22), "Valkey 9.0");
    ck_assert_str_eq(rdb_type_since(12, 22), "Redis 7.4");
    ck_assert_ptr_null(rdb_type_since(12, 26));
    ck_assert_ptr_null(rdb_type_since(12, RDB_TYPE_STRING));
    ck_assert_str_eq(rdb_opcode_since(15, 242), "Redis 8.10");
    ck_assert_str_eq(rdb_opcode_since(81, 242), "Valkey 9.2");
    ck_assert_ptr_null(rdb_opcode_since(10, RDB_OP_EOF));
    ck_assert_str_eq(rdb_version_writer(9), "Redis 5.0 to 6.2 or KeyDB");
    ck_assert_str_eq(rdb_version_writer(11), "Redis 7.2 or Valkey 7.2 to 8.1");
    ck_assert_ptr_null(rdb_version_writer(0));
}
END_TEST

START_TEST(a_payload_of_a_module_is_skipped_too)
{
    struct spelled s = spell("07 00 02 05 00"), cut = spell("07 00 02 05");
    struct rdb_events ev = trace_events;
    struct trace t = {0};
    struct rdb_source *src;
    struct rdb_error err;

    ev.unknown = on_unknown;
    ck_assert_int_eq(rdb_source_memory(s.bytes, s.len, &src), 0);
    ck_assert_int_eq(rdb_decode_value(src, 10, SLICE("k"), &ev, &t, &err), -ENOTSUP);
    rdb_source_close(src);
    ev.skip_unknown = true;
    ck_assert_int_eq(rdb_source_memory(s.bytes, s.len, &src), 0);
    ck_assert_int_eq(rdb_decode_value(src, 10, SLICE("k"), &ev, &t, &err), 0);
    ck_assert_ptr_nonnull(strstr(t.text, "unknown module value (type 7)"));
    rdb_source_close(src);
    ck_assert_int_eq(rdb_source_memory(cut.bytes, cut.len, &src), 0);
    ck_assert_int_eq(rdb_decode_value(src, 10, SLICE("k"), &ev, &t, &err), -EINVAL);
    rdb_source_close(src);
    trace_fini(&t);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("snapshot/rdb_dec_unknown");
    TCase *t = tcase_create("unknown");

    tcase_add_loop_test(t, what_only_the_tool_reads_gives_its_events, 0,
                        (int)(sizeof read_files / sizeof *read_files));
    tcase_add_loop_test(t, what_the_tool_does_not_read_is_refused_by_its_name, 0,
                        (int)(sizeof refused / sizeof *refused));
    tcase_add_test(t, a_name_is_known_in_its_versions_only);
    tcase_add_test(t, a_payload_of_a_module_is_skipped_too);
    suite_add_tcase(s, t);
    return run_suite(s);
}
