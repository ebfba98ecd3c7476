/* tests/server/test_effects.c - effects: whoever executes what is told has the same data (EF1-EF5).
 *
 * Each case of effects.def is executed while a listener keeps what it is told.  Then all data goes,
 * an hour passes, chance turns out otherwise, and what was told is executed: the data has to be the
 * same, times to the millisecond.  So are the scenarios of scenarios.h, half a minute later. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/clock.h"
#include "mm/base/fault.h"
#include "mm/base/text.h"
#include "server/data/db/draw.h"
#include "server/data/db/value.h"
#include "server/data/stream/stream.h"
#include "server/exec/block.h"
#include "server/exec/cmd.h"
#include "server/exec/effect.h"
#include "server/exec/exec.h"
#include "server/net/client.h"
#include "server/net/net_impl.h"
#include "server/scripts/function.h"
#include "tests/support/runner.h"
#include "tests/support/scenarios.h"
#include "tests/support/talk.h"
#include "tests/support/words.h"

#define EIGHT(n) " " n "0x " n "1x " n "2x " n "3x " n "4x " n "5x " n "6x " n "7x"
#define SADD_80(key)                                                                               \
    "sadd " key EIGHT("0") EIGHT("1") EIGHT("2") EIGHT("3") EIGHT("4") EIGHT("5") EIGHT("6")       \
        EIGHT("7") EIGHT("8") EIGHT("9")

static const struct effects_case {
    const char *name, *commands, *effects;
} cases[] = {
#define EFFECTS(name, commands, effects) {name, commands, effects},
#include "tests/support/effects.def"
#undef EFFECTS
};
enum { CASES = sizeof cases / sizeof *cases, WAITING_MAX = 8 };

static const int64_t begin_ms = 1800000000000;

/* ---- the listener ---- */

struct effect {
    int db_index, argc;
    struct slice *argv; /* [owned] */
};
static struct effect *effects; /* [owned] */
static int effect_count;
static int lost;

static void
hear(int db_index, int argc, const struct slice *argv)
{
    struct effect *e;

    if (argc == 0) {
        lost++;
        return;
    }
    must((effects = realloc(effects, (size_t)(effect_count + 1) * sizeof *e)) != NULL);
    e = &effects[effect_count++];
    *e = (struct effect){.db_index = db_index, .argc = argc};
    must((e->argv = malloc(slices_bytes(argv, argc))) != NULL);
    slices_copy(e->argv, argv, argc);
}

static void
forget_effects(void)
{
    for (int i = 0; i < effect_count; i++)
        free(effects[i].argv);
    free(effects);
    effects = NULL;
    effect_count = 0;
    lost = 0;
}

/* effects_text: as effects.def writes them. */
static void
effects_text(struct text *to)
{
    for (int i = 0; i < effect_count; i++) {
        text_addf(to, "%s%d", i > 0 ? ";" : "", effects[i].db_index);
        for (int k = 0; k < effects[i].argc; k++) {
            struct slice word = effects[i].argv[k];

            text_add(to, " ");
            text_add_bytes(to, word.len > 0 ? word.ptr : "''", word.len > 0 ? word.len : 2);
        }
    }
}

/* ---- a portrait of the data: what DEBUG DIGEST leaves out ---- */

static void
portray_group(struct text *to, const struct stream_group *g)
{
    struct idcursor at;
    bool more = idcursor_from(&at, &g->pending, (struct stream_id){0, 0});
    struct slice name = named_name(&g->named);

    text_addf(to, "\n  group %.*s at %llu-%llu read %lld", (int)name.len, name.ptr,
              (unsigned long long)g->last.ms, (unsigned long long)g->last.seq,
              (long long)g->entries_read);
    for (uint32_t i = 0; i < g->consumers.count; i++) {
        name = named_name(&stream_consumer_at(g, i)->named);
        text_addf(to, " %.*s:%llu", (int)name.len, name.ptr,
                  (unsigned long long)stream_consumer_at(g, i)->pending.count);
    }
    for (; more; more = idcursor_next(&at)) {
        const struct stream_pending *p = idcursor_value(&at);

        name = named_name(&p->consumer->named);
        text_addf(to, "\n    %llu-%llu %.*s since %lld, %llu times",
                  (unsigned long long)idcursor_id(&at).ms, (unsigned long long)idcursor_id(&at).seq,
                  (int)name.len, name.ptr, (long long)p->delivered_ms,
                  (unsigned long long)p->deliveries);
    }
}

static void
portray_stream(struct text *to, const struct stream *s)
{
    text_addf(to, " length %llu added %llu last %llu-%llu first %llu-%llu deleted %llu-%llu",
              (unsigned long long)s->length, (unsigned long long)s->entries_added,
              (unsigned long long)s->last.ms, (unsigned long long)s->last.seq,
              (unsigned long long)s->first.ms, (unsigned long long)s->first.seq,
              (unsigned long long)s->max_deleted.ms, (unsigned long long)s->max_deleted.seq);
    for (uint32_t i = 0; i < s->groups.count; i++)
        portray_group(to, stream_group_at(s, i));
}

static void
portray_library(void *ctx, const struct library_info *l)
{
    text_addf(ctx, "\nlibrary %.*s: %.*s", (int)l->name.len, l->name.ptr, (int)l->code.len,
              l->code.ptr);
}

struct sitters {
    const struct record *at[4096];
    size_t count;
};

static void
sit(void *ctx, const void *record)
{
    struct sitters *s = ctx;

    must(s->count < sizeof s->at / sizeof *s->at);
    s->at[s->count++] = record;
}

static int
compare_keys(const void *a, const void *b)
{
    struct slice x = record_key(*(const struct record *const *)a),
                 y = record_key(*(const struct record *const *)b);
    int r = memcmp(x.ptr, y.ptr, x.len < y.len ? x.len : y.len);

    return r != 0 ? r : (x.len > y.len) - (x.len < y.len);
}

static void
portray(struct text *to)
{
    text_addf(to, "%s", talk_digest());
    for (int i = 0; i < db_count(); i++) {
        struct sitters s = {.count = 0};

        db_each(db_select(i), sit, &s);
        qsort(s.at, s.count, sizeof *s.at, compare_keys);
        for (size_t k = 0; k < s.count; k++) {
            struct slice key = record_key(s.at[k]);

            text_addf(to, "\n%d %.*s %s expires %lld", i, (int)key.len, key.ptr,
                      value_type_name(record_type(s.at[k])), (long long)record_expire(s.at[k]));
            if (record_type(s.at[k]) == TYPE_STREAM)
                portray_stream(to, value_of(s.at[k]).root);
        }
    }
    libraries_each(portray_library, to);
    must(!to->failed);
}

/* ---- clients that wait ---- */

static struct client *waiting[WAITING_MAX];
static int waiting_count;

static void
wait_for(int argc, const struct slice *argv)
{
    struct client *c = client_new_detached();

    must(c != NULL && waiting_count < WAITING_MAX);
    waiting[waiting_count++] = c;
    c->db_index = db_index_of(talk_db());
    c->kind = CLIENT_NORMAL; /* only those who have a socket may wait; nothing is sent there */
    exec_words(c, argc, argv);
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

/* ---- running a case ---- */

/* take_bulk: a reply's bytes, the caller's to free. */
static char *
take_bulk(const char *reply, size_t *ret_len)
{
    char *end, *copy;

    *ret_len = strtoul(reply + 1, &end, 10);
    must(reply[0] == '$' && (copy = malloc(*ret_len)) != NULL);
    memcpy(copy, end + 2, *ret_len);
    return copy;
}

static void
restore(const struct words *w)
{
    struct slice argv[WORDS_MAX];
    size_t len;
    char *payload = take_bulk(talk("dump %.*s", (int)w->argv[1].len, w->argv[1].ptr), &len);

    memcpy(argv, w->argv, (size_t)w->argc * sizeof *argv);
    argv[1] = w->argv[2];
    argv[2] = w->argv[3];
    argv[3] = (struct slice){payload, len};
    ck_assert_str_eq(talk_words(w->argc, argv), "+OK\r\n");
    free(payload);
}

static void
load_library(const struct words *w)
{
    char code[512];
    struct slice argv[] = {w->argv[0], w->argv[1], SLICE("replace"), {code, 0}};

    must(w->argc == 4);
    argv[3].len = (size_t)snprintf(code, sizeof code, "#!lua name=%.*s\n%.*s", (int)w->argv[2].len,
                                   w->argv[2].ptr, (int)w->argv[3].len, w->argv[3].ptr);
    must(argv[3].len < sizeof code);
    ck_assert_int_ne(talk_words(4, argv)[0], '-');
}

static void
restore_libraries(const struct words *w)
{
    size_t len;
    char *payload = take_bulk(talk("function dump"), &len);
    struct slice argv[] = {w->argv[0], w->argv[1], {payload, len}, w->argv[2]};

    must(w->argc == 3);
    ck_assert_str_eq(talk_words(4, argv), "+OK\r\n");
    free(payload);
}

static bool
arg_equals(const struct words *w, int i, const char *word)
{
    return strlen(word) == w->argv[i].len && memcmp(word, w->argv[i].ptr, w->argv[i].len) == 0;
}

static void
run_words(const struct words *w)
{
    if (arg_equals(w, 0, "pass"))
        talk_pass_ms(atoll(w->argv[1].ptr));
    else if (arg_equals(w, 0, "expire") && w->argc == 1)
        talk_finish_work();
    else if (arg_equals(w, 0, "wait"))
        wait_for(w->argc - 1, w->argv + 1);
    else if (arg_equals(w, 0, "restore"))
        restore(w);
    else if (arg_equals(w, 0, "function") && arg_equals(w, 1, "load"))
        load_library(w);
    else if (arg_equals(w, 0, "function") && arg_equals(w, 1, "restore"))
        restore_libraries(w);
    else if (arg_equals(w, 0, "moving"))
        ; /* a scenario's business with blocks of memory */
    else if (arg_equals(w, 0, "refused"))
        ck_assert_int_eq(talk_words(w->argc - 1, w->argv + 1)[0], '-');
    else
        ck_assert_msg(talk_words(w->argc, w->argv)[0] != '-', "%.*s", (int)w->argv[0].len,
                      w->argv[0].ptr);
}

/* told, told_below: the commands, and their subcommands, during which something was told. */
enum { COMMANDS_MAX = 1024, BELOW_MAX = 32 };
static bool told[COMMANDS_MAX], told_below[COMMANDS_MAX][BELOW_MAX];

static void
note_told(struct slice name, struct slice sub)
{
    struct cmd *cmd = cmd_find(name), *below;
    unsigned count;

    if (cmd == NULL)
        return;
    told[cmd - cmd_table(&count)] = true;
    if (cmd->subs != NULL && (below = cmd_find_sub(cmd, sub)) != NULL)
        told_below[cmd - cmd_table(&count)][below - cmd->subs] = true;
}

static void
run_line(const char *line, size_t len)
{
    int before = effect_count;
    struct words w;

    words_split(&w, line, len);
    if (w.argc > 0)
        run_words(&w);
    if (effect_count > before)
        note_told(w.argv[0], w.argc > 1 ? w.argv[1] : w.argv[0]);
    words_free(&w);
}

static void
run(const char *commands)
{
    while (*commands != '\0') {
        size_t len = strcspn(commands, ";");

        run_line(commands, len);
        commands += len + (commands[len] == ';');
    }
}

static void
begin(int64_t now_ms, uint64_t seed)
{
    forget_effects();
    talk("select 0");
    talk("flushall");
    talk("function flush");
    talk_finish_work();
    talk_pass_ms(now_ms - clock_now.ms);
    draw_seed(seed);
}

static void
replay(const char *name)
{
    for (int i = 0; i < effect_count; i++) {
        const struct effect *e = &effects[i];

        if (db_index_of(talk_db()) != e->db_index)
            talk("select %d", e->db_index);
        ck_assert_msg(talk_words(e->argc, e->argv)[0] != '-', "%s: %.*s", name, (int)e->argv[0].len,
                      e->argv[0].ptr);
    }
    talk("select 0");
}

static void
check_case(const struct effects_case *t, int64_t later_ms)
{
    struct text want = {.at = NULL}, got = {.at = NULL}, said = {.at = NULL};
    struct effect *kept;
    int kept_count;

    begin(begin_ms, 1);
    effect_listen(hear);
    run(t->commands);
    effect_listen(NULL);
    stop_waiting();
    ck_assert_int_eq(lost, 0);
    effects_text(&said);
    if (t->effects != NULL)
        ck_assert_msg(strcmp(t->effects, text_str(&said)) == 0, "%s: told\n%s", t->name,
                      text_str(&said));
    portray(&want);
    kept = effects;
    kept_count = effect_count;
    effects = NULL;
    effect_count = 0;
    begin(begin_ms + later_ms, 2);
    effects = kept;
    effect_count = kept_count;
    replay(t->name);
    portray(&got);
    ck_assert_msg(strcmp(text_str(&want), text_str(&got)) == 0, "%s: told\n%s\nwant %s\ngot  %s",
                  t->name, text_str(&said), text_str(&want), text_str(&got));
    text_free(&want);
    text_free(&got);
    text_free(&said);
}

/* MIGRATE has no effect before its target has answered, and there is none here; then it tells what
 * a key that expires tells. */
static bool
is_told_here(const struct cmd *cmd)
{
    return strcmp(cmd->name, "migrate") != 0;
}

static void
each_write_command_was_told(void)
{
    unsigned count;
    const struct cmd *all = cmd_table(&count);

    must(count < COMMANDS_MAX);
    for (unsigned i = 0; i < count; i++) {
        if ((all[i].flags & CMD_WRITE) != 0 && is_told_here(&all[i]))
            ck_assert_msg(told[i], "%s writes, and no case of effects.def has it told",
                          all[i].full_name);
        must(all[i].sub_count <= BELOW_MAX);
        for (int k = 0; k < all[i].sub_count; k++)
            if ((all[i].subs[k].flags & CMD_WRITE) != 0)
                ck_assert_msg(told_below[i][k], "%s writes, and no case of effects.def has it told",
                              all[i].subs[k].full_name);
    }
}

START_TEST(what_is_told_gives_the_same_data_later)
{
    for (int i = 0; i < CASES; i++)
        check_case(&cases[i], 3600 * 1000);
    each_write_command_was_told();
    begin(begin_ms, 1);
}
END_TEST

START_TEST(each_scenario_gives_the_same_data_later)
{
    struct text both = {.at = NULL};

    text_addf(&both, "%s;%s", scenarios[_i].setup, scenarios[_i].write);
    /* The form of a sketch is part of its value, and this changes on the way when it changes. */
    if (strstr(text_str(&both), "hll-sparse-max-bytes") == NULL)
        check_case(&(struct effects_case){.name = scenarios[_i].name, .commands = text_str(&both)},
                   30 * 1000);
    text_free(&both);
    begin(begin_ms, 1);
}
END_TEST

START_TEST(who_listens_no_longer_hears_nothing)
{
    begin(begin_ms, 1);
    talk("set a 1");
    ck_assert_int_eq(effect_count, 0);
    effect_listen(hear);
    talk("incr a");
    ck_assert_int_eq(effect_count, 1);
    effect_listen(NULL);
    talk("incr a");
    talk("set b 1 px 5");
    talk_pass_ms(10);
    talk("get b");
    ck_assert_int_eq(effect_count, 1);
    talk("flushall");
}
END_TEST

/* EF4: of a command that executes others (exec_nested()), all stands together. */
START_TEST(what_is_executed_within_a_command_is_told_as_one)
{
    struct text said = {.at = NULL};
    struct effect_scope outer;
    struct client *c = client_new_detached();

    ck_assert_ptr_nonnull(c);
    begin(begin_ms, 1);
    talk("set gone 1 px 5");
    effect_listen(hear);
    effect_begin(c, &outer);
    talk("get a");
    effect_end(&outer);
    ck_assert_int_eq(effect_count, 0);
    effect_begin(c, &outer);
    talk("set a 1");
    talk_pass_ms(10);
    talk("append gone x");
    talk("multi");
    talk("incr a");
    talk("exec");
    effect_end(&outer);
    effect_listen(NULL);
    effects_text(&said);
    ck_assert_str_eq(text_str(&said),
                     "0 MULTI;0 set a 1;0 DEL gone;0 append gone x;0 incr a;0 EXEC");
    text_free(&said);
    client_free(c);
    begin(begin_ms, 1);
}
END_TEST

#ifdef STILLFRAME_FAULTS
/* With no memory to keep what a command says, its client gets what it asked for, and the listener
 * hears that its copy is none any more. */
START_TEST(what_cannot_be_kept_is_told_as_lost)
{
    begin(begin_ms, 1);
    talk("set @70000*k 1 ex 50"); /* more than what is kept for the next time */
    effect_listen(hear);
    fault_arm(FAULT_side_alloc, 1, false);
    ck_assert_str_eq(talk("expire @70000*k 100"), ":1\r\n");
    ck_assert_uint_eq(fault_disarm(), 1);
    ck_assert_int_eq(effect_count, 0);
    ck_assert_int_eq(lost, 1);
    talk("expire @70000*k 200");
    ck_assert_int_eq(effect_count, 1);
    ck_assert_int_eq(lost, 1);
    effect_listen(NULL);
    talk("flushall");
}
END_TEST

static const struct {
    const char *before, *command;
} starved[] = {
    {"sadd s a b c", "spop s 2"},
    {"sadd s 1 2 3 4", "spop s"},
    {SADD_80("s"), "spop s 70"},
    {SADD_80("s"), "spop s 7"},
    {"set a 1", "set a @300*x ex 100"},
    {"set a 1", "expire a 100"},
    {"set a 1", "incrbyfloat a 0.5"},
    {"xadd s 1 f v", "xadd s maxlen 1 * f v"},
    {"xadd s 1 f v;xgroup create s g 0", "xreadgroup group g c streams s >"},
    {"xadd s 1 f v;xgroup create s g 0", "xclaim s g c 0 1 force"},
    {"rpush l a b c", "lmpop 1 l left count 2"},
    {"zadd z 1 a 2 b", "zpopmin z"},
};
enum { STARVED = sizeof starved / sizeof *starved };

/* CH1: a command that is refused for want of memory has said nothing, whatever it had prepared. */
START_TEST(what_is_refused_is_not_told)
{
    unsigned long failed;

    for (unsigned n = 1;; n++) {
        char reply;

        begin(begin_ms, 1);
        run(starved[_i].before);
        effect_listen(hear);
        fault_arm(FAULT_ANY, n, true);
        reply = talk("%s", starved[_i].command)[0];
        failed = fault_disarm();
        effect_listen(NULL);
        if (reply == '-')
            ck_assert_msg(effect_count + lost == 0, "%s: refused at allocation %u, and told %d, %d",
                          starved[_i].command, n, effect_count, lost);
        else
            ck_assert_msg(effect_count + lost > 0, "%s: not told", starved[_i].command);
        if (failed == 0)
            break;
    }
    begin(begin_ms, 1);
}
END_TEST
#endif

int
main(void)
{
    Suite *s = suite_create("server/effects");
    TCase *t = tcase_create("effects");

    tcase_add_checked_fixture(t, talk_open, talk_close);
    tcase_set_timeout(t, 300);
    tcase_add_test(t, what_is_told_gives_the_same_data_later);
    tcase_add_loop_test(t, each_scenario_gives_the_same_data_later, 0,
                        sizeof scenarios / sizeof *scenarios);
    tcase_add_test(t, what_is_executed_within_a_command_is_told_as_one);
    tcase_add_test(t, who_listens_no_longer_hears_nothing);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(t, what_cannot_be_kept_is_told_as_lost);
    tcase_add_loop_test(t, what_is_refused_is_not_told, 0, STARVED);
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
