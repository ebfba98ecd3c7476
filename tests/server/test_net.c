/* tests/server/test_net.c - what net offers to the floors above: sinks for replies, attachments to
 * clients, tasks of the loop. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/clock.h"
#include "mm/base/must.h"
#include "mm/base/os.h"
#include "mm/base/text.h"
#include "mm/mm.h"
#include "server/commands/table.h"
#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/exec/auth.h"
#include "server/exec/exec.h"
#include "server/net/attachment.h"
#include "server/net/client.h"
#include "server/net/loop.h"
#include "server/net/output.h"
#include "server/net/reply.h"
#include "server/types.h"
#include "snapshot/snapshot.h"
#include "tests/support/runner.h"

/* ---- a sink ---- */

struct collector {
    struct output_sink sink; /* first */
    struct text text;        /* each reply, and a bar behind it */
    unsigned replies, failures;
};

static void
collect(struct output_sink *s, const char *bytes, size_t len)
{
    struct collector *to = (struct collector *)(void *)s;

    to->replies++;
    if (bytes == NULL)
        to->failures++;
    else
        text_add_bytes(&to->text, bytes, len);
    text_add(&to->text, "|");
}

static struct client *c;
static struct collector collector;

static void
open_server(void)
{
    ck_assert_int_eq(mm_init(&(struct mm_options){.arena_bytes = (size_t)1 << 30}), 0);
    ck_assert_int_eq(config_init(), 0);
    commands_init();
    types_init();
    exec_init();
    auth_init();
    clock_refresh();
    ck_assert_int_eq(db_init(2), 0);
    c = client_new_detached();
    ck_assert_ptr_nonnull(c);
    collector = (struct collector){.sink.take = collect};
    c->sink = &collector.sink;
}

static void
close_server(void)
{
    client_free(c);
    text_free(&collector.text);
    db_fini();
    config_fini();
    mm_fini();
}

static void
say(const char *command)
{
    struct slice argv[16];
    char words[256], *save = NULL;
    int argc = 0;

    strcpy(words, command);
    for (char *w = strtok_r(words, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
        argv[argc++] = (struct slice){w, strlen(w)};
    exec_words(c, argc, argv);
}

START_TEST(replies_arrive_in_the_sink_one_a_command)
{
    say("set k v");
    say("get k");
    say("get");
    say("hello 3");
    text_clear(&collector.text); /* what HELLO says is long */
    say("get none");
    say("lpush l a b");
    say("lrange l 0 -1");
    ck_assert_str_eq(text_str(&collector.text), "_\r\n|:2\r\n|*2\r\n$1\r\nb\r\n$1\r\na\r\n|");
    ck_assert_uint_eq(collector.replies, 7);
    ck_assert_uint_eq(collector.failures, 0);
    ck_assert_ptr_null(c->out); /* between two commands it has no buffer */
    ck_assert_uint_eq(client_pending_out(c), 0);
}
END_TEST

/* KEYS does not know how many there are before it has replied them. */
START_TEST(a_sink_sees_a_reply_when_it_is_whole)
{
    char command[64];
    size_t len;

    for (int i = 0; i < 20000; i++) {
        snprintf(command, sizeof command, "set key:%06d v", i);
        say(command);
    }
    text_clear(&collector.text);
    say("keys *");
    len = strlen("*20000\r\n") + 20000 * strlen("$10\r\nkey:000000\r\n") + 1;
    ck_assert_uint_eq(collector.text.len, len);
    ck_assert_int_eq(memcmp(collector.text.at, "*20000\r\n$10\r\nkey:", 17), 0);
    ck_assert_uint_eq(collector.replies, 20001);
}
END_TEST

START_TEST(a_transaction_is_one_reply_in_the_sink)
{
    say("multi");
    say("incr n");
    ck_assert(!client_is_plain(c));
    say("incr n");
    say("exec");
    ck_assert_str_eq(text_str(&collector.text),
                     "+OK\r\n|+QUEUED\r\n|+QUEUED\r\n|*2\r\n:1\r\n:2\r\n|");
    ck_assert(client_is_plain(c));
}
END_TEST

START_TEST(a_command_that_replies_nothing_does_not_reach_the_sink)
{
    say("client reply off");
    say("ping");
    ck_assert_uint_eq(collector.replies, 0);
    say("client reply on");
    ck_assert_str_eq(text_str(&collector.text), "+OK\r\n|");
}
END_TEST

START_TEST(a_sink_is_told_that_there_is_no_reply)
{
    client_doom(c);
    say("ping");
    ck_assert_uint_eq(collector.replies, 1);
    ck_assert_uint_eq(collector.failures, 1);
}
END_TEST

/* ---- attachments ---- */

static unsigned closed, freed;

static size_t
seven(const struct client *of)
{
    (void)of;
    return 7;
}

static void
describe(const struct client *of, struct client_facts *facts)
{
    (void)of;
    facts->patterns = 3;
}

static void
on_close(struct client *of)
{
    ck_assert_ptr_eq(client_first(), of); /* still in the list */
    closed++;
}

static void
on_free(struct client *of)
{
    (void)of;
    freed++;
}

static void
never_ready(struct loop_source *s, uint32_t events)
{
    (void)s;
    (void)events;
    never("there is no socket");
}

START_TEST(what_is_attached_is_asked_and_told)
{
    static const struct client_attachment attachment = {
        .bytes = seven, .describe = describe, .on_close = on_close, .on_free = on_free};
    struct text line = {0};
    struct client *other;
    size_t plain, watching;

    ck_assert_ptr_nonnull(other = client_new(-1, never_ready));
    say("watch k");
    plain = client_memory(other);
    watching = client_memory(c);
    client_attach(&attachment);
    client_attach(&attachment);
    ck_assert_uint_eq(client_memory(other), plain); /* nothing is kept with it */
    ck_assert_uint_eq(client_memory(c), watching + 7);
    client_describe(other, &line);
    ck_assert_ptr_nonnull(strstr(text_str(&line), " flags=N db=0 sub=0 psub=3 ssub=0 multi=-1 "));
    text_free(&line);
    client_close(other);
    client_close(other);
    ck_assert_uint_eq(closed, 1);
    ck_assert_uint_eq(freed, 0);
    client_free_closed();
    ck_assert_uint_eq(freed, 1);
    ck_assert_ptr_null(client_first());
}
END_TEST

/* ---- tasks ---- */

enum { TASKS = 4 };
static struct loop_task tasks[TASKS];
static char order[64];
static unsigned order_len, slices[TASKS], runs[TASKS], turns_left;

static void
note_run(unsigned i, unsigned slice_us)
{
    if (order_len < sizeof order - 1)
        order[order_len++] = (char)('a' + i);
    runs[i]++;
    slices[i] = slice_us;
}

static void
run_a(unsigned slice_us)
{
    note_run(0, slice_us);
}

static void
run_b(unsigned slice_us)
{
    note_run(1, slice_us);
    loop_task_at(&tasks[1], LOOP_NEVER);
}

static void
run_c(unsigned slice_us)
{
    note_run(2, slice_us);
}

static void
run_last(unsigned slice_us)
{
    note_run(3, slice_us);
    if (--turns_left == 0)
        loop_state.stopping = true;
}

static void
open_loop(void)
{
    ck_assert_int_eq(mm_init(&(struct mm_options){.arena_bytes = (size_t)1 << 30}), 0);
    ck_assert_int_eq(config_init(), 0);
    ck_assert_int_eq(snapshot_start(), 0);
    ck_assert_int_eq(loop_init(), 0);
    clock_refresh();
    tasks[0] = (struct loop_task){
        .place = LOOP_PAGES, .is_slice = true, .due_ms = LOOP_NEVER, .run = run_a};
    tasks[1] = (struct loop_task){
        .place = LOOP_DATA, .is_slice = true, .due_ms = LOOP_NEVER, .run = run_b};
    tasks[2] = (struct loop_task){
        .place = LOOP_DEADLINES, .due_ms = LOOP_NEVER, .longest_ms = 1000, .run = run_c};
    tasks[3] = (struct loop_task){
        .place = LOOP_SIGNALS, .each_turn = true, .due_ms = LOOP_NEVER, .run = run_last};
    for (unsigned i = 0; i < 2 * TASKS; i++)
        loop_task_add(&tasks[i % TASKS]);
    order_len = 0;
    memset(order, 0, sizeof order);
    memset(runs, 0, sizeof runs);
    loop_state.stopping = false;
}

static void
close_loop(void)
{
    snapshot_stop();
    config_fini();
    mm_fini();
}

static int64_t
run_turns(unsigned n)
{
    int64_t begin_us = os_monotonic_us();

    turns_left = n;
    loop_run();
    return os_monotonic_us() - begin_us;
}

START_TEST(tasks_run_in_the_order_of_their_places_and_share_a_slice)
{
    for (unsigned i = 0; i < 3; i++)
        loop_task_at(&tasks[i], LOOP_NOW);
    run_turns(2);
    ck_assert_str_eq(order, "cbadcad"); /* b, once done, is due no more */
    ck_assert_uint_eq(slices[1], LOOP_SLICE_US / 2);
    ck_assert_uint_eq(slices[0], LOOP_SLICE_US); /* alone in the second turn */
}
END_TEST

START_TEST(the_loop_does_not_wait_while_a_task_is_due)
{
    loop_task_at(&tasks[0], LOOP_NOW);
    ck_assert_int_lt(run_turns(1000), 1000 * 1000); /* a wait is of a millisecond at least */
    ck_assert_uint_eq(runs[0], 1000);
}
END_TEST

START_TEST(the_loop_wakes_for_the_nearest_task_and_not_before)
{
    int64_t took_us;

    loop_task_at(&tasks[1], clock_now.ms + 30);
    loop_task_at(&tasks[2], clock_now.ms + 900);
    took_us = run_turns(1);
    ck_assert_uint_eq(runs[1], 1);
    ck_assert_uint_eq(runs[2], 0);
    ck_assert_int_ge(took_us, 28 * 1000); /* each_turn, which d is, wakes nobody */
}
END_TEST

START_TEST(a_periodic_task_is_due_when_the_clock_was_set_back)
{
    run_turns(1);
    loop_state.stopping = false;
    loop_task_at(&tasks[1], clock_now.ms + 5000);
    loop_task_at(&tasks[2], clock_now.ms + 5000);
    run_turns(1);
    ck_assert_uint_eq(runs[2], 0);
    loop_state.stopping = false;
    clock_now.ms += 3600 * 1000; /* it was that late before */
    run_turns(1);
    ck_assert_uint_eq(runs[2], 1);
    ck_assert_uint_eq(runs[1], 0); /* this one may be as far ahead as it likes */
}
END_TEST

static unsigned jobs;

static void
count_job(void)
{
    jobs++;
}

START_TEST(cron_can_be_paused)
{
    loop_run_cron(count_job);
    loop_state.cron_paused = true;
    loop_run_cron(count_job);
    loop_state.cron_paused = false;
    loop_run_cron(count_job);
    ck_assert_uint_eq(jobs, 2);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("server/net");
    TCase *sinks = tcase_create("sinks"), *loops = tcase_create("tasks");

    tcase_add_checked_fixture(sinks, open_server, close_server);
    tcase_add_test(sinks, replies_arrive_in_the_sink_one_a_command);
    tcase_add_test(sinks, a_sink_sees_a_reply_when_it_is_whole);
    tcase_add_test(sinks, a_transaction_is_one_reply_in_the_sink);
    tcase_add_test(sinks, a_command_that_replies_nothing_does_not_reach_the_sink);
    tcase_add_test(sinks, a_sink_is_told_that_there_is_no_reply);
    tcase_add_test(sinks, what_is_attached_is_asked_and_told);
    tcase_add_checked_fixture(loops, open_loop, close_loop);
    tcase_add_test(loops, tasks_run_in_the_order_of_their_places_and_share_a_slice);
    tcase_add_test(loops, the_loop_does_not_wait_while_a_task_is_due);
    tcase_add_test(loops, the_loop_wakes_for_the_nearest_task_and_not_before);
    tcase_add_test(loops, a_periodic_task_is_due_when_the_clock_was_set_back);
    tcase_add_test(loops, cron_can_be_paused);
    suite_add_tcase(s, sinks);
    suite_add_tcase(s, loops);
    return run_suite(s);
}
