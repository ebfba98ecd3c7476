/* tool/memory/print_prefixes.c - stillframe-rdb memory: the tree of prefixes. */
#include <inttypes.h>
#include <string.h>

#include "tool/memory/memory.h"
#include "tool/memory/rows.h"
#include "tool/values/json.h"

enum {
    SIZES_WIDTH = 39,
    PREFIX_SHOWN = 60,
    SHARE_SHOWN = 20 /* a child is shown that has 1/20 of its parent's memory */
};

static uint64_t
scaled(const struct memory_survey *s, uint64_t sum)
{
    return memory_scaled(sum, s->share);
}

/* ---- for people ---- */

/* draw_sizes: a character for each power of two from the smallest to the largest key, the denser
 * the more keys. */
static void
draw_sizes(struct tool_out *out, const struct memory_prefix *n)
{
    static const char density[] = " .:-=+*#%@";
    char drawn[MEMORY_BUCKETS + 3];
    unsigned from = 0, until = MEMORY_BUCKETS, at = 0;
    uint64_t most = 1;

    while (from < MEMORY_BUCKETS - 1 && n->sizes[from] == 0)
        from++;
    while (until > from + 1 && n->sizes[until - 1] == 0)
        until--;
    for (unsigned i = from; i < until; i++)
        if (n->sizes[i] > most)
            most = n->sizes[i];
    drawn[at++] = '[';
    for (unsigned i = from; i < until; i++)
        drawn[at++] = density[(n->sizes[i] * UINT64_C(9) + most - 1) / most];
    drawn[at++] = ']';
    drawn[at] = '\0';
    tool_out_format(out, "%9s %-18s %-9s ", tool_size(UINT64_C(1) << from), drawn,
                    tool_size(UINT64_C(1) << (until - 1)));
}

/* A table on its way. */
struct table {
    struct tool_out *out;
    const struct memory_survey *s;
    bool has_sizes, has_least; /* least: a line whose sums may be too small */
};

static void
print_sums(struct table *t, const struct memory_sums *sums, bool is_least)
{
    uint64_t whole = t->s->total.memory;

    tool_out_format(t->out, "%12s %6.1f%% %14s %12s%s ", tool_size(scaled(t->s, sums->memory)),
                    whole == 0 ? 0 : 100.0 * (double)sums->memory / (double)whole,
                    tool_count(scaled(t->s, sums->keys)),
                    tool_size(sums->keys == 0 ? 0 : sums->memory / sums->keys),
                    is_least ? "+" : " ");
    t->has_least |= is_least;
}

/* print_line, print_others: what stands before the name, or before what others are. */
static void
print_line(struct table *t, const struct memory_prefix *n)
{
    print_sums(t, &n->sums, n->missed_most > 0);
    if (t->has_sizes)
        draw_sizes(t->out, n);
}

static void
print_others(struct table *t, const struct memory_sums *sums)
{
    print_sums(t, sums, false);
    if (t->has_sizes)
        tool_out_format(t->out, "%*s", SIZES_WIDTH, "");
}

/* print_rest: those below n that are not shown, or not known any more, in one line. */
static void
print_rest(struct table *t, const struct memory_prefix *n, uint32_t shown, unsigned indent)
{
    struct memory_sums rest = {.keys = n->folded_keys, .memory = n->folded_memory};
    uint64_t prefixes = n->folded + n->children - shown;

    for (uint32_t i = shown; i < n->children; i++) {
        const struct memory_sums *c = &memory_prefixes_child(&t->s->prefixes, n, i)->sums;

        rest.keys += c->keys;
        rest.memory += c->memory;
    }
    if (prefixes == 0)
        return;
    print_others(t, &rest);
    tool_out_format(t->out, "%*s(%s%s more)\n", (int)indent, "", n->folded > 0 ? "about " : "",
                    tool_count(prefixes));
}

/* deepest: of all that every key of c has in common. */
static const struct memory_prefix *
deepest(const struct memory_survey *s, const struct memory_prefix *c)
{
    while (c->children > 0 && memory_prefixes_child(&s->prefixes, c, 0)->sums.keys == c->sums.keys)
        c = memory_prefixes_child(&s->prefixes, c, 0);
    return c;
}

/* print_below: n's children; a prefix that all keys of a child have longer stands for it. */
static void
print_below(struct table *t, const struct memory_prefix *n, unsigned indent)
{
    uint32_t shown = 0;

    for (; shown < n->children && shown < t->s->options->top; shown++) {
        const struct memory_prefix *c = memory_prefixes_child(&t->s->prefixes, n, shown);

        if (indent > 0 && c->sums.memory * SHARE_SHOWN < n->sums.memory)
            break;
        c = deepest(t->s, c);
        print_line(t, c);
        tool_out_format(t->out, "%*s", (int)indent, "");
        rows_name(t->out, slice_of(c->name, c->len), c->len, PREFIX_SHOWN);
        tool_out_text(t->out, "\n");
        print_below(t, c, indent + 2);
    }
    if (indent == 0 || shown > 0)
        print_rest(t, n, shown, indent);
}

static void
print_without(struct table *t)
{
    const struct memory_prefixes *p = &t->s->prefixes;
    const struct memory_prefix *root = &p->at[0];
    struct memory_sums left = {.keys = root->sums.keys - root->folded_keys,
                               .memory = root->sums.memory - root->folded_memory};

    for (uint32_t i = 0; i < root->children; i++) {
        left.keys -= memory_prefixes_child(p, root, i)->sums.keys;
        left.memory -= memory_prefixes_child(p, root, i)->sums.memory;
    }
    if (left.keys == 0)
        return;
    print_others(t, &left);
    tool_out_text(t->out, p->has_pattern ? "(without a match)\n" : "(without a prefix)\n");
}

void
memory_print_prefixes(struct tool_out *out, const struct memory_survey *s, bool some_only)
{
    struct table t = {.out = out, .s = s, .has_sizes = !some_only};

    tool_out_format(out, "  %10s %7s %14s %12s  %*s%s\n", "memory", "", "keys", "a key",
                    some_only ? 0 : -SIZES_WIDTH, some_only ? "" : "keys by size", "Prefixes");
    print_below(&t, &s->prefixes.at[0], 0);
    print_without(&t);
    if (!some_only)
        tool_out_text(out,
                      "  keys by size: a column for each doubling, from the smallest key's to the "
                      "largest's; . is few, @ most\n");
    if (t.has_least)
        tool_out_text(out, "  + at least: some of its keys came when there was no room for it\n");
}

/* ---- for programs ---- */

/* put_number: `name` is the member's, or NULL in CSV. */
static void
put_number(struct tool_out *out, const char *name, uint64_t n)
{
    if (name != NULL)
        tool_out_format(out, ",\"%s\":", name);
    else
        tool_out_put(out, ",", 1);
    json_unsigned(out, n);
}

static void
put_numbers(struct tool_out *out, const struct memory_survey *s, const struct memory_prefix *n,
            bool is_json)
{
    const struct {
        const char *name;
        uint64_t value;
    } columns[] = {{"level", n->level},
                   {"keys", scaled(s, n->sums.keys)},
                   {"memory", scaled(s, n->sums.memory)},
                   {"record_bytes", scaled(s, n->sums.record_bytes)},
                   {"elements", scaled(s, n->sums.elements)},
                   {"expiring", scaled(s, n->sums.expiring)},
                   {"largest_key", n->sums.largest},
                   {"memory_error", memory_error(n->sums.squares, s->share)},
                   {"missed_at_most", scaled(s, n->missed_most)},
                   {"folded_prefixes", n->folded},
                   {"folded_memory", scaled(s, n->folded_memory)}};

    for (unsigned i = 0; i < sizeof columns / sizeof *columns; i++)
        put_number(out, is_json ? columns[i].name : NULL, columns[i].value);
}

/* each: a prefix, then what is below it, depth first, the largest first. */
static void
each(struct tool_out *out, const struct memory_survey *s, const struct memory_prefix *n,
     void (*put)(struct tool_out *out, const struct memory_survey *s,
                 const struct memory_prefix *n))
{
    put(out, s, n);
    for (uint32_t i = 0; i < n->children; i++)
        each(out, s, memory_prefixes_child(&s->prefixes, n, i), put);
}

static void
put_csv(struct tool_out *out, const struct memory_survey *s, const struct memory_prefix *n)
{
    rows_csv_text(out, slice_of(n->name, n->len));
    put_numbers(out, s, n, false);
    tool_out_text(out, "\n");
}

void
memory_csv_prefixes(struct tool_out *out, const struct memory_survey *s)
{
    tool_out_text(out, "prefix,level,keys,memory,record_bytes,elements,expiring,largest_key,"
                       "memory_error,missed_at_most,folded_prefixes,folded_memory\n");
    each(out, s, &s->prefixes.at[0], put_csv);
}

/* put_sizes: {"64": 10, "128": 3}: keys that need up to so many bytes. */
static void
put_sizes(struct tool_out *out, const struct memory_survey *s, const struct memory_prefix *n)
{
    const char *before = "";

    tool_out_text(out, ",\"sizes\":{");
    for (unsigned i = 0; i < MEMORY_BUCKETS; i++) {
        if (n->sizes[i] == 0)
            continue;
        tool_out_format(out, "%s\"%" PRIu64 "\":", before, UINT64_C(1) << i);
        json_unsigned(out, scaled(s, n->sizes[i]));
        before = ",";
    }
    tool_out_text(out, "}");
}

static void
put_json(struct tool_out *out, const struct memory_survey *s, const struct memory_prefix *n)
{
    tool_out_text(out, n->level == 0 ? "\n{\"prefix\":" : ",\n{\"prefix\":");
    json_string(out, slice_of(n->name, n->len), BINARY_BYTES);
    put_numbers(out, s, n, true);
    put_sizes(out, s, n);
    tool_out_text(out, "}");
}

void
memory_json_prefixes(struct tool_out *out, const struct memory_survey *s)
{
    tool_out_text(out, "[");
    each(out, s, &s->prefixes.at[0], put_json);
    tool_out_text(out, "\n]\n");
}
