/* tool/diff/show_text.c - what differs, for people: a table of counts, then keys with -, + and
 * ~. */
#include <math.h>
#include <time.h>

#include "mm/base/printable.h"
#include "tool/diff/show.h"

enum { NARROW = 60, QUOTED_BYTES = 4 * PART_TEXT_BYTES + 8 };

const char *const show_what_names[INNER_WHATS] = {"changed", "removed", "added"};

uint64_t
show_sum(const uint64_t of[RDB_VALUE_COUNT])
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < RDB_VALUE_COUNT; i++)
        sum += of[i];
    return sum;
}

const char *
show_kind_name(enum rdb_value_kind kind)
{
    static const char *const names[RDB_VALUE_COUNT] = {"string", "list", "set",
                                                       "hash",   "zset", "stream"};

    return names[kind];
}

static const char *
begin_color(const struct show *s, enum inner_what what)
{
    static const char *const colors[INNER_WHATS] = {"\033[33m", "\033[31m", "\033[32m"};

    return s->color ? colors[what] : "";
}

static const char *
end_color(const struct show *s)
{
    return s->color ? "\033[0m" : "";
}

static char
sign(enum inner_what what)
{
    return "~-+"[what];
}

static void
put_quoted(struct show *s, struct slice text)
{
    char quoted[QUOTED_BYTES];

    printable(quoted, s->is_full ? sizeof quoted : NARROW, text.ptr, text.len);
    tool_out_format(s->out, "\"%s\"", quoted);
}

/* put_contents: with their length, if not all of them is there. */
static void
put_contents(struct show *s, const struct inner_text *t)
{
    put_quoted(s, t->text);
    if (t->bytes > (int64_t)t->text.len || (!s->is_full && t->bytes > NARROW))
        tool_out_format(s->out, " (%s)", tool_size((uint64_t)t->bytes));
}

/* ---- the table ---- */

static void
put_row(struct show *s, const char *name, const uint64_t n[7])
{
    tool_out_format(s->out, "  %-8s", name);
    for (unsigned i = 0; i < 7; i++)
        tool_out_format(s->out, " %14s", n[i] == 0 ? "-" : tool_count(n[i]));
    tool_out_text(s->out, "\n");
}

static void
fill_row(const struct show *s, unsigned kind, uint64_t n[7])
{
    const struct show_counts *c = s->counts;

    n[0] += s->a->keys_of[kind];
    n[1] += s->b->keys_of[kind];
    n[2] += c->same[kind];
    n[3] += c->keys[INNER_REMOVED][kind];
    n[4] += c->keys[INNER_ADDED][kind];
    n[5] += c->keys[INNER_CHANGED][kind];
    n[6] += c->expiry_only[kind];
}

static void
put_libraries(struct show *s)
{
    if (s->a->libraries != s->b->libraries || s->a->library_sum != s->b->library_sum)
        tool_out_format(s->out, "  function libraries differ: %llu before, %llu after\n",
                        (unsigned long long)s->a->libraries, (unsigned long long)s->b->libraries);
}

/* put_sample: what the counts, which are those of the sample, say of all keys; the error is that of
 * selection_error(). */
static void
put_sample(struct show *s, const uint64_t all[7])
{
    double differ = (double)(all[3] + all[4] + all[5]);

    if (s->share == 1)
        return;
    tool_out_format(s->out, "  sample: %g %% of the keys are counted; of all, about %s differ",
                    s->share * 100, tool_count((uint64_t)(differ / s->share + 0.5)));
    tool_out_format(s->out, " (standard error %s)\n",
                    tool_count((uint64_t)(sqrt((1 - s->share) * differ) / s->share + 0.5)));
}

static void
begin(struct show *s)
{
    uint64_t all[7] = {0};

    tool_out_format(s->out, "before: %s\nafter:  %s\n", s->a->path, s->b->path);
    tool_out_format(s->out, "  %-8s %14s %14s %14s %14s %14s %14s %14s\n", "keys", "before",
                    "after", "same", "removed", "added", "changed", "expiry only");
    for (unsigned kind = 0; kind < RDB_VALUE_COUNT; kind++) {
        uint64_t n[7] = {0};

        fill_row(s, kind, n);
        fill_row(s, kind, all);
        if (n[0] > 0 || n[1] > 0)
            put_row(s, show_kind_name((enum rdb_value_kind)kind), n);
    }
    put_row(s, "all", all);
    put_sample(s, all);
    put_libraries(s);
}

/* ---- keys ---- */

static void
section(struct show *s, enum inner_what what, uint64_t keys)
{
    tool_out_format(s->out, "\n%s: %s key%s", show_what_names[what], tool_count(keys),
                    keys == 1 ? "" : "s");
    if (keys > s->keys_most)
        tool_out_format(s->out, ", the first %s", tool_count(s->keys_most));
    tool_out_text(s->out, "\n");
}

static void
put_expiry(struct show *s, int64_t at_ms)
{
    time_t seconds = (time_t)(at_ms / 1000);
    struct tm tm;

    if (at_ms == -1)
        tool_out_text(s->out, "never");
    else if (at_ms < 0 || gmtime_r(&seconds, &tm) == NULL || tm.tm_year > 9999 - 1900)
        tool_out_format(s->out, "%lld ms", (long long)at_ms);
    else
        tool_out_format(s->out, "%04d-%02d-%02d %02d:%02d:%02d.%03d", tm.tm_year + 1900,
                        tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                        (int)(at_ms % 1000));
}

static void
put_size(struct show *s, const struct inner_key *k)
{
    static const char *const units[RDB_VALUE_COUNT][2] = {{"", ""},
                                                          {"elements", "element"},
                                                          {"members", "member"},
                                                          {"fields", "field"},
                                                          {"members", "member"},
                                                          {"entries", "entry"}};

    if (k->kind == RDB_VALUE_STRING)
        tool_out_text(s->out, tool_size(k->bytes));
    else
        tool_out_format(s->out, "%s %s", tool_count(k->elements), units[k->kind][k->elements == 1]);
}

static void
key(struct show *s, const struct show_key *k)
{
    const struct inner_key *one = k->a != NULL ? k->a : k->b;
    const struct inner_key *after = k->what == INNER_CHANGED ? k->b : NULL;

    tool_out_format(s->out, "  %s%c %-6s db %-2llu ", begin_color(s, k->what), sign(k->what),
                    show_kind_name(one->kind), (unsigned long long)one->db);
    put_quoted(s, k->name);
    tool_out_format(s->out, "%s  ", end_color(s));
    put_size(s, one);
    if (after != NULL && one->kind != after->kind) {
        tool_out_format(s->out, " -> %s of ", show_kind_name(after->kind));
        put_size(s, after);
    } else if (after != NULL && (one->bytes != after->bytes || one->elements != after->elements)) {
        tool_out_text(s->out, " -> ");
        put_size(s, after);
    }
    if (after != NULL && one->expire_at_ms != after->expire_at_ms) {
        tool_out_text(s->out, ", expires ");
        put_expiry(s, one->expire_at_ms);
        tool_out_text(s->out, " -> ");
        put_expiry(s, after->expire_at_ms);
    }
    tool_out_text(s->out, "\n");
}

static void
put_part_name(struct show *s, const struct inner_change *c)
{
    if (c->kind == PART_ELEMENT)
        tool_out_format(s->out, "element %llu", (unsigned long long)c->index);
    else
        tool_out_text(s->out, part_kind_name(c->kind));
    if (c->within.len > 0) {
        tool_out_text(s->out, " of ");
        put_quoted(s, c->within);
    }
    if (c->kind != PART_ELEMENT && c->kind != PART_VALUE && c->kind != PART_COUNTERS) {
        tool_out_text(s->out, " ");
        put_quoted(s, c->name);
    }
}

static void
put_part_expiry(struct show *s, const struct inner_change *c)
{
    if (c->before.expire_at_ms == c->after.expire_at_ms || c->what != INNER_CHANGED)
        return;
    tool_out_text(s->out, ", expires ");
    put_expiry(s, c->before.expire_at_ms);
    tool_out_text(s->out, " -> ");
    put_expiry(s, c->after.expire_at_ms);
}

static int
change(void *ctx, const struct inner_change *c)
{
    struct show *s = ctx;

    tool_out_format(s->out, "      %s%c ", begin_color(s, c->what), sign(c->what));
    put_part_name(s, c);
    tool_out_text(s->out, end_color(s));
    if (c->before.bytes >= 0 || c->after.bytes >= 0)
        tool_out_text(s->out, ": ");
    if (c->before.bytes >= 0)
        put_contents(s, &c->before);
    if (c->before.bytes >= 0 && c->after.bytes >= 0)
        tool_out_text(s->out, " -> ");
    if (c->after.bytes >= 0)
        put_contents(s, &c->after);
    put_part_expiry(s, c);
    tool_out_text(s->out, "\n");
    return 0;
}

static void
key_end(struct show *s, uint64_t left_out)
{
    if (left_out > 0)
        tool_out_format(s->out, "      ... and %s more\n", tool_count(left_out));
}

static void
end(struct show *s)
{
    const struct show_counts *c = s->counts;
    bool is_cut = false,
         differ = s->a->libraries != s->b->libraries || s->a->library_sum != s->b->library_sum;

    for (unsigned what = 0; what < INNER_WHATS; what++) {
        is_cut = is_cut || show_sum(c->keys[what]) > s->keys_most;
        differ = differ || show_sum(c->keys[what]) > 0;
    }
    if (!differ)
        tool_out_text(s->out, "\nno difference\n");
    if (is_cut)
        tool_out_text(s->out, "\n--full names them all\n");
}

const struct show_form show_text = {.begin = begin,
                                    .section = section,
                                    .key = key,
                                    .change = change,
                                    .key_end = key_end,
                                    .end = end};
