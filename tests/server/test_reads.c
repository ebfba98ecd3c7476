/* tests/server/test_reads.c - who only looks does not disturb: read commands of every kind inside
 * an open cut, on every form in which a value is stored (tests/support/reads.def).
 *
 * The snapshot is of its cut.  A read costs it nothing either: no page is preserved, nothing is
 * retired or born; what writes behind a read is listed as such, and has to cost something.  In the
 * barrier flavour a write without a barrier is a fault at the instruction, behind the command's
 * name on stderr. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mm/base/clock.h"
#include "mm/base/num.h"
#include "mm/base/text.h"
#include "mm/mm.h"
#include "server/data/db/db.h"
#include "server/exec/block.h"
#include "server/exec/cmd.h"
#include "server/exec/exec.h"
#include "server/net/client.h"
#include "server/net/net_impl.h"
#include "tests/support/lab.h"
#include "tests/support/runner.h"
#include "tests/support/words.h"

#define FORM(type, name, encoding, setup)
#define READ(type, command)
#define HIDDEN(type, setup, commands, reason)
#define SCENE(name, setup, commands)
#define APART(command, reason)

#undef FORM
#define FORM(type, name, encoding, setup) {type, name, encoding, setup},
static const struct form {
    const char *type, *name, *encoding, *setup;
} forms[] = {
#include "tests/support/reads.def"
};
#undef FORM
#define FORM(type, name, encoding, setup)

#undef READ
#define READ(type, command) {type, command},
static const struct read {
    const char *type, *command;
} reads[] = {
#include "tests/support/reads.def"
};
#undef READ
#define READ(type, command)

#undef HIDDEN
#define HIDDEN(type, setup, commands, reason) {type, setup, commands, reason},
static const struct hidden {
    const char *type, *setup, *commands, *reason;
} hidden[] = {
#include "tests/support/reads.def"
};
#undef HIDDEN
#define HIDDEN(type, setup, commands, reason)

#undef SCENE
#define SCENE(name, setup, commands) {name, setup, commands},
static const struct scene {
    const char *name, *setup, *commands;
} scenes[] = {
#include "tests/support/reads.def"
};
#undef SCENE
#define SCENE(name, setup, commands)

#undef APART
#define APART(command, reason) {command, reason},
static const struct apart {
    const char *command, *reason;
} apart[] = {
#include "tests/support/reads.def"
};

enum {
    FORMS = sizeof forms / sizeof *forms,
    READS = sizeof reads / sizeof *reads,
    HIDDENS = sizeof hidden / sizeof *hidden,
    SCENES = sizeof scenes / sizeof *scenes,
    APARTS = sizeof apart / sizeof *apart,
    POLICIES = 2,
    WAITING_MAX = 8
};
static const char *const policies[POLICIES] = {"allkeys-lru", "allkeys-lfu"};

/* ---- running lines ---- */

static char running[256]; /* the command, for who looks after a fault */

static void
say_where(int sig)
{
    dprintf(STDERR_FILENO, "reads: signal %d in: %s\n", sig, running);
    signal(sig, SIG_DFL);
    raise(sig);
}

/* takes_off: word and a blank at the begin of *line, which then begins behind them. */
static bool
takes_off(const char **line, const char *word)
{
    size_t len = strlen(word);

    if (strncmp(*line, word, len) != 0 || ((*line)[len] != ' ' && (*line)[len] != '\0'))
        return false;
    *line += len + ((*line)[len] == ' ');
    return true;
}

static struct client *waiting[WAITING_MAX];
static int waiting_count;

static void
wait_for(const char *line)
{
    struct client *c = client_new_detached();
    struct words w;

    must(c != NULL && waiting_count < WAITING_MAX);
    waiting[waiting_count++] = c;
    c->db = db_select(0);
    c->kind = CLIENT_NORMAL; /* only those who have a socket may wait; nothing is sent there */
    words_split(&w, line, strlen(line));
    exec_words(c, w.argc, w.argv);
    words_free(&w);
    c->kind = CLIENT_DETACHED;
}

static void
stop_waiting(void)
{
    while (waiting_count > 0) {
        struct client *c = waiting[--waiting_count];

        (void)block_end(c, BLOCK_GONE);
        net_forget(c);
        client_free(c);
    }
}

static void
run_plain(const char *line)
{
    bool refused = takes_off(&line, "refused"), any = takes_off(&line, "try");
    const char *reply;

    snprintf(running, sizeof running, "%s", line);
    reply = lab_reply(line);
    ck_assert_msg(any || (reply[0] == '-') == refused, "%s: %.200s", line, reply);
}

static void
fill(const char *line)
{
    char *words;
    long n = strtol(line, &words, 10);

    for (long i = 0; i < n; i++) {
        struct text t = {.at = NULL};

        for (const char *p = words + 1; *p != '\0'; p++)
            if (*p == '%')
                text_addf(&t, "%ld", i);
            else
                text_add_bytes(&t, p, 1);
        must(!t.failed);
        run_plain(text_str(&t));
        text_free(&t);
    }
}

static void
pass_ms(int64_t ms)
{
    clock_now.ms += ms;
    clock_now.us += ms * 1000;
    clock_now.s = (uint32_t)(clock_now.ms / 1000) & 0xffffff;
}

static void
run_line(const char *line)
{
    if (takes_off(&line, "fill"))
        fill(line);
    else if (takes_off(&line, "pass"))
        pass_ms(atoll(line));
    else if (takes_off(&line, "blocked"))
        wait_for(line);
    else if (takes_off(&line, "work"))
        while (db_work(1000))
            ;
    else
        run_plain(line);
}

static void
each_line(const char *commands, void (*fn)(const char *line))
{
    while (*commands != '\0') {
        size_t len = strcspn(commands, ";");
        char *line = strndup(commands, len);

        must(line != NULL);
        if (len > 0)
            fn(line);
        free(line);
        commands += len + (commands[len] == ';');
    }
}

/* ---- what it cost ---- */

static uint64_t
cost(void)
{
    struct mm_figures f;

    mm_figures(&f);
    return f.preserved_pages + f.retired_bytes + f.newborn_bytes;
}

static uint64_t
newborn(void)
{
    struct mm_figures f;

    mm_figures(&f);
    return f.newborn_bytes;
}

static void
set_up(const struct form *f, const char *policy)
{
    struct text t = {.at = NULL};

    lab_open();
    text_addf(&t, "config set maxmemory-policy %s", policy);
    run_plain(text_str(&t));
    text_free(&t);
    each_line(f->setup, run_line);
    run_plain("object encoding k");
    ck_assert_msg(strstr(lab_reply("object encoding k"), f->encoding) != NULL, "%s: %s", f->name,
                  lab_reply("object encoding k"));
    run_plain("copy k k2");
    pass_ms(3600 * 1000); /* whoever looks now is seen by the access clock */
}

static bool
is_of(const char *type, const struct form *f)
{
    return strcmp(type, f->type) == 0 || strcmp(type, "any") == 0 ||
           (strcmp(type, "none") == 0 && strcmp(f->name, "embstr") == 0) ||
           (strcmp(type, "string") == 0 && strcmp(f->type, "sketch") == 0) ||
           (strcmp(type, "zset") == 0 && strcmp(f->type, "geo") == 0);
}

static void
check_same(struct lab_digest want, struct lab_digest got, const char *what, const char *form)
{
    ck_assert_msg(lab_same(want, got),
                  "%s, %s: the snapshot is not of its cut: %llu keys, sum %llx, error %d; at the "
                  "cut %llu, %llx",
                  what, form, (unsigned long long)got.keys, (unsigned long long)got.sum, got.error,
                  (unsigned long long)want.keys, (unsigned long long)want.sum);
}

/* ---- plain reads ---- */

struct readers {
    const struct form *form;
    int policy, next;
    uint64_t scratch; /* bytes of blocks that were born for answers */
};

/* read_again: as often as it takes to see whether each time costs something.  A large answer that
 * was built in the arena goes when the server has time; the next one may lie in another slab. */
static void
read_again(const char *command)
{
    enum { TIMES = 6, SLACK_BYTES = 2 * MM_BLOCK_BYTES };
    uint64_t at_first = 0;

    for (int n = 0; n < TIMES; n++) {
        each_line(command, run_line);
        run_line("work");
        if (n == 0)
            at_first = newborn();
    }
    ck_assert_msg(newborn() <= at_first + SLACK_BYTES,
                  "%s: %llu bytes are born, %llu after the first time", command,
                  (unsigned long long)newborn(), (unsigned long long)at_first);
}

static void
read_one(struct readers *r, int i)
{
    const char *command = reads[i].command;
    bool is_scratch;

    if (!is_of(reads[i].type, r->form))
        return;
    if ((takes_off(&command, "lru") && r->policy != 0) ||
        (takes_off(&command, "lfu") && r->policy != 1))
        return;
    is_scratch = takes_off(&command, "scratch");
    pass_ms(60 * 1000);
    read_again(command);
    if (is_scratch)
        r->scratch = newborn();
    ck_assert_msg(cost() == r->scratch, "%s, stored as %s, costs the snapshot %llu bytes", command,
                  r->form->name, (unsigned long long)(cost() - r->scratch));
}

/* The sweep is between two blocks. */
static void
read_next(void *ctx)
{
    struct readers *r = ctx;

    for (int n = 0; n < 5; n++)
        read_one(r, r->next++ % READS);
}

START_TEST(a_read_neither_changes_a_snapshot_nor_costs_it_anything)
{
    struct readers r = {.form = &forms[_i / POLICIES], .policy = _i % POLICIES};
    struct lab_digest want, got;

    set_up(r.form, policies[r.policy]);
    want = lab_quiet();
    lab_cut();
    for (int i = 0; i < READS; i++)
        read_one(&r, i);
    got = lab_sweep_with(NULL, read_next, &r);
    for (int i = 0; i < READS; i++) /* and before the swept cut is closed */
        read_one(&r, i);
    lab_end();
    mm_check();
    check_same(want, got, "reads", r.form->name);
    check_same(want, lab_quiet(), "after reads", r.form->name);
    lab_close();
}
END_TEST

/* ---- writes behind reads ---- */

static bool
check_hidden(const struct hidden *h, const struct form *f, int policy)
{
    struct lab_digest want, got, after;

    set_up(f, policies[policy]);
    each_line(h->setup, run_line);
    want = lab_quiet();
    lab_cut();
    each_line(h->commands, run_line);
    got = lab_sweep();
    lab_end();
    mm_check();
    check_same(want, got, h->commands, f->name);
    after = lab_quiet();
    lab_close();
    return after.sum != want.sum;
}

START_TEST(what_a_read_writes_is_not_in_the_snapshot)
{
    const struct hidden *h = &hidden[_i];
    bool writes = false;

    for (int i = 0; i < FORMS; i++)
        for (int policy = 0; policy < POLICIES; policy++)
            if (is_of(h->type, &forms[i]))
                writes = check_hidden(h, &forms[i], policy) || writes;
    ck_assert_msg(writes, "%s changes nothing (%s)", h->commands, h->reason);
}
END_TEST

START_TEST(who_waits_and_who_is_served_do_not_show)
{
    const struct scene *s = &scenes[_i];
    struct lab_digest want, got;

    lab_open();
    each_line(s->setup, run_line);
    want = lab_quiet();
    lab_cut();
    each_line(s->commands, run_line);
    got = lab_sweep();
    lab_end();
    mm_check();
    check_same(want, got, s->name, "");
    ck_assert_msg(lab_quiet().sum != want.sum, "%s changes nothing", s->name);
    stop_waiting();
    lab_close();
}
END_TEST

/* ---- nothing is left out ---- */

static struct text listed;  /* " get  config|get ..." */
static struct text missing; /* likewise */

static void
list_command(const char *line)
{
    struct words w;
    struct cmd *cmd, *sub;

    if (takes_off(&line, "fill"))
        line += strcspn(line, " ") + 1;
    (void)(takes_off(&line, "lru") || takes_off(&line, "lfu") || takes_off(&line, "blocked") ||
           takes_off(&line, "refused") || takes_off(&line, "try") || takes_off(&line, "scratch"));
    words_split(&w, line, strlen(line));
    cmd = w.argc > 0 ? cmd_find(w.argv[0]) : NULL;
    if (cmd != NULL) {
        text_addf(&listed, " %s ", cmd->full_name);
        if (cmd->subs != NULL && w.argc > 1 && (sub = cmd_find_sub(cmd, w.argv[1])) != NULL)
            text_addf(&listed, " %s ", sub->full_name);
        if (strcmp(cmd->name, "debug") == 0 && w.argc > 1)
            text_addf(&listed, " debug-%.*s ", (int)w.argv[1].len, w.argv[1].ptr);
    } else {
        ck_assert_msg(takes_off(&line, "pass") || takes_off(&line, "work"), "no command: %s", line);
    }
    words_free(&w);
}

static bool
is_executed(const char *name)
{
    char padded[80];

    snprintf(padded, sizeof padded, " %s ", name);
    return strstr(text_str(&listed), padded) != NULL;
}

static bool
is_listed(const char *name)
{
    for (int i = 0; i < APARTS; i++) {
        size_t len = strlen(apart[i].command);

        if (strncmp(name, apart[i].command, len) == 0 &&
            (name[len] == '\0' || apart[i].command[len - 1] == '|'))
            return true;
    }
    return is_executed(name);
}

static void
check_listed(void *ctx, struct cmd *cmd)
{
    (void)ctx;
    if ((cmd->flags & CMD_WRITE) == 0 && cmd->subs == NULL && !is_listed(cmd->full_name))
        text_addf(&missing, " %s", cmd->full_name);
}

/* DEBUG's table is its own: what DEBUG HELP says of it. */
static void
check_debug(void)
{
    const char *at = lab_reply("debug help");
    unsigned found = 0;

    while ((at = strstr(at, "\r\n+")) != NULL) {
        size_t len;
        char name[64] = "debug-";

        at += 3;
        len = strcspn(at, " \r");
        if (len == 0 || len > 40 || at[0] < 'A' || at[0] > 'Z' || strncmp(at, "DEBUG", 5) == 0)
            continue; /* a description, which is indented */
        for (size_t i = 0; i < len; i++)
            name[6 + i] = at[i] >= 'A' && at[i] <= 'Z' ? (char)(at[i] + 'a' - 'A') : at[i];
        if (!is_listed(name))
            text_addf(&missing, " %s", name);
        found++;
    }
    ck_assert_uint_gt(found, 20);
}

START_TEST(every_command_that_is_no_write_is_here)
{
    lab_open();
    run_plain("set a 1"); /* an arena that was never used cannot be cleared */
    for (int i = 0; i < READS; i++)
        each_line(reads[i].command, list_command);
    for (int i = 0; i < HIDDENS; i++)
        each_line(hidden[i].commands, list_command);
    for (int i = 0; i < SCENES; i++)
        each_line(scenes[i].commands, list_command);
    for (int i = 0; i < APARTS; i++)
        ck_assert_msg(!is_executed(apart[i].command), "%s is not here because it %s, yet it is",
                      apart[i].command, apart[i].reason);
    must(!listed.failed);
    cmd_each(check_listed, NULL);
    check_debug();
    ck_assert_msg(missing.len == 0, "no write, and not in reads.def:%s", text_str(&missing));
    text_free(&listed);
    lab_close();
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("server/reads");
    TCase *t = tcase_create("reads");

    signal(SIGSEGV, say_where);
    tcase_set_timeout(t, 300);
    tcase_add_test(t, every_command_that_is_no_write_is_here);
    tcase_add_loop_test(t, a_read_neither_changes_a_snapshot_nor_costs_it_anything, 0,
                        FORMS * POLICIES);
    tcase_add_loop_test(t, what_a_read_writes_is_not_in_the_snapshot, 0, HIDDENS);
    tcase_add_loop_test(t, who_waits_and_who_is_served_do_not_show, 0, SCENES);
    suite_add_tcase(s, t);
    return run_suite(s);
}
