/* tests/server/test_reply.c - replies of both protocol versions, and what becomes of a client that
 * takes too much. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/text.h"
#include "server/config/config.h"
#include "server/figures/errorstats.h"
#include "server/net/client.h"
#include "server/net/output.h"
#include "server/net/reply.h"
#include "tests/support/runner.h"

static struct client *c;

static void
setup(void)
{
    ck_assert_int_eq(config_init(), 0);
    c = client_new_detached();
    ck_assert_ptr_nonnull(c);
}

static void
teardown(void)
{
    c->kind = CLIENT_DETACHED;
    client_free(c);
    config_fini();
}

/* As if it had a socket: its output is a queue of chunks.  Nothing is written to it. */
static void
pretend_socket(void)
{
    c->kind = CLIENT_NORMAL;
}

/* The pending bytes, in one piece: [caller frees] */
static char *
pending_bytes(void)
{
    size_t pending = client_pending_out(c), at = 0;
    char *bytes = malloc(pending + 1);

    while (at < pending) {
        size_t rest;
        const char *p = output_find(c, at, &rest);

        memcpy(bytes + at, p, rest);
        at += rest;
    }
    ck_assert_uint_eq(at, pending);
    return bytes;
}

/* What was replied since the last call. */
static void
check_reply(const char *want)
{
    char *bytes = pending_bytes();

    ck_assert_uint_eq(client_pending_out(c), strlen(want));
    ck_assert_int_eq(memcmp(bytes, want, strlen(want)), 0);
    free(bytes);
    if (c->out != NULL)
        output_sent(c, strlen(want));
    ck_assert_uint_eq(client_pending_out(c), 0);
}

static void
all_forms(void)
{
    reply_ok(c);
    reply_status(c, "PONG");
    reply_int(c, INT64_MIN);
    reply_bulk(c, "a\0b", 3);
    reply_bulk_text(c, "");
    reply_bulk_int(c, -5);
    reply_null(c);
    reply_null_array(c);
    reply_array(c, 0);
    reply_map(c, 2);
    reply_set(c, 3);
    reply_push(c, 1);
    reply_bool(c, true);
    reply_bool(c, false);
    reply_double(c, 1.5);
    reply_double(c, -1.0 / 0.0);
    reply_big_number(c, "123");
    reply_verbatim(c, "txt", "hi", 2);
    reply_bulk_begin(c, 5);
    reply_raw(c, "he", 2);
    reply_raw(c, "llo", 3);
    reply_bulk_end(c);
}

static void
check_bytes(const char *want, size_t len)
{
    ck_assert_uint_eq(client_pending_out(c), len);
    ck_assert_int_eq(memcmp(c->out, want, len), 0);
}

START_TEST(version_2_has_its_forms)
{
    static const char want[] =
        "+OK\r\n+PONG\r\n:-9223372036854775808\r\n$3\r\na\0b\r\n$0\r\n\r\n$2\r\n-5\r\n$-1\r\n"
        "*-1\r\n*0\r\n*4\r\n*3\r\n*1\r\n:1\r\n:0\r\n$3\r\n1.5\r\n$4\r\n-inf\r\n$3\r\n123\r\n$2\r\n"
        "hi\r\n$5\r\nhello\r\n";

    all_forms();
    check_bytes(want, sizeof want - 1);
}
END_TEST

START_TEST(version_3_has_its_forms)
{
    static const char want[] =
        "+OK\r\n+PONG\r\n:-9223372036854775808\r\n$3\r\na\0b\r\n$0\r\n\r\n$2\r\n-5\r\n_\r\n_\r\n*0\r\n"
        "%2\r\n~3\r\n>1\r\n#t\r\n#f\r\n,1.5\r\n,-inf\r\n(123\r\n=6\r\ntxt:hi\r\n$5\r\nhello\r\n";

    c->resp = 3;
    all_forms();
    check_bytes(want, sizeof want - 1);
}
END_TEST

START_TEST(an_error_is_one_line_and_is_counted)
{
    struct text t = {0};

    errorstats_reset();
    reply_error(c, "ERR a\r\nb\nc");
    ck_assert(c->is_error);
    reply_errorf(c, "MYCODE %d", 7);
    reply_error(c, "ERR x");
    check_reply("-ERR a  b c\r\n-MYCODE 7\r\n-ERR x\r\n");
    errorstats_info(&t);
    ck_assert_str_eq(text_str(&t), "errorstat_ERR:count=2\r\nerrorstat_MYCODE:count=1\r\n");
    text_free(&t);
}
END_TEST

START_TEST(deferred_arrays_may_be_nested_and_outgrow_the_buffer)
{
    size_t outer, inner, count = 20000;
    struct text want = {0};

    if (_i == 1)
        pretend_socket();
    reply_ok(c);
    outer = reply_array_deferred(c);
    text_addf(&want, "+OK\r\n*%zu\r\n", count + 2);
    inner = reply_array_deferred(c);
    reply_array_close(c, inner, 0);
    text_add(&want, "*0\r\n");
    for (size_t i = 0; i < count; i++) {
        reply_bulk_int(c, 12345);
        text_add(&want, "$5\r\n12345\r\n");
    }
    inner = reply_array_deferred(c);
    reply_int(c, 1);
    reply_array_close(c, inner, 1);
    text_add(&want, "*1\r\n:1\r\n");
    reply_array_close(c, outer, count + 2);
    check_reply(text_str(&want));
    text_free(&want);
}
END_TEST

/* The last reply of n is "<n>". */
static void
reply_numbers(int from, int to)
{
    for (int i = from; i < to; i++)
        reply_errorf(c, "%d%*s", i, i % 500, "");
}

static void
expect_numbers(struct text *want, int from, int to)
{
    for (int i = from; i < to; i++)
        text_addf(want, "-%d%*s\r\n", i, i % 500, "");
}

START_TEST(what_was_sent_goes_and_memory_follows)
{
    char piece[1000];
    size_t pending = 600 * sizeof piece;

    pretend_socket();
    memset(piece, 'x', sizeof piece);
    for (int i = 0; i < 600; i++)
        reply_raw(c, piece, sizeof piece);
    for (int i = 0; i < 10000; i++) { /* a reader that is always a little late */
        output_sent(c, sizeof piece);
        reply_raw(c, piece, sizeof piece);
        ck_assert_uint_eq(client_pending_out(c), pending);
        ck_assert_uint_le(c->out_bytes, pending + 3 * OUTPUT_CHUNK_BYTES);
        ck_assert_uint_eq(c->out_bytes, client_bytes.output);
    }
    while (client_pending_out(c) > 0) {
        output_sent(c, sizeof piece);
        ck_assert_uint_le(c->out_bytes, client_pending_out(c) + 2 * OUTPUT_CHUNK_BYTES);
    }
    output_return(c);
    ck_assert_uint_eq(c->out_bytes, 0);
    ck_assert_uint_eq(client_bytes.output, 0);
    ck_assert_uint_le(output_reserve_bytes(), 16 * OUTPUT_CHUNK_BYTES);
}
END_TEST

START_TEST(a_queue_of_chunks_gives_the_bytes_in_order_however_they_are_sent)
{
    struct text want = {0};
    unsigned seed = (unsigned)_i + 1;
    size_t sent = 0;
    int n = 0;

    pretend_socket();
    if (_i % 2 == 1)
        output_lend(c);
    for (int turn = 0; turn < 300; turn++) {
        int more = rand_r(&seed) % 400;
        struct iovec parts[5];
        size_t there = 0, part;

        reply_numbers(n, n + more);
        expect_numbers(&want, n, n + more);
        n += more;
        for (int i = 0, count = output_vector(c, parts, 5); i < count; i++) {
            ck_assert_int_eq(memcmp(parts[i].iov_base, want.at + sent + there, parts[i].iov_len),
                             0);
            there += parts[i].iov_len;
        }
        ck_assert_uint_eq(client_pending_out(c), want.len - sent);
        part = there == 0 ? 0 : (size_t)rand_r(&seed) % (there + 1);
        if (c->out != NULL)
            output_sent(c, part);
        sent += part;
    }
    check_reply(want.at + sent);
    text_free(&want);
}
END_TEST

START_TEST(replies_are_taken_back_over_chunks)
{
    static const int marks[] = {0, 1, 7, 100, 500, 999};
    struct text want = {0};
    size_t mark;

    pretend_socket();
    reply_numbers(0, 50);
    expect_numbers(&want, 0, 50);
    reply_numbers(50, 50 + marks[_i]);
    expect_numbers(&want, 50, 50 + marks[_i]);
    output_sent(c, 10);
    mark = client_pending_out(c);
    reply_numbers(0, 2000);
    reply_take_back(c, mark);
    ck_assert_uint_eq(client_pending_out(c), mark);
    reply_numbers(7, 300);
    expect_numbers(&want, 7, 300);
    check_reply(want.at + 10);
    text_free(&want);
}
END_TEST

START_TEST(what_a_muted_client_is_told_is_dropped)
{
    pretend_socket();
    reply_ok(c);
    output_mute(c);
    reply_numbers(0, 1000);
    reply_array_close(c, reply_array_deferred(c), 3);
    output_mute(c);
    output_unmute(c);
    reply_int(c, 1);
    output_unmute(c);
    reply_int(c, 2);
    check_reply("+OK\r\n:1\r\n:2\r\n");
}
END_TEST

START_TEST(a_little_that_is_pending_keeps_no_large_chunk)
{
    pretend_socket();
    output_lend(c);
    reply_ok(c);
    reply_int(c, 12345);
    output_sent(c, 3);
    output_settle(c);
    ck_assert_uint_le(c->out_bytes, 2 * OUTPUT_SMALL_BYTES);
    reply_numbers(0, 1000);
    output_settle(c); /* much is pending: it stays */
    ck_assert_uint_gt(c->out_bytes, client_pending_out(c));
    reply_take_back(c, 10);
    check_reply("\r\n:12345\r\n");
}
END_TEST

START_TEST(a_client_beyond_its_hard_limit_is_doomed_and_takes_no_more)
{
    char piece[5000];

    memset(piece, 'x', sizeof piece);
    config.output_limits[OUTPUT_NORMAL].hard_bytes = 100000;
    pretend_socket();
    for (int i = 0; i < 19; i++)
        reply_bulk(c, piece, sizeof piece);
    ck_assert(!c->close_now);
    for (int i = 0; i < 40; i++)
        reply_bulk(c, piece, sizeof piece);
    ck_assert(c->close_now);
    ck_assert_ptr_null(c->out);
    reply_array_close(c, reply_array_deferred(c), 3);
    ck_assert_uint_eq(client_pending_out(c), 0);
}
END_TEST

START_TEST(one_reply_may_be_too_much_whoever_reads_it)
{
    char piece[50000];

    memset(piece, 'x', sizeof piece);
    pretend_socket();
    output_lend(c);
    config.output_limits[OUTPUT_NORMAL].hard_bytes = 20000;
    reply_bulk(c, piece, 15000); /* so much is never too much */
    ck_assert(output_within_limit(c, 0));
    reply_bulk(c, piece, 15000); /* within the chunk: looked at before it is written */
    ck_assert(!c->close_now);
    ck_assert(!output_within_limit(c, 0));
    ck_assert(c->close_now);
}
END_TEST

START_TEST(the_loop_lends_one_buffer_and_takes_it_back)
{
    struct client *other = client_new_detached();
    char *lent;

    output_lend(c);
    lent = c->out;
    ck_assert_ptr_nonnull(lent);
    output_lend(other);
    ck_assert_ptr_ne(other->out, lent);
    output_return(c);
    ck_assert_ptr_null(c->out);
    ck_assert_uint_eq(c->out_room, 0);
    output_return(other);
    output_lend(other);
    ck_assert_ptr_eq(other->out, lent);
    output_return(other);
    client_free(other);
}
END_TEST

/* Whoever sends a megabyte does not get it back in the error. */
START_TEST(of_a_long_word_the_begin_is_quoted)
{
    char word[300], want[200];

    memset(word, 'x', sizeof word);
    snprintf(want, sizeof want, "ERR unknown subcommand '%.128s'. Try OBJECT HELP.", word);
    ck_assert_str_eq(reply_subcommand_text("unknown subcommand", SLICE("object"),
                                           (struct slice){.ptr = word, .len = sizeof word}),
                     want);
    ck_assert_str_eq(reply_subcommand_text("unknown subcommand", SLICE("object"), SLICE("x")),
                     "ERR unknown subcommand 'x'. Try OBJECT HELP.");
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("reply");
    TCase *forms = tcase_create("forms"), *buffers = tcase_create("buffers");

    tcase_add_checked_fixture(forms, setup, teardown);
    tcase_add_checked_fixture(buffers, setup, teardown);
    tcase_add_test(forms, version_2_has_its_forms);
    tcase_add_test(forms, version_3_has_its_forms);
    tcase_add_test(forms, an_error_is_one_line_and_is_counted);
    tcase_add_test(forms, of_a_long_word_the_begin_is_quoted);
    tcase_add_loop_test(forms, deferred_arrays_may_be_nested_and_outgrow_the_buffer, 0, 2);
    tcase_add_test(buffers, what_was_sent_goes_and_memory_follows);
    tcase_add_loop_test(buffers, a_queue_of_chunks_gives_the_bytes_in_order_however_they_are_sent,
                        0, 20);
    tcase_add_loop_test(buffers, replies_are_taken_back_over_chunks, 0, 6);
    tcase_add_test(buffers, what_a_muted_client_is_told_is_dropped);
    tcase_add_test(buffers, a_little_that_is_pending_keeps_no_large_chunk);
    tcase_add_test(buffers, one_reply_may_be_too_much_whoever_reads_it);
    tcase_add_test(buffers, a_client_beyond_its_hard_limit_is_doomed_and_takes_no_more);
    tcase_add_test(buffers, the_loop_lends_one_buffer_and_takes_it_back);
    suite_add_tcase(s, forms);
    suite_add_tcase(s, buffers);
    return run_suite(s);
}
