/* tests/server/test_reply.c - replies of both protocol versions, and what becomes of a client that takes too
 * much. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "server/client.h"
#include "server/config.h"
#include "server/errorstats.h"
#include "server/output.h"
#include "server/reply.h"
#include "server/text.h"
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
    client_free(c);
    config_fini();
}

/* What was replied since the last call. */
static void
check_reply(const char *want)
{
    ck_assert_uint_eq(client_pending_out(c), strlen(want));
    ck_assert_int_eq(memcmp(c->out + c->out_sent, want, strlen(want)), 0);
    c->out_len = c->out_sent = 0;
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
    info_errorstats(&t);
    ck_assert_str_eq(text_str(&t), "errorstat_ERR:count=2\r\nerrorstat_MYCODE:count=1\r\n");
    text_free(&t);
}
END_TEST

START_TEST(deferred_arrays_may_be_nested_and_outgrow_the_buffer)
{
    size_t outer, inner, count = 20000;
    struct text want = {0};

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

START_TEST(what_was_sent_makes_room_before_the_buffer_grows)
{
    char piece[1000];
    size_t room;

    memset(piece, 'x', sizeof piece);
    for (int i = 0; i < 60; i++)
        reply_raw(c, piece, sizeof piece);
    room = c->out_room;
    for (int i = 0; i < 10000; i++) { /* a reader that is always a little late */
        c->out_sent += sizeof piece;
        reply_raw(c, piece, sizeof piece);
        ck_assert_uint_eq(client_pending_out(c), 60 * sizeof piece);
    }
    ck_assert_uint_le(c->out_room, 2 * room);
}
END_TEST

START_TEST(a_client_beyond_its_hard_limit_is_doomed_and_takes_no_more)
{
    char piece[5000];

    memset(piece, 'x', sizeof piece);
    config.output_limits[OUTPUT_NORMAL].hard_bytes = 100000;
    c->fd = 1000000; /* a socket, as far as the limit is concerned; nothing is written to it */
    for (int i = 0; i < 19; i++)
        reply_bulk(c, piece, sizeof piece);
    ck_assert(!c->close_now);
    for (int i = 0; i < 40; i++)
        reply_bulk(c, piece, sizeof piece);
    ck_assert(c->close_now);
    ck_assert_ptr_null(c->out);
    reply_array_close(c, reply_array_deferred(c), 3);
    ck_assert_uint_eq(client_pending_out(c), 0);
    c->fd = -1;
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
    tcase_add_test(forms, deferred_arrays_may_be_nested_and_outgrow_the_buffer);
    tcase_add_test(buffers, what_was_sent_makes_room_before_the_buffer_grows);
    tcase_add_test(buffers, a_client_beyond_its_hard_limit_is_doomed_and_takes_no_more);
    tcase_add_test(buffers, the_loop_lends_one_buffer_and_takes_it_back);
    suite_add_tcase(s, forms);
    suite_add_tcase(s, buffers);
    return run_suite(s);
}
