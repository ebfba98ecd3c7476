/* server/commands/stream/stream_read.c - XREAD and XREADGROUP.
 *
 * A client that waits is served by running its command again, as if it had come just then; so the
 * id $ is replaced before it waits. */
#include <stdlib.h>

#include "mm/base/clock.h"
#include "mm/base/num.h"
#include "server/commands/stream/stream.h"
#include "server/commands/stream/stream_effect.h"
#include "server/data/db/db.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/cmd.h"
#include "server/exec/handlers.h"
#include "server/exec/keywait.h"
#include "server/exec/typed_key.h"
#include "server/net/reply.h"

#include "server/commands/stream/stream.def"

struct read_args {
    bool is_group, no_ack, blocks;
    int64_t count, deadline_ms;
    int first, streams; /* the first key, and how many there are */
    struct slice group, consumer;
};

/* What is read of one stream. */
struct read_one {
    const struct stream *stream; /* NULL: not there */
    const struct stream_group *group;
    const struct stream_consumer *consumer;
    struct stream_said said;
    struct stream_id after;
    bool wants_new; /* the id > */
    bool made_consumer;
    bool is_served; /* there is something, or it is history */
};

/* ---- arguments ---- */

/* parse_streams: what follows STREAMS at argument i. */
static bool
parse_streams(struct client *c, struct read_args *a, int i)
{
    a->first = i + 1;
    a->streams = (c->argc - a->first) / 2;
    if ((c->argc - a->first) % 2 == 0)
        return true;
    reply_errorf(
        c,
        "ERR Unbalanced '%s' list of streams: for each stream key an ID or '%c' must be specified.",
        c->cmd->full_name, (c->cmd->flags & CMD_WRITE) != 0 ? '>' : '$');
    return false;
}

/* parse_option: the one at *i, which then is its last argument. */
static bool
parse_option(struct client *c, struct read_args *a, int *i)
{
    int more = c->argc - *i - 1;

    if (arg_is(c, *i, "block") && more > 0) {
        a->blocks = true;
        return arg_deadline_ms(c, ++*i, &a->deadline_ms);
    }
    if (arg_is(c, *i, "count") && more > 0) {
        if (!arg_int(c, ++*i, &a->count))
            return false;
        if (a->count < 0)
            a->count = 0;
        return true;
    }
    if (arg_is(c, *i, "group") && more >= 2) {
        a->group = c->argv[*i + 1];
        a->consumer = c->argv[*i + 2];
        *i += 2;
        if (!a->is_group)
            reply_error(
                c,
                "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.");
        return a->is_group;
    }
    if (arg_is(c, *i, "noack")) {
        a->no_ack = true;
        if (!a->is_group)
            reply_error(
                c,
                "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.");
        return a->is_group;
    }
    reply_syntax(c);
    return false;
}

static bool
parse_args(struct client *c, struct read_args *a, bool is_group)
{
    *a = (struct read_args){.is_group = is_group};
    for (int i = 1; i < c->argc && a->first == 0; i++) {
        if (arg_is(c, i, "streams") && i + 1 < c->argc) {
            if (!parse_streams(c, a, i))
                return false;
        } else if (!parse_option(c, a, &i)) {
            return false;
        }
    }
    if (a->first == 0) {
        reply_syntax(c);
        return false;
    }
    if (is_group && a->group.ptr == NULL) {
        reply_error(c, "ERR Missing GROUP option for XREADGROUP");
        return false;
    }
    return true;
}

/* find_group: false: NOGROUP was replied. */
static bool
find_group(struct client *c, const struct read_args *a, struct slice key, struct read_one *o)
{
    if (o->stream != NULL && (o->group = stream_group_find(o->stream, a->group)) != NULL)
        return true;
    reply_no_group(c,
                   (const char *const[]){"No such key", "or consumer group",
                                         " in XREADGROUP with GROUP option"},
                   key, a->group);
    return false;
}

static bool
parse_id(struct client *c, const struct read_args *a, int i, struct read_one *o)
{
    if (slice_equal(c->argv[i], SLICE("$"))) {
        if (a->is_group)
            reply_error(
                c,
                "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.");
        else if (o->stream != NULL)
            o->after = o->stream->last;
        return !a->is_group;
    }
    if (slice_equal(c->argv[i], SLICE(">"))) {
        o->wants_new = true;
        if (!a->is_group)
            reply_error(
                c,
                "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.");
        return a->is_group;
    }
    if (!arg_stream_id(c, i, &o->after))
        return false;
    /* to Redis, that is > */
    o->wants_new = a->is_group && stream_id_compare(o->after, STREAM_ID_MAX) == 0;
    return true;
}

/* find_one: the i-th stream; false: an error was replied. */
static bool
find_one(struct client *c, const struct read_args *a, int i, struct read_one *o)
{
    int key = a->first + i;
    struct db_ref ref;

    *o = (struct read_one){.said = {c->argv[key], a->group, a->consumer}};
    if (!key_of_type(c, key, TYPE_STREAM, DB_READ, &ref))
        return false;
    o->stream = stream_of(&ref);
    if (a->is_group && !find_group(c, a, c->argv[key], o))
        return false;
    return parse_id(c, a, key + a->streams, o);
}

/* ---- taking ---- */

/* taken_before: the last one before o that takes what is new of the same group, or NULL. */
static const struct read_one *
taken_before(const struct read_one *all, const struct read_one *o)
{
    const struct read_one *found = NULL;

    for (; all < o; all++)
        if (all->group == o->group && all->wants_new)
            found = all;
    return found;
}

static void
iter_behind(struct stream_iter *it, const struct read_one *o)
{
    struct stream_id from = o->after;

    stream_id_up(&from);
    stream_iter_init(it, o->stream, from, STREAM_ID_MAX, false);
}

/* end_of: the last id that o takes. */
static struct stream_id
end_of(const struct read_args *a, const struct read_one *o)
{
    struct stream_id last = o->after;
    struct stream_iter it;
    struct stream_item item;

    if (!o->is_served)
        return last;
    if (a->count == 0)
        return STREAM_ID_MAX;
    iter_behind(&it, o);
    for (int64_t n = 0; n < a->count && stream_iter_next(&it, &item); n++)
        last = item.id;
    return last;
}

/* look: is there something to read?  A stream that is named twice goes on where its first reading
 * ends. */
static void
look(const struct read_args *a, const struct read_one *all, struct read_one *o)
{
    const struct read_one *before;

    if (o->group != NULL && !o->wants_new) {
        o->is_served = true;
        return;
    }
    if (o->group != NULL) {
        before = taken_before(all, o);
        o->after = before == NULL ? o->group->last : end_of(a, before);
    }
    o->is_served = o->stream != NULL && o->stream->length > 0 &&
                   stream_id_compare(stream_last_valid(o->stream), o->after) > 0;
}

static bool
adds_pending(const struct read_args *a, const struct read_one *o)
{
    return o->is_served && o->wants_new && !a->no_ack;
}

/* prepare_one: the consumer, and room for what it is about to be given.  False: no memory. */
static bool
prepare_one(const struct read_args *a, struct read_one *o)
{
    struct stream_iter it;
    struct stream_item item;

    if ((o->consumer = stream_consumer_find(o->group, a->consumer)) == NULL) {
        o->consumer = stream_consumer_create(o->group, a->consumer, clock_now.ms);
        if (o->consumer == NULL)
            return false;
        o->made_consumer = true;
    }
    if (!adds_pending(a, o))
        return true;
    iter_behind(&it, o);
    for (int64_t n = 0; (a->count == 0 || n < a->count) && stream_iter_next(&it, &item); n++)
        if (stream_claim_prepare(o->group, o->consumer, item.id) < 0)
            return false;
    return true;
}

static void
undo_one(const struct read_args *a, struct read_one *o)
{
    struct stream_iter it;
    struct stream_item item;

    if (o->consumer == NULL)
        return;
    if (adds_pending(a, o)) {
        iter_behind(&it, o);
        for (int64_t n = 0; (a->count == 0 || n < a->count) && stream_iter_next(&it, &item); n++)
            stream_claim_undo(o->group, o->consumer, item.id);
    }
    if (o->made_consumer)
        stream_consumer_delete(o->group, o->consumer);
}

/* prepare: all that may fail, for all streams; false: nothing has changed. */
static bool
prepare(const struct read_args *a, struct read_one *all)
{
    for (int i = 0; i < a->streams; i++) {
        if (prepare_one(a, &all[i]))
            continue;
        for (; i >= 0; i--)
            undo_one(a, &all[i]);
        return false;
    }
    return true;
}

static void
tell_consumer(struct client *c, const struct read_args *a, int i, const struct read_one *o)
{
    if (o->made_consumer) {
        changed_beside(c, c->argv[a->first + i], KEY_EVENT_STREAM, "xgroup-createconsumer", 1);
        if (unlikely(effects_are_wanted))
            stream_say_consumer(&o->said);
    }
    stream_consumer_set(o->consumer, clock_now.ms, o->consumer->active_ms);
}

/* ---- replies ---- */

/* take: the entry is pending for the consumer now. */
static void
take(const struct read_one *o, struct stream_id id)
{
    stream_claim(o->group, o->consumer, id, clock_now.ms, 1);
    if (unlikely(effects_are_wanted))
        stream_say_claimed(&o->said, o->group, id);
}

/* reply_new: entries that are new to the group, which now are pending for the consumer. */
static void
reply_new(struct client *c, const struct read_args *a, const struct read_one *o)
{
    size_t token = reply_array_deferred(c), entries = 0;
    struct stream_id last = o->group->last;
    int64_t read = o->group->entries_read;
    struct stream_iter it;
    struct stream_item item;

    iter_behind(&it, o);
    while ((a->count == 0 || entries < (uint64_t)a->count) && stream_iter_next(&it, &item)) {
        read = stream_count_read(o->stream, last, read, item.id);
        last = item.id;
        reply_stream_entry(c, &item);
        if (!a->no_ack)
            take(o, item.id);
        entries++;
    }
    reply_array_close(c, token, entries);
    stream_group_set(o->group, last, read);
    if (unlikely(effects_are_wanted))
        stream_say_read(&o->said, o->group);
    if (!a->no_ack)
        stream_consumer_set(o->consumer, clock_now.ms, clock_now.ms);
}

/* reply_history: what is pending for the consumer; of entries that are gone, the id alone. */
static void
reply_history(struct client *c, const struct read_args *a, const struct read_one *o)
{
    size_t token = reply_array_deferred(c), entries = 0;
    struct stream_id from = o->after;
    struct idcursor at;
    bool more;

    stream_id_up(&from);
    for (more = idcursor_from(&at, &o->consumer->pending, from);
         more && (a->count == 0 || entries < (uint64_t)a->count); more = idcursor_next(&at)) {
        struct stream_id id = idcursor_id(&at);
        const struct stream_pending *p = idtree_find(&o->group->pending, id);

        if (p->consumer != o->consumer) /* prepared for a stream that comes later in this command */
            continue;
        entries++;
        if (reply_stream_entry_at(c, o->stream, id)) {
            stream_pending_set(p, clock_now.ms, p->deliveries + 1);
            if (unlikely(effects_are_wanted))
                stream_say_claimed(&o->said, o->group, id);
            continue;
        }
        reply_array(c, 2);
        reply_stream_id(c, id);
        reply_null_array(c);
    }
    reply_array_close(c, token, entries);
}

static void
reply_one(struct client *c, const struct read_args *a, const struct read_one *o)
{
    struct stream_iter it;

    if (o->group == NULL) {
        iter_behind(&it, o);
        reply_stream_range(c, &it, a->count);
        return;
    }
    changed_unheard(c, o->said.key, 1);
    if (unlikely(effects_are_wanted))
        effect_only_said(); /* other readings find another time */
    if (o->wants_new)
        reply_new(c, a, o);
    else
        reply_history(c, a, o);
}

static void
reply_all(struct client *c, const struct read_args *a, const struct read_one *all, int served)
{
    if (c->resp == 2)
        reply_array(c, (size_t)served);
    else
        reply_map(c, (size_t)served);
    for (int i = 0; i < a->streams; i++) {
        if (!all[i].is_served)
            continue;
        if (c->resp == 2)
            reply_array(c, 2);
        reply_bulk(c, c->argv[a->first + i].ptr, c->argv[a->first + i].len);
        reply_one(c, a, &all[i]);
    }
}

/* ---- the commands ---- */

enum read_result { READ_DONE, READ_NOTHING };

/* read_streams: READ_NOTHING: nothing was there, and nothing replied. */
static enum read_result
read_streams(struct client *c, const struct read_args *a, struct read_one *all)
{
    int served = 0;

    for (int i = 0; i < a->streams; i++)
        if (!find_one(c, a, i, &all[i]))
            return READ_DONE;
    for (int i = 0; i < a->streams; i++) {
        struct db_ref ref;

        if (all[i].stream == NULL) /* Redis looks for it a second time here: its second keymiss */
            (void)db_lookup(c->db, c->argv[a->first + i], DB_READ, &ref);
        look(a, all, &all[i]);
        served += all[i].is_served;
    }
    if (a->is_group && !prepare(a, all)) {
        reply_no_memory(c);
        return READ_DONE;
    }
    for (int i = 0; a->is_group && i < a->streams; i++)
        tell_consumer(c, a, i, &all[i]);
    if (served == 0)
        return READ_NOTHING;
    reply_all(c, a, all, served);
    return READ_DONE;
}

static bool
serve(struct client *c, bool is_group)
{
    enum read_result result = READ_DONE;
    struct read_one *all = NULL;
    struct read_args a;

    if (!parse_args(c, &a, is_group))
        return true;
    if ((all = calloc((size_t)a.streams, sizeof *all)) == NULL)
        reply_no_memory(c);
    else
        result = read_streams(c, &a, all);
    free(all);
    return result == READ_DONE;
}

static bool
serve_read(struct client *c, struct slice key, int argc, const struct slice *argv)
{
    (void)key, (void)argc, (void)argv;
    return serve(c, false);
}

static bool
serve_read_group(struct client *c, struct slice key, int argc, const struct slice *argv)
{
    (void)key, (void)argc, (void)argv;
    return serve(c, true);
}

enum { ID_TEXT_BYTES = 2 * NUM_MAX_BYTES + 1 };

/* wait: with the ids in the place of $. */
static void
wait(struct client *c, const struct read_args *a, const struct read_one *all)
{
    struct keywait_spec spec = {.type = TYPE_STREAM,
                                .first_key = a->first,
                                .key_count = a->streams,
                                .deadline_ms = a->deadline_ms,
                                .serve = a->is_group ? serve_read_group : serve_read,
                                .reply_timeout = reply_null_array,
                                .wakes_on_delete = a->is_group};
    struct slice *argv = c->argv, *own = calloc((size_t)c->argc, sizeof *own);
    char(*text)[ID_TEXT_BYTES] = calloc((size_t)a->streams, sizeof *text);

    if (own == NULL || text == NULL) {
        reply_no_memory(c);
        goto free_both;
    }
    memcpy(own, argv, (size_t)c->argc * sizeof *own);
    for (int i = 0; i < a->streams; i++) {
        int at = a->first + a->streams + i;
        char *end;

        if (!slice_equal(argv[at], SLICE("$")))
            continue;
        end = num_put_unsigned(text[i], all[i].after.ms);
        *end++ = '-';
        end = num_put_unsigned(end, all[i].after.seq);
        own[at] = (struct slice){text[i], (size_t)(end - text[i])};
    }
    c->argv = own;
    keywait_begin(c, &spec);
    c->argv = argv;
free_both:
    free(own);
    free(text);
}

static void
read_command(struct client *c, bool is_group)
{
    struct read_args a;
    struct read_one *all;

    if (!parse_args(c, &a, is_group))
        return;
    if ((all = calloc((size_t)a.streams + 1, sizeof *all)) == NULL) {
        reply_no_memory(c);
        return;
    }
    if (read_streams(c, &a, all) == READ_NOTHING) {
        if (a.blocks)
            wait(c, &a, all);
        else
            reply_null_array(c);
    }
    free(all);
}

/* XREAD [COUNT n] [BLOCK ms] STREAMS key ... id ... -> entries by stream; null: there are none. */
void
cmd_xread(struct client *c)
{
    read_command(c, false);
}

/* XREADGROUP GROUP group consumer [COUNT n] [BLOCK ms] [NOACK] STREAMS key ... id ... -> the
 * same. */
void
cmd_xreadgroup(struct client *c)
{
    read_command(c, true);
}
