/* tool/look/get.c - stillframe-rdb get: the value of one key. */
#include <errno.h>
#include <stdlib.h>

#include "mm/base/real.h"
#include "tool/look/escape.h"
#include "tool/look/look.h"
#include "tool/values/json_key.h"

/* A string comes as its bytes, on a terminal with those escaped that it would act upon; the others
 * as redis-cli shows what LRANGE, SMEMBERS, HGETALL, ZRANGE WITHSCORES and XRANGE answer. */
struct get {
    struct values values; /* first */
    struct tool_out *out;
    struct slice name;
    bool is_found, is_string;
    bool is_seen;         /* on a terminal */
    uint64_t lines;       /* of a collection */
    uint64_t entry_lines; /* of an entry */
};

static int
go_on(const struct get *g)
{
    return tool_out_failed(g->out) ? WALK_ENOUGH : 0;
}

static int
on_key(void *ctx, const struct rdb_key *key)
{
    struct get *g = ctx;

    if (!slice_equal(key->name, g->name))
        return RDB_SKIP_VALUE;
    g->is_found = true;
    g->is_string = key->kind == RDB_VALUE_STRING;
    return 0;
}

static int
on_piece(void *ctx, struct slice piece)
{
    struct get *g = ctx;

    if (g->is_seen)
        escape_seen(g->out, piece);
    else
        tool_out_slice(g->out, piece);
    return go_on(g);
}

static int
put_line(struct get *g, struct slice s)
{
    tool_out_format(g->out, "%llu) ", (unsigned long long)++g->lines);
    escape_quoted(g->out, s, 0);
    tool_out_put(g->out, "\n", 1);
    return go_on(g);
}

static int
on_element(void *ctx, struct slice element)
{
    return put_line(ctx, element);
}

static int
on_field(void *ctx, struct slice field, struct slice value, int64_t expire_at_ms)
{
    (void)expire_at_ms;
    put_line(ctx, field);
    return put_line(ctx, value);
}

static int
on_scored(void *ctx, struct slice member, double score)
{
    char text[REAL_BYTES];
    unsigned len = real_print(score, text);

    put_line(ctx, member);
    return put_line(ctx, (struct slice){text, len});
}

static int
on_entry(void *ctx, struct stream_id id, uint64_t fields)
{
    struct get *g = ctx;
    unsigned long long line = ++g->lines;

    (void)fields;
    g->entry_lines = 0;
    tool_out_format(g->out, "%llu) 1) \"%llu-%llu\"\n", line, (unsigned long long)id.ms,
                    (unsigned long long)id.seq);
    return go_on(g);
}

/* put_entry_line: the first of an entry has the number of their list before it. */
static void
put_entry_line(struct get *g, struct slice s)
{
    tool_out_format(g->out, g->entry_lines == 0 ? "   2) %llu) " : "      %llu) ",
                    (unsigned long long)g->entry_lines + 1);
    g->entry_lines++;
    escape_quoted(g->out, s, 0);
    tool_out_put(g->out, "\n", 1);
}

static int
on_entry_field(void *ctx, struct slice field, struct slice value)
{
    struct get *g = ctx;

    put_entry_line(g, field);
    put_entry_line(g, value);
    return go_on(g);
}

/* on_end: a string on a terminal ends its line. */
static int
on_end(void *ctx)
{
    struct get *g = ctx;

    if (!g->is_found)
        return 0;
    if (g->is_string && g->is_seen)
        tool_out_put(g->out, "\n", 1);
    return WALK_ENOUGH;
}

static const struct value_events events = {.key = on_key,
                                           .string_bytes = on_piece,
                                           .element = on_element,
                                           .member = on_element,
                                           .field = on_field,
                                           .scored = on_scored,
                                           .entry = on_entry,
                                           .entry_field = on_entry_field,
                                           .end = on_end};

/* ---- as JSON ---- */

struct get_json {
    struct json_keys json; /* first */
    struct slice name;
    bool is_found;
};

static int
on_json_key(void *ctx, const struct rdb_key *key)
{
    struct get_json *g = ctx;

    if (!slice_equal(key->name, g->name))
        return RDB_SKIP_VALUE;
    g->is_found = true;
    return json_key_events.key(ctx, key);
}

static int
on_json_end(void *ctx)
{
    struct get_json *g = ctx;
    int r;

    if (!g->is_found)
        return 0;
    r = json_key_events.end(ctx);
    return r != 0 ? r : WALK_ENOUGH;
}

/* ---- the command ---- */

/* each_file: until the key is found.  TOOL_OK; TOOL_INVALID: a file could not be read to where the
 * key would be. */
static int
each_file(struct walk *w, const struct value_events *ev, struct selection *s, int count,
          char **files, const struct tool_options *o, const bool *is_found)
{
    struct walk_events walk_events = {.rdb = values_rdb_events(ev)};
    int status = TOOL_OK;

    w->no_progress = look_is_seen(o);
    for (int i = 0; i < count && !*is_found; i++)
        if (walk_file(w, files[i], &walk_events, s, o) != TOOL_OK)
            status = TOOL_INVALID;
    look_tell_unknown(w, o);
    walk_fini(w);
    return status;
}

static int
get_text(struct tool_out *out, struct slice name, struct selection *s, int count, char **files,
         const struct tool_options *o, bool *ret_is_found)
{
    struct get g = {
        .values = {.events = &events}, .out = out, .name = name, .is_seen = look_is_seen(o)};
    int status = each_file(&g.values.walk, &events, s, count, files, o, &g.is_found);

    *ret_is_found = g.is_found;
    return status;
}

static int
get_json(struct tool_out *out, struct slice name, struct selection *s, int count, char **files,
         const struct tool_options *o, bool *ret_is_found)
{
    struct value_events ev = json_key_events;
    struct get_json g = {.json = {.out = out, .before = "", .after = "\n"}, .name = name};
    int status;

    ev.key = on_json_key;
    ev.end = on_json_end;
    if (json_keys_open(&g.json) != TOOL_OK)
        return TOOL_INVALID;
    g.json.values.events = &ev;
    status = each_file(&g.json.values.walk, &ev, s, count, files, o, &g.is_found);
    *ret_is_found = g.is_found;
    return json_keys_close(&g.json) == TOOL_OK ? status : TOOL_INVALID;
}

/* say_missing: all files were read, and the key is in none. */
static void
say_missing(const char *text, const struct tool_options *o)
{
    fprintf(stderr, "stillframe-rdb: no such key: %s\n", text);
    if (strchr(text, '\\') != NULL && !o->escapes)
        fputs("Try: --escapes, if the name is written as `keys` prints it\n", stderr);
}

static int
get(const char *text, struct slice name, int count, char **files, const struct tool_options *o)
{
    struct selection *s = selection_new(o);
    struct tool_out out;
    bool is_found = false;
    int status;

    if (s == NULL)
        return TOOL_USAGE;
    if ((status = tool_out_open(&out, o->output, o->force)) == TOOL_OK)
        status = strcmp(o->format, "json") == 0
                     ? get_json(&out, name, s, count, files, o, &is_found)
                     : get_text(&out, name, s, count, files, o, &is_found);
    if (status == TOOL_OK && !is_found) {
        say_missing(text, o);
        status = TOOL_INVALID;
    }
    if (tool_out_close(&out, status == TOOL_OK) != TOOL_OK)
        status = TOOL_INVALID;
    selection_free(s);
    return status;
}

int
tool_get(int count, char **arguments, const struct tool_options *o)
{
    const char *text = arguments[0];
    struct slice name = {text, strlen(text)};
    char *parsed = NULL;
    size_t at = 0;
    int status;

    if (look_refuses_csv(o, "get"))
        return TOOL_USAGE;
    if (o->escapes) {
        if ((parsed = escape_parse(text, &name.len, &at)) == NULL) {
            fprintf(stderr,
                    "stillframe-rdb: %s: nothing that --escapes knows: \"%.4s\"\n"
                    "Try: \\\\ for a backslash, \\x00 for a byte, \\n, \\r, \\t\n",
                    text, text + at);
            return TOOL_USAGE;
        }
        name.ptr = parsed;
    }
    status = get(text, name, count - 1, arguments + 1, o);
    free(parsed);
    return status;
}
