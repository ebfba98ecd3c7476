/* Files of every form: whole, cut off at each byte, and with each byte another one; pipes, and who
 * has read enough. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <lz4frame.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "tool/input/ahead_impl.h"
#include "tool/input/input.h"
#include "tool/input/stage_impl.h"
#include "tool/input/tape_impl.h"

enum { ROOM = 1 << 16 };

struct bytes {
    uint8_t at[ROOM];
    size_t len;
};

static char path[64];

static void make_data(void);

static void
make_path(void)
{
    int fd;

    make_data();
    snprintf(path, sizeof path, "/tmp/test-input-XXXXXX");
    ck_assert_int_ge(fd = mkstemp(path), 0);
    close(fd);
}

static void
lose_path(void)
{
    unlink(path);
}

static void
write_file(const void *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_TRUNC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

/* ---- packing ---- */

static void
put(struct bytes *b, const void *bytes, size_t len)
{
    ck_assert_uint_le(b->len + len, sizeof b->at);
    memcpy(b->at + b->len, bytes, len);
    b->len += len;
}

static void
put_lz4(struct bytes *b, const void *bytes, size_t len)
{
    LZ4F_preferences_t p = {.frameInfo = {.contentChecksumFlag = LZ4F_contentChecksumEnabled,
                                          .blockChecksumFlag = LZ4F_blockChecksumEnabled}};
    size_t n = LZ4F_compressFrame(b->at + b->len, sizeof b->at - b->len, bytes, len, &p);

    ck_assert(!LZ4F_isError(n));
    b->len += n;
}

static void
put_gzip(struct bytes *b, const void *bytes, size_t len)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)bytes,
                  .avail_in = (uInt)len,
                  .next_out = b->at + b->len,
                  .avail_out = (uInt)(sizeof b->at - b->len)};

    ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 15 | 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    b->len = sizeof b->at - z.avail_out;
    deflateEnd(&z);
}

static void
put_zstd(struct bytes *b, const void *bytes, size_t len)
{
    ZSTD_CCtx *c = ZSTD_createCCtx();
    size_t n;

    ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
    n = ZSTD_compress2(c, b->at + b->len, sizeof b->at - b->len, bytes, len);
    ck_assert(!ZSTD_isError(n));
    b->len += n;
    ZSTD_freeCCtx(c);
}

/* What is packed: it compresses, and not to nothing. */
static struct bytes data;

static void
make_data(void)
{
    data.len = 0;
    put(&data, "REDIS0010", 9);
    for (unsigned i = 0; i < 60; i++) {
        char text[32];
        int n = snprintf(text, sizeof text, "item %u is %u, ", i, i * i * 2654435761u);

        put(&data, text, (size_t)n);
    }
}

static void
pack_plain(struct bytes *b)
{
    put(b, data.at, data.len);
}

static void
pack_lz4(struct bytes *b)
{
    put_lz4(b, data.at, 500);
    put_lz4(b, data.at + 500, data.len - 500);
}

static void
pack_lz4_envelope(struct bytes *b)
{
    put(b, "VCS\1\1\0\1", 7);
    put_lz4(b, data.at, data.len);
}

static void
pack_gzip(struct bytes *b)
{
    put_gzip(b, data.at, 500);
    put_gzip(b, data.at + 500, data.len - 500);
}

static void
pack_zstd(struct bytes *b)
{
    put_zstd(b, data.at, 500);
    put(b, "\x5a\x2a\x4d\x18\3\0\0\0abc", 11); /* to be read over */
    put_zstd(b, data.at + 500, data.len - 500);
}

static void
pack_zstd_envelope(struct bytes *b)
{
    put(b, "VCS\1\2\0\1", 7);
    put_zstd(b, data.at, data.len);
}

static void
pack_lz4_in_gzip(struct bytes *b)
{
    struct bytes inner = {.len = 0};

    pack_lz4_envelope(&inner);
    put_gzip(b, inner.at, inner.len);
}

static const struct {
    void (*pack)(struct bytes *b);
    const char *form;
    size_t whole_at; /* at this length it is whole, too: between two frames; 0: nowhere */
} forms[] = {
    {pack_plain, "plain", 0},
    {pack_lz4, "LZ4", 1},
    {pack_lz4_envelope, "LZ4 in Valkey's envelope", 0},
    {pack_gzip, "gzip", 1},
    {pack_zstd, "Zstd", 1},
    {pack_zstd_envelope, "Zstd in Valkey's envelope", 0},
    {pack_lz4_in_gzip, "LZ4 in Valkey's envelope, in gzip", 0},
};
enum { FORMS = sizeof forms / sizeof *forms };

/* unpack: what is in the file; or an error, and what stands before it. */
static int
unpack(struct bytes *ret, struct rdb_error *err)
{
    struct tool_input *in;
    uint64_t size = 0;
    int fd, r = tool_input_open(path, false, &in, err);

    ret->len = 0;
    if (r != 0)
        return r;
    r = tool_input_flat(in, &fd, &size, err);
    ck_assert_uint_le(size, sizeof ret->at);
    ck_assert_int_eq(pread(fd, ret->at, size, 0), (ssize_t)size);
    ret->len = size;
    tool_input_close(in);
    return r;
}

START_TEST(each_form_is_unpacked)
{
    struct bytes packed = {.len = 0}, got;
    struct tool_input *in;
    struct rdb_error err;
    int fd;
    uint64_t size;

    forms[_i].pack(&packed);
    write_file(packed.at, packed.len);
    ck_assert_int_eq(unpack(&got, &err), 0);
    ck_assert_mem_eq(got.at, data.at, data.len);
    ck_assert_uint_eq(got.len, data.len);
    ck_assert_int_eq(tool_input_open(path, false, &in, &err), 0);
    ck_assert_uint_eq(tool_input_size(in), packed.len);
    ck_assert_int_eq(tool_input_flat(in, &fd, &size, &err), 0);
    if (_i > 0)
        ck_assert_str_eq(tool_input_form(in), forms[_i].form);
    tool_input_close(in);
}
END_TEST

START_TEST(each_prefix_is_an_error_behind_what_is_whole)
{
    struct bytes packed = {.len = 0}, got;
    unsigned whole = 0;

    forms[_i].pack(&packed);
    for (size_t len = 0; len < packed.len; len++) {
        struct rdb_error err;
        int r;

        write_file(packed.at, len);
        r = unpack(&got, &err);
        if (r == 0) { /* the plain one, whose decoder knows; an end between frames; no magic yet */
            whole += len >= 4;
            continue;
        }
        ck_assert_msg(strstr(err.text, "the file ends in the middle of") != NULL ||
                          strstr(err.text, "more byte") != NULL,
                      "%zu of %zu: %s", len, packed.len, err.text);
        ck_assert_uint_le(err.offset, len);
        ck_assert_uint_le(got.len, data.len);
        if (got.len >= 3) /* of a packed one in a packed one: too few to know that it is */
            ck_assert_mem_eq(got.at, data.at, got.len);
    }
    if (_i > 0)
        ck_assert_uint_le(whole, forms[_i].whole_at * 2);
}
END_TEST

START_TEST(each_other_byte_is_an_error_or_none)
{
    struct bytes packed = {.len = 0}, got;
    unsigned errors = 0;

    forms[_i].pack(&packed);
    for (size_t at = 4; at < packed.len; at++) { /* the magic before makes it another form */
        struct rdb_error err;
        int r;

        packed.at[at] ^= 1 << at % 8;
        write_file(packed.at, packed.len);
        r = unpack(&got, &err);
        packed.at[at] ^= 1 << at % 8;
        if (_i == 0)
            continue;
        errors += r != 0;
        ck_assert_msg(r == 0 || err.text[0] != '\0', "byte %zu: %d", at, r);
        if (r != 0) {
            ck_assert_uint_le(err.offset, packed.len);
            continue;
        }
        /* nothing that has a checksum; a frame that is one to be read over now is no better known
         * than one that is not there */
        ck_assert_msg(got.len == data.len || got.len == 500 || got.len == data.len - 500,
                      "byte %zu: %zu bytes", at, got.len);
        if (got.len == data.len)
            ck_assert_msg(memcmp(got.at, data.at, data.len) == 0, "byte %zu", at);
    }
    ck_assert(_i == 0 || errors > packed.len / 2);
}
END_TEST

START_TEST(what_is_behind_the_end_is_counted)
{
    static const struct {
        unsigned form;
        const char *text;
    } cases[] = {{1, "2 more bytes after the LZ4 frame"},
                 {2, "2 more bytes after the LZ4 frame"},
                 {3, "2 more bytes after the gzip data"},
                 {4, "2 more bytes after the Zstd frame"},
                 {5, "2 more bytes after the Zstd frame"}};

    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes packed = {.len = 0}, got;
        struct rdb_error err;

        forms[cases[i].form].pack(&packed);
        put(&packed, "xy", 2);
        write_file(packed.at, packed.len);
        ck_assert_int_eq(unpack(&got, &err), -EBADMSG);
        ck_assert_str_eq(err.text, cases[i].text);
        ck_assert_uint_eq(err.offset, packed.len - 2);
        ck_assert_uint_eq(got.len, data.len);
    }
}
END_TEST

START_TEST(what_is_not_read_is_named)
{
    static const struct {
        const char *bytes;
        size_t len;
        uint64_t offset;
        const char *text;
    } cases[] = {
        {"VCS\2\1\0\1.........", 16, 3, "of the unknown version 2"},
        {"VCS\1\3\0\1.........", 16, 4, "with the unknown codec 3"},
        {"VCS\1\1\5\1.........", 16, 5, "whose reserved byte is 5"},
        {"VCS\1\1\0\2.........", 16, 6, "of kind 2"},
        {"VCS\1\1", 5, 5, "in the middle of the envelope"},
        {"\x02\x21\x4c\x18....", 8, 0, "the old form of LZ4"},
        {"VCS\1\1\0\1REDIS0010", 16, 7, "no LZ4 frame where the envelope says"},
        {"VCS\1\2\0\1REDIS0010", 16, 7, "no Zstd frame where the envelope says"},
    };
    struct bytes got;
    struct rdb_error err;

    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file(cases[i].bytes, cases[i].len);
        ck_assert_int_ne(unpack(&got, &err), 0);
        ck_assert_msg(strstr(err.text, cases[i].text) != NULL, "%s", err.text);
        ck_assert_uint_eq(err.offset, cases[i].offset);
    }
}
END_TEST

START_TEST(a_directory_and_what_is_not_there_are_errors)
{
    struct tool_input *in;
    struct rdb_error err;

    ck_assert_int_eq(tool_input_open("/tmp", false, &in, &err), -EISDIR);
    ck_assert_int_eq(tool_input_open("/nonexistent/file", false, &in, &err), -ENOENT);
    ck_assert_str_eq(err.text, "");
}
END_TEST

/* ---- ahead ---- */

/* A pipe that goes on until nobody reads, or says no more after its first megabyte. */
struct writer {
    int fd;
    bool is_silent;
    pthread_t thread;
};

static void *
write_on(void *ctx)
{
    const struct writer *w = ctx;
    static uint8_t block[1 << 16];
    unsigned n = 0;

    while ((!w->is_silent || n++ < 16) && write(w->fd, block, sizeof block) > 0) {
    }
    return NULL;
}

static struct ahead *
open_pipe_ahead(int read_fd, struct stage_waits *waits)
{
    const struct stage_head none = {.len = 0};
    struct ahead *a;

    ck_assert_int_eq(
        ahead_open(stage_file(read_fd, 0, STAGE_STREAM, &none, waits), waits, true, &a), 0);
    return a;
}

START_TEST(who_has_enough_closes_at_any_time)
{
    signal(SIGPIPE, SIG_IGN); /* the writer's */
    for (unsigned i = 0; i < 20; i++) {
        struct writer w = {.is_silent = i % 2 == 0};
        struct stage_waits waits = {.wake_fd = eventfd(0, EFD_CLOEXEC)};
        int fds[2];
        struct ahead *a;
        uint8_t *bytes;
        size_t len, sum = 0;

        ck_assert_int_eq(pipe(fds), 0);
        w.fd = fds[1];
        ck_assert_int_eq(pthread_create(&w.thread, NULL, write_on, &w), 0);
        a = open_pipe_ahead(fds[0], &waits);
        while (sum < i * 100000) { /* below what a silent one has written */
            ck_assert_int_eq(ahead_reader.next(a, &bytes, &len), 0);
            ck_assert_uint_gt(len, 0);
            memset(bytes - RDB_READER_HEADROOM, 1, RDB_READER_HEADROOM);
            sum += len;
            if (w.is_silent && sum > 900000)
                break;
        }
        ahead_reader.close(a);
        close(fds[0]);
        ck_assert_int_eq(pthread_join(w.thread, NULL), 0);
        close(fds[1]);
        close(waits.wake_fd);
    }
}
END_TEST

START_TEST(what_has_come_is_given_while_no_more_comes)
{
    struct stage_waits waits = {.wake_fd = eventfd(0, EFD_CLOEXEC)};
    struct ahead *a;
    uint8_t *bytes;
    size_t len;
    int fds[2];

    ck_assert_int_eq(pipe(fds), 0);
    alarm(20); /* else it waits for ever */
    ck_assert_int_eq(write(fds[1], data.at, 100), 100);
    a = open_pipe_ahead(fds[0], &waits);
    usleep(100000); /* so that the thread has them before somebody asks */
    ck_assert_int_eq(ahead_reader.next(a, &bytes, &len), 0);
    ck_assert_uint_eq(len, 100);
    ahead_reader.close(a);
    close(fds[0]);
    close(fds[1]);
    close(waits.wake_fd);
}
END_TEST

START_TEST(a_ring_gives_every_byte_in_its_order)
{
    enum { SIZE = 7 << 20 };
    const struct stage_head none = {.len = 0};
    uint8_t *all = malloc(SIZE), *bytes;
    size_t len, sum = 0;
    struct ahead *a;
    int fd;

    for (size_t i = 0; i < SIZE; i++)
        all[i] = (uint8_t)(i * 2654435761u >> 13);
    write_file(all, SIZE);
    ck_assert_int_ge(fd = open(path, O_RDONLY), 0);
    ck_assert_int_eq(ahead_open(stage_file(fd, 3, SIZE - 10, &none, NULL), NULL, _i == 1, &a), 0);
    while (ahead_reader.next(a, &bytes, &len) == 0 && len > 0) {
        ck_assert_mem_eq(bytes, all + 3 + sum, len);
        memset(bytes - RDB_READER_HEADROOM, 0xee, RDB_READER_HEADROOM + len);
        sum += len;
        ck_assert_uint_eq(ahead_reader.consumed(a), sum);
    }
    ck_assert_uint_eq(sum, SIZE - 10);
    ck_assert_int_eq(ahead_reader.next(a, &bytes, &len), 0); /* the end stays the end */
    ck_assert_uint_eq(len, 0);
    ahead_reader.close(a);
    close(fd);
    free(all);
}
END_TEST

START_TEST(an_error_comes_behind_the_bytes_before_it)
{
    struct bytes packed = {.len = 0};
    const struct stage_head none = {.len = 0};
    uint8_t *bytes;
    size_t len, sum = 0;
    struct ahead *a;
    int fd, r;

    pack_lz4(&packed);
    write_file(packed.at, packed.len - 3);
    ck_assert_int_ge(fd = open(path, O_RDONLY), 0);
    ck_assert_int_eq(ahead_open(stage_lz4(stage_file(fd, 0, packed.len - 3, &none, NULL), false),
                                NULL, true, &a),
                     0);
    while ((r = ahead_reader.next(a, &bytes, &len)) == 0) {
        ck_assert_uint_gt(len, 0);
        sum += len;
    }
    ck_assert_int_eq(r, -EBADMSG);
    ck_assert_uint_eq(sum, data.len);
    ck_assert_str_eq(ahead_reader.wrong(a), "the file ends in the middle of the LZ4 frame");
    ck_assert_uint_eq(ahead_reader.consumed(a), packed.len - 3);
    ck_assert_int_eq(ahead_reader.next(a, &bytes, &len), -EBADMSG);
    ahead_reader.close(a);
    close(fd);
}
END_TEST

/* Half of it, and the rest when somebody has read enough of that. */
static int go_on_fd, wait_fd;

static void *
write_in_two(void *ctx)
{
    const struct bytes *b = ctx;
    char byte;
    size_t half = b->len / 2;

    ck_assert_int_eq(write(go_on_fd, b->at, half), (ssize_t)half);
    ck_assert_int_eq(read(wait_fd, &byte, 1), 1);
    ck_assert_int_eq(write(go_on_fd, b->at + half, b->len - half), (ssize_t)(b->len - half));
    close(go_on_fd);
    return NULL;
}

/* read_tape: up to `most` bytes, which are the data's. */
static size_t
read_tape(struct tape *tape, struct stage_waits *waits, size_t most, int *ret_error)
{
    struct ahead *a;
    size_t len, sum = 0;
    uint8_t *bytes;

    ck_assert_int_eq(ahead_open(tape_reader(tape), waits, !tape_is_whole(tape), &a), 0);
    while (sum < most && (*ret_error = ahead_reader.next(a, &bytes, &len)) == 0 && len > 0) {
        ck_assert_uint_le(sum + len, data.len);
        ck_assert_mem_eq(bytes, data.at + sum, len);
        sum += len;
    }
    if (*ret_error != 0)
        ck_assert_str_eq(ahead_reader.wrong(a), "1 more byte after the LZ4 frame");
    ahead_reader.close(a);
    return sum;
}

/* Packed or not, by somebody who ends early while nothing comes, then to the end, and again. */
START_TEST(what_comes_once_is_read_again)
{
    static struct bytes packed;
    const struct stage_head none = {.len = 0};
    int out[2], wait[2], error = 0;
    struct stage_waits waits = {.wake_fd = eventfd(0, EFD_CLOEXEC)};
    struct tape tape = {.live = NULL};
    pthread_t thread;
    struct stage *live;

    packed.len = 0;
    (_i == 0 ? pack_plain : pack_lz4)(&packed);
    if (_i == 2)
        put(&packed, "x", 1);
    ck_assert_int_eq(pipe(out), 0);
    ck_assert_int_eq(pipe(wait), 0);
    go_on_fd = out[1];
    wait_fd = wait[0];
    ck_assert_int_eq(pthread_create(&thread, NULL, write_in_two, &packed), 0);
    live = stage_file(out[0], 0, STAGE_STREAM, &none, &waits);
    ck_assert_int_eq(tape_open(&tape, _i == 0 ? live : stage_lz4(live, false)), 0);
    ck_assert_uint_gt(read_tape(&tape, &waits, 1, &error), 0);
    ck_assert(!tape_is_whole(&tape));
    ck_assert_int_eq(write(wait[1], "g", 1), 1);
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_uint_eq(read_tape(&tape, &waits, SIZE_MAX, &error), data.len);
        ck_assert_int_eq(error, _i == 2 ? -EBADMSG : 0);
        ck_assert(tape_is_whole(&tape));
        ck_assert_uint_eq(tape.size, data.len);
    }
    ck_assert_int_eq(tape_finish(&tape), error);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    tape_close(&tape);
    close(out[0]);
    close(wait[0]);
    close(wait[1]);
    close(waits.wake_fd);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("input");
    TCase *tc = tcase_create("forms"), *ring = tcase_create("ahead");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_set_timeout(ring, 60);
    tcase_add_checked_fixture(tc, make_path, lose_path);
    tcase_add_checked_fixture(ring, make_path, lose_path);
    tcase_add_loop_test(tc, each_form_is_unpacked, 0, FORMS);
    tcase_add_loop_test(tc, each_prefix_is_an_error_behind_what_is_whole, 0, FORMS);
    tcase_add_loop_test(tc, each_other_byte_is_an_error_or_none, 0, FORMS);
    tcase_add_test(tc, what_is_behind_the_end_is_counted);
    tcase_add_test(tc, what_is_not_read_is_named);
    tcase_add_test(tc, a_directory_and_what_is_not_there_are_errors);
    tcase_add_test(ring, who_has_enough_closes_at_any_time);
    tcase_add_test(ring, what_has_come_is_given_while_no_more_comes);
    tcase_add_loop_test(ring, a_ring_gives_every_byte_in_its_order, 0, 2);
    tcase_add_loop_test(ring, what_comes_once_is_read_again, 0, 3);
    tcase_add_test(ring, an_error_comes_behind_the_bytes_before_it);
    suite_add_tcase(suite, tc);
    suite_add_tcase(suite, ring);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
