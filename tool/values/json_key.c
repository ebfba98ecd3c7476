/* tool/values/json_key.c - a key and its value as a JSON object. */
#include "tool/values/json_key.h"

#include "mm/base/must.h"

/* PUT: a literal; its length is known, so the copy is a store or two. */
#define PUT(out, literal) tool_out_put(out, literal, sizeof(literal) - 1)

enum { NONE = -1 };

/* go_on: 0, or there is no place for what follows. */
static int
go_on(const struct json_keys *j)
{
    if (likely(!tool_out_failed(j->out)) && !tool_out_failed(&j->expiries) &&
        !pieces_failed(&j->pieces))
        return 0;
    return WALK_ENOUGH;
}

static void
comma(const struct json_keys *j, bool is_first)
{
    if (!is_first)
        PUT(j->out, ",");
}

static void
put(const struct json_keys *j, struct slice s)
{
    json_string(j->out, s, j->binary);
}

/* ---- keys ---- */

const char *
value_kind_name(enum rdb_value_kind kind)
{
    static const char *const names[] = {
        [RDB_VALUE_STRING] = "string", [RDB_VALUE_LIST] = "list", [RDB_VALUE_SET] = "set",
        [RDB_VALUE_HASH] = "hash",     [RDB_VALUE_ZSET] = "zset", [RDB_VALUE_STREAM] = "stream",
    };

    must(kind < RDB_VALUE_COUNT);
    return names[kind];
}

/* What stands between a key's attributes and its elements, and behind these. */
static const struct {
    const char *begin, *end;
} brackets[] = {
    [RDB_VALUE_STRING] = {"", ""}, [RDB_VALUE_LIST] = {"[", "]"},
    [RDB_VALUE_SET] = {"[", "]"},  [RDB_VALUE_HASH] = {"{", "}"},
    [RDB_VALUE_ZSET] = {"[", "]"}, [RDB_VALUE_STREAM] = {"{\"entries\":[", "}"},
};

static void
put_attributes(const struct json_keys *j, const struct rdb_key *key)
{
    if (key->expire_at_ms != NONE) {
        PUT(j->out, ",\"expire_at_ms\":");
        json_int(j->out, key->expire_at_ms);
    }
    if (key->idle_s != NONE) {
        PUT(j->out, ",\"idle_s\":");
        json_int(j->out, key->idle_s);
    }
    if (key->freq != NONE) {
        PUT(j->out, ",\"freq\":");
        json_int(j->out, key->freq);
    }
}

/* on_key: what is written of it waits for its first element.  The key before it may have been cut
 * off by damage, and its file given up. */
static int
on_key(void *ctx, const struct rdb_key *key)
{
    struct json_keys *j = ctx;

    (void)key;
    j->groups = 0;
    j->in_pieces = false;
    if (j->expiring > 0)
        tool_out_empty(&j->expiries);
    j->expiring = 0;
    return 0;
}

/* begin: the object, up to its first element. */
static void
begin(struct json_keys *j)
{
    const struct rdb_key *key = &j->values.key;

    if (j->keys++ > 0)
        tool_out_text(j->out, j->before);
    PUT(j->out, "{");
    if (j->file != NULL) {
        PUT(j->out, "\"file\":");
        put(j, slice_of(j->file, strlen(j->file)));
        PUT(j->out, ",");
    }
    PUT(j->out, "\"db\":");
    json_unsigned(j->out, key->db);
    PUT(j->out, ",\"key\":");
    put(j, key->name);
    PUT(j->out, ",\"type\":\"");
    tool_out_text(j->out, value_kind_name(key->kind));
    PUT(j->out, "\"");
    put_attributes(j, key);
    PUT(j->out, ",\"value\":");
    tool_out_text(j->out, brackets[key->kind].begin);
}

/* begin_element: what stands before it. */
static void
begin_element(struct json_keys *j)
{
    if (j->values.elements == 1)
        begin(j);
    else
        PUT(j->out, ",");
}

/* ---- strings ---- */

static int
on_string(void *ctx, struct slice value)
{
    struct json_keys *j = ctx;

    begin(j);
    put(j, value);
    return 0;
}

static int
on_string_begin(void *ctx, uint64_t len)
{
    struct json_keys *j = ctx;

    (void)len;
    begin(j);
    PUT(j->out, "\"");
    pieces_begin(&j->pieces);
    j->in_pieces = true;
    return 0;
}

static int
on_string_bytes(void *ctx, struct slice piece)
{
    struct json_keys *j = ctx;

    pieces_piece(&j->pieces, piece);
    return go_on(j);
}

/* ---- lists, sets, hashes, sorted sets ---- */

static int
on_element(void *ctx, struct slice element)
{
    struct json_keys *j = ctx;

    begin_element(j);
    put(j, element);
    return go_on(j);
}

/* keep_expiry: of a field, until the hash ends. */
static void
keep_expiry(struct json_keys *j, struct slice field, int64_t expire_at_ms)
{
    if (j->expiring++ > 0)
        PUT(&j->expiries, ",");
    json_string(&j->expiries, field, j->binary);
    PUT(&j->expiries, ":");
    json_int(&j->expiries, expire_at_ms);
}

static int
on_field(void *ctx, struct slice field, struct slice value, int64_t expire_at_ms)
{
    struct json_keys *j = ctx;

    begin_element(j);
    put(j, field);
    PUT(j->out, ":");
    put(j, value);
    if (expire_at_ms != NONE)
        keep_expiry(j, field, expire_at_ms);
    return go_on(j);
}

static int
on_scored(void *ctx, struct slice member, double score)
{
    struct json_keys *j = ctx;

    begin_element(j);
    PUT(j->out, "[");
    put(j, member);
    PUT(j->out, ",");
    json_score(j->out, score);
    PUT(j->out, "]");
    return go_on(j);
}

/* ---- streams ---- */

static void
put_id(const struct json_keys *j, const char *name, struct stream_id id)
{
    tool_out_text(j->out, name);
    PUT(j->out, "\"");
    json_unsigned(j->out, id.ms);
    PUT(j->out, "-");
    json_unsigned(j->out, id.seq);
    PUT(j->out, "\"");
}

static void
put_number(const struct json_keys *j, const char *name, uint64_t v)
{
    tool_out_text(j->out, name);
    json_unsigned(j->out, v);
}

/* put_time: a number, or null for one that is not known (-1). */
static void
put_time(const struct json_keys *j, const char *name, int64_t v)
{
    tool_out_text(j->out, name);
    if (v == NONE)
        PUT(j->out, "null");
    else
        json_int(j->out, v);
}

static int
on_entry(void *ctx, struct stream_id id, uint64_t fields)
{
    struct json_keys *j = ctx;

    (void)fields;
    begin_element(j);
    put_id(j, "{\"id\":", id);
    PUT(j->out, ",\"fields\":[");
    j->fields = 0;
    return 0;
}

static int
on_entry_field(void *ctx, struct slice field, struct slice value)
{
    struct json_keys *j = ctx;

    comma(j, j->fields++ == 0);
    PUT(j->out, "[");
    put(j, field);
    PUT(j->out, ",");
    put(j, value);
    PUT(j->out, "]");
    return 0;
}

static int
on_entry_end(void *ctx)
{
    struct json_keys *j = ctx;

    PUT(j->out, "]}");
    return go_on(j);
}

static int
on_stream_facts(void *ctx, const struct rdb_stream *facts)
{
    struct json_keys *j = ctx;

    if (j->values.elements == 0)
        begin(j);
    put_number(j, "],\"length\":", facts->length);
    put_id(j, ",\"last_id\":", facts->last);
    put_id(j, ",\"max_deleted_id\":", facts->max_deleted);
    put_number(j, ",\"entries_added\":", facts->entries_added);
    PUT(j->out, ",\"groups\":[");
    return 0;
}

/* end_consumer, end_group: of the one in hand, if there is one. */
static void
end_consumer(struct json_keys *j)
{
    if (j->consumers > 0)
        PUT(j->out, "]}");
}

static void
end_group(struct json_keys *j)
{
    if (j->groups == 0)
        return;
    end_consumer(j);
    PUT(j->out, "]}");
}

static int
on_group(void *ctx, const struct rdb_stream_group *group)
{
    struct json_keys *j = ctx;

    end_group(j);
    comma(j, j->groups++ == 0);
    PUT(j->out, "{\"name\":");
    put(j, group->name);
    put_id(j, ",\"last_id\":", group->last);
    put_time(j, ",\"entries_read\":", group->entries_read);
    PUT(j->out, ",\"consumers\":[");
    j->consumers = 0;
    return 0;
}

static int
on_consumer(void *ctx, struct slice name, int64_t seen_ms, int64_t active_ms)
{
    struct json_keys *j = ctx;

    end_consumer(j);
    comma(j, j->consumers++ == 0);
    PUT(j->out, "{\"name\":");
    put(j, name);
    put_time(j, ",\"seen_ms\":", seen_ms);
    put_time(j, ",\"active_ms\":", active_ms);
    PUT(j->out, ",\"pending\":[");
    j->pending = 0;
    return 0;
}

static int
on_pending(void *ctx, const struct rdb_stream_pending *pending)
{
    struct json_keys *j = ctx;

    comma(j, j->pending++ == 0);
    put_id(j, "{\"id\":", pending->id);
    put_time(j, ",\"delivered_ms\":", pending->delivered_ms);
    put_number(j, ",\"deliveries\":", pending->deliveries);
    PUT(j->out, "}");
    return go_on(j);
}

/* end_stream: closes what is open: the entries, or the groups. */
static void
end_stream(struct json_keys *j)
{
    end_group(j);
    PUT(j->out, "]");
}

/* ---- the end of each ---- */

static int
on_end(void *ctx)
{
    struct json_keys *j = ctx;
    enum rdb_value_kind kind = j->values.key.kind;

    /* nobody keeps what has no element (RDB_FINDING_EMPTY_KEY), but for streams */
    if (j->values.elements == 0 && kind != RDB_VALUE_STRING && kind != RDB_VALUE_STREAM)
        return 0;
    if (kind == RDB_VALUE_STREAM)
        end_stream(j);
    if (j->in_pieces) {
        pieces_end(&j->pieces);
        PUT(j->out, "\"");
        j->in_pieces = false;
    }
    tool_out_text(j->out, brackets[kind].end);
    if (j->expiring > 0) {
        PUT(j->out, ",\"field_expire_at_ms\":{");
        tool_out_move(&j->expiries, j->out);
        PUT(j->out, "}");
        j->expiring = 0;
    }
    PUT(j->out, "}");
    tool_out_text(j->out, j->after);
    return go_on(j);
}

const struct value_events json_key_events = {
    .key = on_key,
    .string = on_string,
    .string_begin = on_string_begin,
    .string_bytes = on_string_bytes,
    .element = on_element,
    .member = on_element,
    .field = on_field,
    .scored = on_scored,
    .entry = on_entry,
    .entry_field = on_entry_field,
    .entry_end = on_entry_end,
    .stream_facts = on_stream_facts,
    .group = on_group,
    .consumer = on_consumer,
    .pending = on_pending,
    .end = on_end,
};

/* ---- open and close ---- */

int
json_keys_open(struct json_keys *j)
{
    int status;

    j->values.events = &json_key_events;
    j->pieces = (struct pieces){
        .out = j->out, .binary = j->binary, .put = json_put, .put_rest = json_put_rest};
    if ((status = pieces_init(&j->pieces)) != TOOL_OK)
        return status;
    if ((status = tool_out_open_spill(&j->expiries)) != TOOL_OK)
        (void)pieces_fini(&j->pieces);
    return status;
}

int
json_keys_close(struct json_keys *j)
{
    int pieces = pieces_fini(&j->pieces), expiries = tool_out_close(&j->expiries, false);

    return pieces != TOOL_OK ? pieces : expiries;
}
