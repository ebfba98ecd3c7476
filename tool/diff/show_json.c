/* tool/diff/show_json.c - what differs, as one JSON object. */
#include "tool/diff/show.h"
#include "tool/values/json.h"

static void
put_text(struct show *s, const char *name, const char *text)
{
    tool_out_format(s->out, "\"%s\":", name);
    json_string(s->out, (struct slice){text, strlen(text)}, BINARY_BYTES);
}

static void
put_counts(struct show *s, const char *name, const uint64_t of[RDB_VALUE_COUNT])
{
    tool_out_format(s->out, "\"%s\":{\"all\":%llu", name, (unsigned long long)show_sum(of));
    for (unsigned i = 0; i < RDB_VALUE_COUNT; i++)
        if (of[i] > 0)
            tool_out_format(s->out, ",\"%s\":%llu", show_kind_name((enum rdb_value_kind)i),
                            (unsigned long long)of[i]);
    tool_out_text(s->out, "}");
}

static void
put_side(struct show *s, const char *name, const struct side *side)
{
    tool_out_format(s->out, "\"%s\":{", name);
    put_text(s, "file", side->path);
    tool_out_text(s->out, ",");
    put_counts(s, "keys", side->keys_of);
    tool_out_format(s->out, ",\"libraries\":%llu},\n", (unsigned long long)side->libraries);
}

static void
begin(struct show *s)
{
    const struct show_counts *c = s->counts;

    tool_out_text(s->out, "{");
    if (s->share != 1)
        tool_out_format(s->out, "\"sample\":%.17g,\n", s->share);
    put_side(s, "before", s->a);
    put_side(s, "after", s->b);
    put_counts(s, "same", c->same);
    for (unsigned what = 0; what < INNER_WHATS; what++) {
        tool_out_text(s->out, ",");
        put_counts(s, show_what_names[what], c->keys[what]);
    }
    tool_out_text(s->out, ",");
    put_counts(s, "expiry_only", c->expiry_only);
    tool_out_format(s->out, ",\"libraries_differ\":%s,\n\"differences\":[",
                    s->a->libraries == s->b->libraries && s->a->library_sum == s->b->library_sum
                        ? "false"
                        : "true");
}

static void
section(struct show *s, enum inner_what what, uint64_t keys)
{
    (void)s;
    (void)what;
    (void)keys;
}

static void
put_expiry(struct tool_out *out, int64_t at_ms)
{
    if (at_ms == -1)
        tool_out_text(out, "null");
    else
        json_int(out, at_ms);
}

static void
key(struct show *s, const struct show_key *k)
{
    const struct inner_key *one = k->a != NULL ? k->a : k->b;
    const struct inner_key *after = k->what == INNER_CHANGED ? k->b : NULL;

    tool_out_format(s->out, "%s\n{\"change\":\"%s\",\"db\":%llu,\"key\":", s->has_key ? "," : "",
                    show_what_names[k->what], (unsigned long long)one->db);
    s->has_key = true;
    s->has_part = false;
    json_string(s->out, k->name, BINARY_BYTES);
    tool_out_format(s->out, ",\"type\":\"%s\"", show_kind_name(one->kind));
    if (after != NULL && one->kind != after->kind)
        tool_out_format(s->out, ",\"type_after\":\"%s\"", show_kind_name(after->kind));
    if (after == NULL || one->expire_at_ms == after->expire_at_ms)
        return;
    tool_out_text(s->out, ",\"expire_at_ms\":{\"before\":");
    put_expiry(s->out, one->expire_at_ms);
    tool_out_text(s->out, ",\"after\":");
    put_expiry(s->out, after->expire_at_ms);
    tool_out_text(s->out, "}");
}

static void
put_contents(struct show *s, const char *name, const struct inner_text *t)
{
    if (t->bytes < 0)
        return;
    tool_out_format(s->out, ",\"%s\":", name);
    json_string(s->out, t->text, BINARY_BYTES);
    if (t->bytes > (int64_t)t->text.len)
        tool_out_format(s->out, ",\"%s_bytes\":%lld", name, (long long)t->bytes);
}

static int
change(void *ctx, const struct inner_change *c)
{
    struct show *s = ctx;

    tool_out_format(s->out, "%s{\"change\":\"%s\",\"part\":\"%s\"",
                    s->has_part ? "," : ",\"parts\":[", show_what_names[c->what],
                    part_kind_name(c->kind));
    s->has_part = true;
    if (c->within.len > 0) {
        tool_out_text(s->out, ",\"within\":");
        json_string(s->out, c->within, BINARY_BYTES);
    }
    if (c->kind == PART_ELEMENT) {
        tool_out_format(s->out, ",\"index\":%llu", (unsigned long long)c->index);
    } else if (c->kind != PART_VALUE && c->kind != PART_COUNTERS) {
        tool_out_text(s->out, ",\"name\":");
        json_string(s->out, c->name, BINARY_BYTES);
    }
    put_contents(s, "before", &c->before);
    put_contents(s, "after", &c->after);
    if (c->what == INNER_CHANGED && c->before.expire_at_ms != c->after.expire_at_ms) {
        tool_out_text(s->out, ",\"expire_at_ms\":{\"before\":");
        put_expiry(s->out, c->before.expire_at_ms);
        tool_out_text(s->out, ",\"after\":");
        put_expiry(s->out, c->after.expire_at_ms);
        tool_out_text(s->out, "}");
    }
    tool_out_text(s->out, "}");
    return 0;
}

static void
key_end(struct show *s, uint64_t left_out)
{
    if (s->has_part)
        tool_out_text(s->out, "]");
    if (left_out > 0)
        tool_out_format(s->out, ",\"parts_left_out\":%llu", (unsigned long long)left_out);
    tool_out_text(s->out, "}");
}

static void
end(struct show *s)
{
    tool_out_text(s->out, "\n]}\n");
}

const struct show_form show_json = {.begin = begin,
                                    .section = section,
                                    .key = key,
                                    .change = change,
                                    .key_end = key_end,
                                    .end = end};
