/* tests/server/test_tracking.c - server/exec/tracking.h in process: who has read what stays in step
 * with a model, whoever comes, goes and changes his mind; and what becomes of it without memory. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/fault.h"
#include "server/config/config.h"
#include "server/exec/exec.h"
#include "server/exec/tracking.h"
#include "server/exec/tracking_impl.h"
#include "server/net/client.h"
#include "server/net/output.h"
#include "tests/support/runner.h"
#include "tests/support/talk.h"
#include "tests/support/words.h"

enum { CLIENTS = 7, KEYS = 12, STEPS = 40000, SLICE_US = 1000 };

static struct client *clients[CLIENTS];
static uint64_t next_id;

/* What the table must know. */
static struct {
    bool has_read[CLIENTS][KEYS];
    unsigned modes[CLIENTS];
} model;

static struct client *
begin_client(void)
{
    struct client *c = client_new_detached();

    ck_assert_ptr_nonnull(c);
    c->resp = 3;
    c->id = ++next_id;
    return c;
}

static void
setup(void)
{
    talk_open();
    memset(&model, 0, sizeof model);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = begin_client();
}

static void
teardown(void)
{
    for (int i = 0; i < CLIENTS; i++)
        client_free(clients[i]);
    while (tracking_table_bytes() > 0)
        tracking_table_work(SLICE_US);
    config.tracking_table_max_keys = 1000000;
    exec_verify();
    talk_close();
}

/* What the client was told since, as it goes over the wire. */
static const char *
take(struct client *c)
{
    static char text[4096];

    snprintf(text, sizeof text, "%.*s", (int)c->out_len, c->out != NULL ? c->out : "");
    c->out_len = c->out_sent = 0;
    return text;
}

static void
say(struct client *c, const char *line)
{
    struct words w;

    words_split(&w, line, strlen(line));
    c->running = true; /* as the net says of who is served */
    exec_words(c, w.argc, w.argv);
    c->running = false;
    words_free(&w);
}

static const char *
ask(struct client *c, const char *line)
{
    say(c, line);
    exec_verify();
    return take(c);
}

/* ---- in step with a model ---- */

static unsigned
count_told(const char *text)
{
    unsigned n = 0;

    for (; (text = strstr(text, "invalidate")) != NULL; text++)
        n++;
    return n;
}

/* told: may it be told of what it has read? */
static bool
is_told(int i)
{
    return (model.modes[i] & TRACKING_ON) != 0 && (model.modes[i] & TRACKING_BCAST) == 0;
}

static void
read_a_key(int i, int key)
{
    char line[64];

    snprintf(line, sizeof line, "get k%d", key);
    ck_assert_uint_eq(count_told(ask(clients[i], line)), 0);
    if (is_told(i))
        model.has_read[i][key] = true;
}

static void
write_a_key(int by, int key)
{
    char line[64];

    snprintf(line, sizeof line, "set k%d v", key);
    say(clients[by], line);
    for (int i = 0; i < CLIENTS; i++) {
        bool is_silent = i == by && (model.modes[i] & TRACKING_NOLOOP) != 0;

        ck_assert_uint_eq(count_told(take(clients[i])),
                          model.has_read[i][key] && is_told(i) && !is_silent);
        model.has_read[i][key] = false;
    }
    exec_verify();
    tracking_prefix_tell(0);
    for (int i = 0; i < CLIENTS; i++) {
        bool is_told_of_all = (model.modes[i] & TRACKING_BCAST) != 0,
             is_silent = i == by && (model.modes[i] & TRACKING_NOLOOP) != 0;

        ck_assert_uint_eq(count_told(take(clients[i])), is_told_of_all && !is_silent);
    }
}

static void
change_modes(int i)
{
    static const struct {
        const char *line;
        unsigned modes;
    } all[] = {{"client tracking on", 0},
               {"client tracking on noloop", TRACKING_NOLOOP},
               {"client tracking on bcast", TRACKING_BCAST},
               {"client tracking on bcast noloop prefix k", TRACKING_BCAST | TRACKING_NOLOOP}};
    unsigned choice = (unsigned)rand() % 5;

    ck_assert_str_eq(ask(clients[i], "client tracking off"), "+OK\r\n");
    model.modes[i] = 0;
    if (choice == 4)
        return;
    ck_assert_str_eq(ask(clients[i], all[choice].line), "+OK\r\n");
    model.modes[i] = all[choice].modes | TRACKING_ON;
}

static void
replace_client(int i)
{
    client_free(clients[i]);
    clients[i] = begin_client();
    model.modes[i] = 0;
    memset(model.has_read[i], 0, sizeof model.has_read[i]);
}

static void
empty(int by)
{
    say(clients[by], "flushall");
    for (int i = 0; i < CLIENTS; i++)
        ck_assert_uint_eq(count_told(take(clients[i])), (model.modes[i] & TRACKING_ON) != 0);
    memset(model.has_read, 0, sizeof model.has_read);
}

static void
check_figures(void)
{
    struct tracking_figures f;
    uint64_t items = 0, on = 0;

    tracking_figures(&f);
    for (int i = 0; i < CLIENTS; i++) {
        on += (model.modes[i] & TRACKING_ON) != 0;
        for (int k = 0; k < KEYS; k++)
            items += model.has_read[i][k];
    }
    ck_assert_uint_eq(f.clients, on);
    ck_assert_uint_ge(f.items, items); /* those of clients that have gone may still be there */
}

START_TEST(each_reader_is_told_once_and_nobody_else)
{
    srand(7);
    for (int n = 0; n < STEPS; n++) {
        int i = rand() % CLIENTS, key = rand() % KEYS, what = rand() % 100;

        if (what < 60)
            read_a_key(i, key);
        else if (what < 85)
            write_a_key(i, key);
        else if (what < 90)
            change_modes(i);
        else if (what < 94)
            replace_client(i);
        else if (what < 98)
            tracking_table_work(0);
        else if (what < 99)
            empty(i);
        check_figures();
    }
}
END_TEST

START_TEST(many_readers_of_a_key_are_sorted_and_those_gone_are_taken_out) /* TR5 */
{
    enum { MANY = 1000, READ = 60 };
    char line[16 + READ * 4] = "mget";
    struct client *many[MANY];
    struct tracking_figures f;
    size_t full;

    for (int i = 0; i < READ; i++)
        snprintf(line + strlen(line), sizeof line - strlen(line), " %d", i);
    for (int i = 0; i < MANY; i++) {
        many[i] = begin_client();
        (void)ask(many[i], "client tracking on");
        say(many[i], line);
        (void)take(many[i]);
    }
    tracking_figures(&f);
    ck_assert_uint_eq(f.items, READ * MANY);
    full = f.bytes;
    for (int i = 0; i < MANY; i++)
        if (i % 10 != 3)
            client_free(many[i]);
    for (int i = 0; i < 100; i++)
        tracking_table_work(SLICE_US);
    exec_verify();
    tracking_figures(&f);
    ck_assert_uint_eq(f.items, READ * (MANY / 10));
    ck_assert_uint_lt(f.bytes, full / 3);
    (void)ask(clients[0], "set 0 1");
    for (int i = 3; i < MANY; i += 10) {
        ck_assert_str_eq(take(many[i]), ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\n0\r\n");
        client_free(many[i]);
    }
    exec_verify();
}
END_TEST

START_TEST(the_table_never_holds_more_than_it_may) /* TR4 */
{
    struct tracking_figures f;
    unsigned told = 0;
    char line[64];

    config.tracking_table_max_keys = 50;
    (void)ask(clients[0], "client tracking on");
    for (int i = 0; i < 1000; i++) {
        snprintf(line, sizeof line, "get k%d", i);
        told += count_told(ask(clients[0], line));
        tracking_figures(&f);
        ck_assert_uint_le(f.keys, 50);
    }
    ck_assert_uint_eq(told, 950);
    config.tracking_table_max_keys = 3;
    tracking_table_note();
    while (tracking_table_keys() > 3)
        tracking_table_work(0);
    ck_assert_uint_eq(count_told(take(clients[0])), 47);
}
END_TEST

#ifdef STILLFRAME_FAULTS

START_TEST(who_cannot_be_remembered_is_told_that_all_has_changed) /* TR1 */
{
    static const char all[] = ">2\r\n$10\r\ninvalidate\r\n_\r\n";
    char expected[64];

    snprintf(expected, sizeof expected, "_\r\n%s", all);
    (void)ask(clients[0], "client tracking on");
    (void)ask(clients[1], "client tracking on");
    fault_arm(FAULT_side_alloc, 1, true);
    ck_assert_str_eq(ask(clients[0], "get k"), expected);
    ck_assert_uint_gt(fault_disarm(), 0);
    (void)ask(clients[0], "get k");
    fault_arm(FAULT_side_alloc, 1, true);
    ck_assert_str_eq(ask(clients[1], "get k"), expected); /* beside another one */
    ck_assert_uint_gt(fault_disarm(), 0);
    (void)ask(clients[2], "set k 1");
    ck_assert_uint_eq(count_told(take(clients[0])), 1);
    ck_assert_uint_eq(count_told(take(clients[1])), 0);
}
END_TEST

START_TEST(a_change_that_cannot_be_remembered_is_told_as_all) /* TR1 */
{
    static const char all[] = ">2\r\n$10\r\ninvalidate\r\n_\r\n";

    (void)ask(clients[0], "client tracking on bcast");
    for (unsigned long n = 1; n <= 3; n++) { /* each key; their list */
        fault_arm(FAULT_side_alloc, n, true);
        tracking_key_changed(SLICE("k1"), 0);
        tracking_key_changed(SLICE("k2"), 0);
        tracking_prefix_tell(0);
        ck_assert_uint_gt(fault_disarm(), 0);
        ck_assert_str_eq(take(clients[0]), all);
        exec_verify();
    }
}
END_TEST

#endif

int
main(void)
{
    Suite *s = suite_create("tracking");
    TCase *t = tcase_create("tracking");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, each_reader_is_told_once_and_nobody_else);
    tcase_add_test(t, many_readers_of_a_key_are_sorted_and_those_gone_are_taken_out);
    tcase_add_test(t, the_table_never_holds_more_than_it_may);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(t, who_cannot_be_remembered_is_told_that_all_has_changed);
    tcase_add_test(t, a_change_that_cannot_be_remembered_is_told_as_all);
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
