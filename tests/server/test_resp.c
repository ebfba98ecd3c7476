/* tests/server/test_resp.c - the request parser: the same commands however the bytes arrive, and no
 * hostile length gets anywhere. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mm/base/text.h"
#include "server/net/resp.h"
#include "tests/support/runner.h"

enum { MAX_BULK = 1 << 20 };

static const char pipeline[] =
    "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n"
    "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"
    "PING\r\n"
    "\r\n"
    "set \"quoted key\" 'it\\'s' \"\\x00\\x41\\n\"\r\n"
    "*0\r\n"
    "*-1\r\n"
    "*1\r\n$4\r\nPING\r\n"
    "*2\r\n$4\r\nECHO\r\n$0\r\n\r\n"
    "\n*1\r\n$4\r\nPONG\r\n"
    "*3\r\n$4\r\nmset\r\n$12\r\n*1\r\n$4\r\nPING\r\n$2\r\n\r\n\r\n"
    "get a b\tc\n"
    "*12\r\n$1\r\n0\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n$1\r\n6\r\n$1\r\n7\r\n"
    "$1\r\n8\r\n$1\r\n9\r\n$1\r\na\r\n$10\r\nbbbbbbbbbb\r\n";
static const char pipeline_commands[] =
    "<SET><k><value>\n<GET><k>\n<PING>\n<set><quoted key><it's><\\0A\n>\n<PING>\n<ECHO><>\n<PONG>\n"
    "<mset><*1\r\n$4\r\nPING><\r\n>\n<get><a><b><c>\n"
    "<0><1><2><3><4><5><6><7><8><9><a><bbbbbbbbbb>\n";

/* A reader in the manner of a connection.  Each piece arrives in a new block of exactly the right
 * size, so that a look behind the end, or a pointer kept over a move, is seen by the address
 * sanitizer. */
struct reader {
    struct resp parser;
    struct resp_vector v;
    char *buf;
    size_t len;
    struct text commands;
    const char *error;
    bool is_stranger;
};

static void
reader_init(struct reader *r)
{
    memset(r, 0, sizeof *r);
    r->v.max_bulk_bytes = MAX_BULK;
}

static void
reader_fini(struct reader *r)
{
    resp_reset(&r->parser);
    resp_vector_free(&r->v);
    text_free(&r->commands);
    free(r->buf);
}

static void
write_command(struct reader *r, int first)
{
    for (int i = first; i < r->v.count; i++) {
        text_add(&r->commands, "<");
        for (size_t k = 0; k < r->v.at[i].len; k++) {
            if (r->v.at[i].ptr[k] == '\0')
                text_add(&r->commands, "\\0");
            else
                text_add_bytes(&r->commands, r->v.at[i].ptr + k, 1);
        }
        text_add(&r->commands, ">");
    }
    text_add(&r->commands, "\n");
}

static void
feed(struct reader *r, const char *bytes, size_t len)
{
    char *buf = malloc(r->len + len + 1);
    size_t pos = 0;

    memcpy(buf, r->buf != NULL ? r->buf : "", r->len);
    memcpy(buf + r->len, bytes, len);
    free(r->buf);
    r->buf = buf;
    r->len += len;
    r->buf[r->len] = '\0';
    r->v.count = 0;
    while (r->error == NULL) {
        int first = r->v.count;
        size_t used = SIZE_MAX;
        enum resp_result result = (r->is_stranger ? resp_next_of_stranger : resp_next)(
            &r->parser, r->buf + pos, r->len - pos, &r->v, &used, &r->error);
        if (result == RESP_COMMAND)
            write_command(r, first);
        if (result != RESP_COMMAND && result != RESP_NOTHING)
            break;
        ck_assert_uint_le(used, r->len - pos);
        ck_assert_uint_gt(used, 0);
        pos += used;
    }
    memmove(r->buf, r->buf + pos, r->len - pos + 1);
    r->len -= pos;
}

static void
check_pipeline_in_pieces(const size_t *ends, int pieces)
{
    struct reader r;
    size_t from = 0;

    reader_init(&r);
    for (int i = 0; i < pieces; i++) {
        feed(&r, pipeline + from, ends[i] - from);
        from = ends[i];
    }
    ck_assert_ptr_null(r.error);
    ck_assert_str_eq(text_str(&r.commands), pipeline_commands);
    ck_assert_uint_eq(r.len, 0);
    ck_assert_ptr_null(r.parser.args);
    reader_fini(&r);
}

START_TEST(a_pipeline_gives_the_same_commands_at_every_split)
{
    size_t len = sizeof pipeline - 1;

    for (size_t split = 0; split <= len; split++)
        check_pipeline_in_pieces((size_t[]){split, len}, 2);
}
END_TEST

START_TEST(a_pipeline_gives_the_same_commands_at_every_pair_of_splits)
{
    size_t len = sizeof pipeline - 1;

    for (size_t a = 0; a <= len; a++)
        for (size_t b = a; b <= len; b += 3)
            check_pipeline_in_pieces((size_t[]){a, b, len}, 3);
}
END_TEST

START_TEST(a_pipeline_gives_the_same_commands_byte_by_byte)
{
    size_t ends[sizeof pipeline - 1];

    for (size_t i = 0; i < sizeof pipeline - 1; i++)
        ends[i] = i + 1;
    check_pipeline_in_pieces(ends, sizeof pipeline - 1);
}
END_TEST

/* ---- what is refused ---- */

static const struct {
    const char *bytes, *error, *commands;
} refused[] = {
    {"*a\r\n", "Protocol error: invalid multibulk length", ""},
    {"*\r\n", "Protocol error: invalid multibulk length", ""},
    {"*01\r\n", "Protocol error: invalid multibulk length", ""},
    {"*+1\r\n", "Protocol error: invalid multibulk length", ""},
    {"* 1\r\n", "Protocol error: invalid multibulk length", ""},
    {"*1 \r\n", "Protocol error: invalid multibulk length", ""},
    {"*-0\r\n", "Protocol error: invalid multibulk length", ""},
    {"*2147483648\r\n", "Protocol error: invalid multibulk length", ""},
    {"*9223372036854775808\r\n", "Protocol error: invalid multibulk length", ""},
    {"*18446744073709551617\r\n", "Protocol error: invalid multibulk length", ""},
    {"*1\n$4\r\nPING\r\n", "Protocol error: invalid multibulk length", ""},
    {"*1\r\nPING\r\n", "Protocol error: expected '$', got 'P'", ""},
    {"*1\r\n\r\n", "Protocol error: expected '$', got '\r'", ""},
    {"*1\r\n*1\r\n", "Protocol error: expected '$', got '*'", ""},
    {"*1\r\n$\r\n", "Protocol error: invalid bulk length", ""},
    {"*1\r\n$x\r\n", "Protocol error: invalid bulk length", ""},
    {"*1\r\n$-1\r\n", "Protocol error: invalid bulk length", ""},
    {"*1\r\n$01\r\n", "Protocol error: invalid bulk length", ""},
    {"*1\r\n$1048577\r\n", "Protocol error: invalid bulk length", ""},
    {"*1\r\n$4294967300\r\nPING\r\n", "Protocol error: invalid bulk length", ""},
    {"*1\r\n$18446744073709551615\r\nPING\r\n", "Protocol error: invalid bulk length", ""},
    {"*1\r\n$9223372036854775807\r\nPING\r\n", "Protocol error: invalid bulk length", ""},
    {"\"a\r\n", "Protocol error: unbalanced quotes in request", ""},
    {"'a\r\n", "Protocol error: unbalanced quotes in request", ""},
    {"\"a\"b\r\n", "Protocol error: unbalanced quotes in request", ""},
    {"a\"b\"c\r\n", "Protocol error: unbalanced quotes in request", ""},
    {"\"a\\\r\n", "Protocol error: unbalanced quotes in request", ""},
    {"PING\r\n*1\r\n$4\r\nPING\r\n*x\r\nPING\r\n", "Protocol error: invalid multibulk length",
     "<PING>\n<PING>\n"},
    {"*2\r\n$4\r\nECHO\r\n$y\r\n", "Protocol error: invalid bulk length", ""},
};

START_TEST(odd_requests_are_refused_in_redis_words)
{
    struct reader r;

    for (int in_bytes = 0; in_bytes < 2; in_bytes++) {
        reader_init(&r);
        for (size_t i = 0; i < strlen(refused[_i].bytes) && r.error == NULL;) {
            size_t n = in_bytes ? 1 : strlen(refused[_i].bytes);
            feed(&r, refused[_i].bytes + i, n);
            i += n;
        }
        ck_assert_pstr_eq(r.error, refused[_i].error);
        ck_assert_str_eq(text_str(&r.commands), refused[_i].commands);
        reader_fini(&r);
    }
}
END_TEST

/* ---- what is taken although it is odd ---- */

static const struct {
    const char *bytes, *commands;
} odd[] = {
    /* the end of a bulk is not looked at */
    {"*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPONG\r\n", "<PING>\n<PONG>\n"},
    {"*1\rx$4\ryPING\r\n", "<PING>\n"},
    {"*1\r\n$4\r\nPI", ""},
    {"*2147483647\r\n$4\r\nPING\r\n", ""},
    {"ping\r\r\n", "<ping>\n"},
    {"  a   b  \r\n", "<a><b>\n"},
    {"a \"\" ''\r\n", "<a><><>\n"},
    {"\"\\x4\\xg1\\q\\\\\\\"\"\r\n", "<x4xg1q\\\">\n"},
    {"'\\n\\''\r\n", "<\\n'>\n"},
    {"a\"b\"\r\n", "<ab>\n"},
    {"a'b c' d\r\n", "<ab c><d>\n"},
    {"\n\n \t \nx\n", "<x>\n"},
};

START_TEST(odd_requests_that_redis_takes_are_taken)
{
    struct reader r;

    reader_init(&r);
    feed(&r, odd[_i].bytes, strlen(odd[_i].bytes));
    ck_assert_ptr_null(r.error);
    ck_assert_str_eq(text_str(&r.commands), odd[_i].commands);
    reader_fini(&r);
}
END_TEST

START_TEST(an_inline_command_with_a_zero_byte_never_ends)
{
    static char rest[RESP_INLINE_MAX_BYTES];
    struct reader r;

    memset(rest, '\n', sizeof rest);
    for (int in_bytes = 0; in_bytes < 2; in_bytes++) {
        reader_init(&r);
        for (size_t i = 0, n = in_bytes ? 1 : 23; i < 23; i += n)
            feed(&r, &"PING\necho a\0b c\r\nPING\r\n"[i], n);
        ck_assert_str_eq(text_str(&r.commands), "<PING>\n");
        ck_assert_ptr_null(r.error);
        feed(&r, rest, sizeof rest);
        ck_assert_str_eq(text_str(&r.commands), "<PING>\n");
        ck_assert_pstr_eq(r.error, "Protocol error: too big inline request");
        reader_fini(&r);
    }
}
END_TEST

/* ---- strangers ---- */

static const struct {
    const char *bytes, *error, *commands;
} from_strangers[] = {
    {"*11\r\n", "Protocol error: unauthenticated multibulk length", ""},
    {"*2147483647\r\n", "Protocol error: unauthenticated multibulk length", ""},
    {"*2147483648\r\n", "Protocol error: invalid multibulk length", ""},
    {"*11\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n"
     "$0\r\n\r\n$0\r\n\r\n",
     "Protocol error: unauthenticated multibulk length", ""},
    {"*10\r\n$1\r\na\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n"
     "$1\r\nb\r\n",
     NULL, "<a><><><><><><><><><b>\n"},
    {"*2\r\n$4\r\nAUTH\r\n$16385\r\n", "Protocol error: unauthenticated bulk length", ""},
    {"*2\r\n$4\r\nAUTH\r\n$1048577\r\n", "Protocol error: invalid bulk length", ""},
    {"*2\r\n$4\r\nAUTH\r\n$16384\r\n", NULL, ""},
    {"*0\r\n*-1\r\n\r\n*1\r\n$4\r\nPING\r\nPING 1 2 3 4 5 6 7 8 9 10 11\r\n*x\r\n",
     "Protocol error: invalid multibulk length",
     "<PING>\n<PING><1><2><3><4><5><6><7><8><9><10><11>\n"},
};

START_TEST(strangers_may_say_little)
{
    for (int in_bytes = 0; in_bytes < 2; in_bytes++) {
        size_t len = strlen(from_strangers[_i].bytes), n = in_bytes ? 1 : len;
        struct reader r;

        reader_init(&r);
        r.is_stranger = true;
        for (size_t i = 0; i < len && r.error == NULL; i += n)
            feed(&r, from_strangers[_i].bytes + i, n);
        ck_assert_pstr_eq(r.error, from_strangers[_i].error);
        ck_assert_str_eq(text_str(&r.commands), from_strangers[_i].commands);
        ck_assert(!r.v.is_stranger);
        reader_fini(&r);
    }
}
END_TEST

/* ---- limits ---- */

static const struct {
    const char *head, *error;
} endless[] = {
    {"x", "Protocol error: too big inline request"},
    {"*1", "Protocol error: too big mbulk count string"},
    {"*1\r\n$1", "Protocol error: too big bulk count string"},
};

START_TEST(a_line_without_end_is_refused_after_64_kib)
{
    size_t given = 0, head = strlen(endless[_i].head);
    char piece[1000];
    struct reader r;

    reader_init(&r);
    memset(piece, '1', sizeof piece);
    feed(&r, endless[_i].head, head);
    for (; r.error == NULL && given < 3 * RESP_INLINE_MAX_BYTES; given += sizeof piece) {
        ck_assert_uint_le(given, RESP_INLINE_MAX_BYTES);
        feed(&r, piece, sizeof piece);
    }
    ck_assert_pstr_eq(r.error, endless[_i].error);
    reader_fini(&r);
}
END_TEST

START_TEST(the_longest_bulk_is_taken_and_one_byte_more_is_not)
{
    char head[64];
    char *bytes = malloc(MAX_BULK + 2);
    struct reader r;

    reader_init(&r);
    memset(bytes, 'b', MAX_BULK);
    memcpy(bytes + MAX_BULK, "\r\n", 2);
    snprintf(head, sizeof head, "*1\r\n$%d\r\n", MAX_BULK);
    feed(&r, head, strlen(head));
    ck_assert_uint_eq(resp_needs(&r.parser), strlen(head) + MAX_BULK + 2);
    feed(&r, bytes, MAX_BULK + 2);
    ck_assert_uint_eq(r.commands.len, MAX_BULK + 3);
    snprintf(head, sizeof head, "*1\r\n$%d\r\n", MAX_BULK + 1);
    feed(&r, head, strlen(head));
    ck_assert_pstr_eq(r.error, "Protocol error: invalid bulk length");
    reader_fini(&r);
    free(bytes);
}
END_TEST

START_TEST(the_limit_of_a_bulk_also_holds_for_one_that_is_there_as_a_whole)
{
    struct reader r;

    reader_init(&r);
    r.v.max_bulk_bytes = 3;
    feed(&r, "*1\r\n$3\r\nabc\r\n*1\r\n$4\r\nPING\r\n", 27);
    ck_assert_str_eq(text_str(&r.commands), "<abc>\n");
    ck_assert_pstr_eq(r.error, "Protocol error: invalid bulk length");
    reader_fini(&r);
}
END_TEST

START_TEST(a_claimed_number_of_arguments_costs_no_memory)
{
    struct reader r;

    reader_init(&r);
    feed(&r, "*2147483647\r\n$1\r\na\r\n", 20);
    ck_assert_ptr_null(r.error);
    ck_assert_int_eq(r.parser.have, 1);
    ck_assert_int_le(r.parser.room, 64);
    ck_assert_int_le(r.v.room, 64);
    reader_fini(&r);
}
END_TEST

/* ---- how it is done ---- */

START_TEST(a_whole_command_is_not_copied_and_leaves_no_state)
{
    static const char bytes[] = "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n";
    struct resp parser = {0};
    struct resp_vector v = {.max_bulk_bytes = MAX_BULK};
    const char *error = NULL;
    size_t used = 0;

    ck_assert_int_eq(resp_next(&parser, bytes, sizeof bytes - 1, &v, &used, &error), RESP_COMMAND);
    ck_assert_uint_eq(used, sizeof bytes - 1);
    ck_assert_int_eq(v.count, 2);
    ck_assert_ptr_eq(v.at[0].ptr, bytes + 8);
    ck_assert_ptr_eq(v.at[1].ptr, bytes + 17);
    ck_assert_ptr_null(parser.args);
    ck_assert(!v.scratch_used);
    resp_vector_free(&v);
}
END_TEST

START_TEST(only_quotes_need_the_scratch_buffer)
{
    struct resp parser = {0};
    struct resp_vector v = {.max_bulk_bytes = MAX_BULK};
    const char *error = NULL;
    size_t used = 0;

    ck_assert_int_eq(resp_next(&parser, "get a\r\n", 7, &v, &used, &error), RESP_COMMAND);
    ck_assert(!v.scratch_used);
    ck_assert_int_eq(resp_next(&parser, "get 'a'\r\n", 9, &v, &used, &error), RESP_COMMAND);
    ck_assert(v.scratch_used);
    ck_assert_int_eq(v.count, 4);
    resp_vector_free(&v);
}
END_TEST

/* A command of very many arguments in small pieces takes time in proportion to its length: eight
 * times the arguments must not take anywhere near sixty-four times as long. */
static double
seconds_for(int arguments)
{
    struct timespec a, b;
    struct resp parser = {0};
    struct resp_vector v = {.max_bulk_bytes = MAX_BULK};
    struct text t = {0};
    const char *error = NULL;
    size_t used = 0;
    enum resp_result result = RESP_MORE;

    text_addf(&t, "*%d\r\n", arguments);
    for (int i = 0; i < arguments; i++)
        text_add(&t, "$1\r\nx\r\n");
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    for (size_t len = 700; result == RESP_MORE; len += 700) {
        char kept;
        if (len > t.len)
            len = t.len;
        kept = t.at[len];
        t.at[len] = '\0';
        result = resp_next(&parser, t.at, len, &v, &used, &error);
        t.at[len] = kept;
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    ck_assert_int_eq(result, RESP_COMMAND);
    ck_assert_int_eq(v.count, arguments);
    resp_vector_free(&v);
    text_free(&t);
    return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

START_TEST(many_arguments_in_small_pieces_take_linear_time)
{
    double few = seconds_for(50000), many = seconds_for(400000);

    ck_assert_msg(many < 30 * few + 0.02, "50,000 arguments: %f s, 400,000: %f s", few, many);
}
END_TEST

/* Random requests in random pieces give what they give in one piece. */
START_TEST(random_bytes_give_the_same_in_random_pieces)
{
    static const char alphabet[] = "*$0123459\r\n\r\n\r\nab \"'\\-";
    unsigned seed = 20261122;

    for (int round = 0; round < 20000; round++) {
        char bytes[60];
        size_t len = (size_t)rand_r(&seed) % sizeof bytes;
        struct reader whole, pieces;

        for (size_t i = 0; i < len; i++)
            bytes[i] = alphabet[(size_t)rand_r(&seed) % (sizeof alphabet - 1)];
        reader_init(&whole);
        reader_init(&pieces);
        feed(&whole, bytes, len);
        for (size_t at = 0, n; at < len && pieces.error == NULL; at += n) {
            n = 1 + (size_t)rand_r(&seed) % 8;
            n = n < len - at ? n : len - at;
            feed(&pieces, bytes + at, n);
        }
        ck_assert_msg(strcmp(text_str(&whole.commands), text_str(&pieces.commands)) == 0,
                      "round %d: %.*s", round, (int)len, bytes);
        ck_assert_msg((whole.error == NULL) == (pieces.error == NULL), "round %d: %.*s", round,
                      (int)len, bytes);
        reader_fini(&whole);
        reader_fini(&pieces);
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("resp");
    TCase *pieces = tcase_create("pieces"), *forms = tcase_create("forms"),
          *limits = tcase_create("limits");

    tcase_add_test(pieces, a_pipeline_gives_the_same_commands_at_every_split);
    tcase_add_test(pieces, a_pipeline_gives_the_same_commands_at_every_pair_of_splits);
    tcase_add_test(pieces, a_pipeline_gives_the_same_commands_byte_by_byte);
    tcase_add_test(pieces, random_bytes_give_the_same_in_random_pieces);
    tcase_add_test(pieces, many_arguments_in_small_pieces_take_linear_time);
    tcase_add_loop_test(forms, odd_requests_are_refused_in_redis_words, 0,
                        sizeof refused / sizeof refused[0]);
    tcase_add_loop_test(forms, strangers_may_say_little, 0,
                        sizeof from_strangers / sizeof from_strangers[0]);
    tcase_add_loop_test(forms, odd_requests_that_redis_takes_are_taken, 0,
                        sizeof odd / sizeof odd[0]);
    tcase_add_test(forms, an_inline_command_with_a_zero_byte_never_ends);
    tcase_add_test(forms, a_whole_command_is_not_copied_and_leaves_no_state);
    tcase_add_test(forms, only_quotes_need_the_scratch_buffer);
    tcase_add_loop_test(limits, a_line_without_end_is_refused_after_64_kib, 0,
                        sizeof endless / sizeof endless[0]);
    tcase_add_test(limits, the_longest_bulk_is_taken_and_one_byte_more_is_not);
    tcase_add_test(limits, the_limit_of_a_bulk_also_holds_for_one_that_is_there_as_a_whole);
    tcase_add_test(limits, a_claimed_number_of_arguments_costs_no_memory);
    suite_add_tcase(s, pieces);
    suite_add_tcase(s, forms);
    suite_add_tcase(s, limits);
    return run_suite(s);
}
