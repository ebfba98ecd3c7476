/* tests/snapshot/test_rdb_dec_frame.c - reading files that are compressed as a whole: any LZ4 frame
 * gives what its RDB gives, and a damaged one says so. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <lz4frame.h>
#include <stdlib.h>
#include <unistd.h>

#include "mm/base/fault.h"
#include "snapshot/rdb/lz4_frame.h"
#include "snapshot/rdb/rdb.h"
#include "snapshot/rdb/rdb_enc.h"
#include "tests/snapshot/spell.h"
#include "tests/snapshot/trace.h"
#include "tests/support/runner.h"
#include "tests/support/scratch.h"

enum { ENVELOPE = LZ4_FRAME_ENVELOPE_BYTES };
static const char envelope[] = "VCS\1\1\0\1";

struct bytes {
    uint8_t *at;
    size_t len;
};

/* plain_rdb: strings of up to `most` bytes, some of which compress; with_crc: in its trailer. */
static struct bytes
plain_rdb(size_t most, bool with_crc)
{
    uint8_t *value = malloc(most);
    uint32_t x = 99;
    struct rdb_enc e;
    struct sink *s;
    struct bytes b;
    char name[32];

    for (size_t i = 0; i < most; i++) {
        x = x * 1664525 + 1013904223;
        value[i] = (x >> 30) == 0 ? (uint8_t)(x >> 16) : (uint8_t) "words that come again"[i % 21];
    }
    ck_assert_int_eq(sink_memory_open(&s), 0);
    s->with_crc = with_crc;
    ck_assert_int_eq(rdb_enc_init(&e, s, 10, false), 0);
    rdb_put_magic(&e);
    for (int i = 0; i < 30; i++) {
        rdb_put_byte(&e, RDB_TYPE_STRING);
        rdb_put_string(&e, name, (size_t)snprintf(name, sizeof name, "key:%d", i));
        rdb_put_string(&e, value, most >> (i % 8));
    }
    rdb_put_eof(&e);
    free(value);
    b.at = sink_memory_take(s, &b.len);
    rdb_enc_fini(&e);
    sink_close(s);
    return b;
}

/* pack_by_liblz4: in an envelope, as the preferences say. */
static struct bytes
pack_by_liblz4(struct bytes content, const LZ4F_preferences_t *how)
{
    size_t bound = LZ4F_compressFrameBound(content.len, how);
    struct bytes b = {malloc(ENVELOPE + bound), ENVELOPE};

    memcpy(b.at, envelope, ENVELOPE);
    b.len += LZ4F_compressFrame(b.at + ENVELOPE, bound, content.at, content.len, how);
    return b;
}

/* pack: by our own code. */
static struct bytes
pack(struct bytes content, bool checksums)
{
    size_t blocks = content.len / LZ4_FRAME_BLOCK_BYTES + 1;
    struct bytes b = {malloc(content.len + 64 + 8 * blocks), 0};
    void *state = malloc(lz4_frame_state_bytes());
    struct lz4_frame_sum sum;

    lz4_frame_sum_begin(&sum);
    lz4_frame_sum_add(&sum, content.at, content.len);
    b.len = lz4_frame_head(b.at, checksums);
    for (size_t at = 0; at < content.len; at += LZ4_FRAME_BLOCK_BYTES) {
        size_t n = content.len - at;

        if (n > LZ4_FRAME_BLOCK_BYTES)
            n = LZ4_FRAME_BLOCK_BYTES;
        b.len += lz4_frame_block(state, b.at + b.len, content.at + at, n, 0, checksums);
    }
    b.len += lz4_frame_tail(b.at + b.len, checksums, lz4_frame_sum_end(&sum));
    free(state);
    return b;
}

static int
decode_file(struct trace *t, struct bytes b, struct rdb_error *err)
{
    char dir[SCRATCH_BYTES], path[SCRATCH_BYTES + 16];
    struct rdb_source *src;
    FILE *f;
    int r;

    scratch_make(dir, "frame");
    snprintf(path, sizeof path, "%s/dump.rdb", dir);
    f = fopen(path, "w");
    ck_assert_uint_eq(fwrite(b.at, 1, b.len, f), b.len);
    fclose(f);
    if ((r = rdb_source_file(path, &src)) == 0) {
        r = rdb_decode(src, &trace_events, t, true, err);
        if (r == 0) {
            ck_assert(rdb_source_is_packed(src));
            ck_assert_uint_eq(rdb_source_consumed(src), b.len);
            ck_assert_uint_eq(rdb_source_size(src), b.len);
        }
        rdb_source_close(src);
    }
    unlink(path);
    rmdir(dir);
    return r;
}

/* same_events: packed gives what plain gives, but for the word on the checksum. */
static void
same_events(struct bytes plain, struct bytes packed, const char *checksum)
{
    struct trace want = {0}, memory = {0}, file = {0};
    struct rdb_error err;
    char *end;

    ck_assert_int_eq(trace_memory(&want, plain.at, plain.len, true, &err), 0);
    end = strstr(want.text, "end ");
    strcpy(end + 4, checksum);
    ck_assert_int_eq(trace_memory(&memory, packed.at, packed.len, true, &err), 0);
    ck_assert_str_eq(memory.text, want.text);
    ck_assert_int_eq(decode_file(&file, packed, &err), 0);
    ck_assert_str_eq(file.text, want.text);
    trace_fini(&want);
    trace_fini(&memory);
    trace_fini(&file);
}

static const LZ4F_blockSizeID_t sizes[] = {LZ4F_default, LZ4F_max64KB, LZ4F_max256KB, LZ4F_max1MB,
                                           LZ4F_max4MB};

START_TEST(every_standard_frame_is_read)
{
    struct bytes plain = plain_rdb(_i == 0 ? 100 : 700000, false);

    for (size_t size = 0; size < sizeof sizes / sizeof *sizes; size++)
        for (unsigned bits = 0; bits < 16; bits++) {
            LZ4F_preferences_t how = {.frameInfo = {.blockSizeID = sizes[size]}};
            struct bytes packed;

            how.frameInfo.blockMode = bits & 1 ? LZ4F_blockIndependent : LZ4F_blockLinked;
            how.frameInfo.blockChecksumFlag = bits & 2 ? LZ4F_blockChecksumEnabled : 0;
            how.frameInfo.contentChecksumFlag = bits & 4 ? LZ4F_contentChecksumEnabled : 0;
            how.frameInfo.contentSize = bits & 8 ? plain.len : 0;
            packed = pack_by_liblz4(plain, &how);
            same_events(plain, packed, bits & 4 ? "frame\n" : "zero\n");
            free(packed.at);
        }
    free(plain.at);
}
END_TEST

START_TEST(our_own_frame_is_read)
{
    struct bytes plain = plain_rdb(3000000, false), packed = pack(plain, _i != 0);

    same_events(plain, packed, _i != 0 ? "frame\n" : "zero\n");
    free(packed.at);
    free(plain.at);
}
END_TEST

START_TEST(a_trailer_within_is_compared_too)
{
    struct bytes plain = plain_rdb(1000, true), packed = pack(plain, false);
    struct trace t = {0};
    struct rdb_error err;

    same_events(plain, packed, "good\n");
    free(packed.at);
    plain.at[plain.len - 1] ^= 1;
    packed = pack(plain, false);
    ck_assert_int_eq(trace_memory(&t, packed.at, packed.len, true, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "wrong checksum: "));
    ck_assert_uint_eq(err.offset, plain.len - RDB_CRC_BYTES);
    ck_assert_str_eq(err.within, " of the decompressed RDB");
    trace_fini(&t);
    free(packed.at);
    free(plain.at);
}
END_TEST

START_TEST(a_cut_frame_says_where_it_ends)
{
    struct bytes plain = plain_rdb(700, false), packed = pack(plain, _i != 0);
    struct trace t = {0};
    struct rdb_error err;

    for (size_t len = ENVELOPE; len < packed.len; len++) {
        struct bytes cut = {packed.at, len};

        ck_assert_int_eq(trace_memory(&t, packed.at, len, true, &err), -EINVAL);
        ck_assert_str_eq(err.text, "the file ends in the middle of the LZ4 frame");
        ck_assert_uint_eq(err.offset, len);
        ck_assert_str_eq(err.within, "");
        if (len % 16 == 0)
            ck_assert_int_eq(decode_file(&t, cut, &err), -EINVAL);
    }
    trace_fini(&t);
    free(packed.at);
    free(plain.at);
}
END_TEST

START_TEST(every_flipped_bit_of_a_frame_with_checksums_is_noticed)
{
    struct bytes plain = plain_rdb(300, false), packed = pack(plain, true);
    struct trace t = {0};
    struct rdb_error err;

    for (size_t at = 0; at < packed.len; at++)
        for (int bit = 0; bit < 8; bit++) {
            int r;

            packed.at[at] ^= (uint8_t)(1 << bit);
            r = trace_memory(&t, packed.at, packed.len, true, &err);
            ck_assert(r == -EINVAL || (r == -ENOTSUP && at < ENVELOPE));
            ck_assert_int_ne(err.text[0], '\0');
            packed.at[at] ^= (uint8_t)(1 << bit);
        }
    trace_fini(&t);
    free(packed.at);
    free(plain.at);
}
END_TEST

START_TEST(damage_of_a_frame_without_checksums_ends_well)
{
    struct bytes plain = plain_rdb(300, false), packed = pack(plain, false);
    struct trace t = {0};
    struct rdb_error err;

    for (size_t at = ENVELOPE; at < packed.len; at++)
        for (int bit = 0; bit < 8; bit++) {
            int r;

            packed.at[at] ^= (uint8_t)(1 << bit);
            r = trace_memory(&t, packed.at, packed.len, true, &err);
            ck_assert(r == 0 || ((r == -EINVAL || r == -ENOTSUP) && err.text[0] != '\0'));
            packed.at[at] ^= (uint8_t)(1 << bit);
            t.len = 0;
        }
    trace_fini(&t);
    free(packed.at);
    free(plain.at);
}
END_TEST

/* What is wrong with the file: its RDB, so many bytes behind the frame, and what is said of it. */
static const struct {
    const char *rdb;
    size_t behind;
    int result;
    uint64_t offset;
    const char *within, *text;
} wrong[] = {
    {"'REDIS0010' ff zero", 3, -EINVAL, 0, "", "3 more bytes after the LZ4 frame"},
    {"'REDIS0010' ff zero 00", 0, -EINVAL, 18, " of the decompressed RDB",
     "more bytes after the end, in the LZ4 frame"},
    {"'REDIS0010' ff zero 00", 3, -EINVAL, 18, " of the decompressed RDB",
     "more bytes after the end, in the LZ4 frame"},
    {"'REDIS0010'", 0, -EINVAL, 9, " of the decompressed RDB",
     "the file ends in the middle of its contents"},
    {"'REDIS0010' ff", 1, -EINVAL, 10, " of the decompressed RDB",
     "the file ends in the middle of the checksum"},
    {"'VCS' 01 01 00 01 04 22 4d 18", 0, -EINVAL, 0, " of the decompressed RDB",
     "not an RDB file: it begins with \"VCS"},
    {"'REDIS0010' 00 ['k'] 81 01 00 x 7 'abc' ff zero", 0, -EINVAL, 12, " of the decompressed RDB",
     "the value claims 72057594037927936 bytes where the file can have at most 12"},
    {"'REDIS0010' 00 ['k'] 44 00 'abc' ff zero", 0, -EINVAL, 12, " of the decompressed RDB",
     "the value claims 1024 bytes where the file can have at most 12"},
    {"'REDIS0099' ff zero", 0, -ENOTSUP, 0, " of the decompressed RDB",
     "REDIS0099 (RDB version 99) is not read"},
};

START_TEST(a_wrong_file_is_named_with_its_place)
{
    struct spelled s = spell(wrong[_i].rdb);
    struct bytes packed = pack((struct bytes){s.bytes, s.len}, true);
    size_t frame_end = packed.len;
    struct trace t = {0};
    struct rdb_error err;

    memset(packed.at + packed.len, 'x', wrong[_i].behind);
    packed.len += wrong[_i].behind;
    for (int file = 0; file < 2; file++) {
        int r = file ? decode_file(&t, packed, &err)
                     : trace_memory(&t, packed.at, packed.len, true, &err);

        ck_assert_int_eq(r, wrong[_i].result);
        ck_assert_msg(strstr(err.text, wrong[_i].text) != NULL, "%s", err.text);
        ck_assert_str_eq(err.within, wrong[_i].within);
        ck_assert_uint_eq(err.offset, wrong[_i].within[0] != '\0' ? wrong[_i].offset : frame_end);
    }
    trace_fini(&t);
    free(packed.at);
}
END_TEST

START_TEST(a_damaged_frame_says_what_is_damaged)
{
    struct bytes plain = plain_rdb(300, false), packed = pack(plain, true);
    const struct {
        size_t at;
        const char *text;
    } damages[] = {
        {ENVELOPE + 4, "LZ4 frame"},
        {ENVELOPE + 6, "wrong checksum of the LZ4 frame's header"},
        {LZ4_FRAME_HEAD_BYTES + 40, "wrong checksum of a block in the LZ4 frame"},
        {packed.len - 1, "wrong checksum of what the LZ4 frame holds"},
    };
    struct trace t = {0};
    struct rdb_error err;

    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        packed.at[damages[i].at] ^= 0x80;
        ck_assert_int_eq(trace_memory(&t, packed.at, packed.len, true, &err), -EINVAL);
        ck_assert_msg(strstr(err.text, damages[i].text) != NULL, "%zu: %s", i, err.text);
        ck_assert_str_eq(err.within, "");
        ck_assert_uint_ge(err.offset, ENVELOPE);
        ck_assert_uint_le(err.offset, packed.len);
        packed.at[damages[i].at] ^= 0x80;
    }
    trace_fini(&t);
    free(packed.at);
    free(plain.at);
}
END_TEST

#ifdef STILLFRAME_FAULTS
START_TEST(every_failure_of_reading_and_memory_is_told)
{
    static const struct {
        enum fault point;
        int error;
    } faults[] = {{FAULT_load_read, -EIO}, {FAULT_load_alloc, -ENOMEM}};
    struct bytes plain = plain_rdb(700000, false), packed = pack(plain, true);

    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct rdb_error err;
        unsigned long delivered = 1, n;

        for (n = 1; delivered == 1; n++) {
            struct trace t = {0};
            int r;

            fault_arm(faults[i].point, n, false);
            r = decode_file(&t, packed, &err);
            delivered = fault_disarm();
            ck_assert_int_eq(r, delivered == 1 ? faults[i].error : 0);
            trace_fini(&t);
        }
        ck_assert_uint_gt(n, 4);
    }
    free(packed.at);
    free(plain.at);
}
END_TEST
#endif

static uint64_t seen, seen_times;

static int
on_progress(void *ctx, uint64_t consumed)
{
    (void)ctx;
    ck_assert_uint_ge(consumed, seen);
    seen = consumed;
    seen_times++;
    return 0;
}

START_TEST(progress_is_of_the_file)
{
    struct rdb_events ev = {.progress = on_progress};
    struct bytes plain = plain_rdb(3000000, false), packed = pack(plain, true);
    struct rdb_source *src;
    struct rdb_error err;

    ck_assert_int_eq(rdb_source_memory(packed.at, packed.len, &src), 0);
    ck_assert_int_eq(rdb_decode(src, &ev, NULL, true, &err), 0);
    ck_assert_uint_eq(rdb_source_offset(src), plain.len);
    ck_assert_uint_le(seen, packed.len);
    ck_assert_uint_ge(seen, packed.len / 2);
    ck_assert_uint_ge(seen_times, plain.len / (3 << 20));
    rdb_source_close(src);
    free(packed.at);
    free(plain.at);
}
END_TEST

START_TEST(a_finding_within_says_what_its_place_counts_in)
{
    struct spelled s = spell("'REDIS0010' 04 ['h'] 00 ff zero");
    struct bytes packed = pack((struct bytes){s.bytes, s.len}, true);
    struct trace t = {.with_findings = true};
    struct rdb_error err;

    ck_assert_int_eq(trace_memory(&t, packed.at, packed.len, true, &err), 0);
    ck_assert_msg(strstr(t.text, "9 of the decompressed RDB") != NULL, "%s", t.text);
    trace_fini(&t);
    free(packed.at);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("snapshot/rdb_dec_frame");
    TCase *t = tcase_create("frame");

    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, every_standard_frame_is_read, 0, 2);
    tcase_add_loop_test(t, our_own_frame_is_read, 0, 2);
    tcase_add_test(t, a_trailer_within_is_compared_too);
    tcase_add_loop_test(t, a_cut_frame_says_where_it_ends, 0, 2);
    tcase_add_test(t, every_flipped_bit_of_a_frame_with_checksums_is_noticed);
    tcase_add_test(t, damage_of_a_frame_without_checksums_ends_well);
    tcase_add_loop_test(t, a_wrong_file_is_named_with_its_place, 0,
                        (int)(sizeof wrong / sizeof *wrong));
    tcase_add_test(t, a_damaged_frame_says_what_is_damaged);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(t, every_failure_of_reading_and_memory_is_told);
#endif
    tcase_add_test(t, progress_is_of_the_file);
    tcase_add_test(t, a_finding_within_says_what_its_place_counts_in);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
