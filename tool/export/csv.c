/* tool/export/csv.c - stillframe-rdb csv: an element a row (RFC 4180, but lines end as on Unix).
 *
 * What has a comma, a quote or a line end in it is quoted, and so is what is there and empty, and
 * what is longer than QUOTED_FROM: that may come in pieces, before its end is known. */
#include "mm/base/real.h"
#include "tool/export/text.h"
#include "tool/export/text_files.h"
#include "tool/values/json_key.h"

enum { QUOTED_FROM = 65536, NONE = -1, ID_BYTES = 2 * NUM_MAX_BYTES + 1 };

struct csv {
    struct values values; /* first */
    struct text_files files;
    const struct tool_options *o;
    struct tool_out *out;
    enum binary binary;
    const char *path; /* of the file in hand */
    bool has_several;
    struct pieces pieces;
    bool in_pieces;
    uint64_t rows; /* of the key in hand */
    char id[ID_BYTES];
    unsigned id_bytes; /* of the entry in hand */
    uint64_t libraries, unknown, groups;
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

/* put_inside: between quotes: each quote twice. */
static void
put_inside(struct tool_out *out, struct slice s)
{
    for (const char *quote; s.len > 0 && (quote = memchr(s.ptr, '"', s.len)) != NULL;) {
        size_t n = (size_t)(quote - s.ptr) + 1;

        tool_out_put(out, s.ptr, n);
        tool_out_put(out, "\"", 1);
        s = slice_of(s.ptr + n, s.len - n);
    }
    tool_out_slice(out, s);
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
        tool_out_put(c->out, "\"", 1);
    if (c->binary == BINARY_BASE64 && binary_needs_base64(s))
        binary_base64(c->out, s);
    else if (quoted)
        put_inside(c->out, s);
    else
        tool_out_slice(c->out, s);
    if (quoted)
        tool_out_put(c->out, "\"", 1);
}

static void
comma(const struct csv *c)
{
    tool_out_put(c->out, ",", 1);
}

/* ---- rows ---- */

/* begin_row: up to and with the comma before `index`. */
static void
begin_row(struct csv *c)
{
    const struct rdb_key *key = &c->values.key;

    c->rows++;
    json_unsigned(c->out, key->db);
    comma(c);
    put_string(c, key->name);
    comma(c);
    tool_out_text(c->out, value_kind_name(key->kind));
    comma(c);
}

/* end_row: from `expire_at_ms` on. */
static int
end_row(const struct csv *c, int64_t field_expire_at_ms)
{
    if (c->values.key.expire_at_ms != NONE)
        json_int(c->out, c->values.key.expire_at_ms);
    comma(c);
    if (field_expire_at_ms != NONE)
        json_int(c->out, field_expire_at_ms);
    if (c->has_several) {
        comma(c);
        put_string(c, slice_of(c->path, strlen(c->path)));
    }
    tool_out_put(c->out, "\n", 1);
    return tool_out_failed(c->out) || pieces_failed(&c->pieces) ? WALK_ENOUGH : 0;
}

static int
on_key(void *ctx, const struct rdb_key *key)
{
    struct csv *c = ctx;

    (void)key;
    c->rows = 0;
    return 0;
}

/* on_end: a key without an element (a stream may have none) has a row, too. */
static int
on_end(void *ctx)
{
    struct csv *c = ctx;

    if (c->in_pieces) {
        pieces_end(&c->pieces);
        tool_out_text(c->out, "\",,");
        c->in_pieces = false;
        return end_row(c, NONE);
    }
    if (c->rows > 0)
        return 0;
    begin_row(c);
    tool_out_text(c->out, ",,,,");
    return end_row(c, NONE);
}

static int
on_string(void *ctx, struct slice value)
{
    struct csv *c = ctx;

    begin_row(c);
    tool_out_text(c->out, ",,");
    put_string(c, value);
    tool_out_text(c->out, ",,");
    return end_row(c, NONE);
}

static int
on_string_begin(void *ctx, uint64_t len)
{
    struct csv *c = ctx;

    (void)len;
    begin_row(c);
    tool_out_text(c->out, ",,\"");
    pieces_begin(&c->pieces);
    c->in_pieces = true;
    return 0;
}

static int
on_string_bytes(void *ctx, struct slice piece)
{
    struct csv *c = ctx;

    pieces_piece(&c->pieces, piece);
    return tool_out_failed(c->out) || pieces_failed(&c->pieces) ? WALK_ENOUGH : 0;
}

static int
on_element(void *ctx, struct slice element)
{
    struct csv *c = ctx;

    begin_row(c);
    json_unsigned(c->out, c->values.elements - 1);
    tool_out_text(c->out, ",,");
    put_string(c, element);
    tool_out_text(c->out, ",,");
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
    tool_out_text(c->out, ",,");
    return end_row(c, expire_at_ms);
}

static int
on_scored(void *ctx, struct slice member, double score)
{
    struct csv *c = ctx;
    uint8_t *p;

    begin_row(c);
    tool_out_text(c->out, ",,");
    put_string(c, member);
    comma(c);
    p = tool_out_room(c->out, REAL_BYTES);
    tool_out_used(c->out, p + real_print(score, (char *)p));
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
    tool_out_put(c->out, c->id, c->id_bytes);
    comma(c);
    put_string(c, field);
    comma(c);
    put_string(c, value);
    tool_out_text(c->out, ",,");
    return end_row(c, NONE);
}

static int
on_group(void *ctx, const struct rdb_stream_group *group)
{
    struct csv *c = ctx;

    (void)group;
    c->groups++;
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

static int
on_function(void *ctx, struct slice code)
{
    struct csv *c = ctx;

    (void)code;
    c->libraries++;
    return 0;
}

static int
on_unknown(void *ctx, const struct rdb_key *key, const char *what)
{
    struct csv *c = ctx;

    (void)key;
    (void)what;
    c->unknown++;
    return 0;
}

static struct csv *
csv_of(struct text_files *t)
{
    return (struct csv *)(void *)t->walk;
}

static void
begin_file(struct text_files *t, const char *path)
{
    struct csv *c = csv_of(t);

    c->path = path;
    c->libraries = c->unknown = c->groups = 0;
}

static void
end_file(struct text_files *t)
{
    const struct csv *c = csv_of(t);

    text_left_out(c->o, c->path, c->libraries, "function library is", "function libraries are",
                  " (json has them)");
    text_left_out(c->o, c->path, c->groups, "consumer group is", "consumer groups are",
                  " (json and ndjson have them)");
    text_left_out(c->o, c->path, c->unknown, "value of a module is", "values of modules are", "");
}

static int
run(struct csv *c, int count, char **files)
{
    int status, kept;

    if ((status = pieces_init(&c->pieces)) != TOOL_OK)
        return status;
    tool_out_text(c->out, "db,key,type,index,field,value,score,expire_at_ms,field_expire_at_ms");
    tool_out_text(c->out, c->has_several ? ",file\n" : "\n");
    status = text_files_run(&c->files, count, files, c->o);
    kept = pieces_fini(&c->pieces);
    return status != TOOL_OK ? status : kept;
}

int
tool_csv(int count, char **files, const struct tool_options *o)
{
    struct walk_events events = {.rdb = values_rdb_events(&csv_events)};
    struct tool_out out;
    struct csv c = {.values = {.events = &csv_events},
                    .o = o,
                    .out = &out,
                    .binary = binary_of(o->binary),
                    .has_several = count > 1};
    int status, kept;

    events.rdb.function = on_function;
    events.rdb.unknown = on_unknown;
    c.pieces = (struct pieces){.out = &out, .binary = c.binary, .put = put_piece};
    c.files = (struct text_files){.walk = &c.values.walk,
                                  .out = &out,
                                  .events = &events,
                                  .begin = begin_file,
                                  .end = end_file};
    if ((status = tool_out_open(&out, o->output, o->force)) != TOOL_OK)
        return status;
    status = run(&c, count, files);
    kept = tool_out_close(&out, status == TOOL_OK);
    return status != TOOL_OK ? status : kept;
}
