/* server/commands/server/command.c - COMMAND and its subcommands, and the HELP of every command
 * that has subcommands: what the command table says, as replies. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "mm/base/glob.h"
#include "mm/base/must.h"
#include "mm/base/text.h"
#include "server/exec/args.h"
#include "server/exec/cmd.h"
#include "server/exec/cmd_syntax.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/server/server.def"

/* ---- sets of names ---- */

typedef const char *(*bit_namer)(unsigned i, uint32_t *ret_bit);

static void
reply_bits(struct client *c, uint32_t bits, bit_namer name_of, const char *prefix)
{
    const char *name;
    size_t count = 0;
    uint32_t bit;

    for (unsigned i = 0; name_of(i, &bit) != NULL; i++)
        count += (bits & bit) != 0;
    reply_set(c, count);
    for (unsigned i = 0; (name = name_of(i, &bit)) != NULL; i++) {
        char text[32];
        if ((bits & bit) == 0)
            continue;
        snprintf(text, sizeof text, "%s%s", prefix, name);
        reply_status(c, text);
    }
}

static void
reply_tips(struct client *c, const char *tips)
{
    size_t count = tips != NULL;

    for (const char *p = tips; p != NULL && *p != '\0'; p++)
        count += *p == ' ';
    reply_set(c, count);
    for (const char *p = tips; p != NULL && *p != '\0';) {
        size_t len = strcspn(p, " ");
        reply_bulk(c, p, len);
        p += len + (p[len] == ' ');
    }
}

/* ---- key specifications ---- */

static void
reply_begin_search(struct client *c, const struct key_spec *s)
{
    reply_bulk_text(c, "begin_search");
    reply_map(c, 2);
    reply_bulk_text(c, "type");
    reply_bulk_text(c, s->begin == KEYS_INDEX     ? "index"
                       : s->begin == KEYS_KEYWORD ? "keyword"
                                                  : "unknown");
    reply_bulk_text(c, "spec");
    switch ((enum key_begin)s->begin) {
    case KEYS_INDEX:
        reply_map(c, 1);
        reply_bulk_text(c, "index");
        reply_int(c, s->at);
        return;
    case KEYS_KEYWORD:
        reply_map(c, 2);
        reply_bulk_text(c, "keyword");
        reply_bulk_text(c, s->keyword);
        reply_bulk_text(c, "startfrom");
        reply_int(c, s->at);
        return;
    case KEYS_NONE:
    case KEYS_UNKNOWN:
        reply_map(c, 0);
        return;
    }
    never("a spec without a begin");
}

static void
reply_find_keys(struct client *c, const struct key_spec *s)
{
    const char *names[][4] = {{"range", "lastkey", "keystep", "limit"},
                              {"keynum", "keynumidx", "firstkey", "keystep"}};
    int range[] = {s->last, s->step, s->limit}, keynum[] = {0, s->last, s->step};
    const int *values = s->find == KEYS_RANGE ? range : keynum;

    reply_bulk_text(c, "find_keys");
    reply_map(c, 2);
    reply_bulk_text(c, "type");
    reply_bulk_text(c, s->begin == KEYS_UNKNOWN ? "unknown" : names[s->find][0]);
    reply_bulk_text(c, "spec");
    if (s->begin == KEYS_UNKNOWN) {
        reply_map(c, 0);
        return;
    }
    reply_map(c, 3);
    for (int i = 0; i < 3; i++) {
        reply_bulk_text(c, names[s->find][1 + i]);
        reply_int(c, values[i]);
    }
}

static void
reply_key_specs(struct client *c, const struct cmd *cmd)
{
    int n = key_spec_count(cmd);

    reply_set(c, (size_t)n);
    for (const struct key_spec *s = cmd->specs; s < cmd->specs + n; s++) {
        reply_map(c, 3);
        reply_bulk_text(c, "flags");
        reply_bits(c, s->flags, cmd_key_flag_name, "");
        reply_begin_search(c, s);
        reply_find_keys(c, s);
    }
}

/* ---- COMMAND, COMMAND INFO, COMMAND COUNT ---- */

static void
reply_info(struct client *c, const struct cmd *cmd)
{
    reply_array(c, 10);
    reply_bulk_text(c, cmd->full_name);
    reply_int(c, cmd->arity);
    reply_bits(c, cmd->flags, cmd_flag_name, "");
    reply_int(c, cmd->first_key);
    reply_int(c, cmd->last_key);
    reply_int(c, cmd->key_step);
    reply_bits(c, cmd->acl_categories, cmd_acl_category_name, "@");
    reply_tips(c, cmd->tips);
    reply_key_specs(c, cmd);
    reply_array(c, (size_t)cmd->sub_count);
    for (int i = 0; i < cmd->sub_count; i++)
        reply_info(c, &cmd->subs[i]);
}

/* COMMAND -> what COMMAND INFO says of every command. */
void
cmd_command(struct client *c)
{
    unsigned count;
    const struct cmd *table = cmd_table(&count);

    reply_array(c, cmd_count());
    for (unsigned i = 0; i < count; i++)
        if (!table[i].is_gone)
            reply_info(c, &table[i]);
}

/* COMMAND COUNT -> number of commands. */
void
cmd_command_count(struct client *c)
{
    reply_int(c, cmd_count());
}

/* COMMAND INFO [name ...] -> a description of each, null for one that does not exist. */
void
cmd_command_info(struct client *c)
{
    if (c->argc == 2) {
        cmd_command(c);
        return;
    }
    reply_array(c, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++) {
        const struct cmd *cmd = cmd_find_full(c->argv[i]);
        if (cmd != NULL)
            reply_info(c, cmd);
        else
            reply_null(c);
    }
}

/* ---- COMMAND DOCS ---- */

static void
reply_pair(struct client *c, const char *name, const char *value)
{
    reply_bulk_text(c, name);
    reply_bulk_text(c, value);
}

/* A name in lower case, as a program uses it. */
static void
reply_name(struct client *c, struct slice name)
{
    char text[64];
    size_t n = name.len < sizeof text ? name.len : sizeof text;

    for (size_t i = 0; i < n; i++)
        text[i] = (char)(name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? name.ptr[i] + 32 : name.ptr[i]);
    reply_bulk(c, text, n);
}

static size_t
count_nodes(const struct syntax_node *n)
{
    size_t count = 0;

    for (; n != NULL; n = n->next)
        count++;
    return count;
}

static void
reply_flags_of(struct client *c, const struct syntax_node *n)
{
    reply_bulk_text(c, "flags");
    reply_set(c, (size_t)n->optional + n->multiple + n->multiple_token);
    if (n->optional)
        reply_status(c, "optional");
    if (n->multiple)
        reply_status(c, "multiple");
    if (n->multiple_token)
        reply_status(c, "multiple_token");
}

/* Which spec finds the next argument that is a key, or a pattern that names keys (SORT BY).
 * Patterns share the one that nobody can follow; the other specs come in the order of the
 * arguments, and the last has all that are left. */
static int
spec_of(const struct cmd *cmd, bool is_pattern, int *keys)
{
    int n = key_spec_count(cmd), i;

    if (is_pattern) {
        for (i = 0; i < n; i++)
            if (cmd->specs[i].begin == KEYS_UNKNOWN && (cmd->specs[i].flags & KEY_RO))
                return i;
        return -1;
    }
    for (i = *keys; i < n && cmd->specs[i].begin == KEYS_UNKNOWN && (cmd->specs[i].flags & KEY_RO);)
        i++;
    *keys = i + 1;
    return i < n ? i : n - 1;
}

static void
reply_arguments(struct client *c, const struct cmd *cmd, const struct syntax_node *first, int *keys)
{
    reply_array(c, count_nodes(first));
    for (const struct syntax_node *n = first; n != NULL; n = n->next) {
        const char *type = syntax_type(n);
        bool is_key = strcmp(type, "key") == 0, is_pattern = strcmp(type, "pattern") == 0;
        int spec = is_key || is_pattern ? spec_of(cmd, is_pattern, keys) : -1;
        bool has_flags = n->optional || n->multiple;
        bool is_leaf = n->kind == SYNTAX_ARGUMENT || n->kind == SYNTAX_TOKEN;
        reply_map(c,
                  2U + is_leaf + (spec >= 0) + (n->token.len > 0) + has_flags + (n->child != NULL));
        reply_bulk_text(c, "name");
        reply_name(c, n->name);
        reply_pair(c, "type", type);
        if (is_leaf) {
            reply_bulk_text(c, "display_text");
            reply_name(c, n->name);
        }
        if (spec >= 0) {
            reply_bulk_text(c, "key_spec_index");
            reply_int(c, spec);
        }
        if (n->token.len > 0) {
            reply_bulk_text(c, "token");
            reply_bulk(c, n->token.ptr, n->token.len);
        }
        if (has_flags)
            reply_flags_of(c, n);
        if (n->child != NULL) {
            reply_bulk_text(c, "arguments");
            reply_arguments(c, cmd, n->child, keys);
        }
    }
}

struct advice {
    const char *name, *flag, *since, *instead; /* since NULL: no more than the flag */
};
static const struct advice advices[] = {
#define DEPRECATED(name, since, instead) {name, "deprecated", since, instead},
#define SYSTEM(name)                     {name, "syscmd", NULL, NULL},
#include "server/commands/server/deprecated.def"
#undef DEPRECATED
#undef SYSTEM
};

static const struct advice *
advice_on(const struct cmd *cmd)
{
    for (size_t i = 0; i < sizeof advices / sizeof *advices; i++)
        if (strcmp(advices[i].name, cmd->full_name) == 0)
            return &advices[i];
    return NULL;
}

static void
reply_advice(struct client *c, const struct advice *a)
{
    reply_bulk_text(c, "doc_flags");
    reply_set(c, 1);
    reply_status(c, a->flag);
    if (a->since == NULL)
        return;
    reply_pair(c, "deprecated_since", a->since);
    reply_pair(c, "replaced_by", a->instead);
}

static void
reply_docs(struct client *c, const struct cmd *cmd)
{
    const struct advice *a = advice_on(cmd);
    struct syntax syntax;
    const struct syntax_node *first = syntax_parse(&syntax, cmd->args);
    int keys = 0;

    reply_bulk_text(c, cmd->full_name);
    reply_map(c, 4U +
                     (a == NULL          ? 0U
                      : a->since == NULL ? 1U
                                         : 3U) +
                     (first != NULL) + (cmd->sub_count > 0));
    reply_pair(c, "summary", cmd->summary);
    reply_pair(c, "since", cmd->since);
    reply_pair(c, "group", cmd->group);
    reply_pair(c, "complexity", cmd->complexity);
    if (a != NULL)
        reply_advice(c, a);
    if (first != NULL) {
        reply_bulk_text(c, "arguments");
        reply_arguments(c, cmd, first, &keys);
    }
    if (cmd->sub_count == 0)
        return;
    reply_bulk_text(c, "subcommands");
    reply_map(c, (size_t)cmd->sub_count);
    for (int i = 0; i < cmd->sub_count; i++)
        reply_docs(c, &cmd->subs[i]);
}

/* COMMAND DOCS [name ...] -> name and documentation of each that exists. */
void
cmd_command_docs(struct client *c)
{
    unsigned count;
    const struct cmd *table = cmd_table(&count), *cmd;
    size_t found = 0;

    if (c->argc == 2) {
        reply_map(c, cmd_count());
        for (unsigned i = 0; i < count; i++)
            if (!table[i].is_gone)
                reply_docs(c, &table[i]);
        return;
    }
    for (int i = 2; i < c->argc; i++)
        found += cmd_find_full(c->argv[i]) != NULL;
    reply_map(c, found);
    for (int i = 2; i < c->argc; i++)
        if ((cmd = cmd_find_full(c->argv[i])) != NULL)
            reply_docs(c, cmd);
}

/* ---- COMMAND LIST ---- */

struct filter {
    bool by_category, by_pattern, by_module;
    uint32_t categories;
    struct slice pattern;
};

static bool
passes(const struct filter *f, const struct cmd *cmd)
{
    struct slice name = {cmd->full_name, strlen(cmd->full_name)};

    if (f->by_module)
        return false; /* there are no modules */
    if (f->by_category)
        return (cmd->acl_categories & f->categories) != 0;
    return !f->by_pattern || glob_match(f->pattern, name, true);
}

static bool
parse_filter(struct client *c, struct filter *f)
{
    const char *name;
    uint32_t bit;

    if (c->argc == 2)
        return true;
    if (c->argc != 5 || !arg_is(c, 2, "FILTERBY"))
        return false;
    f->by_module = arg_is(c, 3, "MODULE");
    f->by_category = arg_is(c, 3, "ACLCAT");
    f->by_pattern = arg_is(c, 3, "PATTERN");
    f->pattern = c->argv[4];
    for (unsigned i = 0; (name = cmd_acl_category_name(i, &bit)) != NULL; i++)
        if (arg_is(c, 4, name))
            f->categories = bit;
    return f->by_module || f->by_category || f->by_pattern;
}

/* COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern] -> names, subcommands
 * too. */
void
cmd_command_list(struct client *c)
{
    struct filter f = {0};
    unsigned count;
    const struct cmd *table = cmd_table(&count);
    size_t token, n = 0;

    if (!parse_filter(c, &f)) {
        reply_syntax(c);
        return;
    }
    token = reply_array_deferred(c);
    for (unsigned i = 0; i < count; i++)
        for (int k = -1; k < table[i].sub_count; k++) {
            const struct cmd *cmd = k < 0 ? &table[i] : &table[i].subs[k];
            if (table[i].is_gone || !passes(&f, cmd))
                continue;
            reply_bulk_text(c, cmd->full_name);
            n++;
        }
    reply_array_close(c, token, n);
}

/* ---- COMMAND GETKEYS ---- */

static const struct cmd *
find_given(struct client *c)
{
    const struct cmd *cmd = cmd_find(c->argv[2]);

    if (cmd != NULL && cmd->subs != NULL && c->argc > 3)
        cmd = cmd_find_sub(cmd, c->argv[3]);
    return cmd;
}

struct given {
    struct client *c;
    bool with_flags;
};

static void
reply_given_key(void *ctx, int at, uint32_t flags)
{
    const struct given *g = ctx;
    struct slice key = g->c->argv[2 + at];

    if (g->with_flags)
        reply_array(g->c, 2);
    reply_bulk(g->c, key.ptr, key.len);
    if (g->with_flags)
        reply_bits(g->c, flags, cmd_key_flag_name, "");
}

static void
reply_given_keys(struct client *c, bool with_flags)
{
    const struct cmd *cmd = find_given(c);
    struct given given = {c, with_flags};
    int n;

    if (cmd == NULL) {
        reply_error(c, "ERR Invalid command specified");
    } else if (!key_spec_has_keys(cmd)) {
        reply_error(c, "ERR The command has no key arguments");
    } else if (!cmd_arity_is_good(cmd, c->argc - 2)) {
        reply_error(c, "ERR Invalid number of arguments specified for command");
    } else if ((n = key_spec_find(cmd, c->argv + 2, c->argc - 2, NULL, NULL)) == 0 &&
               (cmd->flags & CMD_NO_MANDATORY_KEYS) == 0) {
        reply_error(c, "ERR Invalid arguments specified for command");
    } else {
        reply_array(c, (size_t)n);
        key_spec_find(cmd, c->argv + 2, c->argc - 2, reply_given_key, &given);
    }
}

/* COMMAND GETKEYS command arg ... -> the keys among the arguments. */
void
cmd_command_getkeys(struct client *c)
{
    reply_given_keys(c, false);
}

/* COMMAND GETKEYSANDFLAGS command arg ... -> each key with what is done to it. */
void
cmd_command_getkeysandflags(struct client *c)
{
    reply_given_keys(c, true);
}

/* ---- HELP ---- */

static void
reply_usage(struct client *c, const struct cmd *sub)
{
    struct text t = {0};

    for (const char *p = sub->name; *p != '\0'; p++)
        text_addf(&t, "%c", toupper((unsigned char)*p));
    for (const char *p = sub->args; *p != '\0'; p += strcspn(p, " ]>")) {
        size_t n = strspn(p, " ]>"), name;
        if (p == sub->args)
            text_add(&t, " ");
        text_add_bytes(&t, p, n);
        p += n;
        name = strcspn(p, " ]>");
        /* without its type */
        text_add_bytes(&t, p, memchr(p, ':', name) != NULL ? strcspn(p, ":") : name);
    }
    reply_status(c, text_str(&t));
    text_free(&t);
    text_addf(&t, "    %s", sub->summary);
    reply_status(c, text_str(&t));
    text_free(&t);
}

/* CONFIG HELP, CLIENT HELP, ... -> the subcommands, from the table. */
void
cmd_help(struct client *c)
{
    const struct cmd *parent = cmd_find(c->argv[0]);
    struct text t = {0};

    reply_array(c, 1 + 2 * (size_t)parent->sub_count);
    for (const char *p = parent->name; *p != '\0'; p++)
        text_addf(&t, "%c", toupper((unsigned char)*p));
    text_add(&t, " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    reply_status(c, text_str(&t));
    text_free(&t);
    for (int i = 0; i < parent->sub_count; i++)
        reply_usage(c, &parent->subs[i]);
}
