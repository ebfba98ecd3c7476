/* server/data/stream/load_stream.c - from RDB to streams: nodes are kept as they are. */
#include <errno.h>

#include "server/data/db/load_value.h"
#include "server/data/stream/stream.h"
#include "server/data/stream/stream_type.h"

/* What is kept (load.h): at[GROUP] and at[CONSUMER] are those that were begun last; flag: the file
 * says what was read and deleted. */
enum { GROUP, CONSUMER };

static const struct stream *
stream_in(const struct load_state *s)
{
    return s->value.root;
}

static int
on_begin(void *ctx, uint64_t nodes)
{
    struct load_state *s = ctx;

    (void)nodes;
    if (s->skip)
        return 0;
    return load_begin_root(s, TYPE_STREAM, stream_new());
}

static int
on_node(void *ctx, struct stream_id id, struct slice listpack, const struct stream_node_sum *sum)
{
    struct load_state *s = ctx;

    (void)sum;
    return s->skip ? 0 : stream_add_node(stream_in(s), id, slice_bytes(listpack), listpack.len);
}

static int
on_facts(void *ctx, const struct rdb_stream *facts)
{
    struct load_state *s = ctx;

    if (s->skip)
        return 0;
    stream_set_ids(stream_in(s), facts->last, facts->max_deleted, facts->entries_added);
    stream_mend_first(stream_in(s));
    s->kept.flag = facts->has_counters;
    return 0;
}

static int
on_group(void *ctx, const struct rdb_stream_group *group)
{
    struct load_state *s = ctx;
    int64_t read;

    if (s->skip)
        return 0;
    if (stream_group_find(stream_in(s), group->name) != NULL)
        return load_complain(s, -EEXIST, "The dump has a stream with two groups of one name");
    read = s->kept.flag ? group->entries_read : stream_distance(stream_in(s), group->last);
    s->kept.at[GROUP] = stream_group_create(stream_in(s), group->name, group->last, read);
    return s->kept.at[GROUP] == NULL ? -ENOMEM : 0;
}

static int
on_consumer(void *ctx, struct slice name, int64_t seen_ms, int64_t active_ms)
{
    struct load_state *s = ctx;

    if (s->skip)
        return 0;
    if (stream_consumer_find(s->kept.at[GROUP], name) != NULL)
        return load_complain(s, -EEXIST, "The dump has a group with two consumers of one name");
    s->kept.at[CONSUMER] = stream_consumer_create(s->kept.at[GROUP], name, seen_ms);
    if (s->kept.at[CONSUMER] == NULL)
        return -ENOMEM;
    stream_consumer_set(s->kept.at[CONSUMER], seen_ms, active_ms);
    return 0;
}

static int
on_pending(void *ctx, const struct rdb_stream_pending *p)
{
    struct load_state *s = ctx;

    if (s->skip)
        return 0;
    if (stream_claim_prepare(s->kept.at[GROUP], s->kept.at[CONSUMER], p->id) < 0)
        return -ENOMEM;
    stream_claim(s->kept.at[GROUP], s->kept.at[CONSUMER], p->id, p->delivered_ms, p->deliveries);
    return 0;
}

void
load_stream(struct rdb_events *events)
{
    events->stream_begin = on_begin;
    events->stream_node = on_node;
    events->stream_facts = on_facts;
    events->stream_group = on_group;
    events->stream_consumer = on_consumer;
    events->stream_pending = on_pending;
}
