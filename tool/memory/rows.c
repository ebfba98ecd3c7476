/* tool/memory/rows.c - print keys. */
#include "tool/memory/rows.h"

#include <inttypes.h>
#include <string.h>

#include "mm/base/printable.h"
#include "tool/base/tool.h"
#include "tool/values/json.h"

enum { NAME_SHOWN = 256, COLUMN_TEXT = 24 };

enum rows_form
rows_form_of(const char *word)
{
    return strcmp(word, "csv") == 0 ? ROWS_CSV : strcmp(word, "json") == 0 ? ROWS_JSON : ROWS_TABLE;
}

/* ---- for people ---- */

void
rows_name(struct tool_out *out, struct slice name, uint64_t name_len, size_t most)
{
    char text[4 * NAME_SHOWN + 8];
    size_t len = name.len < most ? name.len : most;

    printable(text, sizeof text, name.ptr, len < NAME_SHOWN ? len : NAME_SHOWN);
    tool_out_format(out, "\"%s%s\"", text, len < name_len ? "..." : "");
}

/* duration: of so many seconds, in the largest unit that fits. */
static void
duration(char text[COLUMN_TEXT], int64_t s)
{
    static const struct {
        int64_t seconds;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    unsigned i = 0;

    while (i < 3 && s < 2 * units[i].seconds)
        i++;
    snprintf(text, COLUMN_TEXT, "%" PRId64 "%c", s / units[i].seconds, units[i].unit);
}

static const char table_head[] =
    "      memory     in file    elements     largest      ttl  idle/freq  type/encoding      db  "
    "key\n";

static void
put_columns(struct tool_out *out, const struct memory_row *r)
{
    char ttl[COLUMN_TEXT] = "-", used[COLUMN_TEXT] = "-", type[32];

    if (r->expires && r->ttl_s <= 0)
        memcpy(ttl, "over", sizeof "over");
    else if (r->expires)
        duration(ttl, r->ttl_s);
    if (r->freq >= 0)
        snprintf(used, sizeof used, "f %d", r->freq);
    else if (r->idle_s >= 0)
        duration(used, r->idle_s);
    snprintf(type, sizeof type, "%s/%s", memory_kind_name(r->kind), r->encoding);
    tool_out_format(out, "%12s%12s%12s%12s %8s %10s  %-16s %4" PRIu64 "  ", tool_size(r->memory),
                    tool_size(r->record_bytes), tool_count(r->elements),
                    tool_size(r->largest_bytes), ttl, used, type, r->db);
    rows_name(out, r->name, r->name_len, NAME_SHOWN);
    tool_out_text(out, "\n");
}

/* ---- for programs ---- */

void
rows_csv_text(struct tool_out *out, struct slice s)
{
    bool is_plain = true;

    for (size_t i = 0; i < s.len && is_plain; i++)
        is_plain = s.ptr[i] != '"' && s.ptr[i] != ',' && s.ptr[i] != '\n' && s.ptr[i] != '\r';
    if (is_plain && s.len > 0) {
        tool_out_slice(out, s);
        return;
    }
    tool_out_put(out, "\"", 1);
    for (size_t i = 0, begin = 0; i <= s.len; i++)
        if (i == s.len || s.ptr[i] == '"') {
            tool_out_put(out, s.ptr + begin, i - begin);
            tool_out_put(out, "\"", 1); /* the quote's second, or the end */
            begin = i;
        }
}

static void
csv_number(struct tool_out *out, bool is_there, int64_t n)
{
    tool_out_put(out, ",", 1);
    if (is_there)
        json_int(out, n);
}

static void
put_csv(struct tool_out *out, const struct memory_row *r)
{
    const uint64_t numbers[] = {r->memory, r->record_bytes, r->elements, r->largest_bytes};

    json_unsigned(out, r->db);
    tool_out_put(out, ",", 1);
    rows_csv_text(out, r->name);
    tool_out_put(out, ",", 1);
    tool_out_text(out, memory_kind_name(r->kind));
    tool_out_put(out, ",", 1);
    tool_out_text(out, r->encoding);
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        tool_out_put(out, ",", 1);
        json_unsigned(out, numbers[i]);
    }
    csv_number(out, r->expires, r->ttl_s);
    csv_number(out, r->idle_s >= 0, r->idle_s);
    csv_number(out, r->freq >= 0, r->freq);
    tool_out_put(out, "\n", 1);
}

static void
json_number(struct tool_out *out, const char *name, uint64_t n)
{
    tool_out_text(out, ",\"");
    tool_out_text(out, name);
    tool_out_text(out, "\":");
    json_unsigned(out, n);
}

static void
json_maybe(struct tool_out *out, const char *name, bool is_there, int64_t n)
{
    tool_out_text(out, ",\"");
    tool_out_text(out, name);
    tool_out_text(out, is_there ? "\":" : "\":null");
    if (is_there)
        json_int(out, n);
}

void
rows_json(struct tool_out *out, const struct memory_row *r)
{
    tool_out_text(out, "{\"db\":");
    json_unsigned(out, r->db);
    tool_out_text(out, ",\"key\":");
    json_string(out, r->name, BINARY_BYTES);
    if (r->name_len > r->name.len)
        json_number(out, "key_bytes", r->name_len);
    tool_out_text(out, ",\"type\":\"");
    tool_out_text(out, memory_kind_name(r->kind));
    tool_out_text(out, "\",\"encoding\":\"");
    tool_out_text(out, r->encoding);
    tool_out_text(out, "\"");
    json_number(out, "memory", r->memory);
    json_number(out, "record_bytes", r->record_bytes);
    json_number(out, "elements", r->elements);
    json_number(out, "largest_bytes", r->largest_bytes);
    json_maybe(out, "ttl_s", r->expires, r->ttl_s);
    json_maybe(out, "idle_s", r->idle_s >= 0, r->idle_s);
    json_maybe(out, "freq", r->freq >= 0, r->freq);
    tool_out_text(out, "}");
}

/* ---- any ---- */

void
rows_head(struct tool_out *out, enum rows_form form)
{
    static const char *const heads[] = {
        [ROWS_TABLE] = table_head,
        [ROWS_CSV] = "db,key,type,encoding,memory,record_bytes,elements,largest_bytes,ttl_s,idle_s,"
                     "freq\n",
        [ROWS_JSON] = "["};

    tool_out_text(out, heads[form]);
}

void
rows_put(struct tool_out *out, enum rows_form form, const struct memory_row *row, uint64_t number)
{
    switch (form) {
    case ROWS_TABLE:
        put_columns(out, row);
        return;
    case ROWS_CSV:
        put_csv(out, row);
        return;
    case ROWS_JSON:
        tool_out_text(out, number == 0 ? "\n" : ",\n");
        rows_json(out, row);
        return;
    }
}

void
rows_tail(struct tool_out *out, enum rows_form form, uint64_t count)
{
    if (form == ROWS_JSON)
        tool_out_text(out, count == 0 ? "]\n" : "\n]\n");
}
