/* tool/report/data.c - stillframe-rdb report: the page's data. */
#include <inttypes.h>
#include <string.h>

#include "mm/base/version.h"
#include "tool/memory/memory.h"
#include "tool/report/report.h"
#include "tool/values/json.h"

/* Prefixes that are drawn: those with 1/SMALLEST of the memory or more, CHILDREN of one, NODES in
 * all; the others are one together. */
enum { SMALLEST = 5000, CHILDREN = 300, NODES = 4000 };

static uint64_t
scaled(const struct memory_survey *s, uint64_t sum)
{
    return memory_scaled(sum, s->share);
}

/* put_text: as json_string(), but `<` as \u003c: no name ends the data's element. */
static void
put_text(struct tool_out *out, struct slice s)
{
    static const char hex[] = "0123456789abcdef";
    const uint8_t *p = slice_bytes(s);

    tool_out_put(out, "\"", 1);
    for (size_t i = 0, n; i < s.len; i += n) {
        n = p[i] < 0x80 ? 1 : utf8_length(p + i, s.len - i);
        if (n == 0 || n == UTF8_CUT) {
            tool_out_format(out, "\\udc%02x", p[i]);
            n = 1;
        } else if (p[i] < ' ' || p[i] == '<' || p[i] == '"' || p[i] == '\\' || p[i] == 0x7f) {
            const char escape[] = {'\\', 'u', '0', '0', hex[p[i] >> 4], hex[p[i] & 15]};

            tool_out_put(out, escape, sizeof escape);
        } else {
            tool_out_put(out, p + i, n);
        }
    }
    tool_out_put(out, "\"", 1);
}

static void
put_c_text(struct tool_out *out, const char *text)
{
    if (text == NULL)
        tool_out_text(out, "null");
    else
        put_text(out, slice_of(text, strlen(text)));
}

/* comma: before all but the first of a list. */
static void
comma(struct tool_out *out, bool *is_later)
{
    tool_out_text(out, *is_later ? ",\n" : "\n");
    *is_later = true;
}

static void
put_files(struct tool_out *out, const struct memory_survey *s)
{
    bool is_later = false;

    tool_out_text(out, ",\n\"files\":[");
    for (unsigned i = 0; i < s->file_count; i++) {
        const struct survey_file *f = &s->files[i];

        comma(out, &is_later);
        tool_out_text(out, "{\"path\":");
        put_c_text(out, f->path);
        tool_out_format(out,
                        ",\"version\":%d,\"bytes\":%" PRIu64 ",\"keys\":%" PRIu64
                        ",\"written_ms\":%" PRId64 ",\"aux\":[",
                        f->version, f->size_bytes, scaled(s, f->keys), f->written_ms);
        for (unsigned a = 0; a < f->aux_count; a++) {
            tool_out_text(out, a == 0 ? "[" : ",[");
            put_c_text(out, f->aux[a][0]);
            tool_out_text(out, ",");
            put_c_text(out, f->aux[a][1]);
            tool_out_text(out, "]");
        }
        tool_out_text(out, "]}");
    }
    tool_out_text(out, "]");
}

static void
put_maybe(struct tool_out *out, const char *name, bool is_there, int64_t n)
{
    if (is_there)
        tool_out_format(out, ",\"%s\":%" PRId64, name, n);
}

static void
put_row(struct tool_out *out, const struct memory_row *r)
{
    tool_out_format(out, "{\"db\":%" PRIu64 ",\"type\":\"%s\",\"encoding\":\"%s\",\"key\":", r->db,
                    memory_kind_name(r->kind), r->encoding);
    put_text(out, r->name);
    put_maybe(out, "key_bytes", r->name_len > r->name.len, (int64_t)r->name_len);
    tool_out_format(out,
                    ",\"memory\":%" PRIu64 ",\"record_bytes\":%" PRIu64 ",\"elements\":%" PRIu64
                    ",\"largest_bytes\":%" PRIu64,
                    r->memory, r->record_bytes, r->elements, r->largest_bytes);
    put_maybe(out, "ttl_s", r->expires, r->ttl_s);
    put_maybe(out, "idle_s", r->idle_s >= 0, r->idle_s);
    put_maybe(out, "freq", r->freq >= 0, r->freq);
    tool_out_text(out, "}");
}

static void
put_tops(struct tool_out *out, const struct memory_survey *s)
{
    tool_out_text(out, ",\n\"top\":{");
    for (unsigned m = 0; m < MEMORY_SIZES; m++) {
        bool is_later = false;

        tool_out_format(out, "%s\"%s\":[", m == 0 ? "" : ",\n", memory_measure_name(m));
        for (uint32_t i = 0; i < s->tops[m].count; i++) {
            comma(out, &is_later);
            put_row(out, &s->tops[m].at[i].row);
        }
        tool_out_text(out, "]");
    }
    tool_out_text(out, "}");
}

/* ---- the tree: short names, since there are many (report.js says what they mean) ---- */

struct tree {
    struct tool_out *out;
    const struct memory_survey *s;
    uint32_t nodes;
};

static void
put_sizes(struct tree *t, const struct memory_prefix *n)
{
    bool is_later = false;

    tool_out_text(t->out, ",\"s\":[");
    for (unsigned i = 0; i < MEMORY_BUCKETS; i++)
        if (n->sizes[i] > 0) {
            tool_out_format(t->out, "%s[%" PRIu64 ",%" PRIu64 "]", is_later ? "," : "",
                            UINT64_C(1) << i, scaled(t->s, n->sizes[i]));
            is_later = true;
        }
    tool_out_text(t->out, "]");
}

static void put_node(struct tree *t, const struct memory_prefix *n);

/* put_below: the children that are drawn, and what the others are together. */
static void
put_below(struct tree *t, const struct memory_prefix *n)
{
    uint64_t prefixes = n->folded, keys = n->folded_keys, memory = n->folded_memory;
    bool is_later = false, goes_on = true;

    tool_out_text(t->out, ",\"c\":[");
    for (uint32_t i = 0; i < n->children; i++) {
        const struct memory_prefix *c = memory_prefixes_child(&t->s->prefixes, n, i);

        goes_on = goes_on && i < CHILDREN && t->nodes < NODES &&
                  c->sums.memory >= t->s->total.memory / SMALLEST;
        if (goes_on) {
            comma(t->out, &is_later);
            put_node(t, c);
        } else {
            prefixes++;
            keys += c->sums.keys;
            memory += c->sums.memory;
        }
    }
    tool_out_format(t->out, "],\"f\":[%" PRIu64 ",%" PRIu64 ",%" PRIu64 "]", prefixes,
                    scaled(t->s, keys), scaled(t->s, memory));
}

static void
put_node(struct tree *t, const struct memory_prefix *n)
{
    const struct memory_sums *sums = &n->sums;

    t->nodes++;
    tool_out_text(t->out, "{\"n\":");
    put_text(t->out, slice_of(n->name, n->len));
    tool_out_format(t->out,
                    ",\"k\":%" PRIu64 ",\"m\":%" PRIu64 ",\"r\":%" PRIu64 ",\"e\":%" PRIu64
                    ",\"x\":%" PRIu64 ",\"l\":%" PRIu64 ",\"o\":%" PRIu64,
                    scaled(t->s, sums->keys), scaled(t->s, sums->memory),
                    scaled(t->s, sums->record_bytes), scaled(t->s, sums->elements),
                    scaled(t->s, sums->expiring), sums->largest, scaled(t->s, n->missed_most));
    put_sizes(t, n);
    put_below(t, n);
    tool_out_text(t->out, "}");
}

void
report_data(struct tool_out *out, const struct memory_survey *s)
{
    struct tree t = {out, s, 0};

    tool_out_format(out,
                    "{\"version\":\"%s\",\"redis\":\"%s\",\"allocator\":\"%s\",\"sample\":%.9g",
                    STILLFRAME_VERSION, s->options->redis, s->options->allocator, s->share);
    if (s->share >= 1 && !selection_is_all(s->selection))
        tool_out_text(out, ",\"filtered\":true");
    tool_out_text(out, ",\"separator\":");
    put_c_text(out, s->options->separator);
    tool_out_text(out, ",\"pattern\":");
    put_c_text(out, s->options->pattern);
    tool_out_text(out, ",\n\"total\":{");
    memory_json_sums(out, s, &s->total);
    tool_out_format(out, ",\"tables\":%" PRIu64 "}", survey_tables(s));
    put_files(out, s);
    memory_json_breakdowns(out, s);
    put_tops(out, s);
    tool_out_text(out, ",\n\"tree\":");
    put_node(&t, &s->prefixes.at[0]);
    tool_out_text(out, "}");
}
