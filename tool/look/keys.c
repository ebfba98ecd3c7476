/* tool/look/keys.c - stillframe-rdb keys: the names of the keys, and what is known of each. */
#include "tool/keys/walk.h"
#include "tool/look/escape.h"
#include "tool/look/look.h"
#include "tool/values/json.h"

struct keys {
    struct walk walk; /* first */
    struct tool_out out;
    uint64_t count;
};

static int
go_on(const struct keys *k)
{
    return tool_out_failed(&k->out) ? WALK_ENOUGH : 0;
}

static int
on_name(void *ctx, const struct rdb_key *key)
{
    struct keys *k = ctx;

    escape_put(&k->out, key->name);
    tool_out_put(&k->out, "\n", 1);
    return go_on(k);
}

/* ---- for people ---- */

/* used: "5m 2s" of an idle time, "f 12" of a frequency: a file has one of them at most. */
static void
used(char *ret, size_t room, const struct rdb_key *key)
{
    if (key->idle_s >= 0)
        look_seconds(ret, room, key->idle_s);
    else if (key->freq >= 0)
        snprintf(ret, room, "f %d", key->freq);
    else
        snprintf(ret, room, "-");
}

/* put_cell: text in a column of so many characters, to the right of it or to its left; two blanks
 * follow. */
static void
put_cell(struct tool_out *out, const char *text, size_t width, bool is_right)
{
    static const char blanks[32] = "                                ";
    size_t len = strlen(text), pad = len < width ? width - len : 0;

    if (is_right)
        tool_out_put(out, blanks, pad);
    tool_out_put(out, text, len);
    tool_out_put(out, blanks, is_right ? 2 : pad + 2);
}

static int
on_row(void *ctx, const struct key_facts *f)
{
    const struct rdb_key *key = f->key;
    char db[NUM_MAX_BYTES + 1], ttl[48], use[48];
    struct keys *k = ctx;
    struct tool_out *out = &k->out;

    look_ttl(ttl, sizeof ttl, key->expire_at_ms, k->walk.counted_from_ms);
    used(use, sizeof use, key);
    *num_put_unsigned(db, key->db) = '\0';
    put_cell(out, db, 2, true);
    put_cell(out, key_kind_names[key->kind], 6, false);
    put_cell(out, f->encoding, 9, false);
    put_cell(out, key->kind == RDB_VALUE_STRING ? "-" : tool_count(f->elements), 10, true);
    put_cell(out, tool_size(f->record_bytes), 10, true);
    put_cell(out, ttl, 9, true);
    put_cell(out, use, 9, true);
    return on_name(ctx, key);
}

/* ---- for programs ---- */

/* csv_string: as RFC 4180 has it; its bytes are what they are. */
static void
csv_string(struct tool_out *out, struct slice s)
{
    tool_out_put(out, "\"", 1);
    for (size_t i = 0, from = 0; i <= s.len; i++) {
        if (i < s.len && s.ptr[i] != '"')
            continue;
        tool_out_put(out, s.ptr + from, i - from);
        if (i < s.len)
            tool_out_put(out, "\"\"", 2);
        from = i + 1;
    }
    tool_out_put(out, "\"", 1);
}

/* csv_number: nothing for what is not known. */
static void
csv_number(struct tool_out *out, int64_t n, bool is_known)
{
    if (is_known)
        json_int(out, n);
    tool_out_put(out, ",", 1);
}

static void
csv_word(struct tool_out *out, const char *word)
{
    tool_out_text(out, word);
    tool_out_put(out, ",", 1);
}

static int
on_csv(void *ctx, const struct key_facts *f)
{
    const struct rdb_key *key = f->key;
    struct keys *k = ctx;
    struct tool_out *out = &k->out;

    csv_number(out, (int64_t)key->db, true);
    csv_word(out, key_kind_names[key->kind]);
    csv_word(out, f->encoding);
    csv_number(out, (int64_t)f->elements, true);
    csv_number(out, (int64_t)f->value_bytes, true);
    csv_number(out, (int64_t)f->largest_bytes, true);
    csv_number(out, (int64_t)f->record_bytes, true);
    csv_number(out, key->expire_at_ms, key->expire_at_ms != -1);
    csv_number(out, key->idle_s, key->idle_s >= 0);
    csv_number(out, key->freq, key->freq >= 0);
    csv_string(out, key->name);
    tool_out_put(out, ",", 1);
    csv_string(out, slice_of(k->walk.run.path, strlen(k->walk.run.path)));
    tool_out_put(out, "\r\n", 2);
    return go_on(k);
}

/* json_number: before: its name, and what stands around it. */
static inline void
json_number(struct tool_out *out, const char *before, int64_t n)
{
    tool_out_text(out, before);
    json_int(out, n);
}

static int
on_json(void *ctx, const struct key_facts *f)
{
    const struct rdb_key *key = f->key;
    struct keys *k = ctx;
    struct tool_out *out = &k->out;

    tool_out_text(out, k->count++ > 0 ? ",\n{\"db\":" : "\n{\"db\":");
    json_unsigned(out, key->db);
    tool_out_text(out, ",\"key\":");
    json_string(out, key->name, BINARY_BYTES);
    tool_out_text(out, ",\"type\":\"");
    tool_out_text(out, key_kind_names[key->kind]);
    tool_out_text(out, "\",\"encoding\":\"");
    tool_out_text(out, f->encoding);
    tool_out_text(out, "\"");
    json_number(out, ",\"elements\":", (int64_t)f->elements);
    json_number(out, ",\"value_bytes\":", (int64_t)f->value_bytes);
    json_number(out, ",\"largest_bytes\":", (int64_t)f->largest_bytes);
    json_number(out, ",\"record_bytes\":", (int64_t)f->record_bytes);
    if (key->expire_at_ms != -1)
        json_number(out, ",\"expire_at_ms\":", key->expire_at_ms);
    if (key->idle_s >= 0)
        json_number(out, ",\"idle_s\":", key->idle_s);
    if (key->freq >= 0)
        json_number(out, ",\"freq\":", key->freq);
    if (f->expiring_fields > 0)
        json_number(out, ",\"expiring_fields\":", (int64_t)f->expiring_fields);
    tool_out_text(out, ",\"file\":");
    json_string(out, slice_of(k->walk.run.path, strlen(k->walk.run.path)), BINARY_BYTES);
    tool_out_put(out, "}", 1);
    return go_on(k);
}

/* ---- the command ---- */

/* A form of the output: what stands before and behind the keys. */
static const struct keys_form {
    const char *head, *tail;
    struct walk_events events;
} names = {"", "", {.rdb = {.key = on_name}}},
  rows = {"db  type    encoding     elements       bytes        ttl  idle/freq  key\n",
          "",
          {.facts = on_row}},
  csv =
      {"db,type,encoding,elements,value_bytes,largest_bytes,record_bytes,expire_at_ms,idle_s,freq,"
       "key,file\r\n",
       "",
       {.facts = on_csv}},
  json = {"[", "\n]\n", {.facts = on_json}};

static const struct keys_form *
form_of(const struct tool_options *o)
{
    if (strcmp(o->format, "csv") == 0)
        return &csv;
    if (strcmp(o->format, "json") == 0)
        return &json;
    return o->long_form ? &rows : &names;
}

/* keys_files: a file that is damaged has told its keys up to the damage. */
static int
keys_files(struct keys *k, struct selection *s, int count, char **files,
           const struct tool_options *o)
{
    const struct keys_form *form = form_of(o);
    int status = TOOL_OK;

    tool_out_text(&k->out, form->head);
    for (int i = 0; i < count && !tool_out_failed(&k->out); i++)
        if (walk_file(&k->walk, files[i], &form->events, s, o) != TOOL_OK)
            status = TOOL_INVALID;
    look_tell_unknown(&k->walk, o);
    walk_fini(&k->walk);
    tool_out_text(&k->out, form->tail);
    return status;
}

int
tool_keys(int count, char **files, const struct tool_options *o)
{
    struct selection *s = selection_new(o);
    struct keys k = {.walk.no_progress = look_is_seen(o)};
    int status;

    if (s == NULL)
        return TOOL_USAGE;
    if ((status = tool_out_open(&k.out, o->output, o->force)) == TOOL_OK)
        status = keys_files(&k, s, count, files, o);
    if (tool_out_close(&k.out, status == TOOL_OK) != TOOL_OK)
        status = TOOL_INVALID;
    selection_free(s);
    return status;
}
