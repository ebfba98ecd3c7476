/* tests/server/test_key_spec.c - where the keys of a call are.  What is expected is what
 * redis-server 7.0 answers to COMMAND GETKEYSANDFLAGS and COMMAND INFO; the rows are those of
 * commands.def's explanation, whether or not the command is built. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/slice.h"
#include "server/commands/table.h"
#include "server/exec/cmd.h"
#include "server/exec/key_spec.h"
#include "tests/support/runner.h"

#define A_READ  (K(RO) | K(ACCESS))
#define A_STORE (K(OW) | K(UPDATE))

static struct cmd rows[] = {
    {.name = "none", NO_KEYS},
    {.name = "mset", KEYS(1, -1, 2, A_STORE)},
    {.name = "rename", KEY_PAIR(K(RW) | K(DELETE), A_STORE)},
    {.name = "ssubscribe", KEYS(1, -1, 1, K(NOT_KEY))},
    {.name = "zunion", NUMKEYS(1, A_READ)},
    {.name = "blmpop", NUMKEYS(2, K(RW) | K(DELETE))},
    {.name = "zunionstore", SPECS(KEY_AT(1, A_STORE), NUMKEYS_AT(2, A_READ))},
    {.name = "sinterstore", SPECS(KEY_AT(1, A_STORE), KEYS_AT(2, -1, 1, A_READ))},
    {.name = "bitop", SPECS(KEY_AT(2, A_STORE), KEYS_AT(3, -1, 1, A_READ))},
    {.name = "xread", KEYWORD("STREAMS", 1, A_READ)},
    {.name = "xreadgroup", KEYWORD("STREAMS", 4, A_READ)},
    {.name = "set", FOUND_BY(keys_of_set, KEY_AT(1, K(RW) | K(VARIABLE)))},
    {.name = "bitfield", FOUND_BY(keys_of_bitfield, KEY_AT(1, K(RW) | K(VARIABLE)))},
    {.name = "sort",
     FOUND_BY(keys_of_sort, KEY_AT(1, A_READ), KEYS_HIDDEN(A_READ), KEYS_HIDDEN(A_STORE))},
    {.name = "sort_ro", FOUND_BY(keys_of_sort_ro, KEY_AT(1, A_READ), KEYS_HIDDEN(A_READ))},
    {.name = "georadius",
     FOUND_BY(keys_of_georadius, KEY_AT(1, A_READ), BEHIND("STORE", 6, 0, 1, 0, A_STORE),
              BEHIND("STOREDIST", 6, 0, 1, 0, A_STORE))},
    {.name = "migrate",
     SPECS(KEY_AT(3, K(RW)), BEHIND("KEYS", -2, -1, 1, 0, K(RW) | K(INCOMPLETE)))},
};

static struct cmd *
row(const char *name)
{
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    ck_abort_msg("no row %s", name);
}

/* What was found, as text: a key and a letter: r read, w overwritten, m both or moved. */
struct found {
    const struct slice *argv;
    char text[128];
};

static void
note(void *ctx, int at, uint32_t flags)
{
    struct found *f = ctx;
    size_t used = strlen(f->text);

    snprintf(f->text + used, sizeof f->text - used, "%s%.*s:%c", used > 0 ? " " : "",
             (int)f->argv[at].len, f->argv[at].ptr,
             flags & K(RO)   ? 'r'
             : flags & K(OW) ? 'w'
                             : 'm');
}

static void
check_keys(const char *line, const char *want)
{
    char copy[128], *word, *rest = copy;
    struct slice argv[16];
    struct found f = {argv, ""};
    int argc = 0, count = 0;

    snprintf(copy, sizeof copy, "%s", line);
    while ((word = strsep(&rest, " ")) != NULL)
        argv[argc++] = (struct slice){word, strlen(word)};
    for (const char *p = want; *p != '\0'; p++)
        count += *p == ':';
    ck_assert_msg(key_spec_find(row(copy), argv, argc, NULL, NULL) == count, "%s: count", line);
    ck_assert_int_eq(key_spec_find(row(copy), argv, argc, note, &f), count);
    ck_assert_msg(strcmp(f.text, want) == 0, "%s: \"%s\", not \"%s\"", line, f.text, want);
}

static const char *const calls[][2] = {
    {"none a b", ""},
    {"mset a 1 b 2", "a:w b:w"},
    {"mset a 1 b", "a:w b:w"},
    {"rename a b", "a:m b:w"},
    {"ssubscribe a b", ""},
    {"zunion 2 a b", "a:r b:r"},
    {"zunion 2 a b weights 1 2", "a:r b:r"},
    {"zunion 1 a b", "a:r"},
    {"zunion 3 a b", ""},
    {"zunion 0 a", ""},
    {"zunion -1 a", ""},
    {"zunion x a", ""},
    {"zunion 99999999999999999999 a", ""},
    {"zunion 4294967297 a", ""},
    {"blmpop 0 2 a b left", "a:m b:m"},
    {"blmpop 0", ""},
    {"zunionstore d 2 a b", "d:w a:r b:r"},
    {"zunionstore d 3 a b", ""},
    {"sinterstore d a b", "d:w a:r b:r"},
    {"sinterstore d", ""},
    {"bitop and d a b", "d:w a:r b:r"},
    {"xread streams a 1", "a:r"},
    {"xread count 1 STREAMS a b 0 0", "a:r b:r"},
    {"xread streams a b 1", "a:r"},
    {"xread streams streams 1", "streams:r"},
    {"xread count 1 block 2", ""},
    {"xread count 1 streams", ""},
    {"xreadgroup group g streams streams a >", "a:r"},
    {"xreadgroup streams a b c streams a >", "a:r"},
    {"set a b", "a:w"},
    {"set a b nx get", "a:m"},
    {"bitfield k", "k:r"},
    {"bitfield k get u8 0 overflow sat get u8 1", "k:r"},
    {"bitfield k set u8 0 1", "k:m"},
    {"bitfield k get u8 0 incrby u8 1", "k:m"},
    {"bitfield k get u8", "k:m"},
    {"bitfield k foo", "k:m"},
    {"sort a", "a:r"},
    {"sort a by x_* get y store b", "a:r b:w"},
    {"sort a store b store c", "a:r c:w"},
    {"sort a limit store 1 store b", "a:r b:w"},
    {"sort a get store x", "a:r"},
    {"sort a store", "a:r"},
    {"sort_ro a by store b", "a:r"},
    {"georadius k 1 2 3 m", "k:r"},
    {"georadius k 1 2 3 m store a storedist b", "k:r a:w b:w"},
    {"georadius k 1 2 3 m storedist b store", "k:r b:w"},
    {"georadius k 1 2 3 store x", "k:r"},
    {"migrate h 1 k 0 5 copy", "k:m"},
    {"migrate h 1 x 0 5 keys a b", ""}, /* it needs a finder */
};

START_TEST(keys_are_found_by_specs_and_finders)
{
    for (unsigned i = 0; i < sizeof calls / sizeof calls[0]; i++)
        check_keys(calls[i][0], calls[i][1]);
}
END_TEST

START_TEST(old_clients_are_told_a_range_where_there_is_one_KS2)
{
    static const struct {
        const char *name;
        int first, last, step, hint;
        bool movable;
    } want[] = {{"none", 0, 0, 0, 0, false},       {"mset", 1, -1, 2, 1, false},
                {"rename", 1, 2, 1, 1, false},     {"ssubscribe", 1, -1, 1, 1, false},
                {"zunion", 0, 0, 0, 2, true},      {"blmpop", 0, 0, 0, 3, true},
                {"zunionstore", 1, 1, 1, 1, true}, {"sinterstore", 1, -1, 1, 1, false},
                {"bitop", 2, -1, 1, 2, false},     {"xread", 0, 0, 0, 0, true},
                {"sort", 1, 1, 1, 1, true},        {"sort_ro", 1, 1, 1, 1, true},
                {"georadius", 1, 1, 1, 1, true},   {"migrate", 3, 3, 1, 3, true},
                {"set", 1, 1, 1, 1, false}};

    for (unsigned i = 0; i < sizeof want / sizeof want[0]; i++) {
        struct cmd *cmd = row(want[i].name);
        key_spec_init(cmd);
        ck_assert_msg(cmd->first_key == want[i].first && cmd->last_key == want[i].last &&
                          cmd->key_step == want[i].step,
                      "%s: %d %d %d", cmd->name, cmd->first_key, cmd->last_key, cmd->key_step);
        ck_assert_msg(cmd->hint_key == want[i].hint, "%s: hint %d", cmd->name, cmd->hint_key);
        ck_assert_msg(((cmd->flags & CMD_MOVABLEKEYS) != 0) == want[i].movable, "%s: movable",
                      cmd->name);
    }
}
END_TEST

START_TEST(a_command_of_shard_channels_has_no_keys)
{
    ck_assert(!key_spec_has_keys(row("none")));
    ck_assert(!key_spec_has_keys(row("ssubscribe")));
    ck_assert(key_spec_has_keys(row("xread")));
    ck_assert(key_spec_has_keys(row("mset")));
}
END_TEST

/* KS1, of the table that is built in. */
START_TEST(specs_that_do_not_say_enough_have_a_finder_KS1)
{
    unsigned count;
    const struct cmd *table;

    commands_init();
    table = cmd_table(&count);
    for (unsigned i = 0; i < count; i++)
        for (int s = 0; s < key_spec_count(&table[i]); s++)
            if (table[i].specs[s].begin == KEYS_UNKNOWN ||
                table[i].specs[s].flags & (KEY_VARIABLE | KEY_INCOMPLETE))
                ck_assert_msg(table[i].finder != NULL, "%s", table[i].name);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("key specs");
    TCase *t = tcase_create("keys");

    tcase_add_test(t, keys_are_found_by_specs_and_finders);
    tcase_add_test(t, old_clients_are_told_a_range_where_there_is_one_KS2);
    tcase_add_test(t, a_command_of_shard_channels_has_no_keys);
    tcase_add_test(t, specs_that_do_not_say_enough_have_a_finder_KS1);
    suite_add_tcase(s, t);
    return run_suite(s);
}
