/* tests/server/test_acl.c - users made of rules: exec/acl_rules.c, acl_describe.c, acl_check.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/must.h"
#include "server/config/config.h"
#include "server/exec/acl_impl.h"
#include "server/exec/acl_log.h"
#include "server/exec/auth.h"
#include "server/modules.h"
#include "server/net/client.h"
#include "tests/support/runner.h"
#include "tests/support/words.h"

static void
setup(void)
{
    must(config_init() == 0);
    modules_init();
    acl_init();
}

static void
teardown(void)
{
    acl_init();
    config_fini();
}

/* The user's line without "user name"; good until the next one. */
static const char *
line_of(const struct acl_user *u)
{
    static struct text t;

    text_clear(&t);
    acl_describe(u, &t);
    return text_str(&t) + strlen("user ") + strlen(acl_name(u)) + 1;
}

/* A user of these rules, separated by blanks; NULL: *ret_why. */
static struct acl_user *
make(const char *rules, const char **ret_why)
{
    struct acl_user *u = acl_user_new(SLICE("u"));
    struct text scratch = {0};
    struct words w;
    struct slice rule;
    bool is_open;

    must(u != NULL);
    words_split(&w, rules, strlen(rules));
    *ret_why = acl_apply_all(u, w.argv, w.argc, &scratch, &rule, &is_open);
    words_free(&w);
    text_free(&scratch);
    if (*ret_why == NULL)
        return u;
    acl_user_free(u);
    return NULL;
}

static enum acl_verdict
verdict(const struct acl_user *u, const char *call, int *ret_at)
{
    struct words w;
    struct cmd *cmd;
    enum acl_verdict v;

    words_split(&w, call, strlen(call));
    cmd = cmd_find(w.argv[0]);
    must(cmd != NULL);
    if (cmd->subs != NULL)
        cmd = cmd_find_sub(cmd, w.argv[1]);
    must(cmd != NULL);
    v = acl_check(u, cmd, w.argv, w.argc, ret_at);
    if (cmd_arity_is_good(cmd, w.argc) && acl_grants(u, cmd, w.argv, w.argc) != (v == ACL_GRANTED))
        ck_abort_msg("%s: acl_grants() does not say what acl_check() says", call);
    words_free(&w);
    return v;
}

/* ---- what rules make ---- */

static const struct {
    const char *rules, *line;
} made[] = {
    {"", "off resetchannels -@all"},
    {"on nopass allkeys allchannels allcommands", "on nopass ~* &* +@all"},
    {"ON NoPass ALLKEYS AllChannels +@ALL", "on nopass ~* &* +@all"},
    {"~a ~b ~a", "off ~a ~b resetchannels -@all"},
    {"%R~a %W~a %r~b %wR~c", "off ~a %R~b ~c resetchannels -@all"},
    {"%RW~* ~a", "off %RW~* ~a resetchannels -@all"},
    {"~* resetkeys ~a", "off ~a resetchannels -@all"},
    {"&a &b &a resetchannels &c", "off resetchannels &c -@all"},
    {"+get -get +GET", "off resetchannels -@all +get"},
    {"+config|get +config", "off resetchannels -@all +config"},
    {"+config -config|get +config|get", "off resetchannels -@all +config +config|get"},
    {"+@read -@READ +set", "off resetchannels -@all -@read +set"},
    {"+get +@all -set -@all", "off resetchannels -@all"},
    {"+select|0 +select|1 +select|0", "off resetchannels -@all +select|1 +select|0"},
    {"+select|0 -select", "off resetchannels -@all -select"},
    {"skip-sanitize-payload sanitize-payload", "off sanitize-payload resetchannels -@all"},
    {"on >x ~a +get (~b) reset", "off sanitize-payload resetchannels -@all"},
    {"(~a +get) (~b)",
     "off resetchannels -@all (~a resetchannels -@all +get) (~b resetchannels -@all)"},
    {"(~a +get) clearselectors ( ~b )", "off resetchannels -@all (~b resetchannels -@all)"},
    {">x nopass", "off nopass resetchannels -@all"},
    {"nopass >x <x", "off resetchannels -@all"},
};

START_TEST(rules_make_what_is_told_and_that_makes_the_same)
{
    const char *why;
    struct acl_user *u = make(made[_i].rules, &why), *again;
    char line[512];

    ck_assert_msg(u != NULL, "%s: %s", made[_i].rules, why);
    ck_assert_str_eq(line_of(u), made[_i].line);
    snprintf(line, sizeof line, "%s", line_of(u));
    again = make(line, &why);
    ck_assert_msg(again != NULL, "%s: %s", line, why);
    ck_assert_str_eq(line_of(again), line);
    ck_assert_mem_eq(again->selectors[0].commands, u->selectors[0].commands,
                     sizeof u->selectors[0].commands);
    acl_user_free(again);
    acl_user_free(u);
}
END_TEST

static const struct {
    const char *rules, *why;
} broken[] = {
    {"foo", "Syntax error"},
    {"+", "Unknown command or category name in ACL"},
    {"+@", "Unknown command or category name in ACL"},
    {"+nosuch", "Unknown command or category name in ACL"},
    {"-get|x", "Unknown command or category name in ACL"},
    {"+config|nosuch", "Unknown command or category name in ACL"},
    {"+config|get|x", "Allowing first-arg of a subcommand is not supported"},
    {"+get|", "Syntax error"},
    {"%R", "Syntax error"},
    {"%~a", "Syntax error"},
    {"%RR~a", "Syntax error"},
    {"(on)", "Syntax error"},
    {"(+get", "Unmatched parenthesis in acl selector"},
    {"(+get (~a)", "Syntax error"},
    {"(~a) +get )", "Syntax error"}, /* told, it would end too early */
    {"<x", "The password you are trying to remove from the user does not exist"},
    {"#0123",
     "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"},
    {"~* ~a",
     "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns"},
    {"&* &a",
     "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels"},
};

START_TEST(a_broken_rule_is_refused_in_redis_words)
{
    const char *why;

    ck_assert_ptr_null(make(broken[_i].rules, &why));
    if (strcmp(broken[_i].why, why) != 0)
        ck_abort_msg("%s: %s", broken[_i].rules, why);
}
END_TEST

/* ---- what may run ---- */

static const struct {
    const char *rules, *call;
    enum acl_verdict verdict;
    int at;
} judged[] = {
    {"", "get a", ACL_DENIED_COMMAND, 0},
    {"", "auth x", ACL_GRANTED, 0}, /* needs no authentication */
    {"+get ~a", "get a", ACL_GRANTED, 0},
    {"+get ~a", "get b", ACL_DENIED_KEY, 1},
    {"+@all %R~a %W~b", "get a", ACL_GRANTED, 0},
    {"+@all %R~a %W~b", "set a 1", ACL_DENIED_KEY, 1},
    {"+@all %R~a %W~b", "set b 1", ACL_GRANTED, 0},
    {"+@all %R~a %W~b", "set b 1 get", ACL_DENIED_KEY, 1},
    {"+@all %R~a %W~b", "copy a b", ACL_GRANTED, 0},
    {"+@all %R~a %W~b", "copy b a", ACL_DENIED_KEY, 1},
    {"+@all %R~a %W~a*", "getdel a", ACL_DENIED_KEY, 1}, /* one pattern has to allow both */
    {"+@all %R~a %W~b", "exists c", ACL_DENIED_KEY, 1},
    {"+@all %W~b*", "delex b", ACL_GRANTED, 0},
    {"+@all %W~b*", "delex b ifeq 1", ACL_DENIED_KEY, 1}, /* it would tell what is there */
    {"+@all %W~b*", "set b 1 ifeq 2", ACL_DENIED_KEY, 1},
    {"+@all %R~b*", "bitfield b get u8 0", ACL_GRANTED, 0},
    {"+@all %R~b*", "bitfield b set u8 0 1", ACL_DENIED_KEY, 1},
    {"+@all ~a", "mset a 1 b 2", ACL_DENIED_KEY, 3},
    {"+@all ~a*", "zunionstore a 2 a1 b", ACL_DENIED_KEY, 4},
    {"+@all ~a", "zunion x a", ACL_GRANTED, 0}, /* its keys cannot be found: it is an error */
    {"+@all ~a?c", "get abc", ACL_GRANTED, 0},
    {"+@all ~a?c", "get abd", ACL_DENIED_KEY, 1},
    {"+@all ~[ab]*", "get b", ACL_GRANTED, 0},
    {"+@all ~a\\*", "get ab", ACL_DENIED_KEY, 1},
    {"+@all ~a*", "get a", ACL_GRANTED, 0},
    {"+@all ~a*", "get b", ACL_DENIED_KEY, 1},
    {"+config|get", "config get x", ACL_GRANTED, 0},
    {"+config|get", "config set x y", ACL_DENIED_COMMAND, 0},
    {"+@all -config|set", "config set x y", ACL_DENIED_COMMAND, 0},
    {"+@all -config", "config get x", ACL_DENIED_COMMAND, 0},
    {"+select|0", "select 0", ACL_GRANTED, 0},
    {"+select|0", "select 1", ACL_DENIED_COMMAND, 0},
    {"+@all &a", "publish a m", ACL_GRANTED, 0},
    {"+@all &a", "publish m a", ACL_DENIED_CHANNEL, 1},
    {"+@all &a", "subscribe a b", ACL_DENIED_CHANNEL, 2},
    {"+@all &a*", "psubscribe ab", ACL_DENIED_CHANNEL, 1},
    {"+@all &a*", "psubscribe a*", ACL_GRANTED, 0},
    {"+@all &a", "unsubscribe b", ACL_GRANTED, 0},
    {"+get ~a (+set ~b)", "set b 1", ACL_GRANTED, 0},
    {"+get ~a (+set ~b)", "set a 1", ACL_DENIED_KEY, 1},
    {"+get ~a (+set ~b)", "get b", ACL_DENIED_KEY, 1},
    {"+get ~a (+set ~b)", "del a", ACL_DENIED_COMMAND, 0},
    {"+mget ~a (+mget ~a ~b)", "mget a b c", ACL_DENIED_KEY, 3}, /* who came farthest */
};

START_TEST(a_call_is_granted_or_the_argument_is_named)
{
    const char *why;
    struct acl_user *u = make(judged[_i].rules, &why);
    int at = 0;
    enum acl_verdict v;

    must(u != NULL);
    v = verdict(u, judged[_i].call, &at);
    if (v != judged[_i].verdict || (v != ACL_GRANTED && at != judged[_i].at))
        ck_abort_msg("%s: %s: %d at %d", judged[_i].rules, judged[_i].call, v, at);
    acl_user_free(u);
}
END_TEST

START_TEST(who_may_do_everything_is_not_limited)
{
    static const struct {
        const char *rules;
        bool is_limited;
    } cases[] = {{"+@all ~* &*", false},     {"+@all ~*", true},
                 {"+@all ~* &* -get", true}, {"+@all ~* &* -get +get", false},
                 {"(+@all ~* &*)", false},   {"+@all &* %RW~*", true},
                 {"+@all (~* &*)", true}};

    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *why;
        struct acl_user *u = make(cases[i].rules, &why);
        must(u != NULL);
        ck_assert_msg(acl_is_limited(u) == cases[i].is_limited, "%s", cases[i].rules);
        acl_user_free(u);
    }
    ck_assert(!acl_is_limited(acl_default()));
}
END_TEST

START_TEST(one_of_the_passwords_is_needed_and_that_it_is_on)
{
    const char *why;
    struct acl_user *u = make("on >x >y", &why), *off = make(">x", &why),
                    *open = make("on nopass", &why);

    ck_assert(acl_password_is(u, SLICE("x")) && acl_password_is(u, SLICE("y")));
    ck_assert(!acl_password_is(u, SLICE("z")) && !acl_password_is(u, SLICE("")));
    ck_assert(!acl_password_is(off, SLICE("x")));
    ck_assert(acl_password_is(open, SLICE("anything")));
    ck_assert(!acl_password_is(NULL, SLICE("x")));
    acl_user_free(u);
    acl_user_free(off);
    acl_user_free(open);
}
END_TEST

/* ---- scripts ---- */

START_TEST(a_script_may_do_what_its_caller_may)
{
    struct client *c = client_new_detached();
    const struct cmd *get = cmd_find(SLICE("get")), *del = cmd_find(SLICE("del"));
    struct slice call[] = {SLICE("get"), SLICE("a")}, other[] = {SLICE("get"), SLICE("b")};
    const struct slice rules[] = {SLICE("+get"), SLICE("~a")};
    struct text why = {0};

    must(c != NULL && acl_set_user(SLICE("u"), rules, 2, &why));
    ck_assert_ptr_null(auth_script_objection(c, del, call, 2)); /* as default */
    acl_act_as(c, acl_find(SLICE("u")));
    ck_assert_ptr_null(auth_script_objection(c, get, call, 2));
    ck_assert_str_eq(auth_script_objection(c, get, other, 2),
                     "NOPERM ACL failure in script: No permissions to access a key");
    ck_assert_str_eq(
        auth_script_objection(c, del, call, 2),
        "NOPERM ACL failure in script: User u has no permissions to run the 'del' command");
    ck_assert_int_eq(acl_log_newest()->context, ACL_FROM_SCRIPT);
    ck_assert(auth_script_may(c, get, call, 2) && !auth_script_may(c, get, other, 2));
    ck_assert(auth_script_may(c, get, call, 1)); /* no key, and an error of its own */
    ck_assert_uint_eq(acl_log_count(), 2);
    acl_log_clear();
    client_free(c);
    text_free(&why);
}
END_TEST

/* ---- by chance ---- */

/* Whatever the bytes are: a user is made or not, and one that is made is told so that it can be
 * made again. */
START_TEST(random_rules_make_nothing_that_cannot_be_told)
{
    static const char *const parts[] = {
        "+",   "-",   "@",    "~",      "&",    "%R~", "(",     ")", "*",      "get", "|",
        "all", "set", "read", "config", "a",    " ",   " ",     " ", "\"",     "\\",  "0",
        "%W~", ">",   "on",   "keys",   "[ab]", "?",   "reset", "#", "nopass", "<"};
    unsigned seed = 17, made_count = 0;

    for (int n = 0; n < 20000; n++) {
        struct text t = {0}, scratch = {0};
        struct acl_user *u = acl_user_new(SLICE("u")), *again;
        struct slice words[64], rule;
        int count = 0;
        const char *why;
        bool is_open;

        must(u != NULL);
        for (int i = 0; i < 24; i++)
            text_add(&t, parts[(unsigned)rand_r(&seed) % (sizeof parts / sizeof parts[0])]);
        for (char *p = strtok(t.at, " "); p != NULL && count < 64; p = strtok(NULL, " "))
            words[count++] = (struct slice){p, strlen(p)};
        if (acl_apply_all(u, words, count, &scratch, &rule, &is_open) == NULL) {
            char line[2048];
            must(snprintf(line, sizeof line, "%s", line_of(u)) < (int)sizeof line);
            again = make(line, &why);
            ck_assert_msg(again != NULL, "%s: %s", line, why);
            ck_assert_str_eq(line_of(again), line);
            acl_user_free(again);
            made_count++;
        }
        acl_user_free(u);
        text_free(&scratch);
        text_free(&t);
    }
    ck_assert_uint_gt(made_count, 100);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("acl");
    TCase *tc = tcase_create("rules");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, rules_make_what_is_told_and_that_makes_the_same, 0,
                        sizeof made / sizeof made[0]);
    tcase_add_loop_test(tc, a_broken_rule_is_refused_in_redis_words, 0,
                        sizeof broken / sizeof broken[0]);
    tcase_add_loop_test(tc, a_call_is_granted_or_the_argument_is_named, 0,
                        sizeof judged / sizeof judged[0]);
    tcase_add_test(tc, who_may_do_everything_is_not_limited);
    tcase_add_test(tc, one_of_the_passwords_is_needed_and_that_it_is_on);
    tcase_add_test(tc, a_script_may_do_what_its_caller_may);
    tcase_add_test(tc, random_rules_make_nothing_that_cannot_be_told);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
