/* tests/server/test_promises.c - what the headers of server/ ask of their callers: who does not
 * keep to it ends the process, before a client or the data is wronged.  Those of debug builds are
 * tested there only.  Of values: test_value_promises.c. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/clock.h"
#include "mm/base/nametab.h"
#include "server/config/config.h"
#include "server/exec/block.h"
#include "server/exec/cmd.h"
#include "server/exec/effect.h"
#include "server/exec/exec.h"
#include "server/exec/keywait.h"
#include "server/exec/monitor.h"
#include "server/exec/multi.h"
#include "server/exec/pause.h"
#include "server/exec/pubsub.h"
#include "server/exec/watch.h"
#include "server/figures/errorstats.h"
#include "server/figures/latency.h"
#include "server/memory/defrag.h"
#include "server/modules.h"
#include "server/net/client.h"
#include "server/net/net_impl.h"
#include "server/net/reply.h"
#include "server/persist/persist.h"
#include "tests/support/promises.h"
#include "tests/support/talk.h"
#include "tests/support/words.h"

/* ---- clients ---- */

static struct client *
begin_client(enum client_kind kind)
{
    struct client *c;

    talk_open();
    must((c = client_new_detached()) != NULL);
    c->kind = kind; /* one that may wait has no socket either: nothing is sent */
    c->db = db_select(0);
    return c;
}

static void
say(struct client *c, const char *line)
{
    struct words w;

    words_split(&w, line, strlen(line));
    exec_words(c, w.argc, w.argv);
    exec_verify();
    words_free(&w);
}

/* ---- waits ---- */

static void
no_end(struct client *c, struct block *b, enum block_end why)
{
    (void)c, (void)b, (void)why;
}

static struct block *
a_wait(int64_t deadline_ms)
{
    struct block *b = calloc(1, sizeof *b);

    must(b != NULL);
    b->deadline_ms = deadline_ms;
    b->end = no_end;
    return b;
}

static void
waiting_twice(void)
{
    struct client *c = begin_client(CLIENT_NORMAL);

    must(block_client(c, a_wait(0)) == 0);
    (void)block_client(c, a_wait(0));
}

static void
waiting_within_exec(void)
{
    struct client *c = begin_client(CLIENT_NORMAL);

    c->in_exec = true;
    (void)block_client(c, a_wait(0));
}

static void
waiting_without_a_connection(void)
{
    (void)block_client(begin_client(CLIENT_DETACHED), a_wait(0));
}

static void
ending_a_wait_that_is_none(void)
{
    block_finish(begin_client(CLIENT_NORMAL));
}

static void
changing_a_deadline_within_a_wait(void)
{
    struct client *c = begin_client(CLIENT_NORMAL);

    must(block_client(c, a_wait(clock_now.ms + 5)) == 0);
    must(block_client(begin_client(CLIENT_NORMAL), a_wait(clock_now.ms + 9)) == 0);
    c->block->deadline_ms += 100;
    block_verify();
}

static void
waiting_for_words_that_are_not_there(void)
{
    struct client *c = begin_client(CLIENT_NORMAL);
    struct slice argv[] = {SLICE("blpop"), SLICE("k")};

    c->argc = 2;
    c->argv = argv;
    keywait_begin(c, &(struct keywait_spec){.first_key = 1,
                                            .key_count = 2,
                                            .serve = (keywait_serve)(void *)no_end,
                                            .reply_timeout = reply_null});
}

/* ---- what is kept with clients ---- */

static void
beginning_a_transaction_twice(void)
{
    struct client *c = begin_client(CLIENT_DETACHED);

    must(multi_begin(c));
    (void)multi_begin(c);
}

static void
executing_what_is_lost(void)
{
    struct client *c = begin_client(CLIENT_DETACHED);

    must(multi_begin(c));
    c->multi_dirty = true;
    multi_run(c);
}

static void
watching_in_another_database(void)
{
    struct client *c = begin_client(CLIENT_DETACHED);

    c->db_index = 1;
    (void)watch_add(c, SLICE("k"));
}

static void
a_watch_whose_key_is_forgotten(void)
{
    struct client *c = begin_client(CLIENT_DETACHED);

    say(c, "watch k");
    key_event_listeners = 0; /* nobody would hear that it changes */
    watch_verify();
}

static void
showing_commands_to_nobody(void)
{
    monitor_add(begin_client(CLIENT_DETACHED));
}

static void
forget_all(void *client, struct nametab_node *n)
{
    (void)n;
    pubsub_forget(client);
}

static void
ending_all_subscriptions_on_a_walk(void)
{
    struct client *c = begin_client(CLIENT_DETACHED);

    must(pubsub_subscribe(c, PUBSUB_CHANNEL, SLICE("a")));
    must(pubsub_subscribe(c, PUBSUB_CHANNEL, SLICE("b")));
    pubsub_each(c, PUBSUB_CHANNEL, forget_all, c);
}

static void
change_hash(void *ctx, struct nametab_node *n)
{
    (void)ctx;
    n->hash++;
}

static void
a_subscriber_that_is_not_found(void)
{
    struct client *c = begin_client(CLIENT_DETACHED);

    must(pubsub_subscribe(c, PUBSUB_CHANNEL, SLICE("a")));
    pubsub_each(c, PUBSUB_CHANNEL, change_hash, NULL);
    pubsub_verify();
}

static void
pausing_until_never(void)
{
    talk_open();
    pause_begin(0, true);
}

/* ---- configuration, figures, saves ---- */

static bool
accept_all(const struct config *next, const char **why)
{
    (void)next, (void)why;
    return true;
}

static void
following_what_cannot_change(void)
{
    talk_open();
    config_on_change("databases", accept_all);
}

static void
following_what_another_follows(void)
{
    talk_open();
    config_on_change("maxmemory", accept_all); /* evict.c */
}

static void
an_error_that_begins_as_it_is_sent(void)
{
    errorstats_count("-ERR no");
}

static void
an_event_whose_name_is_too_long(void)
{
    static const int64_t always = 1;

    latency_init(&always);
    latency_add("an-event-with-more-than-thirty-two-bytes", 5);
}

static void
saving_what_is_half_loaded(void)
{
    talk_open();
    db_state.loading = true;
    (void)persist_bgsave();
}

static void
a_slice_of_no_pass(void)
{
    talk_open();
    defrag_work(100);
}

/* ---- commands ---- */

static void
reply_ok_to(struct client *c)
{
    reply_ok(c);
}

static struct cmd row = {.name = "row", .handler = reply_ok_to, .arity = -1, .group = "test"};

static void
begin_row(struct cmd *cmd)
{
    struct client *c = begin_client(CLIENT_DETACHED);

    cmd_table_init(cmd, 1, NULL, 0);
    say(c, "row a b");
}

static void
a_command_without_a_handler(void)
{
    row.handler = NULL;
    begin_row(&row);
}

static void
a_command_that_reads_and_writes(void)
{
    row.flags = CMD_WRITE | CMD_READONLY;
    begin_row(&row);
}

static void
keys_that_nobody_finds(void)
{
    row.specs[0] = (struct key_spec){.begin = KEYS_UNKNOWN};
    begin_row(&row);
}

static void
a_subcommand_of_no_command(void)
{
    struct cmd sub = row;

    talk_open();
    sub.parent = "another";
    cmd_table_init(&row, 1, &sub, 1);
}

static void
a_command_within_none(void)
{
    struct slice argv[] = {SLICE("ping")};

    exec_nested(begin_client(CLIENT_DETACHED), 1, argv);
}

static void
ending_effects_of_another(void)
{
    struct client *c = begin_client(CLIENT_DETACHED);
    struct effect_scope outer, inner;

    effects_are_wanted = true;
    effect_begin(c, &outer);
    effect_begin(c, &inner);
    effect_end(&outer);
}

#ifdef STILLFRAME_DEBUG
static void
reply_nothing(struct client *c)
{
    (void)c;
}

static void
a_handler_without_a_reply(void)
{
    row.handler = reply_nothing;
    begin_row(&row);
}

static void
reply_twice(struct client *c)
{
    reply_ok(c);
    reply_ok(c);
}

static void
a_handler_with_two_replies(void)
{
    row.handler = reply_twice;
    begin_row(&row);
}

static void
reply_too_few(struct client *c)
{
    reply_array(c, 3);
    reply_int(c, 1);
    reply_null(c);
}

static void
an_array_with_less_than_it_says(void)
{
    row.handler = reply_too_few;
    begin_row(&row);
}

static void
reply_left_open(struct client *c)
{
    (void)reply_array_deferred(c);
    reply_int(c, 1);
}

static void
an_array_that_stays_open(void)
{
    row.handler = reply_left_open;
    begin_row(&row);
}

static void
reply_short_bulk(struct client *c)
{
    reply_bulk_begin(c, 5);
    reply_raw(c, "four", 4);
    reply_bulk_end(c);
}

static void
a_bulk_with_less_than_it_says(void)
{
    row.handler = reply_short_bulk;
    begin_row(&row);
}

static void
change_something(struct client *c)
{
    db_state.dirty++;
    reply_ok(c);
}

static void
a_change_by_a_command_that_only_reads(void)
{
    row.handler = change_something;
    row.flags = CMD_READONLY;
    begin_row(&row);
}
#endif

static const struct broken broken[] = {
    BROKEN(waiting_twice),
    BROKEN(waiting_within_exec),
    BROKEN(waiting_without_a_connection),
    BROKEN(ending_a_wait_that_is_none),
    BROKEN(changing_a_deadline_within_a_wait),
    BROKEN(waiting_for_words_that_are_not_there),
    BROKEN(beginning_a_transaction_twice),
    BROKEN(executing_what_is_lost),
    BROKEN(watching_in_another_database),
    BROKEN(a_watch_whose_key_is_forgotten),
    BROKEN(showing_commands_to_nobody),
    BROKEN(ending_all_subscriptions_on_a_walk),
    BROKEN(a_subscriber_that_is_not_found),
    BROKEN(pausing_until_never),
    BROKEN(following_what_cannot_change),
    BROKEN(following_what_another_follows),
    BROKEN(an_error_that_begins_as_it_is_sent),
    BROKEN(an_event_whose_name_is_too_long),
    BROKEN(saving_what_is_half_loaded),
    BROKEN(a_slice_of_no_pass),
    BROKEN(a_command_without_a_handler),
    BROKEN(a_command_that_reads_and_writes),
    BROKEN(keys_that_nobody_finds),
    BROKEN(a_subcommand_of_no_command),
    BROKEN(a_command_within_none),
    BROKEN(ending_effects_of_another),
#ifdef STILLFRAME_DEBUG
    BROKEN(a_handler_without_a_reply),
    BROKEN(a_handler_with_two_replies),
    BROKEN(an_array_with_less_than_it_says),
    BROKEN(an_array_that_stays_open),
    BROKEN(a_bulk_with_less_than_it_says),
    BROKEN(a_change_by_a_command_that_only_reads),
#endif
};

/* What is allowed does not look like what is not: the asserts above, from their other side. */
static void
keeping_to_all(void)
{
    struct client *c = begin_client(CLIENT_DETACHED), *waiter = client_new_detached();

    must(waiter != NULL);
    waiter->kind = CLIENT_NORMAL;
    for (int resp = 2; resp <= 3; resp++) {
        c->resp = resp;
        say(c, "rpush l a @70000*b");
        say(c, "lrange l 0 -1");
        say(c, "watch l m");
        say(c, "multi");
        say(c, "lpush m 1");
        say(c, "hgetall h");
        say(c, "config get *");
        say(c, "subscribe a b c");
        say(c, "exec");
        say(c, "unsubscribe");
        say(c, "command docs");
        say(c, "client reply skip");
        say(c, "get k");
        say(c, "client reply off");
        say(c, "get k");
        say(c, "client reply on");
        say(waiter, "blpop none q none 10");
        say(c, "watch q none");
        say(c, "swapdb 0 1");
        say(c, "swapdb 0 1");
        say(c, "rpush q 1");
        say(c, "flushall");
        say(c, "reset");
    }
    must(waiter->block == NULL);
    net_forget(waiter);
    waiter->kind = CLIENT_DETACHED; /* there is no socket to be closed */
    client_free(waiter);
    cmd_table_init(&row, 1, NULL, 0);
    say(c, "row a b");
}

int
main(void)
{
    return run_promises("server/promises", broken, sizeof broken / sizeof *broken, keeping_to_all);
}
