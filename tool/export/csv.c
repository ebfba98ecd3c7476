/* tool/export/csv.c - stillframe-rdb csv: an element a row (RFC 4180, but lines end as on Unix).
 *
 * What has a comma, a quote or a line end in it is quoted, and so is what is there and empty, and
 * what is longer than QUOTED_FROM: that may come in pieces, before its end is known. */
#include "mm/base/real.h"
#include "tool/export/text.h"
#include "tool/export/text_files.h"

enum { QUOTED_FROM = 65536, AT_ONCE_BYTES = 2 << 20, NONE = -1, ID_BYTES = 2 * NUM_MAX_BYTES + 1 };

struct csv {
    struct text_files files; /* first */
    uint64_t rows;           /* of the key in hand */
    char id[ID_BYTES];
    unsigned id_bytes; /* of the entry in hand */
};

/* ---- fields ---- */

static bool
needs_quotes(struct slice s)
{
    if (s.len == 0 || s.len > QUOTED_FROM)
        return true;
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] == ',' || s.ptr[i] == '"' || s.ptr[i] == '\n' || s.ptr[i] == '\r')
            return true;
    return false;
}

/* put_doubled: each quote twice. */
static void
put_doubled(struct tool_out *out, struct slice s)
{
    for (const char *quote; s.len > 0 && (quote = memchr(s.ptr, '"', s.len)) != NULL;) {
        size_t n = (size_t)(quote - s.ptr) + 1;

        tool_out_put(out, s.ptr, n);
        tool_out_put(out, "\"", 1);
        s = slice_of(s.ptr + n, s.len - n);
    }
    tool_out_slice(out, s);
}

/* put_inside: between quotes. */
static void
put_inside(struct tool_out *out, struct slice s)
{
    for (; s.len > AT_ONCE_BYTES; s = slice_of(s.ptr + AT_ONCE_BYTES, s.len - AT_ONCE_BYTES))
        put_doubled(out, slice_of(s.ptr, AT_ONCE_BYTES));
    put_doubled(out, s);
}

static void
put_piece(struct pieces *p, struct slice piece)
{
    put_inside(p->out, piece);
}

static void
put_string(const struct csv *c, struct slice s)
{
    bool quoted = needs_quotes(s);

    if (quoted)
        tool_out_put(c->files.keys.out, "\"", 1);
    if (c->files.keys.binary == BINARY_BASE64 && binary_needs_base64(s))
        binary_base64(c->files.keys.out, s);
    else if (quoted)
        put_inside(c->files.keys.out, s);
    else
        tool_out_slice(c->files.keys.out, s);
    if (quoted)
        tool_out_put(c->files.keys.out, "\"", 1);
}

static void
comma(const struct csv *c)
{
    tool_out_put(c->files.keys.out, ",", 1);
}

/* ---- rows ---- */

/* begin_row: up to and with the comma before `index`. */
static void
begin_row(struct csv *c)
{
    const struct rdb_key *key = &c->files.keys.values.key;

    c->rows++;
    json_unsigned(c->files.keys.out, key->db);
    comma(c);
    put_string(c, key->name);
    comma(c);
    tool_out_text(c->files.keys.out, value_kind_name(key->kind));
    comma(c);
}

/* end_row: from `expire_at_ms` on. */
static int
end_row(const struct csv *c, int64_t field_expire_at_ms)
{
    if (c->files.keys.values.key.expire_at_ms != NONE)
        json_int(c->files.keys.out, c->files.keys.values.key.expire_at_ms);
    comma(c);
    if (field_expire_at_ms != NONE)
        json_int(c->files.keys.out, field_expire_at_ms);
    if (c->files.has_several) {
        comma(c);
        put_string(c, slice_of(c->files.path, strlen(c->files.path)));
    }
    tool_out_put(c->files.keys.out, "\n", 1);
    return tool_out_failed(c->files.keys.out) || pieces_failed(&c->files.keys.pieces) ? WALK_ENOUGH
                                                                                      : 0;
}

static int
on_key(void *ctx, const struct rdb_key *key)
{
    struct csv *c = ctx;

    (void)key;
    c->rows = 0;
    return 0;
}

/* on_end: a stream without an entry has a row, too; others without an element nobody keeps. */
static int
on_end(void *ctx)
{
    struct csv *c = ctx;

    if (c->files.keys.in_pieces) {
        pieces_end(&c->files.keys.pieces);
        tool_out_text(c->files.keys.out, "\",,");
        c->files.keys.in_pieces = false;
        return end_row(c, NONE);
    }
    if (c->rows > 0 || c->files.keys.values.key.kind != RDB_VALUE_STREAM)
        return 0;
    begin_row(c);
    tool_out_text(c->files.keys.out, ",,,,");
    return end_row(c, NONE);
}

static int
on_string(void *ctx, struct slice value)
{
    struct csv *c = ctx;

    begin_row(c);
    tool_out_text(c->files.keys.out, ",,");
    put_string(c, value);
    tool_out_text(c->files.keys.out, ",,");
    return end_row(c, NONE);
}

static int
on_string_begin(void *ctx, uint64_t len)
{
    struct csv *c = ctx;

    (void)len;
    begin_row(c);
    tool_out_text(c->files.keys.out, ",,\"");
    pieces_begin(&c->files.keys.pieces);
    c->files.keys.in_pieces = true;
    return 0;
}

static int
on_string_bytes(void *ctx, struct slice piece)
{
    struct csv *c = ctx;

    pieces_piece(&c->files.keys.pieces, piece);
    return tool_out_failed(c->files.keys.out) || pieces_failed(&c->files.keys.pieces) ? WALK_ENOUGH
                                                                                      : 0;
}

static int
on_element(void *ctx, struct slice element)
{
    struct csv *c = ctx;

    begin_row(c);
    json_unsigned(c->files.keys.out, c->files.keys.values.elements - 1);
    tool_out_text(c->files.keys.out, ",,");
    put_string(c, element);
    tool_out_text(c->files.keys.out, ",,");
    return end_row(c, NONE);
}

static int
on_member(void *ctx, struct slice member)
{
    return on_string(ctx, member);
}

static int
on_field(void *ctx, struct slice field, struct slice value, int64_t expire_at_ms)
{
    struct csv *c = ctx;

    begin_row(c);
    comma(c);
    put_string(c, field);
    comma(c);
    put_string(c, value);
    tool_out_text(c->files.keys.out, ",,");
    return end_row(c, expire_at_ms);
}

static int
on_scored(void *ctx, struct slice member, double score)
{
    struct csv *c = ctx;
    uint8_t *p;

    begin_row(c);
    tool_out_text(c->files.keys.out, ",,");
    put_string(c, member);
    comma(c);
    p = tool_out_room(c->files.keys.out, REAL_BYTES);
    tool_out_used(c->files.keys.out, p + real_print(score, (char *)p));
    comma(c);
    return end_row(c, NONE);
}

static int
on_entry(void *ctx, struct stream_id id, uint64_t fields)
{
    struct csv *c = ctx;
    char *p = num_put_unsigned(c->id, id.ms);

    (void)fields;
    *p++ = '-';
    c->id_bytes = (unsigned)(num_put_unsigned(p, id.seq) - c->id);
    return 0;
}

static int
on_entry_field(void *ctx, struct slice field, struct slice value)
{
    struct csv *c = ctx;

    begin_row(c);
    tool_out_put(c->files.keys.out, c->id, c->id_bytes);
    comma(c);
    put_string(c, field);
    comma(c);
    put_string(c, value);
    tool_out_text(c->files.keys.out, ",,");
    return end_row(c, NONE);
}

static int
on_group(void *ctx, const struct rdb_stream_group *group)
{
    struct csv *c = ctx;

    (void)group;
    c->files.lost_groups++;
    return 0;
}

static const struct value_events csv_events = {
    .key = on_key,
    .string = on_string,
    .string_begin = on_string_begin,
    .string_bytes = on_string_bytes,
    .element = on_element,
    .member = on_member,
    .field = on_field,
    .scored = on_scored,
    .entry = on_entry,
    .entry_field = on_entry_field,
    .group = on_group,
    .end = on_end,
};

/* ---- files ---- */

static void
begin(struct text_files *t)
{
    t->keys.pieces.put = put_piece;
    t->keys.pieces.put_rest = NULL;
    tool_out_text(&t->out, "db,key,type,index,field,value,score,expire_at_ms,field_expire_at_ms");
    tool_out_text(&t->out, t->has_several ? ",file\n" : "\n");
}

int
tool_csv(int count, char **files, const struct tool_options *o)
{
    struct csv c = {.files = {.begin = begin}};

    text_files_init(&c.files, count, o, &csv_events);
    return text_files_run(&c.files, count, files);
}
