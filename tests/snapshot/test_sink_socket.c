/* tests/snapshot/test_sink_socket.c - readers of a copy: each gets all of it in order, and one that
 * is slow, dead or in the way is dropped without the others. */
#include "snapshot/rdb/sink_socket.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mm/base/fault.h"
#include "mm/base/os.h"
#include "tests/support/runner.h"

enum { LEN = 3000000, READERS = 4, LONG_US = 600 * 1000 * 1000 };
static const char head[] = "$EOF:head\r\n", tail[] = "the end";

static int peer[READERS]; /* the other ends */
static struct sink_reader reader[READERS];
static _Atomic bool is_short, cancel;
static uint8_t *bytes;
static struct sink *out;

/* A reader that takes up to `most` bytes, with a pause between two reads. */
struct taker {
    pthread_t thread;
    int fd, pause_us;
    size_t most, room, len;
    uint8_t *has;
};
static struct taker taker[READERS];

static void
setup(void)
{
    uint32_t x = 1;

    bytes = malloc(LEN);
    for (size_t i = 0; i < LEN; i++) {
        x = x * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(x >> 24);
    }
    is_short = cancel = false;
    for (int i = 0; i < READERS; i++) {
        int ends[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        reader[i] = (struct sink_reader){.fd = ends[0], .error = 1, .done = 7};
        peer[i] = ends[1];
        taker[i] = (struct taker){.fd = -1};
    }
}

static void
teardown(void)
{
    fault_disarm();
    for (int i = 0; i < READERS; i++) {
        close(reader[i].fd);
        if (peer[i] >= 0)
            close(peer[i]);
        free(taker[i].has);
    }
    free(bytes);
}

static void *
take(void *arg)
{
    struct taker *t = arg;

    while (t->len < t->most) {
        size_t n = t->room - t->len;
        ssize_t got = read(t->fd, t->has + t->len, t->pause_us > 0 && n > 5000 ? 5000 : n);

        if (got <= 0)
            break;
        t->len += (size_t)got;
        if (t->pause_us > 0)
            usleep((unsigned)t->pause_us);
    }
    return NULL;
}

static void
start_taker(int i, size_t most, int pause_us)
{
    struct taker *t = &taker[i];

    *t = (struct taker){.fd = peer[i],
                        .most = most,
                        .pause_us = pause_us,
                        .room = LEN + 1000,
                        .has = malloc(LEN + 1000)};
    ck_assert_int_eq(pthread_create(&t->thread, NULL, take, t), 0);
}

/* end_taker: it has read all that there was. */
static void
end_taker(int i)
{
    shutdown(reader[i].fd, SHUT_WR);
    pthread_join(taker[i].thread, NULL);
}

static bool
has_all(int i)
{
    const uint8_t *p = taker[i].has;

    return taker[i].len == sizeof head - 1 + LEN + sizeof tail - 1 &&
           memcmp(p, head, sizeof head - 1) == 0 && memcmp(p + sizeof head - 1, bytes, LEN) == 0 &&
           memcmp(p + sizeof head - 1 + LEN, tail, sizeof tail - 1) == 0;
}

static void
open_sink(unsigned count, int64_t timeout_us, int64_t patience_us)
{
    ck_assert_int_eq(sink_socket_open(&(struct sink_socket_options){.readers = reader,
                                                                    .count = count,
                                                                    .head = head,
                                                                    .tail = tail,
                                                                    .timeout_us = timeout_us,
                                                                    .patience_us = patience_us,
                                                                    .is_short = &is_short},
                                      &out),
                     0);
    out->cancel = &cancel;
}

/* put_all: in pieces of several sizes; what the commit says. */
static int
put_all(void)
{
    int r;

    for (size_t at = 0, n; at < LEN; at += n) {
        n = at % 700000 + 1 < LEN - at ? at % 700000 + 1 : LEN - at;
        sink_put(out, bytes + at, n);
    }
    r = sink_commit(out);
    ck_assert_int_eq(r, sink_error(out));
    return r;
}

START_TEST(each_reader_gets_head_bytes_and_tail)
{
    for (int i = 0; i < READERS; i++)
        start_taker(i, SIZE_MAX, i * 100);
    open_sink(READERS, LONG_US, LONG_US);
    ck_assert_int_eq(put_all(), 0);
    ck_assert_uint_eq(out->put_bytes, LEN);
    sink_close(out);
    for (int i = 0; i < READERS; i++) {
        end_taker(i);
        ck_assert(has_all(i));
        ck_assert_int_eq(reader[i].error, 0);
    }
}
END_TEST

START_TEST(nothing_but_head_and_tail_is_a_copy_too)
{
    char got[100];

    open_sink(1, LONG_US, LONG_US);
    ck_assert_int_eq(sink_commit(out), 0);
    sink_close(out);
    ck_assert_int_eq(read(peer[0], got, sizeof got), sizeof head - 1 + sizeof tail - 1);
}
END_TEST

START_TEST(who_has_gone_is_dropped_and_the_others_go_on)
{
    start_taker(0, SIZE_MAX, 0);
    start_taker(1, 100000, 0); /* then it goes */
    start_taker(3, SIZE_MAX, 50);
    close(peer[2]);
    peer[2] = -1;
    open_sink(READERS, LONG_US, LONG_US);
    sink_put(out, bytes, 500000);
    pthread_join(taker[1].thread, NULL);
    close(peer[1]);
    peer[1] = -1;
    sink_put(out, bytes + 500000, LEN - 500000);
    ck_assert_int_eq(sink_commit(out), 0);
    sink_close(out);
    end_taker(0);
    end_taker(3);
    ck_assert(has_all(0) && has_all(3));
    ck_assert(reader[1].error == -EPIPE || reader[1].error == -ECONNRESET);
    ck_assert_int_eq(reader[2].error, -EPIPE);
}
END_TEST

START_TEST(who_takes_nothing_for_a_timeout_is_dropped)
{
    start_taker(0, SIZE_MAX, 0); /* reader 1 reads nothing at all */
    open_sink(2, 2000000, LONG_US);
    ck_assert_int_eq(put_all(), 0);
    sink_close(out);
    end_taker(0);
    ck_assert(has_all(0));
    ck_assert_int_eq(reader[1].error, -ETIMEDOUT);
}
END_TEST

/* A whole copy takes more than a timeout here: what counts is that something is taken. */
START_TEST(who_is_slow_but_reads_is_waited_for)
{
    int64_t begin = os_monotonic_us();

    start_taker(0, SIZE_MAX, 10000);
    open_sink(1, 4000000, LONG_US);
    ck_assert_int_eq(put_all(), 0);
    sink_close(out);
    end_taker(0);
    ck_assert(has_all(0));
    ck_assert_int_gt(os_monotonic_us() - begin, 4000000);
}
END_TEST

START_TEST(who_holds_memory_that_is_short_is_dropped)
{
    start_taker(0, SIZE_MAX, 0);
    start_taker(1, SIZE_MAX, 20000); /* it reads, but slowly */
    is_short = true;
    open_sink(2, LONG_US, 2000000);
    ck_assert_int_eq(put_all(), 0);
    sink_close(out);
    end_taker(0);
    ck_assert(has_all(0));
    ck_assert_int_eq(reader[1].error, -EDQUOT);
    end_taker(1);
}
END_TEST

static void *
cancel_soon(void *arg)
{
    usleep(100000);
    cancel = true;
    return arg;
}

START_TEST(a_cancel_ends_the_wait_for_a_reader)
{
    pthread_t t;

    ck_assert_int_eq(pthread_create(&t, NULL, cancel_soon, NULL), 0);
    open_sink(1, LONG_US, LONG_US);
    ck_assert_int_eq(put_all(), -ECANCELED);
    pthread_join(t, NULL);
    ck_assert_int_eq(reader[0].error, 0); /* it is not the reader's fault */
    sink_close(out);
}
END_TEST

START_TEST(without_a_reader_left_the_copy_has_failed)
{
    for (int i = 0; i < 2; i++) {
        close(peer[i]);
        peer[i] = -1;
    }
    open_sink(2, LONG_US, LONG_US);
    ck_assert_int_eq(put_all(), -EPIPE);
    ck_assert_str_eq(out->failed_step, "send");
    sink_close(out);
}
END_TEST

#ifdef STILLFRAME_FAULTS
START_TEST(a_send_that_fails_is_that_readers_end)
{
    start_taker(0, SIZE_MAX, 0);
    start_taker(1, SIZE_MAX, 0);
    fault_arm(FAULT_copy_send, 3, false); /* the first piece of the first one, after two heads */
    open_sink(2, LONG_US, LONG_US);
    ck_assert_int_eq(put_all(), 0);
    ck_assert_uint_eq(fault_disarm(), 1);
    sink_close(out);
    end_taker(0);
    end_taker(1);
    ck_assert_int_eq(reader[0].error, -ECONNRESET);
    ck_assert(has_all(1));
}
END_TEST

START_TEST(without_memory_no_sink_is_opened)
{
    struct sink_socket_options o = {.readers = reader, .count = 1, .head = "", .tail = ""};

    fault_arm(_i == 0 ? FAULT_sink_buffer : FAULT_spare_malloc, 1, true);
    ck_assert_int_eq(sink_socket_open(&o, &out), -ENOMEM);
    ck_assert_uint_eq(fault_disarm(), 1);
}
END_TEST
#endif

int
main(void)
{
    Suite *s = suite_create("snapshot/sink_socket");
    TCase *t = tcase_create("sink_socket");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, each_reader_gets_head_bytes_and_tail);
    tcase_add_test(t, nothing_but_head_and_tail_is_a_copy_too);
    tcase_add_test(t, who_has_gone_is_dropped_and_the_others_go_on);
    tcase_add_test(t, who_takes_nothing_for_a_timeout_is_dropped);
    tcase_add_test(t, who_is_slow_but_reads_is_waited_for);
    tcase_add_test(t, who_holds_memory_that_is_short_is_dropped);
    tcase_add_test(t, a_cancel_ends_the_wait_for_a_reader);
    tcase_add_test(t, without_a_reader_left_the_copy_has_failed);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(t, a_send_that_fails_is_that_readers_end);
    tcase_add_loop_test(t, without_memory_no_sink_is_opened, 0, 2);
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
