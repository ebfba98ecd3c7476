/* tool/look/info_json.c - stillframe-rdb info for programs.  Schema:
 * docs/stillframe-rdb-commands.md. */
#include "snapshot/rdb/rdb.h"
#include "tool/look/info.h"
#include "tool/values/json.h"

static void
put_text(struct tool_out *out, const char *text)
{
    json_string(out, (struct slice){text, strlen(text)}, BINARY_BYTES);
}

/* put_number: ,"name":n */
static void
put_number(struct tool_out *out, const char *name, uint64_t n)
{
    tool_out_format(out, ",\"%s\":%llu", name, (unsigned long long)n);
}

static void
put_sums(struct tool_out *out, const struct info_sums *s)
{
    put_number(out, "keys", s->keys);
    put_number(out, "expires", s->expires);
    put_number(out, "key_bytes", s->key_bytes);
    put_number(out, "value_bytes", s->value_bytes);
}

/* begin_list, begin_item: of a list of objects. */
static void
begin_list(struct tool_out *out, const char *name, bool *ret_is_first)
{
    tool_out_format(out, ",\n  \"%s\":[", name);
    *ret_is_first = true;
}

static void
begin_item(struct tool_out *out, bool *is_first)
{
    tool_out_text(out, *is_first ? "\n    {" : ",\n    {");
    *is_first = false;
}

static void
put_databases(struct tool_out *out, const struct info_counts *c)
{
    bool is_first;

    begin_list(out, "databases", &is_first);
    for (unsigned i = 0; i < c->database_count; i++) {
        begin_item(out, &is_first);
        tool_out_format(out, "\"db\":%llu", (unsigned long long)c->database[i].db);
        put_sums(out, &c->database[i].sums);
        tool_out_text(out, "}");
    }
    if (c->others.sums.keys > 0) {
        begin_item(out, &is_first);
        tool_out_text(out, "\"db\":null");
        put_sums(out, &c->others.sums);
        tool_out_text(out, "}");
    }
    tool_out_text(out, "]");
}

static void
put_types(struct tool_out *out, const struct info_counts *c)
{
    bool is_first;

    begin_list(out, "types", &is_first);
    for (unsigned type = 0; type < INFO_TYPES; type++)
        for (unsigned form = 0; form < INFO_FORMS; form++) {
            const struct info_sums *s = &c->by_form[type][form];

            if (s->keys == 0)
                continue;
            begin_item(out, &is_first);
            tool_out_format(out, "\"stored\":\"%s\",\"form\":\"%s\"", info_type_name(type),
                            info_form_names[form]);
            put_number(out, "keys", s->keys);
            put_number(out, "value_bytes", s->value_bytes);
            tool_out_text(out, "}");
        }
    tool_out_text(out, "]");
}

static void
put_sizes(struct tool_out *out, const struct info_counts *c)
{
    bool is_first;

    begin_list(out, "sizes", &is_first);
    for (unsigned b = 0; b < INFO_SIZE_BUCKETS; b++) {
        if (c->by_size[b] == 0)
            continue;
        begin_item(out, &is_first);
        tool_out_format(out, "\"from\":%llu", (unsigned long long)info_size_from(b));
        put_number(out, "until", b == 0 ? 0 : info_size_from(b) * 2 - 1);
        put_number(out, "keys", c->by_size[b]);
        tool_out_text(out, "}");
    }
    tool_out_text(out, "]");
}

static void
put_expiry(struct tool_out *out, const struct info_counts *c)
{
    bool is_first;

    begin_list(out, "expiry", &is_first);
    for (unsigned b = 0; b < INFO_EXPIRY_BUCKETS; b++) {
        begin_item(out, &is_first);
        tool_out_format(out, "\"when\":\"%s\"", info_expiries[b].name);
        put_number(out, "keys", c->by_expiry[b]);
        tool_out_text(out, "}");
    }
    tool_out_text(out, "]");
}

static void
put_biggest(struct tool_out *out, const struct info_counts *c)
{
    bool is_first;

    begin_list(out, "biggest", &is_first);
    for (unsigned i = 0; i < c->biggest_count; i++) {
        const struct info_big *b = &c->biggest[i];
        bool is_cut = b->name_bytes > INFO_NAME_BYTES;

        begin_item(out, &is_first);
        tool_out_format(out, "\"db\":%llu,\"key\":", (unsigned long long)b->db);
        json_string(out, (struct slice){b->name, is_cut ? INFO_NAME_BYTES : b->name_bytes},
                    BINARY_BYTES);
        if (is_cut)
            put_number(out, "key_bytes", b->name_bytes);
        tool_out_format(out, ",\"type\":\"%s\",\"encoding\":\"%s\"", key_kind_names[b->kind],
                        b->encoding);
        put_number(out, "elements", b->elements);
        put_number(out, "value_bytes", b->value_bytes);
        put_number(out, "record_bytes", b->record_bytes);
        if (b->expire_at_ms != -1)
            tool_out_format(out, ",\"expire_at_ms\":%lld", (long long)b->expire_at_ms);
        tool_out_text(out, ",\"file\":");
        put_text(out, b->path);
        tool_out_text(out, "}");
    }
    tool_out_text(out, "]");
}

static void
put_counts(struct tool_out *out, const struct info *f, const struct info_counts *c)
{
    put_number(out, "functions", c->functions);
    put_number(out, "read_over", c->unknown);
    if (selection_share(f->selection) < 1)
        tool_out_format(out,
                        ",\"sample\":{\"share\":%.17g,\"keys_error\":%.0f,"
                        "\"value_bytes_error\":%.0f}",
                        selection_share(f->selection), c->keys_error, c->bytes_error);
    put_sums(out, &c->total);
    put_databases(out, c);
    put_types(out, c);
    put_sizes(out, c);
    put_expiry(out, c);
    put_biggest(out, c);
    tool_out_text(out, "}");
}

static void
put_aux(struct tool_out *out, const struct info *f)
{
    tool_out_text(out, ",\"aux\":{");
    for (unsigned i = 0; i < f->aux_count; i++) {
        if (i > 0)
            tool_out_text(out, ",");
        put_text(out, f->aux[i][0]);
        tool_out_text(out, ":");
        put_text(out, f->aux[i][1]);
    }
    tool_out_text(out, "},\"libraries\":[");
    for (unsigned i = 0; i < f->counts.functions && i < INFO_LIBRARIES; i++) {
        if (i > 0)
            tool_out_text(out, ",");
        put_text(out, f->library[i]);
    }
    tool_out_text(out, "]");
}

void
info_json_begin(struct tool_out *out)
{
    tool_out_text(out, "{\"files\":[");
}

void
info_json_file(struct tool_out *out, const struct info *f)
{
    static const char *const crc_words[] = {[RDB_CRC_NONE] = "none",
                                            [RDB_CRC_ZERO] = "none",
                                            [RDB_CRC_UNCHECKED] = "unchecked",
                                            [RDB_CRC_GOOD] = "good",
                                            [RDB_CRC_FRAME] = "good"};
    const struct tool_run *run = &f->walk.run;

    tool_out_text(out, f->files > 1 ? ",\n{\"file\":" : "\n{\"file\":");
    put_text(out, run->path);
    tool_out_format(out, ",\"family\":\"%s\",\"version\":%d",
                    f->walk.version < RDB_VERSION_VALKEY ? "redis" : "valkey", f->walk.version);
    if (run->size_bytes > 0)
        put_number(out, "size_bytes", run->size_bytes);
    put_number(out, "rdb_bytes", run->rdb_bytes);
    tool_out_text(out, ",\"packed\":");
    put_text(out, run->form);
    tool_out_format(out, ",\"checksum\":\"%s\"", crc_words[f->crc]);
    if (f->walk.has_ctime)
        put_number(out, "written_at", (uint64_t)f->walk.counted_from_ms / 1000);
    put_aux(out, f);
    put_counts(out, f, &f->counts);
}

void
info_json_end(struct tool_out *out, const struct info *f)
{
    tool_out_format(out, "],\n\"total\":{\"files\":%u", f->files);
    put_counts(out, f, &f->total);
    tool_out_text(out, "}\n");
}
