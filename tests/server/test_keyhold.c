/* tests/server/test_keyhold.c - keys that are held: who waits (HD1), what is noted (HD2). */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "server/data/db/db.h"
#include "server/exec/cmd.h"
#include "server/exec/exec.h"
#include "server/exec/keyhold.h"
#include "server/net/client.h"
#include "server/net/net_impl.h"
#include "tests/support/runner.h"
#include "tests/support/talk.h"
#include "tests/support/words.h"

static struct client *writer;
static struct keyhold *held;

static void
setup(void)
{
    talk_open();
    ck_assert_str_eq(talk("mset k v other w"), "+OK\r\n");
    writer = client_new_detached();
    ck_assert_ptr_nonnull(writer);
    writer->kind =
        CLIENT_NORMAL; /* only a connection may wait; it has no socket: nothing is sent */
    ck_assert_int_eq(keyhold_take(0, SLICE("k"), &held), 0);
}

static void
teardown(void)
{
    if (held != NULL)
        keyhold_release(held);
    keyhold_verify();
    ck_assert_uint_eq(keyhold_count, 0);
    net_forget(writer);
    writer->kind = CLIENT_DETACHED;
    client_free(writer);
    talk_close();
}

/* waits: would this command of a connection have to? */
static bool
waits(const char *line)
{
    struct words words;
    struct cmd *cmd;
    bool result;

    words_split(&words, line, strlen(line));
    ck_assert_ptr_nonnull(cmd = cmd_find(words.argv[0]));
    writer->argc = words.argc;
    writer->argv = words.argv;
    result = keyhold_stops(writer, cmd, cmd->flags);
    writer->argc = 0;
    words_free(&words);
    return result;
}

START_TEST(who_names_a_held_key_and_may_change_it_waits) /* HD1 */
{
    static const char *const lines[] = {"set k 1",
                                        "append k x",
                                        "mset other 1 k 2",
                                        "rename other k",
                                        "rename k other",
                                        "del x k",
                                        "sort other store k",
                                        "eval x 2 other k",
                                        "pfcount k",
                                        "flushall",
                                        "flushdb",
                                        "swapdb 0 1",
                                        "blpop other k 0",
                                        "getex k ex 10",
                                        "zunionstore k 1 other",
                                        "msetex 2 other 1 k 2",
                                        "migrate h 1 '' 0 5 keys other k"};

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        ck_assert_msg(waits(lines[i]), "%s", lines[i]);
}
END_TEST

START_TEST(others_go_on) /* HD1 */
{
    static const char *const lines[] = {"get k",          "set other 1", "mget k other", "dump k",
                                        "eval x 1 other", "ping",        "publish k x",  "multi",
                                        "set kk 1",       "exists k"};

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        ck_assert_msg(!waits(lines[i]), "%s", lines[i]);
    writer->db_index = 1;
    ck_assert(!waits("set k 1"));
    ck_assert(waits("flushall"));
}
END_TEST

START_TEST(a_key_is_held_once_and_then_no_more)
{
    struct keyhold *second = NULL;

    ck_assert_int_eq(keyhold_take(0, SLICE("k"), &second), -EEXIST);
    ck_assert_int_eq(keyhold_take(1, SLICE("k"), &second), 0);
    keyhold_verify();
    keyhold_release(held);
    held = NULL;
    ck_assert(!keyhold_is_held(0, SLICE("k")) && keyhold_is_held(1, SLICE("k")));
    ck_assert(!waits("set k 1"));
    keyhold_release(second);
    ck_assert_uint_eq(keyhold_count, 0);
}
END_TEST

/* Who has no socket does not wait: talk()'s commands do what scripts might. */
START_TEST(what_changes_it_all_the_same_is_noted) /* HD2 */
{
    static const char *const lines[] = {
        "append k x", "del k",      "expire k 100", "flushall",
        "swapdb 0 1", "rename k z", "flushdb",      "copy other k replace"};

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        (void)talk("flushall");
        ck_assert_str_eq(talk("mset k v other w"), "+OK\r\n");
        keyhold_accept(held);
        (void)talk("append other x");
        (void)talk("get k");
        ck_assert_msg(!keyhold_was_changed(held), "before %s", lines[i]);
        ck_assert(talk("%s", lines[i])[0] != '-');
        ck_assert_msg(keyhold_was_changed(held), "%s", lines[i]);
    }
}
END_TEST

START_TEST(a_key_that_expires_is_noted) /* HD2 */
{
    (void)talk("pexpire k 5");
    keyhold_accept(held);
    talk_pass_ms(10);
    ck_assert_str_eq(talk("exists k"), ":0\r\n");
    ck_assert(keyhold_was_changed(held));
}
END_TEST

START_TEST(fields_that_expire_are_no_change) /* HD2 */
{
    struct keyhold *h;

    (void)talk("hset h a 1 b 2");
    (void)talk("hpexpire h 5 fields 1 a");
    ck_assert_int_eq(keyhold_take(0, SLICE("h"), &h), 0);
    talk_pass_ms(10);
    ck_assert_str_eq(talk("hget h b"), "$1\r\n2\r\n");
    talk_finish_work();
    ck_assert(keyhold_was_touched(h) && !keyhold_was_changed(h));
    (void)talk("hset h b 3");
    ck_assert(keyhold_was_changed(h));
    keyhold_release(h);
}
END_TEST

START_TEST(other_listeners_come_and_go_beside_it)
{
    ck_assert_str_eq(talk("config set notify-keyspace-events KEA"), "+OK\r\n");
    ck_assert_str_eq(talk("config set notify-keyspace-events ''"), "+OK\r\n");
    keyhold_verify();
    (void)talk("append k x");
    ck_assert(keyhold_was_changed(held));
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("server/keyhold");
    TCase *tc = tcase_create("keyhold");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, who_names_a_held_key_and_may_change_it_waits);
    tcase_add_test(tc, others_go_on);
    tcase_add_test(tc, a_key_is_held_once_and_then_no_more);
    tcase_add_test(tc, what_changes_it_all_the_same_is_noted);
    tcase_add_test(tc, a_key_that_expires_is_noted);
    tcase_add_test(tc, fields_that_expire_are_no_change);
    tcase_add_test(tc, other_listeners_come_and_go_beside_it);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
