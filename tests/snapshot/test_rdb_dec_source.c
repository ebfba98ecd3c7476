/* tests/snapshot/test_rdb_dec_source.c - the decoder and what it reads from: files and memory,
 * progress, failures of reading and of memory. */
#include "snapshot/rdb/rdb_dec.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mm/base/fault.h"
#include "snapshot/rdb/rdb.h"
#include "snapshot/rdb/rdb_enc.h"
#include "tests/snapshot/rdb_files.h"
#include "tests/snapshot/spell.h"
#include "tests/snapshot/trace.h"
#include "tests/support/runner.h"

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
    Suite *s = suite_create("snapshot/rdb_dec_source");
    TCase *t = tcase_create("source");

    tcase_add_loop_test(t, a_file_and_memory_give_the_same, 0, 2);
    tcase_add_test(t, a_file_that_shrinks_meanwhile_is_refused);
    tcase_add_test(t, what_is_no_regular_file_is_not_opened);
    tcase_add_test(t, progress_is_told_within_long_values_too);
#ifdef STILLFRAME_FAULTS
    tcase_add_loop_test(t, each_failure_of_reading_or_memory_is_told, 0,
                        sizeof faults / sizeof *faults);
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
