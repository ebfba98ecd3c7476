/* tool/convert/recode_stream.c - streams written anew.
 *
 * Numbers stand before what they count, and a group's pending entries, in the order of their IDs,
 * before its consumers, while the decoder tells of these first: each part waits in a hold of its
 * own until it is complete, and what is pending is sorted.
 *
 *     nodes --> body;  ids --> consumers;  pending, consumers --> groups;
 *     at the end: body, facts, groups */
#include "mm/base/le.h"
#include "tool/convert/convert_impl.h"

/* type_of: which of the three forms. */
static uint8_t
type_of(const struct convert *c)
{
    return c->version >= RDB_SET_LISTPACK_FROM_VERSION ? RDB_TYPE_STREAM_3
           : c->version >= RDB_LISTPACKS_FROM_VERSION  ? RDB_TYPE_STREAM_2
                                                       : RDB_TYPE_STREAM;
}

static void
put_id(struct convert *c, struct stream_id id)
{
    rdb_put_len(&c->enc, id.ms);
    rdb_put_len(&c->enc, id.seq);
}

static void
put_raw_id(struct sink *to, struct stream_id id)
{
    uint8_t bytes[STREAM_ID_BYTES];

    stream_id_store(bytes, id);
    sink_put(to, bytes, sizeof bytes);
}

static void
put_ms(struct convert *c, int64_t ms)
{
    uint8_t bytes[8];

    le_store(bytes, (uint64_t)ms, sizeof bytes);
    sink_put(c->enc.out, bytes, sizeof bytes);
}

int
recode_stream_begin(void *ctx, uint64_t nodes)
{
    struct convert *c = ctx;
    struct recode_stream *s = &c->recode.stream;

    (void)nodes; /* those without an entry are not told of */
    if (c->is_raw)
        return 0;
    s->node_count = s->group_count = 0;
    s->first = (struct stream_id){0, 0};
    s->in_group = s->in_consumer = false;
    c->enc.out = &c->recode.body.sink;
    return 0;
}

/* first_live: the ID of the first entry of a node that is not deleted. */
static struct stream_id
first_live(const uint8_t *lp, struct stream_id id)
{
    struct stream_node node;
    struct stream_item item = {.flags = STREAM_ITEM_DELETED};

    stream_node_open(&node, lp, id);
    for (uint32_t at = node.items_at; at != 0; at = stream_item_next(&item)) {
        stream_item_read(&node, at, &item);
        if ((item.flags & STREAM_ITEM_DELETED) == 0)
            return item.id;
    }
    never("the decoder tells of nodes that have one");
}

int
recode_stream_node(void *ctx, struct stream_id id, struct slice listpack,
                   const struct stream_node_sum *sum)
{
    struct convert *c = ctx;

    (void)sum;
    if (c->is_raw)
        return 0;
    if (c->recode.stream.node_count++ == 0)
        c->recode.stream.first = first_live(slice_bytes(listpack), id);
    rdb_put_len(&c->enc, STREAM_ID_BYTES);
    put_raw_id(c->enc.out, id);
    rdb_put_blob(&c->enc, listpack.ptr, listpack.len);
    return 0;
}

int
recode_stream_facts(void *ctx, const struct rdb_stream *facts)
{
    struct convert *c = ctx;

    if (c->is_raw)
        return 0;
    c->recode.stream.facts = *facts;
    if (c->version < RDB_LISTPACKS_FROM_VERSION && facts->has_counters &&
        (facts->entries_added != facts->length || facts->max_deleted.ms != 0 ||
         facts->max_deleted.seq != 0))
        c->losses[LOSS_STREAM_COUNTERS]++;
    return 0;
}

/* end_consumer: the one in hand, if there is one, to the others. */
static int
end_consumer(struct convert *c)
{
    struct recode_stream *s = &c->recode.stream;

    if (!s->in_consumer)
        return 0;
    s->in_consumer = false;
    c->enc.out = &s->consumers.sink;
    rdb_put_len(&c->enc, s->id_count);
    return hold_copy_all(&s->ids, &s->consumers.sink);
}

/* What is sorted of a pending entry: by its ID, whose bytes are in order. */
struct pending_record {
    uint8_t id[STREAM_ID_BYTES];
    int64_t delivered_ms;
    uint64_t deliveries;
};

_Static_assert(sizeof(struct pending_record) == RECODE_PENDING_BYTES, "nothing else is in it");

/* put_pending: of the group in hand. */
static int
put_pending(struct convert *c)
{
    struct sort *pending = &c->recode.stream.pending;
    const void *at;
    int r;

    rdb_put_len(&c->enc, pending->count);
    if ((r = sort_rewind(pending)) < 0)
        return r;
    while ((r = sort_next(pending, &at)) > 0) {
        const struct pending_record *p = at;

        sink_put(c->enc.out, p->id, sizeof p->id);
        put_ms(c, p->delivered_ms);
        rdb_put_len(&c->enc, p->deliveries);
    }
    sort_clear(pending);
    return r;
}

static int
end_group(struct convert *c)
{
    struct recode_stream *s = &c->recode.stream;
    int r;

    if (!s->in_group)
        return 0;
    s->in_group = false;
    if ((r = end_consumer(c)) < 0)
        return r;
    c->enc.out = &s->groups.sink;
    if ((r = put_pending(c)) < 0)
        return r;
    rdb_put_len(&c->enc, s->consumer_count);
    return hold_copy_all(&s->consumers, &s->groups.sink);
}

int
recode_stream_group(void *ctx, const struct rdb_stream_group *group)
{
    struct convert *c = ctx;
    struct recode_stream *s = &c->recode.stream;
    int r;

    if (c->is_raw)
        return 0;
    if ((r = end_group(c)) < 0)
        return recode_held(c, r);
    s->in_group = true;
    s->group_count++;
    s->consumer_count = 0;
    c->enc.out = &s->groups.sink;
    rdb_put_string(&c->enc, group->name.ptr, group->name.len);
    put_id(c, group->last);
    if (c->version >= RDB_LISTPACKS_FROM_VERSION)
        rdb_put_len(&c->enc, (uint64_t)group->entries_read); /* -1: not known, there too */
    else if (group->entries_read >= 0)
        c->losses[LOSS_ENTRIES_READ]++;
    return 0;
}

int
recode_stream_consumer(void *ctx, struct slice name, int64_t seen_ms, int64_t active_ms)
{
    struct convert *c = ctx;
    struct recode_stream *s = &c->recode.stream;
    int r;

    if (c->is_raw)
        return 0;
    if ((r = end_consumer(c)) < 0)
        return recode_held(c, r);
    s->in_consumer = true;
    s->consumer_count++;
    s->id_count = 0;
    c->enc.out = &s->consumers.sink;
    rdb_put_string(&c->enc, name.ptr, name.len);
    put_ms(c, seen_ms);
    if (c->version >= RDB_SET_LISTPACK_FROM_VERSION)
        put_ms(c, active_ms);
    else if (active_ms != seen_ms)
        c->losses[LOSS_ACTIVE]++;
    return 0;
}

int
recode_stream_pending(void *ctx, const struct rdb_stream_pending *pending)
{
    struct convert *c = ctx;
    struct recode_stream *s = &c->recode.stream;
    struct pending_record p = {.delivered_ms = pending->delivered_ms,
                               .deliveries = pending->deliveries};

    if (c->is_raw)
        return 0;
    s->id_count++;
    stream_id_store(p.id, pending->id);
    sink_put(&s->ids.sink, p.id, sizeof p.id);
    return recode_held(c, sort_add(&s->pending, &p));
}

/* put_facts: between the nodes and the groups. */
static void
put_facts(struct convert *c)
{
    const struct recode_stream *s = &c->recode.stream;
    rdb_put_len(&c->enc, s->facts.length);
    put_id(c, s->facts.last);
    if (c->version < RDB_LISTPACKS_FROM_VERSION)
        return;
    put_id(c, s->first);
    put_id(c, s->facts.max_deleted);
    rdb_put_len(&c->enc, s->facts.entries_added);
}

int
recode_stream_end(struct convert *c)
{
    struct recode_stream *s = &c->recode.stream;
    int r;

    if ((r = end_group(c)) < 0)
        return r;
    recode_head(c, type_of(c));
    rdb_put_len(&c->enc, s->node_count);
    if ((r = hold_copy_all(&c->recode.body, c->enc.out)) < 0)
        return r;
    put_facts(c);
    rdb_put_len(&c->enc, s->group_count);
    return hold_copy_all(&s->groups, c->enc.out);
}
