/* tool/memory/print.c - stillframe-rdb memory: print everything at a glance. */
#include <inttypes.h>

#include "tool/memory/memory.h"
#include "tool/memory/rows.h"

static double
percent(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
}

static uint64_t
scaled(const struct memory_survey *s, uint64_t sum)
{
    return memory_scaled(sum, s->share);
}

static void
print_head(struct tool_out *out, const struct memory_survey *s)
{
    bool is_system = s->value.rules.quantum == 16;
    const struct memory_sums *t = &s->total;
    uint64_t tables = survey_tables(s), memory = scaled(s, t->memory);

    if (s->file_count == 1)
        tool_out_format(out, "%s\n", s->files[0].path);
    else
        tool_out_format(out, "%s files\n", tool_count(s->file_count));
    tool_out_format(out, "  %-12s %s\n", "keys", tool_count(scaled(s, t->keys)));
    tool_out_format(out, "  %-12s %s: keys and values %s, tables of keys %s\n", "memory",
                    tool_size(memory + tables), tool_size(memory), tool_size(tables));
    tool_out_format(out, "  %-12s Redis %s with %s jemalloc would need that\n", "",
                    s->options->redis, is_system ? "the system's" : "its own");
    if (s->share < 1) {
        uint64_t error = memory_error(t->squares, s->share);

        tool_out_format(out,
                        "  %-12s %s keys, %.3g %% of all: sums are scaled up; memory is right "
                        "within %s (%.2g %%), 19 times out of 20\n",
                        "sample", tool_count(t->keys), s->share * 100, tool_size(error),
                        percent(error, memory));
    }
    tool_out_format(out, "  %-12s %s\n", "in the file", tool_size(scaled(s, t->record_bytes)));
}

static void
print_encodings(struct tool_out *out, const struct memory_survey *s)
{
    tool_out_format(out, "\n  %-20s %14s %12s %7s %12s %14s %12s\n", "Types", "keys", "memory", "",
                    "in file", "elements", "largest key");
    for (unsigned k = 0; k < RDB_VALUE_COUNT; k++)
        for (const struct survey_encoding *e = s->encodings[k]; e->name != NULL; e++) {
            char name[32];

            snprintf(name, sizeof name, "%s/%s", memory_kind_name(k), e->name);
            tool_out_format(out, "    %-18s %14s %12s %6.1f%% %12s %14s %12s\n", name,
                            tool_count(scaled(s, e->sums.keys)),
                            tool_size(scaled(s, e->sums.memory)),
                            percent(e->sums.memory, s->total.memory),
                            tool_size(scaled(s, e->sums.record_bytes)),
                            tool_count(scaled(s, e->sums.elements)), tool_size(e->sums.largest));
        }
}

static void
print_sizes(struct tool_out *out, const struct memory_survey *s)
{
    unsigned from, until;
    uint64_t most = 0;

    survey_sizes(s, &from, &until);
    for (unsigned i = from; i < until; i++)
        if (s->sizes[i].memory > most)
            most = s->sizes[i].memory;
    tool_out_format(out, "\n  %-20s %14s %12s\n", "Sizes of keys", "keys", "memory");
    for (unsigned i = from; i < until; i++)
        tool_out_format(out, "    up to %-12s %14s %12s  %s\n", tool_size(UINT64_C(1) << i),
                        tool_count(scaled(s, s->sizes[i].keys)),
                        tool_size(scaled(s, s->sizes[i].memory)),
                        tool_bar(s->sizes[i].memory, most));
}

static void
print_top(struct tool_out *out, const struct memory_top *t)
{
    static const char *const words[MEMORY_MEASURES] = {
        [MEMORY_BY_MEMORY] = "memory",           [MEMORY_BY_SIZE] = "bytes in the file",
        [MEMORY_BY_ELEMENTS] = "elements",       [MEMORY_BY_LARGEST] = "bytes in one element",
        [MEMORY_BY_TTL] = "time left",           [MEMORY_BY_IDLE] = "idle time",
        [MEMORY_BY_FREQ] = "frequency of access"};

    if (t->count == 0)
        return;
    tool_out_format(out, "\n  Keys with most %s\n", words[t->measure]);
    rows_head(out, ROWS_TABLE);
    for (uint32_t i = 0; i < t->count; i++)
        rows_put(out, ROWS_TABLE, &t->at[i].row, i);
}

void
memory_print(struct tool_out *out, const struct memory_survey *s, enum memory_measure top)
{
    print_head(out, s);
    if (s->total.keys == 0)
        return;
    print_encodings(out, s);
    print_sizes(out, s);
    print_top(out, &s->tops[top]);
    tool_out_text(out, "\n");
    memory_print_prefixes(out, s, true);
}
