/* tests/fuzz/fuzz_acl.c - rules of users against bytes that mean harm.
 *
 * The input is lines, each a rule.  Properties: a refusal has a text; a user that was made is told
 * by a line of rules that make it again: it is told the same, and may do the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/must.h"
#include "server/config/config.h"
#include "server/exec/acl_impl.h"
#include "server/modules.h"

enum { RULES_MAX = 256, WORDS_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
split(const char *p, size_t len, char by, struct slice *ret, int most)
{
    const char *end = p + len, *stop;
    int count = 0;

    for (; p < end && count < most; p = stop + 1) {
        stop = memchr(p, by, (size_t)(end - p));
        if (stop == NULL)
            stop = end;
        ret[count++] = (struct slice){p, (size_t)(stop - p)};
    }
    return count;
}

/* NULL: it was refused. */
static struct acl_user *
make(const struct slice *rules, int count)
{
    struct acl_user *u = acl_user_new(SLICE("u"));
    struct text scratch = {0};
    struct slice rule;
    const char *why;
    bool is_open;

    must(u != NULL);
    why = acl_apply_all(u, rules, count, &scratch, &rule, &is_open);
    text_free(&scratch);
    if (why == NULL)
        return u;
    must(*why != '\0');
    acl_user_free(u);
    return NULL;
}

static const char *const calls[] = {"get",     "set",       "mget",       "del",    "config|get",
                                    "publish", "subscribe", "psubscribe", "select", "zunionstore"};

static void
compare_verdicts(const struct acl_user *a, const struct acl_user *b)
{
    struct slice argv[] = {SLICE("x"), SLICE("a"), SLICE("1"), SLICE("k*"), SLICE("")};

    for (unsigned i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        const struct cmd *cmd = cmd_find_full((struct slice){calls[i], strlen(calls[i])});
        int argc = cmd->arity > 0 ? cmd->arity : 5, at_a = 0, at_b = 0;

        must(cmd != NULL);
        must(acl_check(a, cmd, argv, argc, &at_a) == acl_check(b, cmd, argv, argc, &at_b));
        must(at_a == at_b);
        must(acl_grants(a, cmd, argv, argc) ==
             (acl_check(a, cmd, argv, argc, NULL) == ACL_GRANTED));
    }
}

static void
make_again(const struct acl_user *u)
{
    static struct slice words[WORDS_MAX];
    struct text told = {0}, again = {0};
    struct acl_user *v;
    int count;

    acl_describe(u, &told);
    must(!told.failed);
    count = split(told.at, told.len, ' ', words, WORDS_MAX);
    must(count > 2);
    if (count < WORDS_MAX) {
        must((v = make(words + 2, count - 2)) != NULL); /* behind "user u" */
        acl_describe(v, &again);
        must(strcmp(text_str(&told), text_str(&again)) == 0);
        must(acl_is_limited(u) == acl_is_limited(v));
        compare_verdicts(u, v);
        acl_user_free(v);
    }
    text_free(&told);
    text_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool begun;
    struct slice rules[RULES_MAX];
    struct acl_user *u;

    if (!begun) {
        must(config_init() == 0);
        modules_init();
        acl_init();
        begun = true;
    }
    if ((u = make(rules, split((const char *)data, size, '\n', rules, RULES_MAX))) != NULL) {
        make_again(u);
        acl_user_free(u);
    }
    return 0;
}
