/* server/exec/acl_rules.c - the words that make a user: on, >password, ~key*, +@read, (...).
 *
 * Each rule is applied to what the ones before it have made.  Of what a selector's commands are the
 * rules are kept too, as they were said (AC5): a later rule about a command takes earlier ones
 * about it, or its subcommands, out. */
#include <ctype.h>
#include <errno.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/log.h"
#include "server/exec/acl_impl.h"

static const char no_memory[] = "no memory";
static const char syntax[] = "Syntax error";
static const char unknown[] = "Unknown command or category name in ACL";
static const char bad_hash[] =
    "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters";
static const char after_all_keys[] =
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns";
static const char after_all_channels[] =
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels";

static bool
has_blanks(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] == '\0' || isspace((unsigned char)s.ptr[i]))
            return true;
    return false;
}

bool
acl_name_is_good(struct slice name)
{
    return !has_blanks(name);
}

static struct slice
behind(struct slice s, size_t count)
{
    return (struct slice){s.ptr + count, s.len - count};
}

/* ---- passwords ---- */

void
acl_hash(struct slice password, uint8_t ret[ACL_HASH_BYTES])
{
    struct sha256_ctx ctx;

    sha256_init(&ctx);
    sha256_update(&ctx, password.len, slice_bytes(password));
    sha256_digest(&ctx, ACL_HASH_BYTES, ret);
}

static int
digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
read_hash(struct slice text, uint8_t ret[ACL_HASH_BYTES])
{
    if (text.len != (size_t)ACL_HASH_BYTES * 2)
        return false;
    for (size_t i = 0; i < ACL_HASH_BYTES; i++) {
        int high = digit(text.ptr[2 * i]), low = digit(text.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        ret[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static unsigned
find_hash(const struct acl_user *u, const uint8_t hash[ACL_HASH_BYTES])
{
    unsigned i = 0;

    while (i < u->hash_count && memcmp(u->hashes[i], hash, ACL_HASH_BYTES) != 0)
        i++;
    return i;
}

static void
forget_passwords(struct acl_user *u)
{
    free(u->hashes);
    u->hashes = NULL;
    u->hash_count = 0;
}

/* >password #hash */
static const char *
add_password(struct acl_user *u, const uint8_t hash[ACL_HASH_BYTES])
{
    uint8_t(*grown)[ACL_HASH_BYTES];

    if (find_hash(u, hash) == u->hash_count) {
        if ((grown = acl_realloc(u->hashes, (u->hash_count + 1) * sizeof *grown)) == NULL)
            return no_memory;
        u->hashes = grown;
        memcpy(u->hashes[u->hash_count++], hash, ACL_HASH_BYTES);
    }
    u->nopass = false;
    return NULL;
}

/* <password !hash */
static const char *
remove_password(struct acl_user *u, const uint8_t hash[ACL_HASH_BYTES])
{
    unsigned i = find_hash(u, hash);

    if (i == u->hash_count)
        return "The password you are trying to remove from the user does not exist";
    u->hash_count--;
    memmove(u->hashes[i], u->hashes[i + 1], (u->hash_count - i) * sizeof *u->hashes);
    return NULL;
}

static const char *
change_passwords(struct acl_user *u, struct slice rule)
{
    uint8_t hash[ACL_HASH_BYTES];
    bool adds = rule.ptr[0] == '>' || rule.ptr[0] == '#';

    if (rule.ptr[0] == '#' || rule.ptr[0] == '!') {
        if (!read_hash(behind(rule, 1), hash))
            return bad_hash;
    } else {
        acl_hash(behind(rule, 1), hash);
    }
    return adds ? add_password(u, hash) : remove_password(u, hash);
}

/* ---- commands ---- */

static bool
is_name(const char *name, struct slice s)
{
    return slice_is_word(s, name);
}

/* By the name of the table, whatever it was renamed to: "get" or "config|get". */
static struct cmd *
find_command(struct slice name)
{
    const char *bar = memchr(name.ptr, '|', name.len);
    struct slice first = {name.ptr, bar != NULL ? (size_t)(bar - name.ptr) : name.len};
    unsigned count;
    struct cmd *table = cmd_table(&count);

    for (unsigned i = 0; i < count; i++)
        if (is_name(table[i].name, first))
            return bar == NULL ? &table[i] : cmd_find_sub(&table[i], behind(name, first.len + 1));
    return NULL;
}

static void
set_bit(struct acl_selector *s, const struct cmd *cmd, bool allow)
{
    uint64_t bit = UINT64_C(1) << (cmd->id % 64);

    if (allow)
        s->commands[cmd->id / 64] |= bit;
    else
        s->commands[cmd->id / 64] &= ~bit;
    acl_first_args_drop(s, cmd);
}

/* A command, with all its subcommands. */
static void
set_command(struct acl_selector *s, const struct cmd *cmd, bool allow)
{
    set_bit(s, cmd, allow);
    for (int i = 0; i < cmd->sub_count; i++)
        set_bit(s, &cmd->subs[i], allow);
}

struct category_change {
    struct acl_selector *selector;
    uint32_t category;
    bool allow;
};

static void
set_if_of_category(void *ctx, struct cmd *cmd)
{
    const struct category_change *change = ctx;

    if ((cmd->acl_categories & change->category) != 0)
        set_command(change->selector, cmd, change->allow);
}

static uint32_t
find_category(struct slice name)
{
    const char *at;
    uint32_t bit;

    for (unsigned i = 0; (at = cmd_acl_category_name(i, &bit)) != NULL; i++)
        if (is_name(at, name))
            return bit;
    return 0;
}

/* What was said of `name`, or of its subcommands, and need not be said any more. */
static void
forget_rules(struct text *rules, struct slice name)
{
    struct text kept = {0};
    const char *p = text_str(rules), *end = p + rules->len;

    while (p < end) {
        const char *blank = memchr(p, ' ', (size_t)(end - p)), *stop = blank != NULL ? blank : end;
        struct slice at = {p + 1, (size_t)(stop - p) - 1};
        bool same = at.len >= name.len && memcmp(at.ptr, name.ptr, name.len) == 0 &&
                    (at.len == name.len || at.ptr[name.len] == '|');
        if (!same) {
            text_add(&kept, kept.len > 0 ? " " : "");
            text_add_bytes(&kept, p, (size_t)(stop - p));
        }
        p = stop + (blank != NULL);
    }
    kept.failed |= rules->failed;
    text_free(rules);
    *rules = kept;
}

/* name: "get", "config|get", "@read": kept in small letters. */
static const char *
keep_rule(struct acl_selector *s, struct slice name, bool allow)
{
    struct text small = {0};
    bool failed;

    text_add_bytes(&small, name.ptr, name.len);
    for (size_t i = 0; i < small.len; i++)
        small.at[i] = (char)tolower((unsigned char)small.at[i]);
    forget_rules(&s->rules, (struct slice){text_str(&small), small.len});
    text_add(&s->rules, s->rules.len > 0 ? " " : "");
    text_add(&s->rules, allow ? "+" : "-");
    text_add_bytes(&s->rules, text_str(&small), small.len);
    failed = small.failed || s->rules.failed;
    text_free(&small);
    return failed ? no_memory : NULL;
}

static void
set_all_commands(struct acl_selector *s, bool allow)
{
    memset(s->commands, allow ? 0xff : 0, sizeof s->commands);
    s->all_commands = allow;
    acl_first_args_clear(s);
    text_free(&s->rules);
}

/* +@category -@category */
static const char *
change_category(struct acl_selector *s, struct slice rule, bool allow)
{
    struct category_change change = {s, find_category(behind(rule, 2)), allow};

    if (change.category == 0)
        return unknown;
    cmd_each(set_if_of_category, &change);
    return keep_rule(s, behind(rule, 1), allow);
}

/* +command|first: of a command that has subcommands, one of those; of another, a first argument. */
static const char *
allow_first(struct acl_selector *s, struct slice words)
{
    size_t head = words.len;
    struct cmd *cmd;
    struct slice word;

    while (words.ptr[head - 1] != '|')
        head--;
    word = behind(words, head);
    if ((cmd = find_command((struct slice){words.ptr, head - 1})) == NULL)
        return unknown;
    if (cmd->parent != NULL)
        return "Allowing first-arg of a subcommand is not supported";
    if (word.len == 0)
        return syntax;
    if (cmd->subs != NULL) {
        if ((cmd = find_command(words)) == NULL)
            return unknown;
        set_command(s, cmd, true);
        return keep_rule(s, words, true);
    }
    if (has_blanks(word))
        return syntax; /* it would not be read again as it is written */
    if (!acl_first_args_add(s, cmd, word))
        return no_memory;
    return keep_rule(s, words, true);
}

/* +command -command +command|subcommand -command|subcommand +command|first */
static const char *
change_command(struct acl_selector *s, struct slice rule, bool allow)
{
    struct slice name = behind(rule, 1);
    const struct cmd *cmd;

    if (allow && memchr(name.ptr, '|', name.len) != NULL)
        return allow_first(s, name);
    if ((cmd = find_command(name)) == NULL)
        return unknown;
    set_command(s, cmd, allow);
    return keep_rule(s, (struct slice){cmd->full_name, strlen(cmd->full_name)}, allow);
}

/* ---- keys and channels ---- */

/* %R~ %W~ %RW~: how long that is; 0: it is not such a thing. */
static size_t
read_access(struct slice rule, unsigned *ret_access)
{
    unsigned access = 0;

    for (size_t i = 1; i < rule.len; i++) {
        int c = toupper((unsigned char)rule.ptr[i]);
        unsigned bit = c == 'R' ? ACL_MAY_READ : c == 'W' ? ACL_MAY_WRITE : 0;

        if (c == '~' && access != 0) {
            *ret_access = access;
            return i + 1;
        }
        if (bit == 0 || (access & bit) != 0)
            return 0;
        access |= bit;
    }
    return 0;
}

static const char *
add_key_pattern(struct acl_selector *s, struct slice rule)
{
    unsigned access = ACL_MAY_BOTH;
    size_t head = rule.ptr[0] == '~' ? 1 : read_access(rule, &access);

    if (s->all_keys)
        return after_all_keys;
    if (head == 0 || has_blanks(behind(rule, head)))
        return syntax;
    return acl_patterns_add(&s->keys, behind(rule, head), access) ? NULL : no_memory;
}

static const char *
add_channel_pattern(struct acl_selector *s, struct slice rule)
{
    if (s->all_channels)
        return after_all_channels;
    if (has_blanks(rule))
        return syntax;
    return acl_patterns_add(&s->channels, behind(rule, 1), ACL_MAY_BOTH) ? NULL : no_memory;
}

static bool
change_by_word(struct acl_selector *s, struct slice rule)
{
    bool all_keys = is_name("allkeys", rule) || is_name("~*", rule);
    bool all_channels = is_name("allchannels", rule) || is_name("&*", rule);

    if (all_keys || is_name("resetkeys", rule)) {
        s->all_keys = all_keys;
        acl_patterns_clear(&s->keys);
    } else if (all_channels || is_name("resetchannels", rule)) {
        s->all_channels = all_channels;
        acl_patterns_clear(&s->channels);
    } else if (is_name("allcommands", rule) || is_name("+@all", rule)) {
        set_all_commands(s, true);
    } else if (is_name("nocommands", rule) || is_name("-@all", rule)) {
        set_all_commands(s, false);
    } else {
        return false;
    }
    return true;
}

static const char *
apply_to_selector(struct acl_selector *s, struct slice rule)
{
    bool allow = rule.ptr[0] == '+';

    if (change_by_word(s, rule))
        return NULL;
    switch (rule.ptr[0]) {
    case '~':
    case '%':
        return add_key_pattern(s, rule);
    case '&':
        return add_channel_pattern(s, rule);
    case '+':
    case '-':
        return rule.len > 1 && rule.ptr[1] == '@' ? change_category(s, rule, allow)
                                                  : change_command(s, rule, allow);
    default:
        return syntax;
    }
}

/* ---- users ---- */

/* Of what is read in parentheses: would it be another word if it were told and read again? */
static bool
is_ambiguous(struct slice word)
{
    return word.ptr[word.len - 1] == ')' || memchr(word.ptr, '"', word.len) != NULL ||
           memchr(word.ptr, '\'', word.len) != NULL;
}

/* What stands between parentheses, into a selector that is there. */
static const char *
fill_selector(struct acl_selector *s, struct slice inner)
{
    int most = (int)(inner.len / 2 + 1), n = 0;
    struct slice *words = acl_realloc(NULL, (size_t)most * sizeof *words);
    char *scratch = acl_realloc(NULL, inner.len + 1);
    const char *why = words == NULL || scratch == NULL ? no_memory : NULL;

    if (why == NULL && (n = text_split_words(inner.ptr, inner.len, scratch, words, most)) < 0)
        why = syntax;
    for (int i = 0; why == NULL && i < n; i++)
        if (words[i].len > 0)
            why = is_ambiguous(words[i]) ? syntax : apply_to_selector(s, words[i]);
    free(scratch);
    free(words);
    return why;
}

static const char *
add_selector(struct acl_user *u, struct slice rule)
{
    struct acl_selector *grown =
        acl_realloc(u->selectors, (u->selector_count + 1) * sizeof *u->selectors);
    const char *why;

    if (grown == NULL)
        return no_memory;
    u->selectors = grown;
    acl_selector_init(&grown[u->selector_count]);
    why = fill_selector(&grown[u->selector_count], (struct slice){rule.ptr + 1, rule.len - 2});
    if (why != NULL)
        acl_selector_fini(&grown[u->selector_count]);
    else
        u->selector_count++;
    return why;
}

static void
clear_selectors(struct acl_user *u)
{
    while (u->selector_count > 1)
        acl_selector_fini(&u->selectors[--u->selector_count]);
}

static void
reset(struct acl_user *u)
{
    u->is_on = u->nopass = false;
    u->sanitize = "sanitize-payload";
    forget_passwords(u);
    clear_selectors(u);
    acl_selector_fini(&u->selectors[0]);
    acl_selector_init(&u->selectors[0]);
}

static bool
change_user_by_word(struct acl_user *u, struct slice rule)
{
    if (is_name("on", rule) || is_name("off", rule)) {
        u->is_on = is_name("on", rule);
    } else if (is_name("nopass", rule) || is_name("resetpass", rule)) {
        u->nopass = is_name("nopass", rule);
        forget_passwords(u);
    } else if (is_name("skip-sanitize-payload", rule)) {
        u->sanitize = "skip-sanitize-payload";
    } else if (is_name("sanitize-payload", rule)) {
        u->sanitize = "sanitize-payload";
    } else if (is_name("clearselectors", rule)) {
        clear_selectors(u);
    } else if (is_name("reset", rule)) {
        reset(u);
    } else {
        return false;
    }
    return true;
}

const char *
acl_apply(struct acl_user *u, struct slice rule)
{
    if (rule.len == 0 || change_user_by_word(u, rule))
        return NULL;
    if (rule.ptr[0] != '\0' && strchr(">#<!", rule.ptr[0]) != NULL)
        return change_passwords(u, rule);
    if (rule.len >= 2 && rule.ptr[0] == '(' && rule.ptr[rule.len - 1] == ')')
        return add_selector(u, rule);
    return apply_to_selector(&u->selectors[0], rule);
}

/* ---- several ---- */

static bool
opens(struct slice rule)
{
    return rule.len > 0 && rule.ptr[0] == '(' && rule.ptr[rule.len - 1] != ')';
}

/* take_rule: the rule that begins at *i, which moves to its last word: a selector may have been
 * sent as several.  False: nothing closes it. */
static bool
take_rule(const struct slice *rules, int count, int *i, struct text *scratch, struct slice *ret)
{
    *ret = rules[*i];
    if (!opens(rules[*i]))
        return true;
    text_clear(scratch);
    text_add_bytes(scratch, rules[*i].ptr, rules[*i].len);
    for (int k = *i + 1; k < count; k++) {
        text_add(scratch, " ");
        text_add_bytes(scratch, rules[k].ptr, rules[k].len);
        if (rules[k].len > 0 && rules[k].ptr[rules[k].len - 1] == ')') {
            *ret = (struct slice){text_str(scratch), scratch->len};
            *i = k;
            return true;
        }
    }
    return false;
}

const char *
acl_apply_all(struct acl_user *u, const struct slice *rules, int count, struct text *scratch,
              struct slice *ret_rule, bool *ret_open)
{
    const char *why = NULL;

    *ret_open = false;
    /* An open parenthesis is told before anything that is wrong with a rule. */
    for (int i = 0; i < count; i++)
        if (!take_rule(rules, count, &i, scratch, ret_rule)) {
            *ret_open = true;
            return "Unmatched parenthesis in acl selector";
        }
    for (int i = 0; i < count && why == NULL; i++) {
        (void)take_rule(rules, count, &i, scratch, ret_rule);
        why = scratch->failed ? no_memory : acl_apply(u, *ret_rule);
    }
    acl_user_settle(u);
    return why;
}
