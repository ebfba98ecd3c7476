/* tests/server/test_exec.c - commands within a command: what is done at once, and what only after
 * the outermost.
 *
 * The table is one of the test's own: some of the server's rows, and a command OUTER that executes
 * what the running test wants. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "server/exec/block.h"
#include "server/exec/cmd.h"
#include "server/exec/exec.h"
#include "server/figures/stats.h"
#include "server/modules.h"
#include "server/net/client.h"
#include "server/net/net_impl.h"
#include "server/net/reply.h"
#include "tests/support/runner.h"
#include "tests/support/talk.h"
#include "tests/support/words.h"

enum { ROWS = 10 };

static struct cmd rows[ROWS];
static struct client *outer, *inner, *waiter;
static void (*within)(struct client *c); /* what OUTER does */

/* What a client was answered, and is answered no more. */
static const char *
take_reply(struct client *c)
{
    static char text[1024];

    snprintf(text, sizeof text, "%.*s", (int)c->out_len, c->out);
    c->out_len = c->out_sent = 0;
    return text;
}

static const char *
say(struct client *c, const char *line, void (*execute)(struct client *, int, const struct slice *))
{
    struct words w;

    words_split(&w, line, strlen(line));
    execute(c, w.argc, w.argv);
    exec_verify();
    words_free(&w);
    return take_reply(c);
}

static const char *
nested(const char *line)
{
    return say(inner, line, exec_nested);
}

static void
run_within(struct client *c)
{
    ck_assert_ptr_eq(c, outer);
    within(c);
    reply_status(c, "done");
}

static void
add_row(unsigned i, const char *name)
{
    const struct cmd *row = cmd_find((struct slice){name, strlen(name)});

    ck_assert_ptr_nonnull(row);
    rows[i] = *row;
    rows[i].calls = rows[i].nsec = rows[i].failed = rows[i].rejected = 0;
    rows[i].histogram = NULL;
}

static struct cmd *
row_of(const char *name)
{
    return cmd_find((struct slice){name, strlen(name)});
}

static void
setup(void)
{
    static const char *const names[] = {"rpush",   "llen",      "blpop",  "get",  "set",
                                        "publish", "subscribe", "swapdb", "debug"};

    talk_open();
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        add_row(i, names[i]);
    rows[9] = (struct cmd){
        .name = "outer", .flags = CMD_WRITE, .handler = run_within, .arity = -1, .group = "test"};
    cmd_table_init(rows, ROWS, NULL, 0);
    outer = client_new_detached();
    inner = client_new_detached();
    waiter = client_new_detached();
    ck_assert(outer != NULL && inner != NULL && waiter != NULL);
    /* only a connection may wait; it has no socket: nothing is sent */
    waiter->kind = CLIENT_NORMAL;
}

static void
teardown(void)
{
    (void)block_end(waiter, BLOCK_GONE);
    net_forget(waiter);
    waiter->kind = CLIENT_DETACHED; /* it was never in the list of connections */
    client_free(waiter);
    client_free(inner);
    client_free(outer);
    cmd_table_reset_stats();
    modules_init();
    talk_close();
}

/* ---- a command within a command ---- */

static void
push_for_waiter(struct client *c)
{
    const struct cmd *cmd = c->cmd;

    ck_assert_str_eq(nested("rpush l a b"), ":2\r\n");
    ck_assert_str_eq(nested("llen l"), ":2\r\n"); /* it has not been served yet */
    ck_assert_ptr_nonnull(waiter->block);
    ck_assert_ptr_eq(c->cmd, cmd);
    ck_assert_int_eq(c->argc, 3);
    ck_assert(slice_equal(c->argv[1], SLICE("x")) && slice_equal(c->argv[2], SLICE("y")));
    ck_assert_ptr_eq(exec_client(), c);
}

START_TEST(who_waits_is_served_after_the_outermost_command)
{
    within = push_for_waiter;
    (void)say(waiter, "blpop l 0", exec_words);
    ck_assert_ptr_nonnull(waiter->block);
    ck_assert_str_eq(say(outer, "outer x y", exec_words), "+done\r\n");
    ck_assert_ptr_null(waiter->block);
    ck_assert_str_eq(take_reply(waiter), "*2\r\n$1\r\nl\r\n$1\r\na\r\n");
    ck_assert_str_eq(say(outer, "llen l", exec_words), ":1\r\n");
}
END_TEST

static void
fail_and_sleep(struct client *c)
{
    (void)c;
    ck_assert_str_eq(nested("get l"),
                     "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
    ck_assert_str_eq(nested("nosuch"),
                     "-ERR unknown command 'nosuch', with args beginning with: \r\n");
    ck_assert_str_eq(nested("debug sleep 0.01"), "+OK\r\n");
}

START_TEST(both_are_counted_the_outer_one_with_the_time_of_the_inner_one)
{
    uint64_t commands;

    within = fail_and_sleep;
    (void)say(outer, "rpush l a", exec_words);
    commands = stats.commands;
    ck_assert_str_eq(say(outer, "outer", exec_words), "+done\r\n");
    ck_assert_uint_eq(stats.commands - commands, 3);
    ck_assert_uint_eq(row_of("outer")->calls, 1);
    ck_assert_uint_eq(row_of("outer")->failed, 0);
    ck_assert_uint_eq(row_of("get")->calls, 1);
    ck_assert_uint_eq(row_of("get")->failed, 1);
    ck_assert_uint_eq(row_of("debug")->calls, 1);
    ck_assert_uint_ge(row_of("debug")->nsec, 10000000);
    ck_assert_uint_ge(row_of("outer")->nsec, row_of("debug")->nsec + row_of("get")->nsec);
    ck_assert_uint_lt(row_of("get")->nsec, 10000000);
}
END_TEST

static void
publish_to_outer(struct client *c)
{
    size_t before = client_pending_out(c);

    ck_assert_str_eq(nested("publish ch hello"), ":1\r\n");
    ck_assert_uint_eq(client_pending_out(c), before);
}

START_TEST(a_message_to_the_outer_client_comes_after_its_reply)
{
    within = publish_to_outer;
    outer->resp = 3;
    (void)say(outer, "subscribe ch", exec_words);
    outer->running = true; /* as the net says of who is served */
    ck_assert_str_eq(say(outer, "outer", exec_words),
                     "+done\r\n>3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$5\r\nhello\r\n");
    outer->running = false;
}
END_TEST

static void
exchange_databases(struct client *c)
{
    const struct db *before = c->db;

    ck_assert_str_eq(nested("swapdb 0 1"), "+OK\r\n");
    ck_assert_ptr_eq(c->db, db_select(0));
    ck_assert_ptr_ne(c->db, before);
}

START_TEST(the_outer_command_goes_on_in_its_database)
{
    within = exchange_databases;
    ck_assert_str_eq(say(outer, "outer", exec_words), "+done\r\n");
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("server/exec");
    TCase *tc = tcase_create("exec");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, who_waits_is_served_after_the_outermost_command);
    tcase_add_test(tc, both_are_counted_the_outer_one_with_the_time_of_the_inner_one);
    tcase_add_test(tc, a_message_to_the_outer_client_comes_after_its_reply);
    tcase_add_test(tc, the_outer_command_goes_on_in_its_database);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
