/* tool/memory/json.c - stillframe-rdb memory: everything at a glance, as JSON. */
#include "tool/values/json.h"

#include <inttypes.h>
#include <string.h>

#include "tool/memory/memory.h"
#include "tool/memory/rows.h"

static uint64_t
scaled(const struct memory_survey *s, uint64_t sum)
{
    return memory_scaled(sum, s->share);
}

void
memory_json_sums(struct tool_out *out, const struct memory_survey *s,
                 const struct memory_sums *sums)
{
    tool_out_format(out,
                    "\"keys\":%" PRIu64 ",\"memory\":%" PRIu64 ",\"record_bytes\":%" PRIu64
                    ",\"elements\":%" PRIu64 ",\"expiring\":%" PRIu64 ",\"largest_key\":%" PRIu64,
                    scaled(s, sums->keys), scaled(s, sums->memory), scaled(s, sums->record_bytes),
                    scaled(s, sums->elements), scaled(s, sums->expiring), sums->largest);
    if (s->share < 1)
        tool_out_format(out, ",\"memory_error\":%" PRIu64, memory_error(sums->squares, s->share));
}

/* comma: before all but the first of a list. */
static void
comma(struct tool_out *out, bool *is_later)
{
    tool_out_text(out, *is_later ? ",\n  " : "\n  ");
    *is_later = true;
}

static void
put_encodings(struct tool_out *out, const struct memory_survey *s)
{
    bool is_later = false;

    tool_out_text(out, ",\n\"encodings\":[");
    for (unsigned k = 0; k < RDB_VALUE_COUNT; k++)
        for (const struct survey_encoding *e = s->encodings[k]; e->name != NULL; e++) {
            comma(out, &is_later);
            tool_out_format(out, "{\"type\":\"%s\",\"encoding\":\"%s\",", memory_kind_name(k),
                            e->name);
            memory_json_sums(out, s, &e->sums);
            tool_out_text(out, "}");
        }
    tool_out_text(out, "]");
}

static void
put_databases(struct tool_out *out, const struct memory_survey *s)
{
    bool is_later = false;

    tool_out_text(out, ",\n\"databases\":[");
    for (unsigned i = 0; i < s->database_count; i++) {
        comma(out, &is_later);
        if (s->is_gathered_at_end && i == s->database_count - 1)
            tool_out_text(out, "{\"db\":null,");
        else
            tool_out_format(out, "{\"db\":%" PRIu64 ",", s->databases[i].db);
        memory_json_sums(out, s, &s->databases[i].sums);
        tool_out_text(out, "}");
    }
    tool_out_text(out, "]");
}

/* put_distributions: of sizes all between the smallest and the largest. */
static void
put_distributions(struct tool_out *out, const struct memory_survey *s)
{
    unsigned from, until;
    bool is_later = false;

    survey_sizes(s, &from, &until);
    tool_out_text(out, ",\n\"sizes\":[");
    for (; from < until; from++) {
        comma(out, &is_later);
        tool_out_format(out, "{\"up_to\":%" PRIu64 ",", UINT64_C(1) << from);
        memory_json_sums(out, s, &s->sizes[from]);
        tool_out_text(out, "}");
    }
    is_later = false;
    tool_out_text(out, "],\n\"ttls\":[");
    for (unsigned i = 0; i < SURVEY_TTLS; i++) {
        comma(out, &is_later);
        tool_out_format(out, "{\"ttl\":\"%s\",", survey_ttl_name(i));
        memory_json_sums(out, s, &s->ttls[i]);
        tool_out_text(out, "}");
    }
    tool_out_text(out, "]");
}

void
memory_json_breakdowns(struct tool_out *out, const struct memory_survey *s)
{
    put_databases(out, s);
    put_encodings(out, s);
    put_distributions(out, s);
}

static void
put_files(struct tool_out *out, const struct memory_survey *s)
{
    bool is_later = false;

    tool_out_text(out, "\"files\":[");
    for (unsigned i = 0; i < s->file_count; i++) {
        const struct survey_file *f = &s->files[i];

        comma(out, &is_later);
        tool_out_text(out, "{\"file\":");
        json_string(out, slice_of(f->path, strlen(f->path)), BINARY_BYTES);
        tool_out_format(out, ",\"version\":%d,\"size_bytes\":%" PRIu64 ",\"keys\":%" PRIu64 "}",
                        f->version, f->size_bytes, scaled(s, f->keys));
    }
    tool_out_text(out, "]");
}

static void
put_top(struct tool_out *out, const struct memory_top *t, enum memory_measure by)
{
    bool is_later = false;

    tool_out_format(out, ",\n\"top_by\":\"%s\",\n\"top\":[", memory_measure_name(by));
    for (uint32_t i = 0; i < t->count; i++) {
        comma(out, &is_later);
        rows_json(out, &t->at[i].row);
    }
    tool_out_text(out, "]");
}

void
memory_json(struct tool_out *out, const struct memory_survey *s, enum memory_measure top)
{
    tool_out_text(out, "{");
    put_files(out, s);
    tool_out_format(out, ",\n\"redis\":\"%s\",\"allocator\":\"%s\",\"sample\":%.9g",
                    s->options->redis, s->options->allocator, s->share);
    tool_out_text(out, ",\n\"total\":{");
    memory_json_sums(out, s, &s->total);
    tool_out_format(out, ",\"tables\":%" PRIu64 "}", survey_tables(s));
    memory_json_breakdowns(out, s);
    put_top(out, &s->tops[top], top);
    tool_out_text(out, ",\n\"prefixes\":");
    memory_json_prefixes(out, s);
    tool_out_text(out, "}\n");
}
