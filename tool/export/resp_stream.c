/* tool/export/resp_stream.c - XADD, XSETID, XGROUP, XCLAIM. */
#include <errno.h>

#include "tool/export/resp_state.h"

enum { ID_BYTES = 2 * NUM_MAX_BYTES + 1 };

/* print_id: 1526919030474-55 */
static struct slice
print_id(char *to, struct stream_id id)
{
    char *p = num_put_unsigned(to, id.ms);

    *p++ = '-';
    return slice_of(to, (size_t)(num_put_unsigned(p, id.seq) - to));
}

static struct slice
print_count(char *to, uint64_t n)
{
    return slice_of(to, (size_t)(num_put_unsigned(to, n) - to));
}

static int
on_entry(void *ctx, struct stream_id id, uint64_t fields)
{
    struct resp *x = ctx;
    char digits[ID_BYTES];

    if (x->way != RESP_COMMANDS)
        return 0;
    resp_open_key(x);
    x->entries++;
    x->last_entry = id;
    resp_command(&x->out, 3 + 2 * fields);
    resp_bulk(&x->out, SLICE("XADD"));
    resp_bulk(&x->out, x->name);
    resp_bulk(&x->out, print_id(digits, id));
    return 0;
}

static int
on_entry_field(void *ctx, struct slice field, struct slice value)
{
    struct resp *x = ctx;

    if (x->way != RESP_COMMANDS)
        return 0;
    resp_bulk(&x->out, field);
    resp_bulk(&x->out, value);
    return 0;
}

/* make_empty: a stream without an entry: one is added, and gone at once. */
static void
make_empty(struct resp *x, struct stream_id last)
{
    char digits[ID_BYTES];
    struct stream_id id = last.ms == 0 && last.seq == 0 ? (struct stream_id){0, 1} : last;
    struct slice words[] = {SLICE("XADD"),        x->name,    SLICE("MAXLEN"), SLICE("0"),
                            print_id(digits, id), SLICE("x"), SLICE("y")};

    resp_open_key(x);
    resp_put(&x->out, words, 7);
}

static int
on_facts(void *ctx, const struct rdb_stream *f)
{
    struct resp *x = ctx;
    char last[ID_BYTES], deleted[ID_BYTES], added[NUM_MAX_BYTES];
    struct slice words[] = {SLICE("XSETID"),
                            x->name,
                            print_id(last, f->last),
                            SLICE("ENTRIESADDED"),
                            print_count(added, f->entries_added),
                            SLICE("MAXDELETEDID"),
                            print_id(deleted, f->max_deleted)};
    bool is_plain =
        f->entries_added == x->entries && f->max_deleted.ms == 0 && f->max_deleted.seq == 0;

    if (x->way != RESP_COMMANDS)
        return 0;
    if (x->entries == 0)
        make_empty(x, f->last);
    if (x->entries > 0 && is_plain && stream_id_compare(f->last, x->last_entry) == 0)
        return 0; /* as XADD has left it */
    if (resp_has_counters(x)) {
        resp_put(&x->out, words, 7);
        return 0;
    }
    x->lost_counters += f->has_counters && !is_plain;
    resp_put(&x->out, words, 3);
    return 0;
}

/* flush_pending: what is pending and gathered goes out. */
static void
flush_pending(struct resp *x)
{
    resp_batch_flush(&x->batch);
    x->has_pending = false;
}

static int
on_group(void *ctx, const struct rdb_stream_group *g)
{
    struct resp *x = ctx;
    char last[ID_BYTES], read[NUM_MAX_BYTES];
    struct slice words[] = {SLICE("XGROUP"),
                            SLICE("CREATE"),
                            x->name,
                            g->name,
                            print_id(last, g->last),
                            SLICE("ENTRIESREAD"),
                            slice_of(read, num_print(read, g->entries_read))};
    bool has_read = g->entries_read >= 0;

    if (x->way != RESP_COMMANDS)
        return 0;
    flush_pending(x);
    text_clear(&x->group);
    text_add_bytes(&x->group, g->name.ptr, g->name.len);
    if (x->group.failed)
        return resp_fail(x, -ENOMEM, "a group's name");
    if (has_read && !resp_has_counters(x)) {
        x->lost_counters++;
        has_read = false;
    }
    resp_put(&x->out, words, has_read ? 7 : 5);
    return 0;
}

static int
on_consumer(void *ctx, struct slice name, int64_t seen_ms, int64_t active_ms)
{
    struct resp *x = ctx;
    struct slice words[] = {SLICE("XGROUP"), SLICE("CREATECONSUMER"), x->name,
                            slice_of(text_str(&x->group), x->group.len), name};

    (void)seen_ms, (void)active_ms; /* no command sets them */
    if (x->way != RESP_COMMANDS)
        return 0;
    flush_pending(x);
    text_clear(&x->consumer);
    text_add_bytes(&x->consumer, name.ptr, name.len);
    if (x->consumer.failed)
        return resp_fail(x, -ENOMEM, "a consumer's name");
    if (resp_knows(x, SERVER_CONSUMERS))
        resp_put(&x->out, words, 5);
    return 0;
}

/* begin_claim: XCLAIM key group consumer 0 id... TIME ms RETRYCOUNT n FORCE JUSTID */
static void
begin_claim(struct resp *x, const struct rdb_stream_pending *p)
{
    char ms[NUM_MAX_BYTES], deliveries[NUM_MAX_BYTES];
    struct slice words[] = {SLICE("XCLAIM"), x->name, slice_of(text_str(&x->group), x->group.len),
                            slice_of(text_str(&x->consumer), x->consumer.len), SLICE("0")};

    flush_pending(x);
    x->has_pending = true;
    x->pending_ms = p->delivered_ms;
    x->pending_deliveries = p->deliveries;
    resp_batch_begin(&x->batch, words, 5);
    resp_batch_tail(&x->batch, SLICE("TIME"));
    resp_batch_tail(&x->batch, slice_of(ms, num_print(ms, p->delivered_ms)));
    resp_batch_tail(&x->batch, SLICE("RETRYCOUNT"));
    resp_batch_tail(&x->batch, print_count(deliveries, p->deliveries));
    resp_batch_tail(&x->batch, SLICE("FORCE"));
    resp_batch_tail(&x->batch, SLICE("JUSTID"));
}

static int
on_pending(void *ctx, const struct rdb_stream_pending *p)
{
    struct resp *x = ctx;
    char digits[ID_BYTES];
    struct slice id = print_id(digits, p->id);

    if (x->way != RESP_COMMANDS)
        return 0;
    if (!x->has_pending || x->pending_ms != p->delivered_ms ||
        x->pending_deliveries != p->deliveries)
        begin_claim(x, p);
    resp_batch_add(&x->batch, &id, 1);
    return 0;
}

void
resp_stream_events(struct value_events *ev)
{
    ev->entry = on_entry;
    ev->entry_field = on_entry_field;
    ev->stream_facts = on_facts;
    ev->group = on_group;
    ev->consumer = on_consumer;
    ev->pending = on_pending;
}

void
resp_stream_finish(struct resp *x)
{
    flush_pending(x);
}
