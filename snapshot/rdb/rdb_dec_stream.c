/* snapshot/rdb/rdb_dec_stream.c - streams, in their three forms.
 *
 *     number of nodes, each: its id (a string of 16 bytes, big endian) and its listpack (a string)
 *     length, last id (two lengths)
 *     from the 2nd form on: first id, highest deleted id, entries ever added
 *     number of groups, each:
 *         name, last id, from the 2nd form on: entries read
 *         number of pending entries, each: id (16 bytes), delivered (8 bytes, ms), number of
 *         deliveries number of consumers, each:
 *             name, seen (8 bytes, ms), from the 3rd form on: active (8 bytes, ms)
 *             number of pending entries, each: id (16 bytes)
 *
 * Each pending entry of a group belongs to exactly one of its consumers.  Where a sink wants to
 * know which, they are held until the consumers are read.  Otherwise sums are compared, and nothing
 * is held: of a number that is drawn for each id by a hash with a secret seed.  The group's ids
 * rise, so all are different; as many ids of consumers with the same sums (2 times 64 bits) are the
 * same ones. */
#include <errno.h>

#include "snapshot/rdb/rdb_dec_impl.h"

struct pending {
    struct rdb_stream_pending entry;
    bool is_owned;
};

struct stream_in {
    int form;
    struct stream_id highest; /* of all entries so far */
    uint64_t live;
    struct bytes pending; /* struct pending of the group in hand, in order */
    uint64_t pending_count, owned;
    bool is_summed;            /* nothing of this is held */
    struct field_mark sums[2]; /* of the group, of its consumers */
    struct stream_id last_pending;
};

static int
read_id(struct dec *d, struct stream_id *ret)
{
    int r = dec_len(d, &ret->ms);

    return r != 0 ? r : dec_len(d, &ret->seq);
}

/* read_raw_id: 16 bytes without a length before them. */
static int
read_raw_id(struct dec *d, struct stream_id *ret)
{
    int r = dec_need(d, STREAM_ID_BYTES);

    if (r != 0)
        return r;
    *ret = stream_id_load(source_here(d->src));
    source_skip(d->src, STREAM_ID_BYTES);
    return 0;
}

static int
read_ms(struct dec *d, int64_t *ret)
{
    uint64_t ms = 0;
    int r = dec_le(d, 8, &ms);

    *ret = (int64_t)ms;
    return r;
}

/* mend_node: a node whose counters are wrong, or that has deleted entries out of order or at its
 * end, without any deleted entry: nothing that lives is in these.  (XSETID of Redis 7.0 can set a
 * stream's last ID below deleted entries, and new ones then stand behind them.)  With none left it
 * is empty. */
static int
mend_node(struct dec *d, uint64_t offset, struct stream_id id, struct stream_node_sum *sum)
{
    struct bytes was;
    const char *wrong;
    size_t len;
    int r;

    if ((r = dec_reserve(d, &d->field, d->value.len + STREAM_NODE_MEND_BYTES)) != 0)
        return r;
    wrong = stream_node_mend(d->value.at, lp_count(d->value.at), id, d->field.at, &len, sum);
    if (wrong != NULL)
        return dec_fail(d, offset, -EINVAL, "a stream's node of %zu bytes has %s", d->value.len,
                        wrong);
    was = d->value;
    d->value = d->field;
    d->value.len = len;
    d->field = was;
    return 0;
}

/* check_node: d->value.  *ret_sum: of what it then is. */
static int
check_node(struct dec *d, uint64_t offset, struct stream_id id, struct stream_node_sum *ret_sum)
{
    const char *wrong = stream_node_validate(d->value.at, d->value.len, id, ret_sum);
    uint32_t entries;
    int r;

    if (unlikely(wrong != NULL)) {
        struct slice blob = bytes_slice(&d->value);

        if ((r = dec_listpack(d, &blob, offset, "the stream's", &entries)) != 0)
            return r;
        wrong = stream_node_validate(d->value.at, d->value.len, id, ret_sum);
    }
    if (likely(wrong == NULL) && stream_id_compare(ret_sum->highest, ret_sum->highest_live) == 0)
        return 0;
    if ((r = mend_node(d, offset, id, ret_sum)) != 0 || wrong == NULL)
        return r;
    if (ret_sum->live == 0)
        return dec_find(d, offset, RDB_FINDING_EMPTY_NODE, "a stream's node without an entry");
    return dec_find(d, offset, RDB_FINDING_NODE, "a stream's node has %s", wrong);
}

static int
read_node(struct dec *d, struct stream_in *s, bool is_first)
{
    uint64_t offset = rdb_source_offset(d->src);
    struct stream_node_sum sum;
    struct stream_id id;
    int r;

    d->what = "a stream's node";
    if ((r = dec_string_whole(d, &d->field)) != 0)
        return r;
    if (d->field.len != STREAM_ID_BYTES)
        return dec_fail(d, offset, -EINVAL, "a stream's node has an ID of %zu bytes", d->field.len);
    id = stream_id_load(d->field.at);
    offset = rdb_source_offset(d->src);
    if ((r = dec_string_whole(d, &d->value)) != 0)
        return r;
    if ((r = check_node(d, offset, id, &sum)) != 0)
        return r;
    if (!is_first && stream_id_compare(id, s->highest) <= 0)
        return dec_fail(d, offset, -EINVAL, "a stream's nodes are out of order");
    if (sum.live == 0)
        return 0;
    s->highest = sum.highest;
    s->live += sum.live;
    if (d->ev->stream_node == NULL)
        return 0;
    return dec_sink(d, d->ev->stream_node(d->ctx, id, bytes_slice(&d->value), &sum));
}

/* mend_facts: what follows from the entries, where the file says something else. */
static int
mend_facts(struct dec *d, uint64_t offset, const struct stream_in *s, struct rdb_stream *facts)
{
    int r;

    if (facts->length != s->live) {
        if ((r = dec_find(d, offset, RDB_FINDING_COUNT, "a stream claims %llu entries and has %llu",
                          (unsigned long long)facts->length, (unsigned long long)s->live)) != 0)
            return r;
        facts->length = s->live;
    }
    if (!facts->has_counters)
        facts->entries_added = facts->length;
    if (facts->entries_added < s->live) {
        if ((r = dec_find(d, offset, RDB_FINDING_COUNT,
                          "a stream of %llu entries claims that %llu were added",
                          (unsigned long long)s->live, (unsigned long long)facts->entries_added)) !=
            0)
            return r;
        facts->entries_added = s->live;
    }
    if (s->live > 0 && stream_id_compare(facts->last, s->highest) < 0) {
        if ((r = dec_find(d, offset, RDB_FINDING_LAST_ID,
                          "a stream's last ID %llu-%llu is below that of an entry",
                          (unsigned long long)facts->last.ms,
                          (unsigned long long)facts->last.seq)) != 0)
            return r;
        facts->last = s->highest;
    }
    return 0;
}

static int
read_facts(struct dec *d, struct stream_in *s)
{
    struct rdb_stream facts = {.has_counters = s->form > 1};
    uint64_t offset = rdb_source_offset(d->src);
    struct stream_id first;
    int r;

    d->what = "a stream's length and IDs";
    if ((r = dec_len(d, &facts.length)) != 0 || (r = read_id(d, &facts.last)) != 0)
        return r;
    if (facts.has_counters &&
        ((r = read_id(d, &first)) != 0 || (r = read_id(d, &facts.max_deleted)) != 0 ||
         (r = dec_len(d, &facts.entries_added)) != 0))
        return r;
    if ((r = mend_facts(d, offset, s, &facts)) != 0)
        return r;
    return d->ev->stream_facts == NULL ? 0 : dec_sink(d, d->ev->stream_facts(d->ctx, &facts));
}

static void
add_to_sum(const struct dec *d, struct field_mark *sum, struct stream_id id)
{
    struct field_mark m = field_mark_of(&d->fields, 0, &id, sizeof id);

    sum->low += m.low;
    sum->high += m.high;
}

static struct pending *
pending_of(const struct stream_in *s)
{
    return (struct pending *)(void *)s->pending.at;
}

/* keep_pending: behind the others. */
static int
keep_pending(struct dec *d, struct stream_in *s, const struct rdb_stream_pending *entry)
{
    struct bytes *b = &s->pending;
    int r;

    s->last_pending = entry->id;
    if (s->is_summed) {
        add_to_sum(d, &s->sums[0], entry->id);
        s->pending_count++;
        return 0;
    }
    if ((r = dec_more(d, b, sizeof(struct pending))) != 0)
        return r;
    pending_of(s)[s->pending_count++] = (struct pending){.entry = *entry};
    b->len += sizeof(struct pending);
    dec_settle(b, sizeof(struct pending));
    return 0;
}

static int
read_group_pending(struct dec *d, struct stream_in *s)
{
    uint64_t count = 0;
    int r;

    d->what = "a group's pending entries";
    s->pending_count = s->owned = 0;
    s->pending.len = 0;
    s->sums[0] = s->sums[1] = (struct field_mark){0, 0};
    if ((r = dec_len(d, &count)) != 0)
        return r;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t offset = rdb_source_offset(d->src);
        struct rdb_stream_pending p = {.deliveries = 0};

        if ((r = read_raw_id(d, &p.id)) != 0 || (r = read_ms(d, &p.delivered_ms)) != 0 ||
            (r = dec_len(d, &p.deliveries)) != 0)
            return r;
        if (i > 0 && stream_id_compare(p.id, s->last_pending) <= 0)
            return dec_fail(d, offset, -EINVAL, "a group's pending entries are out of order");
        if ((r = keep_pending(d, s, &p)) != 0)
            return r;
    }
    return 0;
}

/* find_pending: NULL: the group has no such entry pending. */
static struct pending *
find_pending(const struct stream_in *s, struct stream_id id)
{
    uint64_t low = 0, high = s->pending_count;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        int order = stream_id_compare(pending_of(s)[middle].entry.id, id);

        if (order == 0)
            return &pending_of(s)[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static int
read_consumer_pending(struct dec *d, struct stream_in *s)
{
    uint64_t count = 0;
    int r = dec_len(d, &count);

    for (uint64_t i = 0; r == 0 && i < count; i++) {
        uint64_t offset = rdb_source_offset(d->src);
        struct stream_id id;
        struct pending *p;

        if ((r = read_raw_id(d, &id)) != 0)
            return r;
        if (s->is_summed) {
            add_to_sum(d, &s->sums[1], id);
            s->owned++;
            r = dec_progress(d);
            continue;
        }
        if ((p = find_pending(s, id)) == NULL)
            return dec_fail(d, offset, -EINVAL,
                            "a consumer's pending entry is not pending in its group");
        if (p->is_owned)
            return dec_fail(d, offset, -EINVAL, "an entry is pending for two consumers");
        p->is_owned = true;
        s->owned++;
        if (d->ev->stream_pending != NULL)
            r = dec_sink(d, d->ev->stream_pending(d->ctx, &p->entry));
    }
    return r;
}

static int
read_consumer(struct dec *d, struct stream_in *s)
{
    int64_t seen = 0, active;
    int r;

    d->what = "a consumer";
    if ((r = dec_string_whole(d, &d->value)) != 0 || (r = read_ms(d, &seen)) != 0)
        return r;
    active = seen;
    if (s->form > 2 && (r = read_ms(d, &active)) != 0)
        return r;
    if (d->ev->stream_consumer != NULL &&
        (r = dec_sink(d, d->ev->stream_consumer(d->ctx, bytes_slice(&d->value), seen, active))) !=
            0)
        return r;
    return read_consumer_pending(d, s);
}

static int
read_consumers(struct dec *d, struct stream_in *s)
{
    uint64_t count = 0;
    int r;

    d->what = "the number of a group's consumers";
    if ((r = dec_len(d, &count)) != 0)
        return r;
    for (uint64_t i = 0; i < count; i++)
        if ((r = read_consumer(d, s)) != 0)
            return r;
    if (s->owned < s->pending_count)
        return dec_fail(d, rdb_source_offset(d->src), -EINVAL,
                        "a group has pending entries without a consumer");
    if (s->owned > s->pending_count || s->sums[0].low != s->sums[1].low ||
        s->sums[0].high != s->sums[1].high)
        return dec_fail(
            d, rdb_source_offset(d->src), -EINVAL,
            "consumers have other pending entries than their group, or one for two of them");
    return 0;
}

static int
read_group(struct dec *d, struct stream_in *s)
{
    uint64_t read = UINT64_MAX;
    struct rdb_stream_group g;
    int r;

    d->what = "a group of consumers";
    if ((r = dec_string_whole(d, &d->value)) != 0 || (r = read_id(d, &g.last)) != 0)
        return r;
    if (s->form > 1 && (r = dec_len(d, &read)) != 0)
        return r;
    g.name = bytes_slice(&d->value);
    g.entries_read = read > INT64_MAX ? -1 : (int64_t)read;
    if (d->ev->stream_group != NULL && (r = dec_sink(d, d->ev->stream_group(d->ctx, &g))) != 0)
        return r;
    if ((r = read_group_pending(d, s)) != 0)
        return r;
    return read_consumers(d, s);
}

static int
read_groups(struct dec *d, struct stream_in *s)
{
    uint64_t count = 0;
    int r;

    d->what = "the number of a stream's groups";
    if ((r = dec_len(d, &count)) != 0)
        return r;
    for (uint64_t i = 0; i < count; i++)
        if ((r = read_group(d, s)) != 0 || (r = dec_progress(d)) != 0)
            return r;
    return 0;
}

static int
read_nodes(struct dec *d, struct stream_in *s)
{
    uint64_t count = 0;
    int r;

    d->what = "the number of a stream's nodes";
    if ((r = dec_len(d, &count)) != 0)
        return r;
    if (d->ev->stream_begin != NULL && (r = dec_sink(d, d->ev->stream_begin(d->ctx, count))) != 0)
        return r;
    for (uint64_t i = 0; i < count; i++)
        if ((r = read_node(d, s, s->live == 0)) != 0 || (r = dec_progress(d)) != 0)
            return r;
    return 0;
}

static int
read_stream(struct dec *d, int form)
{
    struct stream_in s = {.form = form, .is_summed = d->ev->stream_pending == NULL};
    int r;

    if ((r = read_nodes(d, &s)) == 0 && (r = read_facts(d, &s)) == 0)
        r = read_groups(d, &s);
    dec_forget(&s.pending);
    return r;
}

int
dec_stream_1(struct dec *d)
{
    return read_stream(d, 1);
}

int
dec_stream_2(struct dec *d)
{
    return read_stream(d, 2);
}

int
dec_stream_3(struct dec *d)
{
    return read_stream(d, 3);
}
