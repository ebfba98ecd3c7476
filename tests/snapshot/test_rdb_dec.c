/* tests/snapshot/test_rdb_dec.c - the decoder: files spelled out by hand give the events that they should,
 * wrong ones the error and its place, and damaged ones never more than an error. */
#include "snapshot/rdb_dec.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <liblzf/lzf.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mm/fault.h"
#include "snapshot/field_set.h"
#include "snapshot/rdb.h"
#include "snapshot/rdb_enc.h"
#include "tests/snapshot/spell.h"
#include "tests/snapshot/trace.h"
#include "tests/support/runner.h"

static const struct {
    const char *file, *events;
} good[] = {
    /* the frame */
    {"'REDIS0010' ff zero", "start 10\nend zero\n"},
    {"'REDIS0010' ff crc", "start 10\nend good\n"},
    {"'REDIS0001' ff", "start 1\nend none\n"},
    {"'REDIS0004' ff", "start 4\nend none\n"},
    {"'REDIS0005' ff crc", "start 5\nend good\n"},
    {"'REDIS0012' ff crc", "start 12\nend good\n"},
    {"'VALKEY080' ff crc", "start 80\nend good\n"},
    {"'REDIS0010' fa ['abc'] c0 40 ff crc", "start 10\naux abc=64\nend good\n"},
    {"'REDIS0010' fe 02 fb 05 40 64 fe 00 fe 02 ff crc",
     "start 10\ndb 2\nsize 5 100\ndb 0\ndb 2\nend good\n"},
    {"'REDIS0010' f5 ['#!lua'] ff crc", "start 10\nfunction #!lua\nend good\n"},
    {"'REDIS0012' f4 40 ff 01 00 ff crc", "start 12\nend good\n"},
    {"'VALKEY080' f4 40 ff 01 00 ff crc", "start 80\nend good\n"},
    /* strings: forms of the length, integers, LZF */
    {"'REDIS0010' 00 ['k'] 03 'abc' ff crc", "start 10\nkey 0 k type 0\nform plain\nstring abc\nend good\n"},
    {"'REDIS0010' 00 ['k'] 40 03 'abc' ff crc",
     "start 10\nkey 0 k type 0\nform plain\nstring abc\nend good\n"},
    {"'REDIS0010' 00 ['k'] 80 00 00 00 03 'abc' ff crc",
     "start 10\nkey 0 k type 0\nform plain\nstring abc\nend good\n"},
    {"'REDIS0010' 00 ['k'] 81 00 x 7 03 'abc' ff crc",
     "start 10\nkey 0 k type 0\nform plain\nstring abc\nend good\n"},
    {"'REDIS0010' 00 00 00 ff crc", "start 10\nkey 0  type 0\nform plain\nstring \nend good\n"},
    {"'REDIS0010' 00 c0 80 c0 7f ff crc", "start 10\nkey 0 -128 type 0\nform int\nstring 127\nend good\n"},
    {"'REDIS0010' 00 c1 00 80 c1 ff 7f ff crc",
     "start 10\nkey 0 -32768 type 0\nform int\nstring 32767\nend good\n"},
    {"'REDIS0010' 00 c2 00 00 00 80 c2 ff ff ff 7f ff crc",
     "start 10\nkey 0 -2147483648 type 0\nform int\nstring 2147483647\nend good\n"},
    {"'REDIS0010' 00 ['k'] c3 04 06 00 'a' 60 00 ff crc",
     "start 10\nkey 0 k type 0\nform lzf\nstring aaaaaa\nend good\n"},
    {"'REDIS0010' 00 ['k'] c3 09 13 02 'abc' e0 06 02 00 '!' ff crc",
     "start 10\nkey 0 k type 0\nform lzf\nstring abcabcabcabcabcabc!\nend good\n"},
    {"'REDIS0010' 00 c3 04 06 00 'a' 60 00 c0 01 ff crc",
     "start 10\nkey 0 aaaaaa type 0\nform int\nstring 1\nend good\n"},
    /* attributes of keys belong to one key only; the database stays */
    {"'REDIS0010' fe 03 fc 08 07 06 05 04 03 02 01 00 ['k'] ['v'] f9 07 00 ['l'] ['w'] 00 ['m'] ['x'] ff crc",
     "start 10\ndb 3\nkey 3 k type 0 expires 72623859790382856\nform plain\nstring v\n"
     "key 3 l type 0 freq 7\nform plain\nstring w\nkey 3 m type 0\nform plain\nstring x\nend good\n"},
    {"'REDIS0003' fd 00 00 00 40 00 ['k'] ['v'] ff",
     "start 3\nkey 0 k type 0 expires 1073741824000\nform plain\nstring v\nend none\n"},
    {"'REDIS0003' fd ff ff ff ff 00 ['k'] ['v'] ff",
     "start 3\nkey 0 k type 0 expires -1000\nform plain\nstring v\nend none\n"},
    {"'REDIS0010' f8 40 64 f9 ff fc 01 00 x 7 00 ['k'] ['v'] ff crc",
     "start 10\nkey 0 k type 0 expires 1 idle 100 freq 255\nform plain\nstring v\nend good\n"},
    /* hashes */
    {"'REDIS0010' 04 ['h'] 02 ['f'] ['v'] c0 05 c1 00 01 ff crc",
     "start 10\nkey 0 h type 4\nhash 2\nfield f=v\nfield 5=256\nend good\n"},
    {"'REDIS0010' 04 ['h'] 00 ff crc", "start 10\nkey 0 h type 4\nhash 0\nend good\n"},
    {"'REDIS0010' 10 ['h'] [( 4 : 81 'f' 02 f1 00 10 03 05 01 80 01 )] ff crc",
     "start 10\nkey 0 h type 16\nform plain\nlistpack 2 f 4096 5 \nend good\n"},
    {"'REDIS0010' 10 ['h'] [( 0 : )] ff crc",
     "start 10\nkey 0 h type 16\nform plain\nlistpack 0\nend good\n"},
    {"'REDIS0010' 10 ['h'] [( 65535 : 05 01 06 01 )] ff crc",
     "start 10\nkey 0 h type 16\nform plain\nlistpack 1 5 6\nend good\n"},
    /* zipmap: count, pairs, with unused bytes after values, and a length in five bytes */
    {"'REDIS0003' 09 ['h'] [02 01 'f' 03 02 'val..' 00 00 00 ff] ff",
     "start 3\nkey 0 h type 9\nform plain\nhash 2\nfield f=val\nfield =\nend none\n"},
    {"'REDIS0003' 09 ['h'] [00 ff] ff", "start 3\nkey 0 h type 9\nform plain\nhash 0\nend none\n"},
    {"'REDIS0003' 09 ['h'] [fe fe 01 00 00 00 'f' 02 01 'va.' ff] ff",
     "start 3\nkey 0 h type 9\nform plain\nhash 1\nfield f=va\nend none\n"},
    /* ziplist: bytes, offset of the last entry, count, entries: small integers, all sizes, long forms of
       lengths */
    {"'REDIS0006' 0d ['h'] [16 00 00 00 13 00 00 00 04 00 00 01 'f' 03 fe fb 03 01 'g' 03 fd ff] ff crc",
     "start 6\nkey 0 h type 13\nform plain\nhash 2\nfield f=-5\nfield g=12\nend good\n"},
    {"'REDIS0006' 0d ['h'] [1d 00 00 00 17 00 00 00 04 00 00 c0 e8 03 04 01 'x' 03 d0 c0 c6 2d 00 06 f0 90 "
     "ee fe ff] "
     "ff crc",
     "start 6\nkey 0 h type 13\nform plain\nhash 2\nfield 1000=x\nfield 3000000=-70000\nend good\n"},
    {"'REDIS0006' 0d ['h'] [17 00 00 00 0c 00 00 00 02 00 00 f1 02 e0 00 00 00 00 00 00 00 80 ff] ff crc",
     "start 6\nkey 0 h type 13\nform plain\nhash 1\nfield 0=-9223372036854775808\nend good\n"},
    {"'REDIS0006' 0d ['h'] [1a 00 00 00 0e 00 00 00 ff ff 00 40 01 'f' fe 04 00 00 00 80 00 00 00 01 'v' ff] "
     "ff crc",
     "start 6\nkey 0 h type 13\nform plain\nhash 1\nfield f=v\nend good\n"},
    {"'REDIS0006' 0d ['h'] [0b 00 00 00 0a 00 00 00 00 00 ff] ff crc",
     "start 6\nkey 0 h type 13\nform plain\nhash 0\nend good\n"},
};
enum { GOOD = sizeof good / sizeof *good };

/* decode: exactly the spelled bytes, in memory of their size, so that a sanitizer sees a read past the end.
 */
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

    ck_assert_msg(r == 0, "%s\n%d: at %llu: %s", good[_i].file, r, (unsigned long long)err.offset, err.text);
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
    {"'VCS' 01 01 00 01 04 22 4d 18", -ENOTSUP, 0, "", "Valkey's LZ4 envelope): not read yet"},
    {"'VCS' 01 02 00 01 28 b5 2f fd", -ENOTSUP, 0, "", "Valkey's Zstd envelope): not read yet"},
    {"'VCS' 02 01 00 01 28 b5 2f fd", -ENOTSUP, 0, "", "of unknown version 2 or codec 1"},
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
    /* opcodes and types by name */
    {"'REDIS0010' f7 01", -ENOTSUP, 9, "", "MODULE_AUX (opcode 247) is not read"},
    {"'REDIS0010' f6 01", -ENOTSUP, 9, "", "FUNCTION of the 7.0 release candidates (opcode 246)"},
    {"'REDIS0011' f4 01", -EINVAL, 9, "", "244 (0xf4) is neither a type nor an opcode"},
    {"'REDIS0010' f3 01", -EINVAL, 9, "", "243 (0xf3) is neither"},
    {"'VALKEY080' f3 01", -ENOTSUP, 9, "", "SLOT_IMPORT (opcode 243)"},
    {"'REDIS0009' ca 01", -ENOTSUP, 9, "", "Dragonfly"},
    {"'REDIS0009' 1e ['k']", -ENOTSUP, 9, "k", "Dragonfly"},
    {"'REDIS0010' 01 ['k'] 00", -ENOTSUP, 9, "k", "list (type 1) is not read"},
    {"'REDIS0010' 12 ['k'] 00", -ENOTSUP, 9, "k", "list quicklist 2 (type 18) is not read"},
    {"'REDIS0010' 0f ['k'] 00", -ENOTSUP, 9, "k", "stream (type 15) is not read"},
    {"'REDIS0010' 07 ['k'] 00", -ENOTSUP, 9, "k", "module value (type 7) is not read"},
    {"'REDIS0012' 18 ['k'] 00", -ENOTSUP, 9, "k", "hash with field expiry (type 24) is not read"},
    {"'REDIS0011' 18 ['k'] 00", -EINVAL, 9, "", "24 (0x18) is neither"},
    {"'REDIS0012' 16 ['k'] 00", -ENOTSUP, 9, "k", "hash with field expiry, first form (type 22)"},
    {"'VALKEY080' 16 ['k'] 00", -ENOTSUP, 9, "k", "hash with field expiry (type 22)"},
    {"'VALKEY080' 17 ['k'] 00", -EINVAL, 9, "", "23 (0x17) is neither"},
    {"'REDIS0010' 08 ['k'] 00", -EINVAL, 9, "", "8 (0x08) is neither"},
    {"'REDIS0010' 63 ['k'] 00", -EINVAL, 9, "", "99 (0x63) is neither"},
    {"'REDIS0010' fc 01 00 x 7 ff", -EINVAL, 18, "", "EOF where a key should follow"},
    {"'REDIS0010' f9 01 fe 00", -EINVAL, 11, "", "SELECTDB where a key should follow"},
    {"'REDIS0010' fc 01 00 x 7 f9", -EINVAL, 19, "", "in the middle of a key's access frequency"},
    {"'REDIS0010' f8 81 ff x 8", -EINVAL, 10, "", "a key idle for 18446744073709551615 seconds"},
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
    {"'REDIS0010' 00 ['k'] c3 03 06 00 'a' 60 00", -EINVAL, 17, "k", "the value is badly compressed"},
    {"'REDIS0010' 00 ['k'] c3 04 06 00 'a' 60 01", -EINVAL, 17, "k", "the value is badly compressed"},
    {"'REDIS0010' 00 ['k'] c3 05 06 02 'abc' 02 'abc'", -EINVAL, 19, "k", "the value is badly compressed"},
    /* hashes */
    {"'REDIS0010' 04 ['h'] 03 ['f'] ['v']", -EINVAL, 12, "h",
     "a hash claims 3 fields where the file has 4 bytes"},
    {"'REDIS0010' 04 ['h'] 02 ['f'] ['v'] ['g']", -EINVAL, 19, "h", "in the middle of a field's value"},
    {"'REDIS0010' 04 ['h'] 81 ff x 8", -EINVAL, 12, "h", "a hash claims 18446744073709551615 fields"},
    {"'REDIS0010' 10 ['h'] [( 1 : 81 'f' 02 )] ff", -EINVAL, 12, "h",
     "has 1 elements: a field without a value"},
    {"'REDIS0010' 10 ['h'] [( 2 : 81 'f' 02 )] ff", -EINVAL, 12, "h", "listpack of 10 bytes is damaged"},
    {"'REDIS0010' 10 ['h'] [] ff", -EINVAL, 12, "h", "listpack of 0 bytes is damaged"},
    {"'REDIS0010' 10 ['h'] c0 05 ff", -EINVAL, 12, "h", "listpack of 1 bytes is damaged"},
    {"'REDIS0010' 10 ['h'] [( 4 : 81 'f' 02 05 01 81 'f' 02 06 01 )] ff", -EINVAL, 12, "h",
     "the field \"f\" twice"},
    {"'REDIS0010' 10 ['h'] [( 4 : 07 01 05 01 81 '7' 02 06 01 )] ff", -EINVAL, 12, "h",
     "the field \"7\" twice"},
    {"'REDIS0003' 09 ['h'] [01 01 'f' 01 00 'v'] ff", -EINVAL, 12, "h", "zipmap of 6 bytes is damaged"},
    {"'REDIS0003' 09 ['h'] [02 01 'f' 01 00 'v' ff] ff", -EINVAL, 12, "h", "zipmap of 7 bytes is damaged"},
    {"'REDIS0003' 09 ['h'] [01 01 'f' 01 01 'v' ff] ff", -EINVAL, 12, "h", "zipmap of 7 bytes is damaged"},
    {"'REDIS0003' 09 ['h'] [01 01 'f' fe ff ff ff ff 00 ff] ff", -EINVAL, 12, "h",
     "zipmap of 10 bytes is damaged"},
    {"'REDIS0003' 09 ['h'] [01 01 'f' ff] ff", -EINVAL, 12, "h", "zipmap of 4 bytes is damaged"},
    {"'REDIS0003' 09 ['h'] [02 01 'f' 00 00 01 'f' 00 00 ff] ff", -EINVAL, 12, "h", "the field \"f\" twice"},
    {"'REDIS0006' 0d ['h'] [0b 00 00 00 0b 00 00 00 00 00 ff] ff", -EINVAL, 12, "h",
     "ziplist of 11 bytes is damaged"},
    {"'REDIS0006' 0d ['h'] [0b 00 00 00 0a 00 00 00 02 00 ff] ff", -EINVAL, 12, "h",
     "ziplist of 11 bytes is damaged"},
    {"'REDIS0006' 0d ['h'] [0e 00 00 00 0a 00 00 00 01 00 00 01 'f' ff] ff", -EINVAL, 12, "h",
     "ziplist of 14 bytes is damaged"},
    {"'REDIS0006' 0d ['h'] [0f 00 00 00 0c 00 00 00 02 00 00 f1 03 f2 ff] ff", -EINVAL, 12, "h",
     "ziplist of 15 bytes is damaged"},
    {"'REDIS0006' 0d ['h'] [0f 00 00 00 0a 00 00 00 02 00 00 f1 02 f2 ff] ff", -EINVAL, 12, "h",
     "ziplist of 15 bytes is damaged"},
    {"'REDIS0006' 0d ['h'] [0f 00 00 00 0c 00 00 00 02 00 00 f1 02 81 ff] ff", -EINVAL, 12, "h",
     "ziplist of 15 bytes is damaged"},
    {"'REDIS0006' 0d ['h'] [0f 00 00 00 0c 00 00 00 02 00 00 f1 02 01 ff] ff", -EINVAL, 12, "h",
     "ziplist of 15 bytes is damaged"},
    {"'REDIS0006' 0d ['h'] [0f 00 00 00 0c 00 00 00 02 00 00 f1 02 e0 ff] ff", -EINVAL, 12, "h",
     "ziplist of 15 bytes is damaged"},
    {"'REDIS0006' 0d ['h'] [13 00 00 00 10 00 00 00 04 00 00 f1 02 f2 02 f1 02 f3 ff] ff", -EINVAL, 12, "h",
     "the field \"0\" twice"},
};
enum { BAD = sizeof bad / sizeof *bad };

START_TEST(a_bad_file_is_refused_with_reason_and_place)
{
    struct trace t = {0};
    struct rdb_error err;
    int r = decode(&t, bad[_i].file, &err);

    ck_assert_msg(r == bad[_i].error && err.offset == bad[_i].offset && strcmp(err.key, bad[_i].key) == 0 &&
                      strstr(err.text, bad[_i].text) != NULL,
                  "%s\n%d: at %llu, key \"%s\": %s", bad[_i].file, r, (unsigned long long)err.offset, err.key,
                  err.text);
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
    struct spelled s =
        spell("'REDIS0010' fa ['a'] ['b'] fe 01 fb 01 01 f5 ['c'] 00 ['k'] ['v'] 04 ['h'] 01 ['f'] ['v'] "
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

/* big_file: a file of many sizes, larger than the source's buffer, made by the encoder. */
static uint8_t *
big_file(bool compress, size_t *ret_len)
{
    enum { CONTENTS = 1000100 };
    static const size_t lens[] = {1, 100, 70000, 300000, 64, 262144, 1000000, 5};
    struct rdb_enc e;
    struct sink *s;
    uint8_t *bytes = malloc(CONTENTS);
    uint32_t x = 99;
    char name[32];

    for (size_t i = 0; i < CONTENTS; i++) {
        x = x * 1664525 + 1013904223;
        bytes[i] = i % 1000 < 700 ? (uint8_t)(i % 97) : (uint8_t)(x >> 24);
    }
    ck_assert_int_eq(sink_memory_open(&s), 0);
    s->with_crc = true;
    ck_assert_int_eq(rdb_enc_init(&e, s, 10, compress), 0);
    rdb_put_magic(&e);
    rdb_put_selectdb(&e, 0);
    for (int i = 0; i < 40; i++) {
        rdb_put_byte(&e, i % 3 == 0 ? RDB_TYPE_HASH : RDB_TYPE_STRING);
        rdb_put_string(&e, name, (size_t)snprintf(name, sizeof name, "key:%d", i));
        if (i % 3 == 0) {
            rdb_put_len(&e, 3);
            for (int f = 0; f < 6; f++)
                rdb_put_string(&e, bytes + f, lens[(i + f) % 8]);
        } else {
            rdb_put_string(&e, bytes + i, lens[i % 8]);
        }
    }
    rdb_put_eof(&e);
    free(bytes);
    bytes = sink_memory_take(s, ret_len);
    rdb_enc_fini(&e);
    sink_close(s);
    return bytes;
}

static char path[64];

static void
write_file(const uint8_t *bytes, size_t len)
{
    int fd;

    snprintf(path, sizeof path, "/tmp/stillframe-dec-XXXXXX");
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);

        ck_assert_int_gt(n, 0);
        bytes += n;
        len -= (size_t)n;
    }
    close(fd);
}

static int
decode_file(struct trace *t, struct rdb_error *err)
{
    struct rdb_source *src;
    int r = rdb_source_file(path, &src);

    *err = (struct rdb_error){0};
    if (r < 0)
        return r;
    r = rdb_decode(src, &trace_events, t, true, err);
    rdb_source_close(src);
    return r;
}

START_TEST(a_file_and_memory_give_the_same)
{
    struct trace memory = {0}, file = {0};
    struct rdb_error err;
    size_t len;
    uint8_t *bytes = big_file(_i != 0, &len);

    write_file(bytes, len);
    ck_assert_int_eq(trace_memory(&memory, bytes, len, true, &err), 0);
    ck_assert_int_eq(decode_file(&file, &err), 0);
    ck_assert_str_eq(memory.text, file.text);
    ck_assert_uint_le(memory.longest_piece, 65536);
    ck_assert_int_eq(truncate(path, (off_t)len - 100000), 0);
    trace_fini(&file);
    ck_assert_int_eq(decode_file(&file, &err), -EINVAL);
    unlink(path);
    trace_fini(&memory);
    trace_fini(&file);
    free(bytes);
}
END_TEST

START_TEST(a_file_that_shrinks_meanwhile_is_refused)
{
    struct trace t = {0};
    struct rdb_error err;
    struct rdb_source *src;
    size_t len;
    uint8_t *bytes = big_file(false, &len);

    write_file(bytes, len);
    ck_assert_int_eq(rdb_source_file(path, &src), 0);
    ck_assert_uint_eq(rdb_source_size(src), len);
    ck_assert_int_eq(truncate(path, 1000000), 0);
    ck_assert_int_eq(rdb_decode(src, &trace_events, &t, true, &err), -EINVAL);
    ck_assert_uint_eq(err.offset, 1000000);
    ck_assert_ptr_nonnull(strstr(err.text, "the file ends in the middle of"));
    rdb_source_close(src);
    trace_fini(&t);
    unlink(path);
    free(bytes);
}
END_TEST

START_TEST(what_is_no_regular_file_is_not_opened)
{
    char fifo[] = "/tmp/stillframe-fifo-XXXXXX";
    struct rdb_source *src = NULL;

    ck_assert_int_eq(rdb_source_file("/nowhere/dump.rdb", &src), -ENOENT);
    ck_assert_int_eq(rdb_source_file("/tmp", &src), -EISDIR);
    close(mkstemp(fifo));
    unlink(fifo);
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    ck_assert_int_eq(rdb_source_file(fifo, &src), -ESPIPE);
    unlink(fifo);
    ck_assert_ptr_null(src);
}
END_TEST

static uint64_t last_progress;
static unsigned progresses;

static int
on_progress(void *ctx, uint64_t offset)
{
    (void)ctx;
    ck_assert_uint_gt(offset, last_progress);
    last_progress = offset;
    progresses++;
    return 0;
}

START_TEST(progress_is_told_within_long_values_too)
{
    static const struct rdb_events events = {.progress = on_progress};
    enum { LEN = 64 << 20 };
    uint8_t *bytes = calloc(1, LEN + 64);
    struct spelled head = spell("'REDIS0010' 00 ['k'] 80 04 00 00 00");
    struct rdb_source *src;
    struct rdb_error err;

    memcpy(bytes, head.bytes, head.len);
    bytes[head.len + LEN] = RDB_OP_EOF;
    ck_assert_int_eq(rdb_source_memory(bytes, head.len + LEN + 9, &src), 0);
    ck_assert_int_eq(rdb_decode(src, &events, NULL, true, &err), 0);
    ck_assert_uint_ge(progresses, 30);
    ck_assert_uint_le(progresses, 34);
    rdb_source_close(src);
    free(bytes);
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
    snprintf(want, sizeof want, "string %s\n", trace_shown(shown, (struct rdb_slice){bytes, len}));
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
        {"'REDIS0010' 10 ['h'] c3 80 00 3f 00 00 80 15 a8 00 00 20 ff", "the value is badly compressed"},
        {"'REDIS0010' fa ['a'] c3 80 00 3f 00 00 80 15 a8 00 00 20 ff", "an AUX field is badly compressed"},
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
            ck_assert_int_eq(field_set_add(&set, text, (size_t)snprintf(text, sizeof text, "field:%d", i)),
                             1);
        for (int i = 0; i < 100000; i++)
            ck_assert_int_eq(field_set_add(&set, text, (size_t)snprintf(text, sizeof text, "field:%d", i)),
                             0);
        field_set_clear(&set);
        for (int i = 0; i < 100; i++)
            ck_assert_int_eq(field_set_add(&set, text, (size_t)snprintf(text, sizeof text, "field:%d", i)),
                             1);
        ck_assert_int_eq(field_set_add(&set, "", 0), 1);
        ck_assert_int_eq(field_set_add(&set, "", 0), 0);
        field_set_clear(&set);
    }
    field_set_fini(&set);
}
END_TEST

static uint32_t seed;

static uint32_t
random_below(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % n;
}

/* mutate: some bytes changed, moved, taken out or cut off.  Returns the new length. */
static size_t
mutate(uint8_t *bytes, size_t len)
{
    static const uint8_t interesting[] = {0, 1, 0x3f, 0x40, 0x7f, 0x80, 0x81, 0xc0, 0xc3, 0xfe, 0xff};

    for (unsigned n = random_below(4) + 1; n > 0 && len > 0; n--) {
        size_t at = random_below((uint32_t)len), more = random_below(8);

        switch (random_below(6)) {
        case 0:
            bytes[at] ^= (uint8_t)(1u << random_below(8));
            break;
        case 1:
            bytes[at] = (uint8_t)random_below(256);
            break;
        case 2:
            bytes[at] = interesting[random_below(sizeof interesting)];
            break;
        case 3:
            more = more < len - at ? more : len - at;
            memmove(bytes + at, bytes + at + more, len - at - more);
            len -= more;
            break;
        case 4:
            bytes[at] = bytes[random_below((uint32_t)len)];
            break;
        default:
            if (random_below(4) == 0)
                len = at;
        }
    }
    return len;
}

/* The seeds of the mutations: every good file, and one with a bit of everything in it. */
static const char everything[] = "'REDIS0012' fa ['redis-ver'] ['7.4.0'] fe 00 fb 05 01 f4 01 02 03 f5 "
                                 "['#!lua name=x'] fc 00 e8 76 48 17 00 00 00 00 "
                                 "['string'] ['value of it'] f8 40 64 00 ['int'] c1 00 80 f9 07 00 ['lzf'] "
                                 "c3 09 13 02 'abc' e0 06 02 00 '!' "
                                 "04 ['plain'] 02 ['f'] ['v'] c0 05 c1 00 01 "
                                 "10 ['listpack'] [( 4 : 81 'f' 02 f1 00 10 03 05 01 f4 00 x 7 80 09 )] "
                                 "09 ['zipmap'] [02 01 'f' 03 02 'val..' 00 00 00 ff] "
                                 "0d ['ziplist'] [1d 00 00 00 17 00 00 00 04 00 00 c0 e8 03 04 01 'x' 03 d0 "
                                 "c0 c6 2d 00 06 f0 90 ee fe ff] ff zero";

START_TEST(mutations_of_good_files_end_in_events_or_errors)
{
    enum { ROUNDS = 120 };
    unsigned refused = 0, total = 0;

    seed = 0x9e3779b9u + (unsigned)_i;
    printf("rdb_dec: mutations with seed %u\n", seed);
    for (int round = 0; round < ROUNDS; round++)
        for (int i = -1; i < GOOD; i++) {
            struct spelled s = spell(i < 0 ? everything : good[i].file);
            size_t len = mutate(s.bytes, s.len);
            uint8_t *bytes = malloc(len > 0 ? len : 1);
            struct trace t = {0};
            struct rdb_error err;
            int r;

            memcpy(bytes, s.bytes, len);
            r = trace_memory(&t, bytes, len, false, &err);
            ck_assert_msg(r == 0 || r == -EINVAL || r == -ENOTSUP, "%d", r);
            ck_assert_msg(r == 0 || err.text[0] != '\0', "an error without a word");
            ck_assert_uint_le(err.offset, len);
            total++;
            refused += r != 0;
            trace_fini(&t);
            free(bytes);
        }
    ck_assert_uint_gt(refused, total / 4);
    ck_assert_uint_lt(refused, total);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
    for (int i = -1; i < GOOD; i++) {
        struct spelled s = spell(i < 0 ? everything : good[i].file);

        for (size_t len = 0; len < s.len; len++) {
            uint8_t *bytes = malloc(len > 0 ? len : 1);
            struct trace t = {0};
            struct rdb_error err;

            memcpy(bytes, s.bytes, len);
            ck_assert_int_eq(trace_memory(&t, bytes, len, true, &err), -EINVAL);
            ck_assert_uint_le(err.offset, len);
            trace_fini(&t);
            free(bytes);
        }
    }
}
END_TEST

START_TEST(every_flipped_bit_is_noticed_by_the_checksum)
{
    for (int i = 0; i < GOOD; i++) {
        struct spelled s = spell(good[i].file);

        if (strstr(good[i].file, "crc") == NULL)
            continue;
        for (size_t bit = 5 * 8; bit < s.len * 8; bit++) { /* not in "REDIS" */
            struct trace t = {0};
            struct rdb_error err;

            s.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            ck_assert_int_ne(trace_memory(&t, s.bytes, s.len, true, &err), 0);
            s.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            trace_fini(&t);
        }
    }
}
END_TEST

#ifdef STILLFRAME_FAULTS
static const struct {
    enum fault point;
    int error;
} faults[] = {{FAULT_load_open, -EACCES}, {FAULT_load_read, -EIO}, {FAULT_load_alloc, -ENOMEM}};

START_TEST(each_failure_of_reading_or_memory_is_told)
{
    struct rdb_error err;
    unsigned long n, delivered = 1;
    size_t len;
    uint8_t *bytes = big_file(true, &len);
    struct spelled s = spell(everything);

    for (int big = 0; big < 2; big++) {
        if (big)
            write_file(bytes, len);
        else
            write_file(s.bytes, s.len);
        for (n = 1, delivered = 1; delivered > 0; n++) {
            struct trace t = {0};
            int r;

            fault_arm(faults[_i].point, n, false);
            r = decode_file(&t, &err);
            delivered = fault_disarm();
            ck_assert_int_eq(r, delivered > 0 ? faults[_i].error : 0);
            trace_fini(&t);
        }
        ck_assert_uint_gt(n, 2);
        unlink(path);
    }
    free(bytes);
}
END_TEST
#endif

int
main(void)
{
    Suite *s = suite_create("snapshot/rdb_dec");
    TCase *files = tcase_create("files"), *source = tcase_create("source"), *damage = tcase_create("damage");

    tcase_add_loop_test(files, a_good_file_gives_its_events, 0, GOOD);
    tcase_add_loop_test(files, a_bad_file_is_refused_with_reason_and_place, 0, BAD);
    tcase_add_test(files, a_checksum_is_checked_when_asked_for);
    tcase_add_test(files, a_sink_that_says_no_ends_decoding_with_its_word);
    tcase_add_test(files, events_that_nobody_wants_are_read_over);
    tcase_add_loop_test(files, what_the_lzf_library_packs_is_read, 0, 5);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    tcase_add_loop_test(files, claims_take_no_memory, 0, 5);
#endif
    tcase_add_test(files, many_fields_are_compared_without_mistake);
    tcase_add_loop_test(source, a_file_and_memory_give_the_same, 0, 2);
    tcase_add_test(source, a_file_that_shrinks_meanwhile_is_refused);
    tcase_add_test(source, what_is_no_regular_file_is_not_opened);
    tcase_add_test(source, progress_is_told_within_long_values_too);
#ifdef STILLFRAME_FAULTS
    tcase_add_loop_test(source, each_failure_of_reading_or_memory_is_told, 0, sizeof faults / sizeof *faults);
#endif
    tcase_add_loop_test(damage, mutations_of_good_files_end_in_events_or_errors, 0, 8);
    tcase_add_test(damage, every_truncation_is_refused);
    tcase_add_test(damage, every_flipped_bit_is_noticed_by_the_checksum);
    suite_add_tcase(s, files);
    suite_add_tcase(s, source);
    suite_add_tcase(s, damage);
    return run_suite(s);
}
