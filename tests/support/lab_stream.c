/* tests/support/lab_stream.c - the digest of streams in a dump: entries, facts, groups, what is
 * pending; their order counts, and how they are spread over nodes too. */
#include "tests/support/lab_impl.h"

static void
add(struct digest_state *s, const void *bytes, size_t len)
{
    s->value = lab_mix(lab_mix_int(s->value, len), bytes, len);
}

static void
add_id(struct digest_state *s, struct stream_id id)
{
    s->value = lab_mix_int(lab_mix_int(s->value, id.ms), id.seq);
}

int
lab_stream_node(void *ctx, struct stream_id id, struct slice listpack,
                const struct stream_node_sum *sum)
{
    (void)sum;
    add_id(ctx, id);
    add(ctx, listpack.ptr, listpack.len);
    return 0;
}

int
lab_stream_facts(void *ctx, const struct rdb_stream *facts)
{
    struct digest_state *s = ctx;

    add_id(s, facts->last);
    add_id(s, facts->max_deleted);
    s->value = lab_mix_int(lab_mix_int(s->value, facts->length), facts->entries_added);
    return 0;
}

int
lab_stream_group(void *ctx, const struct rdb_stream_group *group)
{
    struct digest_state *s = ctx;

    add(s, group->name.ptr, group->name.len);
    add_id(s, group->last);
    s->value = lab_mix_int(s->value, (uint64_t)group->entries_read);
    return 0;
}

int
lab_stream_consumer(void *ctx, struct slice name, int64_t seen_ms, int64_t active_ms)
{
    struct digest_state *s = ctx;

    add(s, name.ptr, name.len);
    s->value = lab_mix_int(lab_mix_int(s->value, (uint64_t)seen_ms), (uint64_t)active_ms);
    return 0;
}

int
lab_stream_pending(void *ctx, const struct rdb_stream_pending *p)
{
    struct digest_state *s = ctx;

    add_id(s, p->id);
    s->value = lab_mix_int(lab_mix_int(s->value, (uint64_t)p->delivered_ms), p->deliveries);
    return 0;
}
