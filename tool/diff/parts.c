/* tool/diff/parts.c - from elements to parts. */
#include "tool/diff/parts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/must.h"
#include "mm/base/num.h"
#include "tool/base/hash.h"

enum {
    NAME_BYTES = 256,
    IN_PIECES_FROM = 16 * 1024 /* a string that is not longer comes in one: rdb_dec.h */
};

struct text {
    char at[PART_TEXT_BYTES];
    size_t len;
    uint64_t all; /* bytes that were put */
};

struct parts_state {
    XXH64_state_t xxh; /* of a string that comes in pieces */
    bool is_in_pieces;
    struct text text;
    char id[2 * NUM_MAX_BYTES + 2];
    /* of a stream: the group and consumer in hand */
    char group[NAME_BYTES], consumer[NAME_BYTES];
    size_t group_len, consumer_len;
    uint64_t group_scope, consumer_scope;
};

static const struct slice nothing = {"", 0};

static inline uint64_t
mix(uint64_t a, uint64_t b)
{
    uint64_t x = (a ^ (b << 23 | b >> 41)) * 0x9e3779b97f4a7c15u;

    return x ^ x >> 29;
}

uint64_t
part_mark(const struct part *part, uint64_t seed)
{
    return tool_hash(part->name, seed + part->scope + (uint64_t)part->kind * 0x9fb21c651e98df25u);
}

const char *
part_kind_name(enum part_kind kind)
{
    static const char *const names[PART_KINDS] = {"value",    "element", "field",    "member",
                                                  "member",   "entry",   "counters", "group",
                                                  "consumer", "pending"};

    return names[kind];
}

/* ---- text ---- */

static void
text_clear(struct text *t)
{
    t->len = 0;
    t->all = 0;
}

static void
text_put(struct text *t, const void *bytes, size_t len)
{
    size_t n = sizeof t->at - t->len < len ? sizeof t->at - t->len : len;

    memcpy(t->at + t->len, bytes, n);
    t->len += n;
    t->all += len;
}

static void text_format(struct text *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void
text_format(struct text *t, const char *format, ...)
{
    char line[256];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    text_clear(t);
    text_put(t, line, n < (int)sizeof line ? (size_t)n : sizeof line - 1);
}

static struct slice
text_slice(const struct text *t)
{
    return (struct slice){t->at, t->len};
}

static struct slice
id_text(struct parts_state *s, struct stream_id id)
{
    int n = snprintf(s->id, sizeof s->id, "%llu-%llu", (unsigned long long)id.ms,
                     (unsigned long long)id.seq);

    return (struct slice){s->id, (size_t)n};
}

/* start: a part without contents and scope. */
static struct part *
start(struct parts *p, enum part_kind kind, struct slice name)
{
    struct part *now = &p->now;

    now->kind = kind;
    now->name = name;
    now->within = now->value = nothing;
    now->scope = now->sum = now->value_bytes = 0;
    now->expire_at_ms = -1;
    return now;
}

/* ---- strings, and what is in collections ---- */

static int
on_key(void *ctx, const struct rdb_key *key)
{
    struct parts *p = ctx;

    p->state->is_in_pieces = false;
    return p->begin == NULL ? 0 : p->begin(p, key);
}

/* sum_of: long strings may come in pieces, of which XXH64 is as fast. */
static uint64_t
sum_of(struct slice value)
{
    if (value.len <= IN_PIECES_FROM)
        return tool_hash(value, 0);
    must(value.ptr != NULL);
    return XXH64(value.ptr, value.len, 0);
}

static int
on_string(void *ctx, struct slice value)
{
    struct parts *p = ctx;
    struct part *now = start(p, PART_VALUE, nothing);

    now->sum = sum_of(value);
    now->value = value;
    now->value_bytes = value.len;
    return p->part(p, now);
}

static int
on_string_begin(void *ctx, uint64_t len)
{
    struct parts_state *s = ((struct parts *)ctx)->state;

    must(len > IN_PIECES_FROM);
    s->is_in_pieces = true;
    text_clear(&s->text);
    must(XXH64_reset(&s->xxh, 0) == XXH_OK);
    return 0;
}

static int
on_string_bytes(void *ctx, struct slice piece)
{
    struct parts_state *s = ((struct parts *)ctx)->state;

    text_put(&s->text, piece.ptr, piece.len);
    must(XXH64_update(&s->xxh, piece.ptr, piece.len) == XXH_OK);
    return 0;
}

static int
on_element(void *ctx, struct slice element)
{
    struct parts *p = ctx;
    struct part *now = start(p, PART_ELEMENT, nothing);

    now->sum = tool_hash(element, 0);
    now->value = element;
    now->value_bytes = element.len;
    return p->part(p, now);
}

static int
on_member(void *ctx, struct slice member)
{
    struct parts *p = ctx;

    return p->part(p, start(p, PART_MEMBER, member));
}

static int
on_field(void *ctx, struct slice field, struct slice value, int64_t expire_at_ms)
{
    struct parts *p = ctx;
    struct part *now = start(p, PART_FIELD, field);

    now->sum = mix(tool_hash(value, 0), (uint64_t)expire_at_ms);
    now->value = value;
    now->value_bytes = value.len;
    now->expire_at_ms = expire_at_ms;
    return p->part(p, now);
}

static int
on_scored(void *ctx, struct slice member, double score)
{
    struct parts *p = ctx;
    struct part *now = start(p, PART_SCORE, member);

    memcpy(&now->sum, &score, sizeof now->sum);
    now->score = score;
    return p->part(p, now);
}

/* ---- streams ---- */

static int
on_entry(void *ctx, struct stream_id id, uint64_t fields)
{
    struct parts *p = ctx;
    struct part *now = start(p, PART_ENTRY, id_text(p->state, id));

    now->sum = fields;
    text_clear(&p->state->text);
    return 0;
}

static int
on_entry_field(void *ctx, struct slice field, struct slice value)
{
    struct parts *p = ctx;
    struct text *t = &p->state->text;

    p->now.sum = mix(p->now.sum, tool_hash(field, 0));
    p->now.sum = mix(p->now.sum, tool_hash(value, 0));
    if (!p->with_text)
        return 0;
    if (t->all > 0)
        text_put(t, " ", 1);
    text_put(t, field.ptr, field.len);
    text_put(t, " ", 1);
    text_put(t, value.ptr, value.len);
    return 0;
}

/* pass_text: the part in hand, whose contents are the text. */
static int
pass_text(struct parts *p)
{
    p->now.value = text_slice(&p->state->text);
    p->now.value_bytes = p->state->text.all;
    return p->part(p, &p->now);
}

static int
on_entry_end(void *ctx)
{
    return pass_text(ctx);
}

static int
on_stream_facts(void *ctx, const struct rdb_stream *f)
{
    struct parts *p = ctx;
    struct part *now = start(p, PART_COUNTERS, nothing);
    struct text *t = &p->state->text;

    text_format(t, "last %llu-%llu, deleted up to %llu-%llu, %llu added ever",
                (unsigned long long)f->last.ms, (unsigned long long)f->last.seq,
                (unsigned long long)f->max_deleted.ms, (unsigned long long)f->max_deleted.seq,
                (unsigned long long)f->entries_added);
    now->sum = XXH3_64bits(t->at, t->len);
    return pass_text(p);
}

static size_t
keep_name(char *dst, struct slice name)
{
    size_t n = name.len < NAME_BYTES ? name.len : NAME_BYTES;

    memcpy(dst, name.ptr, n);
    return n;
}

static int
on_group(void *ctx, const struct rdb_stream_group *g)
{
    struct parts *p = ctx;
    struct parts_state *s = p->state;
    struct part *now = start(p, PART_GROUP, g->name);

    s->group_len = keep_name(s->group, g->name);
    s->group_scope = part_mark(now, 1);
    text_format(&s->text, "last %llu-%llu, read %lld", (unsigned long long)g->last.ms,
                (unsigned long long)g->last.seq, (long long)g->entries_read);
    now->sum = XXH3_64bits(s->text.at, s->text.len);
    return pass_text(p);
}

static int
on_consumer(void *ctx, struct slice name, int64_t seen_ms, int64_t active_ms)
{
    struct parts *p = ctx;
    struct parts_state *s = p->state;
    struct part *now = start(p, PART_CONSUMER, name);

    (void)seen_ms;
    (void)active_ms;
    now->scope = s->group_scope;
    now->within = (struct slice){s->group, s->group_len};
    s->consumer_len = keep_name(s->consumer, name);
    s->consumer_scope = part_mark(now, 1);
    return p->part(p, now);
}

static int
on_pending(void *ctx, const struct rdb_stream_pending *pending)
{
    struct parts *p = ctx;
    struct parts_state *s = p->state;
    struct part *now = start(p, PART_PENDING, id_text(s, pending->id));

    now->scope = s->consumer_scope;
    now->within = (struct slice){s->consumer, s->consumer_len};
    now->sum = pending->deliveries;
    text_format(&s->text, "delivered %llu times", (unsigned long long)pending->deliveries);
    return pass_text(p);
}

static int
on_end(void *ctx)
{
    struct parts *p = ctx;
    struct parts_state *s = p->state;
    int r = 0;

    if (s->is_in_pieces) {
        struct part *now = start(p, PART_VALUE, nothing);

        now->sum = XXH64_digest(&s->xxh);
        r = pass_text(p);
    }
    return r != 0 || p->end == NULL ? r : p->end(p);
}

static const struct value_events events = {.key = on_key,
                                           .string = on_string,
                                           .string_begin = on_string_begin,
                                           .string_bytes = on_string_bytes,
                                           .element = on_element,
                                           .member = on_member,
                                           .field = on_field,
                                           .scored = on_scored,
                                           .entry = on_entry,
                                           .entry_field = on_entry_field,
                                           .entry_end = on_entry_end,
                                           .stream_facts = on_stream_facts,
                                           .group = on_group,
                                           .consumer = on_consumer,
                                           .pending = on_pending,
                                           .end = on_end};

int
parts_init(struct parts *p)
{
    memset(p, 0, sizeof *p);
    if ((p->state = calloc(1, sizeof *p->state)) == NULL)
        return -ENOMEM;
    p->values.events = &events;
    return 0;
}

void
parts_fini(struct parts *p)
{
    free(p->state);
    p->state = NULL;
}

struct rdb_events
parts_rdb_events(void)
{
    return values_rdb_events(&events);
}
