/* tests/snapshot/test_joiner.c - several encoders, one stream: records whole (J1), the head first
 * (J2), nobody waits for ever (J3), errors, the rate, checksums and frames. */
#include "snapshot/joiner.h"

#include <check.h>
#include <errno.h>
#include <lz4frame.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mm/base/crc64.h"
#include "mm/base/le.h"
#include "mm/base/os.h"
#include "snapshot/rdb/rdb.h"
#include "tests/support/runner.h"

enum { LANES_MAX = 4, HEAD_BYTES = 100 };

/* A record: the lane, its number in the lane, how long it is, and bytes that follow from these. */
struct head {
    uint32_t lane, number, bytes;
};

static struct joiner joiner = {.lock = PTHREAD_MUTEX_INITIALIZER,
                               .chunk_queued = PTHREAD_COND_INITIALIZER,
                               .chunk_free = PTHREAD_COND_INITIALIZER,
                               .turn_free = PTHREAD_COND_INITIALIZER};
static const _Atomic bool not_cancelled;
static _Atomic uint64_t rate, done;

static struct plan {
    unsigned lanes;
    uint32_t records, longest; /* of each lane */
    enum rdb_compression compression;
    bool checksum;
} plan;
static int lane_result[LANES_MAX];
static unsigned breaks[LANES_MAX];

static uint8_t
byte_of(const struct head *h, uint32_t i)
{
    return (uint8_t)(h->lane * 31 + h->number * 7 + i / 3);
}

static uint32_t
length_of(uint32_t lane, uint32_t number)
{
    uint32_t x = (lane * 2654435761u + number) * 2246822519u;

    x ^= x >> 13;
    /* most are short, and some longer than a chunk */
    return number % 50 == 49 ? x % plan.longest : x % 200;
}

static void
put_record(struct sink *s, uint32_t lane, uint32_t number)
{
    struct head h = {lane, number, length_of(lane, number)};
    uint8_t piece[1000];

    sink_put(s, &h, sizeof h);
    for (uint32_t at = 0; at < h.bytes;) {
        uint32_t n = h.bytes - at < sizeof piece ? h.bytes - at : sizeof piece;

        for (uint32_t i = 0; i < n; i++)
            piece[i] = byte_of(&h, at + i);
        sink_put(s, piece, n);
        at += n;
    }
}

static void *
run_lane(void *arg)
{
    unsigned index = (unsigned)(uintptr_t)arg;
    struct lane l;
    uint8_t head[HEAD_BYTES];

    breaks[index] = 0;
    lane_result[index] = lane_open(&l, &joiner, index);
    if (lane_result[index] == 0 && index == 0) {
        if (plan.lanes > 1)
            usleep(20 * 1000); /* the others are ready, and wait */
        memset(head, 'H', sizeof head);
        sink_put(&l.sink, head, sizeof head);
        breaks[0] += lane_boundary(&l);
    }
    for (uint32_t n = 0; lane_result[index] == 0 && n < plan.records; n++) {
        put_record(&l.sink, index, n);
        if (l.sink.fill >= l.boundary_fill)
            breaks[index] += lane_boundary(&l);
        if (sink_error(&l.sink) < 0)
            break;
    }
    lane_result[index] = lane_close(&l);
    return NULL;
}

/* join: all of it, into out.  What joiner_write() and joiner_finish() said. */
static int
join(struct sink *out)
{
    pthread_t thread[LANES_MAX];
    int r;

    joiner_begin(&joiner, &(struct joiner_options){.lanes = plan.lanes,
                                                   .compression = plan.compression,
                                                   .checksum = plan.checksum});
    for (unsigned i = 0; i < plan.lanes; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, run_lane, (void *)(uintptr_t)i), 0);
    r = joiner_write(&joiner, out, &rate, &not_cancelled, &done);
    if (r == 0)
        r = joiner_finish(&joiner, out);
    joiner_end(&joiner);
    for (unsigned i = 0; i < plan.lanes; i++)
        pthread_join(thread[i], NULL);
    return r;
}

/* check_records: the whole stream, its end apart. */
static void
check_records(const uint8_t *p, size_t len)
{
    uint32_t next[LANES_MAX] = {0};
    size_t at = HEAD_BYTES;

    for (size_t i = 0; i < HEAD_BYTES; i++)
        ck_assert_int_eq(p[i], 'H'); /* J2 */
    while (at < len) {
        struct head h;

        ck_assert_uint_le(at + sizeof h, len);
        memcpy(&h, p + at, sizeof h);
        at += sizeof h;
        ck_assert_uint_lt(h.lane, plan.lanes);
        ck_assert_uint_eq(h.number, next[h.lane]++);
        ck_assert_uint_eq(h.bytes, length_of(h.lane, h.number));
        ck_assert_uint_le(at + h.bytes, len);
        for (uint32_t i = 0; i < h.bytes; i++)
            if (p[at + i] != byte_of(&h, i)) /* J1 */
                ck_abort_msg("lane %u, record %u, byte %u", h.lane, h.number, i);
        at += h.bytes;
    }
    for (unsigned i = 0; i < plan.lanes; i++)
        ck_assert_uint_eq(next[i], plan.records);
}

/* unpack: a frame behind its envelope, as liblz4 reads it; the caller frees it. */
static uint8_t *
unpack(const uint8_t *packed, size_t len, size_t *ret_len)
{
    size_t room = atomic_load(&joiner.raw_bytes) + 64, at = LZ4_FRAME_ENVELOPE_BYTES, filled = 0,
           hint = 1;
    uint8_t *raw = malloc(room);
    LZ4F_dctx *d;

    ck_assert(!LZ4F_isError(LZ4F_createDecompressionContext(&d, LZ4F_VERSION)));
    while (at < len && hint != 0) {
        size_t in = len - at, out = room - filled;

        hint = LZ4F_decompress(d, raw + filled, &out, packed + at, &in, NULL);
        ck_assert_msg(!LZ4F_isError(hint), "%s", LZ4F_getErrorName(hint));
        ck_assert_uint_ne(in + out, 0);
        at += in;
        filled += out;
    }
    ck_assert_uint_eq(hint, 0); /* the frame has ended ... */
    ck_assert_uint_eq(at, len); /* ... and with it the file */
    LZ4F_freeDecompressionContext(d);
    *ret_len = filled;
    return raw;
}

static void
check_joined(void)
{
    struct sink *out;
    uint8_t *bytes, *raw;
    size_t len;

    ck_assert_int_eq(sink_memory_open(&out), 0);
    ck_assert_int_eq(join(out), 0);
    bytes = sink_memory_take(out, &len);
    sink_close(out);
    if (plan.compression != RDB_LZ4)
        ck_assert_uint_eq(done + 9, len);
    raw = bytes;
    if (plan.compression == RDB_LZ4) {
        raw = unpack(bytes, len, &len);
        free(bytes);
    }
    ck_assert_uint_ge(len, HEAD_BYTES + 9);
    ck_assert_int_eq(raw[len - 9], RDB_OP_EOF);
    if (plan.compression != RDB_LZ4 && plan.checksum)
        ck_assert_uint_eq(le_load(raw + len - 8, 8), crc64(0, raw, len - 8));
    else
        ck_assert_uint_eq(le_load(raw + len - 8, 8), 0);
    ck_assert_uint_eq(len - 9, atomic_load(&joiner.raw_bytes));
    check_records(raw, len - 9);
    for (unsigned i = 0; i < plan.lanes; i++)
        ck_assert_int_eq(lane_result[i], 0);
    free(raw);
}

static const struct plan plans[] = {
    {1, 2500, 600000, RDB_PLAIN, true},  {1, 2500, 600000, RDB_LZ4, true},
    {2, 2500, 600000, RDB_PLAIN, true},  {2, 2500, 600000, RDB_PLAIN, false},
    {3, 1500, 2 << 20, RDB_PLAIN, true}, {4, 2000, 600000, RDB_LZ4, true},
    {4, 2000, 600000, RDB_LZ4, false},   {4, 1, 1000, RDB_PLAIN, true},
    {4, 0, 1000, RDB_PLAIN, true},       {2, 0, 1000, RDB_LZ4, true},
};

START_TEST(records_come_out_whole_and_in_order)
{
    plan = plans[_i];
    check_joined();
    /* A lane alone is never cut; of several each is, where a chunk is nearly full. */
    if (plan.lanes == 1)
        ck_assert_uint_eq(breaks[0], 0);
    else if (plan.records > 1000)
        for (unsigned i = 0; i < plan.lanes; i++)
            ck_assert_uint_ge(breaks[i], 2);
}
END_TEST

/* ---- a medium that fails ---- */

struct failing {
    struct sink sink;
    unsigned writes_left;
};

static int
failing_write(struct sink *s, const void *bytes, size_t len)
{
    struct failing *f = (struct failing *)s;

    (void)bytes;
    (void)len;
    return f->writes_left-- == 0 ? sink_fail(s, -ENOSPC, "write") : 0;
}

START_TEST(a_medium_that_fails_ends_every_lane)
{
    static const struct sink_ops ops = {.write = failing_write};
    struct failing f = {.sink = {.ops = &ops}, .writes_left = 3};
    uint8_t buffer[4096];

    f.sink.buf = buffer;
    f.sink.capacity_bytes = sizeof buffer;
    plan = (struct plan){3, 2000, 600000, RDB_PLAIN, true};
    ck_assert_int_eq(join(&f.sink), -ENOSPC);
    for (unsigned i = 0; i < plan.lanes; i++)
        ck_assert_int_eq(lane_result[i], -ENOSPC);
}
END_TEST

START_TEST(a_stream_that_failed_at_once_takes_nothing)
{
    pthread_t thread;

    plan = (struct plan){1, 2000, 600000, RDB_PLAIN, true};
    joiner_begin(&joiner, &(struct joiner_options){.lanes = 1});
    joiner_fail(&joiner, -EACCES);
    ck_assert_int_eq(pthread_create(&thread, NULL, run_lane, NULL), 0);
    ck_assert_int_eq(joiner_write(&joiner, NULL, &rate, &not_cancelled, &done), -EACCES);
    pthread_join(thread, NULL);
    joiner_end(&joiner);
    ck_assert_int_eq(lane_result[0], -EACCES);
}
END_TEST

/* ---- the rate ---- */

START_TEST(the_writer_keeps_to_its_rate)
{
    struct sink *out;
    int64_t start;
    double seconds, bytes;

    plan = (struct plan){2, 2500, 600000, RDB_PLAIN, false};
    rate = 20 << 20;
    start = os_monotonic_us();
    ck_assert_int_eq(sink_memory_open(&out), 0);
    ck_assert_int_eq(join(out), 0);
    seconds = (double)(os_monotonic_us() - start) / 1e6;
    bytes = (double)out->put_bytes;
    sink_close(out);
    rate = 0;
    ck_assert(bytes > 20e6);
    /* The first chunk, and what the slack allows, come at once. */
    ck_assert_double_ge(seconds, bytes / (20 << 20) * 0.9 - 0.1);
}
END_TEST

START_TEST(a_cancel_ends_the_wait_for_the_rate)
{
    static _Atomic bool cancelled;
    struct sink *out;
    pthread_t thread;
    int64_t start = os_monotonic_us();

    plan = (struct plan){1, 2000, 600000, RDB_PLAIN, false};
    rate = 1;
    cancelled = true;
    ck_assert_int_eq(sink_memory_open(&out), 0);
    joiner_begin(&joiner, &(struct joiner_options){.lanes = 1});
    ck_assert_int_eq(pthread_create(&thread, NULL, run_lane, NULL), 0);
    ck_assert_int_eq(joiner_write(&joiner, out, &rate, &cancelled, &done), 0);
    pthread_join(thread, NULL);
    joiner_end(&joiner);
    sink_close(out);
    rate = 0;
    ck_assert_int_lt(os_monotonic_us() - start, 60 * 1000 * 1000); /* years, at that rate */
}
END_TEST

static void *
lift_rate(void *arg)
{
    usleep(50 * 1000); /* the writer waits by then, or it never will */
    rate = 0;
    return arg;
}

/* Not from the next chunk on: at one byte a second, that is three days later. */
START_TEST(a_rate_that_is_lifted_ends_the_wait)
{
    struct sink *out;
    pthread_t thread;
    int64_t start = os_monotonic_us();

    plan = (struct plan){1, 2000, 600000, RDB_PLAIN, false};
    rate = 1;
    ck_assert_int_eq(pthread_create(&thread, NULL, lift_rate, NULL), 0);
    ck_assert_int_eq(sink_memory_open(&out), 0);
    ck_assert_int_eq(join(out), 0);
    pthread_join(thread, NULL);
    sink_close(out);
    ck_assert_int_lt(os_monotonic_us() - start, 50 * 1000 * 1000);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("snapshot/joiner");
    TCase *t = tcase_create("joiner");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, records_come_out_whole_and_in_order, 0,
                        (int)(sizeof plans / sizeof plans[0]));
    tcase_add_test(t, a_medium_that_fails_ends_every_lane);
    tcase_add_test(t, a_stream_that_failed_at_once_takes_nothing);
    tcase_add_test(t, the_writer_keeps_to_its_rate);
    tcase_add_test(t, a_cancel_ends_the_wait_for_the_rate);
    tcase_add_test(t, a_rate_that_is_lifted_ends_the_wait);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
