/* tool/diff/show_csv.c - what differs, a row for each key and each part of it; bytes as they
 * are. */
#include "tool/diff/show.h"

/* put_field: in quotes; a quote in it comes twice. */
static void
put_field(struct tool_out *out, struct slice s)
{
    const char *p = s.ptr, *end = p + s.len;

    tool_out_text(out, "\"");
    while (p < end) {
        const char *quote = memchr(p, '"', (size_t)(end - p));

        tool_out_put(out, p, (size_t)((quote == NULL ? end : quote + 1) - p));
        if (quote == NULL)
            break;
        tool_out_text(out, "\"");
        p = quote + 1;
    }
    tool_out_text(out, "\"");
}

static void
put_expiry(struct tool_out *out, const struct inner_key *k)
{
    if (k != NULL && k->expire_at_ms != -1)
        tool_out_format(out, "%lld", (long long)k->expire_at_ms);
    tool_out_text(out, ",");
}

/* put_key: the columns that say of which key a row is. */
static void
put_key(struct show *s, enum inner_what what)
{
    const struct show_key *k = s->key;

    tool_out_format(s->out, "%s,%llu,", show_what_names[what],
                    (unsigned long long)(k->a != NULL ? k->a : k->b)->db);
    put_field(s->out, k->name);
    tool_out_format(s->out, ",%s,%s,", k->a == NULL ? "" : show_kind_name(k->a->kind),
                    k->b == NULL ? "" : show_kind_name(k->b->kind));
    put_expiry(s->out, k->a);
    put_expiry(s->out, k->b);
}

static void
begin(struct show *s)
{
    tool_out_text(s->out,
                  "change,db,key,type_before,type_after,expire_at_ms_before,expire_at_ms_after,"
                  "part,within,name,before,after\n");
}

static void
section(struct show *s, enum inner_what what, uint64_t keys)
{
    (void)s;
    (void)what;
    (void)keys;
}

static void
key(struct show *s, const struct show_key *k)
{
    put_key(s, k->what);
    tool_out_text(s->out, ",,,,\n");
}

static int
change(void *ctx, const struct inner_change *c)
{
    struct show *s = ctx;

    put_key(s, c->what);
    tool_out_format(s->out, "%s,", part_kind_name(c->kind));
    put_field(s->out, c->within);
    tool_out_text(s->out, ",");
    if (c->kind == PART_ELEMENT)
        tool_out_format(s->out, "%llu", (unsigned long long)c->index);
    else
        put_field(s->out, c->name);
    tool_out_text(s->out, ",");
    if (c->before.bytes >= 0)
        put_field(s->out, c->before.text);
    tool_out_text(s->out, ",");
    if (c->after.bytes >= 0)
        put_field(s->out, c->after.text);
    tool_out_text(s->out, "\n");
    return 0;
}

static void
key_end(struct show *s, uint64_t left_out)
{
    (void)s;
    (void)left_out;
}

static void
end(struct show *s)
{
    (void)s;
}

const struct show_form show_csv = {.begin = begin,
                                   .section = section,
                                   .key = key,
                                   .change = change,
                                   .key_end = key_end,
                                   .end = end};
