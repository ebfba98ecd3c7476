/* server/commands/stream/stream_info.c - XINFO. */
#include "mm/base/clock.h"
#include "server/commands/stream/stream.h"
#include "server/exec/args.h"
#include "server/exec/handlers.h"
#include "server/exec/typed_key.h"
#include "server/net/reply.h"

#include "server/commands/stream/stream.def"

static const struct stream_id lowest = {0, 0};

/* find: the stream at argument 2; NULL: an error was replied. */
static const struct stream *
find(struct client *c)
{
    struct db_ref ref;

    if (!key_of_type(c, 2, TYPE_STREAM, DB_READ, &ref))
        return NULL;
    if (ref.rec == NULL)
        reply_no_key(c);
    return stream_of(&ref);
}

static void
reply_name(struct client *c, const struct named *n)
{
    struct slice name = named_name(n);

    reply_bulk(c, name.ptr, name.len);
}

static void
reply_named_int(struct client *c, const char *name, uint64_t n)
{
    reply_bulk_text(c, name);
    reply_int(c, (int64_t)n);
}

static void
reply_named_id(struct client *c, const char *name, struct stream_id id)
{
    reply_bulk_text(c, name);
    reply_stream_id(c, id);
}

static void
reply_progress(struct client *c, const struct stream *s, const struct stream_group *g)
{
    int64_t lag;

    reply_bulk_text(c, "entries-read");
    if (g->entries_read == STREAM_READ_UNKNOWN)
        reply_null(c);
    else
        reply_int(c, g->entries_read);
    reply_bulk_text(c, "lag");
    if (stream_lag(s, g, &lag))
        reply_int(c, lag);
    else
        reply_null(c);
}

/* ---- XINFO STREAM ---- */

/* reply_facts: seven pairs. */
static void
reply_facts(struct client *c, const struct stream *s)
{
    reply_named_int(c, "length", s->length);
    reply_named_int(c, "radix-tree-keys", s->nodes.count);
    reply_named_int(c, "radix-tree-nodes", s->nodes.count + 1);
    reply_named_id(c, "last-generated-id", s->last);
    reply_named_id(c, "max-deleted-entry-id", s->max_deleted);
    reply_named_int(c, "entries-added", s->entries_added);
    reply_named_id(c, "recorded-first-entry-id", s->first);
}

static void
reply_edge(struct client *c, const char *name, const struct stream *s, bool is_last)
{
    struct stream_item item;

    reply_bulk_text(c, name);
    if (stream_edge(s, is_last, &item))
        reply_stream_entry(c, &item);
    else
        reply_null(c);
}

static size_t
at_most(uint64_t n, int64_t count)
{
    return count == 0 || n < (uint64_t)count ? (size_t)n : (size_t)count;
}

static void
reply_group_pending(struct client *c, const struct stream_group *g, int64_t count)
{
    size_t n = at_most(g->pending.count, count);
    struct idcursor at;

    reply_named_int(c, "pel-count", g->pending.count);
    reply_bulk_text(c, "pending");
    reply_array(c, n);
    for (bool more = idcursor_from(&at, &g->pending, lowest); more && n > 0;
         more = idcursor_next(&at), n--) {
        const struct stream_pending *p = idcursor_value(&at);

        reply_array(c, 4);
        reply_stream_id(c, idcursor_id(&at));
        reply_name(c, &p->consumer->named);
        reply_int(c, p->delivered_ms);
        reply_int(c, (int64_t)p->deliveries);
    }
}

static void
reply_consumer_full(struct client *c, const struct stream_group *g,
                    const struct stream_consumer *one, int64_t count)
{
    size_t n = at_most(one->pending.count, count);
    struct idcursor at;

    reply_map(c, 5);
    reply_bulk_text(c, "name");
    reply_name(c, &one->named);
    reply_bulk_text(c, "seen-time");
    reply_int(c, one->seen_ms);
    reply_bulk_text(c, "active-time");
    reply_int(c, one->active_ms);
    reply_named_int(c, "pel-count", one->pending.count);
    reply_bulk_text(c, "pending");
    reply_array(c, n);
    for (bool more = idcursor_from(&at, &one->pending, lowest); more && n > 0;
         more = idcursor_next(&at), n--) {
        const struct stream_pending *p = idtree_find(&g->pending, idcursor_id(&at));

        reply_array(c, 3);
        reply_stream_id(c, idcursor_id(&at));
        reply_int(c, p->delivered_ms);
        reply_int(c, (int64_t)p->deliveries);
    }
}

static void
reply_group_full(struct client *c, const struct stream *s, const struct stream_group *g,
                 int64_t count)
{
    reply_map(c, 7);
    reply_bulk_text(c, "name");
    reply_name(c, &g->named);
    reply_named_id(c, "last-delivered-id", g->last);
    reply_progress(c, s, g);
    reply_group_pending(c, g, count);
    reply_bulk_text(c, "consumers");
    reply_array(c, g->consumers.count);
    for (uint32_t i = 0; i < g->consumers.count; i++)
        reply_consumer_full(c, g, stream_consumer_at(g, i), count);
}

static void
reply_full(struct client *c, const struct stream *s, int64_t count)
{
    struct stream_iter it;

    reply_map(c, 9);
    reply_facts(c, s);
    reply_bulk_text(c, "entries");
    stream_iter_init(&it, s, lowest, STREAM_ID_MAX, false);
    reply_stream_range(c, &it, count);
    reply_bulk_text(c, "groups");
    reply_array(c, s->groups.count);
    for (uint32_t i = 0; i < s->groups.count; i++)
        reply_group_full(c, s, stream_group_at(s, i), count);
}

/* parse_full: what follows the key; false: an error was replied. */
static bool
parse_full(struct client *c, int64_t *ret_count)
{
    enum { DEFAULT_COUNT = 10 };

    *ret_count = DEFAULT_COUNT;
    if ((c->argc != 4 && c->argc != 6) || !arg_is(c, 3, "full") ||
        (c->argc == 6 && !arg_is(c, 4, "count"))) {
        reply_subcommand_syntax(c);
        return false;
    }
    if (c->argc == 6 && !arg_int(c, 5, ret_count))
        return false;
    if (*ret_count < 0)
        *ret_count = DEFAULT_COUNT;
    return true;
}

/* XINFO STREAM key [FULL [COUNT n]] */
void
cmd_xinfo_stream(struct client *c)
{
    const struct stream *s = find(c);
    int64_t count;

    if (s == NULL)
        return;
    if (c->argc > 3) {
        if (parse_full(c, &count))
            reply_full(c, s, count);
        return;
    }
    reply_map(c, 10);
    reply_facts(c, s);
    reply_named_int(c, "groups", s->groups.count);
    reply_edge(c, "first-entry", s, false);
    reply_edge(c, "last-entry", s, true);
}

/* XINFO GROUPS key */
void
cmd_xinfo_groups(struct client *c)
{
    const struct stream *s = find(c);

    if (s == NULL)
        return;
    reply_array(c, s->groups.count);
    for (uint32_t i = 0; i < s->groups.count; i++) {
        const struct stream_group *g = stream_group_at(s, i);

        reply_map(c, 6);
        reply_bulk_text(c, "name");
        reply_name(c, &g->named);
        reply_named_int(c, "consumers", g->consumers.count);
        reply_named_int(c, "pending", g->pending.count);
        reply_named_id(c, "last-delivered-id", g->last);
        reply_progress(c, s, g);
    }
}

static void
reply_consumer(struct client *c, const struct stream_consumer *one)
{
    int64_t idle = clock_now.ms - one->seen_ms, inactive = clock_now.ms - one->active_ms;

    reply_map(c, 4);
    reply_bulk_text(c, "name");
    reply_name(c, &one->named);
    reply_named_int(c, "pending", one->pending.count);
    reply_bulk_text(c, "idle");
    reply_int(c, idle < 0 ? 0 : idle);
    reply_bulk_text(c, "inactive");
    reply_int(c, one->active_ms == -1 ? -1 : inactive < 0 ? 0 : inactive);
}

/* XINFO CONSUMERS key group */
void
cmd_xinfo_consumers(struct client *c)
{
    const struct stream *s = find(c);
    const struct stream_group *g;

    if (s == NULL)
        return;
    if ((g = stream_group_find(s, c->argv[3])) == NULL) {
        reply_no_group(c, (const char *const[]){"No such consumer group", "for key name", ""},
                       c->argv[3], c->argv[2]);
        return;
    }
    reply_array(c, g->consumers.count);
    for (uint32_t i = 0; i < g->consumers.count; i++)
        reply_consumer(c, stream_consumer_at(g, i));
}
