/* tool/look/head.c - stillframe-rdb head: the first keys, and what of their values fits on a
 * screen. */
#include "mm/base/real.h"
#include "tool/base/color.h"
#include "tool/look/escape.h"
#include "tool/look/look.h"
#include "tool/values/json_key.h"

enum {
    KEYS = 10,         /* if nobody says how many */
    ELEMENTS_MOST = 5, /* shown of each value */
    NAME_BYTES = 200,
    STRING_BYTES = 100
};

struct head {
    struct values values; /* first */
    struct tool_out *out;
    bool has_colors;
    uint64_t left;   /* of a string in pieces, not shown */
    bool is_shown;   /* a first piece of it was */
    uint64_t fields; /* of an entry, so far */
};

static void
color(const struct head *h, const char *code)
{
    if (h->has_colors)
        tool_out_format(h->out, "\033[%sm", code);
}

static int
on_key(void *ctx, const struct rdb_key *key)
{
    struct head *h = ctx;
    char ttl[48];

    tool_out_format(h->out, "db %llu  %-6s  ", (unsigned long long)key->db,
                    key_kind_names[key->kind]);
    color(h, "1;36");
    escape_quoted(h->out, key->name, NAME_BYTES);
    color(h, "0");
    look_ttl(ttl, sizeof ttl, key->expire_at_ms, h->values.walk.counted_from_ms);
    if (key->expire_at_ms != -1)
        tool_out_format(h->out, "  ttl %s", ttl);
    tool_out_put(h->out, "\n", 1);
    h->is_shown = false;
    h->left = 0;
    return tool_out_failed(h->out) ? WALK_ENOUGH : 0;
}

static void
indent(struct head *h)
{
    tool_out_text(h->out, "    ");
}

static void
end_line(struct head *h)
{
    tool_out_put(h->out, "\n", 1);
}

/* is_over: enough elements were shown; else a line begins. */
static bool
is_over(struct head *h)
{
    if (h->values.elements > ELEMENTS_MOST)
        return true;
    indent(h);
    return false;
}

static void
put(struct head *h, struct slice s)
{
    escape_quoted(h->out, s, STRING_BYTES);
}

static int
on_string_begin(void *ctx, uint64_t len)
{
    struct head *h = ctx;

    h->left = len;
    return 0;
}

static int
on_string_bytes(void *ctx, struct slice piece)
{
    struct head *h = ctx;

    if (h->is_shown)
        return 0;
    h->is_shown = true;
    indent(h);
    put(h, piece);
    if (h->left > STRING_BYTES)
        tool_out_format(h->out, "  %s", tool_size(h->left));
    end_line(h);
    return 0;
}

static int
on_element(void *ctx, struct slice element)
{
    struct head *h = ctx;

    if (is_over(h))
        return 0;
    put(h, element);
    end_line(h);
    return 0;
}

static int
on_field(void *ctx, struct slice field, struct slice value, int64_t expire_at_ms)
{
    struct head *h = ctx;
    char ttl[48];

    if (is_over(h))
        return 0;
    put(h, field);
    tool_out_text(h->out, ": ");
    put(h, value);
    look_ttl(ttl, sizeof ttl, expire_at_ms, h->values.walk.counted_from_ms);
    if (expire_at_ms != -1)
        tool_out_format(h->out, "  ttl %s", ttl);
    end_line(h);
    return 0;
}

static int
on_scored(void *ctx, struct slice member, double score)
{
    struct head *h = ctx;
    char text[REAL_BYTES];

    if (is_over(h))
        return 0;
    put(h, member);
    tool_out_text(h->out, "  ");
    tool_out_put(h->out, text, real_print(score, text));
    end_line(h);
    return 0;
}

static int
on_entry(void *ctx, struct stream_id id, uint64_t fields)
{
    struct head *h = ctx;

    (void)fields;
    h->fields = 0;
    if (!is_over(h))
        tool_out_format(h->out, "%llu-%llu ", (unsigned long long)id.ms,
                        (unsigned long long)id.seq);
    return 0;
}

static int
on_entry_field(void *ctx, struct slice field, struct slice value)
{
    struct head *h = ctx;

    if (h->values.elements > ELEMENTS_MOST || h->fields++ >= ELEMENTS_MOST)
        return 0;
    tool_out_put(h->out, " ", 1);
    put(h, field);
    tool_out_text(h->out, ": ");
    put(h, value);
    return 0;
}

static int
on_entry_end(void *ctx)
{
    struct head *h = ctx;

    if (h->values.elements > ELEMENTS_MOST)
        return 0;
    if (h->fields > ELEMENTS_MOST)
        tool_out_text(h->out, " ...");
    end_line(h);
    return 0;
}

static int
on_group(void *ctx, const struct rdb_stream_group *group)
{
    struct head *h = ctx;

    indent(h);
    tool_out_text(h->out, "group ");
    put(h, group->name);
    tool_out_format(h->out, ", read up to %llu-%llu\n", (unsigned long long)group->last.ms,
                    (unsigned long long)group->last.seq);
    return 0;
}

static int
on_stream_facts(void *ctx, const struct rdb_stream *facts)
{
    struct head *h = ctx;

    (void)facts;
    if (h->values.elements > ELEMENTS_MOST) {
        indent(h);
        tool_out_format(h->out, "... and %s more\n",
                        tool_count(h->values.elements - ELEMENTS_MOST));
    }
    return 0;
}

static int
on_end(void *ctx)
{
    struct head *h = ctx;

    if (h->values.key.kind != RDB_VALUE_STREAM)
        on_stream_facts(ctx, NULL);
    return tool_out_failed(h->out) ? WALK_ENOUGH : 0;
}

static const struct value_events events = {.key = on_key,
                                           .string_begin = on_string_begin,
                                           .string_bytes = on_string_bytes,
                                           .element = on_element,
                                           .member = on_element,
                                           .field = on_field,
                                           .scored = on_scored,
                                           .entry = on_entry,
                                           .entry_field = on_entry_field,
                                           .entry_end = on_entry_end,
                                           .stream_facts = on_stream_facts,
                                           .group = on_group,
                                           .end = on_end};

/* each_file: TOOL_OK or TOOL_INVALID.  The limit is for all files. */
static int
each_file(struct walk *w, const struct value_events *ev, struct selection *s, int count,
          char **files, const struct tool_options *o)
{
    struct walk_events walk_events = {.rdb = values_rdb_events(ev)};
    int status = TOOL_OK;

    w->no_progress = look_is_seen(o);
    for (int i = 0; i < count && !walk_is_over(w); i++)
        if (walk_file(w, files[i], &walk_events, s, o) != TOOL_OK)
            status = TOOL_INVALID;
    look_tell_unknown(w, o);
    walk_fini(w);
    return status;
}

static int
head_json(struct tool_out *out, struct selection *s, int count, char **files,
          const struct tool_options *o)
{
    struct json_keys j = {.out = out, .before = ",\n", .after = ""};
    int status;

    if (json_keys_open(&j) != TOOL_OK)
        return TOOL_INVALID;
    tool_out_text(out, "[\n");
    j.values.events = &json_key_events;
    status = each_file(&j.values.walk, &json_key_events, s, count, files, o);
    tool_out_text(out, "\n]\n");
    return json_keys_close(&j) == TOOL_OK ? status : TOOL_INVALID;
}

static int
head_text(struct tool_out *out, struct selection *s, int count, char **files,
          const struct tool_options *o)
{
    struct head h = {
        .values = {.events = &events}, .out = out, .has_colors = tool_color(o, stdout)};

    return each_file(&h.values.walk, &events, s, count, files, o);
}

int
tool_head(int count, char **files, const struct tool_options *given)
{
    struct tool_options o = *given;
    struct selection *s;
    struct tool_out out;
    int status;

    if (look_refuses_csv(&o, "head"))
        return TOOL_USAGE;
    if (o.limit == 0)
        o.limit = KEYS;
    if ((s = selection_new(&o)) == NULL)
        return TOOL_USAGE;
    if ((status = tool_out_open(&out, NULL, false)) == TOOL_OK)
        status = strcmp(o.format, "json") == 0 ? head_json(&out, s, count, files, &o)
                                               : head_text(&out, s, count, files, &o);
    if (tool_out_close(&out, true) != TOOL_OK)
        status = TOOL_INVALID;
    selection_free(s);
    return status;
}
