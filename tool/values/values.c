/* tool/values/values.c - the decoder's forms of a value, taken apart into elements. */
#include "tool/values/values.h"

#include "mm/base/must.h"
#include "mm/base/num.h"
#include "mm/base/real.h"
#include "snapshot/rdb/intset.h"
#include "snapshot/rdb/listpack.h"

/* An integer's text stands in one half of scratch; a field and its value may both be some. */
enum { HALF = 32 };
_Static_assert((int)LP_INT_TEXT_BYTES <= (int)HALF &&
                   2 * HALF <= sizeof((struct values *)0)->scratch,
               "two integers fit");

/* begin_key: key, before its value. */
static int
begin_key(struct values *v, const struct rdb_key *key)
{
    v->key = *key;
    v->elements = 0;
    v->is_string_held = false;
    return v->events->key == NULL ? 0 : v->events->key(v, &v->key);
}

static int
on_key(void *ctx, const struct rdb_key *key)
{
    return begin_key(ctx, key);
}

static int
on_value_end(void *ctx)
{
    struct values *v = ctx;

    return v->events->end == NULL ? 0 : v->events->end(v);
}

/* ---- strings ---- */

/* pass_whole: a value that is a string, in one piece. */
static int
pass_whole(struct values *v, struct slice value)
{
    const struct value_events *e = v->events;
    int r;

    if (e->string != NULL)
        return e->string(v, value);
    if (e->string_begin != NULL && (r = e->string_begin(v, value.len)) != 0)
        return r;
    return e->string_bytes == NULL || value.len == 0 ? 0 : e->string_bytes(v, value);
}

static int
on_plain_string(void *ctx, const struct rdb_key *key, struct slice value)
{
    struct values *v = ctx;
    int r = begin_key(v, key);

    if (r == 0)
        r = pass_whole(v, value);
    else if (r == RDB_SKIP_VALUE)
        r = 0;
    return r != 0 ? r : on_value_end(v);
}

static int
on_string_begin(void *ctx, uint64_t len)
{
    struct values *v = ctx;

    if (len == 0)
        return pass_whole(v, SLICE(""));
    v->string_len = len;
    v->is_string_held = true;
    return 0;
}

static int
on_string_bytes(void *ctx, struct slice piece)
{
    struct values *v = ctx;
    const struct value_events *e = v->events;
    int r;

    if (v->is_string_held) {
        v->is_string_held = false;
        if (piece.len == v->string_len)
            return pass_whole(v, piece);
        if (e->string_begin != NULL && (r = e->string_begin(v, v->string_len)) != 0)
            return r;
    }
    return e->string_bytes == NULL ? 0 : e->string_bytes(v, piece);
}

/* ---- listpacks ---- */

/* take: the entry at p, an integer's text in `text`; returns what follows the entry. */
static inline const uint8_t *
take(const uint8_t *p, char text[LP_INT_TEXT_BYTES], struct slice *ret)
{
    struct lp_elem e;

    if ((*p & 0xc0) == 0x80) { /* most are strings of up to 63 bytes */
        *ret = slice_of(p + 1, *p & 0x3f);
        return p + ret->len + 2;
    }
    lp_entry_get(p, &e);
    if (e.bytes != NULL)
        *ret = slice_of(e.bytes, e.len);
    else
        *ret = (struct slice){text, num_print(text, e.value)};
    return p + lp_entry_size(p);
}

/* take_score: the entry at p, which is a number. */
static const uint8_t *
take_score(const uint8_t *p, double *ret)
{
    struct lp_elem e;

    lp_entry_get(p, &e);
    if (e.bytes == NULL)
        *ret = (double)e.value;
    else
        must(real_parse(e.bytes, e.len, ret)); /* the decoder has looked */
    return p + lp_entry_size(p);
}

static int
pass_element(struct values *v, struct slice element)
{
    v->elements++;
    return v->events->element(v, element);
}

static int
pass_member(struct values *v, struct slice member)
{
    v->elements++;
    return v->events->member(v, member);
}

/* pass_each: of a listpack to `pass`. */
static int
pass_each(struct values *v, struct slice listpack, int (*pass)(struct values *v, struct slice s))
{
    const uint8_t *p = slice_bytes(listpack) + LP_HEADER_BYTES;
    struct slice s;
    int r = 0;

    while (r == 0 && *p != LP_END) {
        p = take(p, v->scratch, &s);
        r = pass(v, s);
    }
    return r;
}

/* ---- lists ---- */

static int
on_list_element(void *ctx, struct slice element)
{
    return pass_element(ctx, element);
}

static int
on_list_listpack(void *ctx, struct slice listpack, uint32_t elements)
{
    (void)elements;
    return pass_each(ctx, listpack, pass_element);
}

/* ---- sets ---- */

static int
on_set_member(void *ctx, struct slice member)
{
    return pass_member(ctx, member);
}

static int
on_set_listpack(void *ctx, struct slice listpack, uint32_t members)
{
    (void)members;
    return pass_each(ctx, listpack, pass_member);
}

static int
on_set_intset(void *ctx, struct slice intset, uint32_t members)
{
    struct values *v = ctx;
    int r = 0;

    for (uint32_t i = 0; r == 0 && i < members; i++) {
        unsigned len = num_print(v->scratch, intset_get(slice_bytes(intset), i));

        r = pass_member(v, (struct slice){v->scratch, len});
    }
    return r;
}

/* ---- hashes ---- */

enum { NEVER = -1 };

static int
on_hash_field_expiring(void *ctx, struct slice field, struct slice value, int64_t expire_at_ms)
{
    struct values *v = ctx;

    v->elements++;
    return v->events->field == NULL ? 0 : v->events->field(v, field, value, expire_at_ms);
}

static int
on_hash_field(void *ctx, struct slice field, struct slice value)
{
    return on_hash_field_expiring(ctx, field, value, NEVER);
}

static int
on_hash_listpack(void *ctx, struct slice listpack, uint32_t fields)
{
    struct values *v = ctx;
    const uint8_t *p = slice_bytes(listpack) + LP_HEADER_BYTES;
    struct slice field, value;
    int r = 0;

    (void)fields;
    while (r == 0 && *p != LP_END) {
        p = take(p, v->scratch, &field);
        p = take(p, v->scratch + HALF, &value);
        r = on_hash_field_expiring(v, field, value, NEVER);
    }
    return r;
}

/* ---- sorted sets ---- */

static int
on_zset_member(void *ctx, struct slice member, double score)
{
    struct values *v = ctx;

    v->elements++;
    return v->events->scored(v, member, score);
}

static int
on_zset_listpack(void *ctx, struct slice listpack, uint32_t members)
{
    struct values *v = ctx;
    const uint8_t *p = slice_bytes(listpack) + LP_HEADER_BYTES;
    struct slice member;
    double score;
    int r = 0;

    (void)members;
    while (r == 0 && *p != LP_END) {
        p = take(p, v->scratch, &member);
        p = take_score(p, &score);
        r = on_zset_member(v, member, score);
    }
    return r;
}

/* ---- streams ---- */

static struct slice
element_slice(const struct lp_elem *e, char text[LP_INT_TEXT_BYTES])
{
    uint32_t len;
    const uint8_t *bytes = lp_text(e, text, &len);

    return slice_of(bytes, len);
}

static int
pass_entry_fields(struct values *v, const struct stream_item *item)
{
    struct stream_pairs pairs = stream_item_pairs(item);
    struct lp_elem field, value;
    int r = 0;

    while (r == 0 && stream_pairs_next(&pairs, &field, &value))
        r = v->events->entry_field(v, element_slice(&field, v->scratch),
                                   element_slice(&value, v->scratch + HALF));
    return r;
}

static int
pass_entry(struct values *v, const struct stream_item *item)
{
    const struct value_events *e = v->events;
    int r;

    v->elements++;
    if (e->entry != NULL && (r = e->entry(v, item->id, item->fields)) != 0)
        return r;
    if (e->entry_field != NULL && (r = pass_entry_fields(v, item)) != 0)
        return r;
    return e->entry_end == NULL ? 0 : e->entry_end(v);
}

/* on_stream_node: its entries but for those that were deleted. */
static int
on_stream_node(void *ctx, struct stream_id id, struct slice listpack,
               const struct stream_node_sum *sum)
{
    struct stream_node node;
    struct stream_item item;
    uint32_t at;
    int r = 0;

    (void)sum;
    stream_node_open(&node, slice_bytes(listpack), id);
    for (at = node.items_at; r == 0 && at != 0; at = stream_item_next(&item)) {
        stream_item_read(&node, at, &item);
        if ((item.flags & STREAM_ITEM_DELETED) == 0)
            r = pass_entry(ctx, &item);
    }
    return r;
}

static int
on_stream_facts(void *ctx, const struct rdb_stream *facts)
{
    struct values *v = ctx;

    return v->events->stream_facts(v, facts);
}

static int
on_stream_group(void *ctx, const struct rdb_stream_group *group)
{
    struct values *v = ctx;

    return v->events->group(v, group);
}

static int
on_stream_consumer(void *ctx, struct slice name, int64_t seen_ms, int64_t active_ms)
{
    struct values *v = ctx;

    return v->events->consumer(v, name, seen_ms, active_ms);
}

static int
on_stream_pending(void *ctx, const struct rdb_stream_pending *pending)
{
    struct values *v = ctx;

    return v->events->pending(v, pending);
}

static void
want_collections(struct rdb_events *ev, const struct value_events *events)
{
    if (events->element != NULL) {
        ev->list_element = on_list_element;
        ev->list_listpack = on_list_listpack;
    }
    if (events->member != NULL) {
        ev->set_intset = on_set_intset;
        ev->set_listpack = on_set_listpack;
        ev->set_member = on_set_member;
    }
    if (events->field != NULL) {
        ev->hash_listpack = on_hash_listpack;
        ev->hash_field = on_hash_field;
    }
    if (events->scored != NULL) {
        ev->zset_listpack = on_zset_listpack;
        ev->zset_member = on_zset_member;
    }
}

static void
want_streams(struct rdb_events *ev, const struct value_events *events)
{
    if (events->entry != NULL || events->entry_field != NULL || events->entry_end != NULL)
        ev->stream_node = on_stream_node;
    if (events->stream_facts != NULL)
        ev->stream_facts = on_stream_facts;
    if (events->group != NULL)
        ev->stream_group = on_stream_group;
    if (events->consumer != NULL)
        ev->stream_consumer = on_stream_consumer;
    if (events->pending != NULL)
        ev->stream_pending = on_stream_pending;
}

struct rdb_events
values_rdb_events(const struct value_events *events)
{
    /* without hash_field_expiring such a hash is refused, whoever looks at it */
    struct rdb_events ev = {
        .key = on_key, .value_end = on_value_end, .hash_field_expiring = on_hash_field_expiring};

    if (events->string != NULL || events->string_begin != NULL || events->string_bytes != NULL) {
        ev.plain_string = on_plain_string;
        ev.string_begin = on_string_begin;
        ev.string_bytes = on_string_bytes;
    }
    want_collections(&ev, events);
    want_streams(&ev, events);
    return ev;
}
