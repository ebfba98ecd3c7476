/* server/commands/stream/stream_claim.c - what is pending: XACK, XPENDING, XCLAIM, XAUTOCLAIM. */
#include <stdlib.h>

#include "mm/base/clock.h"
#include "server/commands/stream/stream.h"
#include "server/commands/stream/stream_effect.h"
#include "server/data/db/db.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/handlers.h"
#include "server/exec/typed_key.h"
#include "server/net/reply.h"

#include "server/commands/stream/stream.def"

/* XACK key group id ... -> how many were pending. */
void
cmd_xack(struct client *c)
{
    const struct stream_group *g = NULL;
    struct stream_id id;
    struct db_ref ref;
    int64_t done = 0;

    if (!key_of_type(c, 1, TYPE_STREAM, DB_READ, &ref))
        return;
    if (ref.rec == NULL || (g = stream_group_find(stream_of(&ref), c->argv[2])) == NULL) {
        reply_int(c, 0);
        return;
    }
    for (int i = 3; i < c->argc; i++)
        if (!arg_stream_id(c, i, &id))
            return;
    for (int i = 3; i < c->argc; i++) {
        stream_id_parse(c->argv[i], (struct id_syntax){.strict = true}, &id, NULL);
        done += stream_ack(g, id);
    }
    changed_unheard(c, c->argv[1], (uint64_t)done);
    reply_int(c, done);
}

/* ---- XPENDING ---- */

struct pending_args {
    int64_t min_idle_ms, count;
    struct stream_id from, to;
    int consumer; /* argument; 0: all */
};

static bool
parse_pending(struct client *c, struct pending_args *a)
{
    int start = 3;

    *a = (struct pending_args){.consumer = 0};
    if (c->argc < 6 || c->argc > 9) {
        reply_syntax(c);
        return false;
    }
    if (arg_is(c, 3, "idle")) {
        if (!arg_int(c, 4, &a->min_idle_ms))
            return false;
        if (c->argc < 8) {
            reply_syntax(c);
            return false;
        }
        start = 5;
    }
    if (!arg_int(c, start + 2, &a->count) ||
        !arg_stream_range(c, start, start + 1, &a->from, &a->to))
        return false;
    if (start + 3 < c->argc)
        a->consumer = start + 3;
    return true;
}

/* reply_summary: how many, the first and the last, and how many for each consumer. */
static void
reply_summary(struct client *c, const struct stream_group *g)
{
    struct idcursor at;
    size_t token, consumers = 0;

    reply_array(c, 4);
    reply_int(c, (int64_t)g->pending.count);
    if (g->pending.count == 0) {
        reply_null(c);
        reply_null(c);
        reply_null_array(c);
        return;
    }
    idcursor_from(&at, &g->pending, (struct stream_id){0, 0});
    reply_stream_id(c, idcursor_id(&at));
    idcursor_upto(&at, &g->pending, STREAM_ID_MAX);
    reply_stream_id(c, idcursor_id(&at));
    token = reply_array_deferred(c);
    for (uint32_t i = 0; i < g->consumers.count; i++) {
        const struct stream_consumer *one = stream_consumer_at(g, i);

        if (one->pending.count == 0)
            continue;
        reply_array(c, 2);
        reply_bulk(c, named_name(&one->named).ptr, named_name(&one->named).len);
        reply_bulk_int(c, (int64_t)one->pending.count);
        consumers++;
    }
    reply_array_close(c, token, consumers);
}

static void
reply_pending(struct client *c, struct stream_id id, const struct stream_pending *p)
{
    int64_t idle = clock_now.ms - p->delivered_ms;
    struct slice name = named_name(&p->consumer->named);

    reply_array(c, 4);
    reply_stream_id(c, id);
    reply_bulk(c, name.ptr, name.len);
    reply_int(c, idle < 0 ? 0 : idle);
    reply_int(c, (int64_t)p->deliveries);
}

static void
reply_pending_range(struct client *c, const struct stream_group *g, const struct idtree *tree,
                    const struct pending_args *a)
{
    size_t token = reply_array_deferred(c), entries = 0;
    struct idcursor at;
    bool more = idcursor_from(&at, tree, a->from);

    for (; more && (int64_t)entries < a->count; more = idcursor_next(&at)) {
        struct stream_id id = idcursor_id(&at);
        const struct stream_pending *p;

        if (stream_id_compare(id, a->to) > 0)
            break;
        p = idtree_find(&g->pending, id);
        if (a->min_idle_ms != 0 && clock_now.ms - p->delivered_ms < a->min_idle_ms)
            continue;
        reply_pending(c, id, p);
        entries++;
    }
    reply_array_close(c, token, entries);
}

/* XPENDING key group [[IDLE ms] start end count [consumer]] */
void
cmd_xpending(struct client *c)
{
    const struct stream_consumer *consumer;
    const struct stream_group *g;
    const struct stream *s;
    struct pending_args a = {.consumer = 0};

    if (c->argc != 3 && !parse_pending(c, &a))
        return;
    if (!stream_key_with_group(c, &s, &g))
        return;
    if (c->argc == 3)
        reply_summary(c, g);
    else if (a.consumer == 0)
        reply_pending_range(c, g, &g->pending, &a);
    else if ((consumer = stream_consumer_find(g, c->argv[a.consumer])) != NULL)
        reply_pending_range(c, g, &consumer->pending, &a);
    else
        reply_array(c, 0);
}

/* ---- claiming ---- */

struct claimer {
    const struct client *c;
    const struct stream *stream;
    const struct stream_group *group;
    const struct stream_consumer *consumer;
    bool made_consumer;
    int64_t min_idle_ms;
};

/* claim_begin: the consumer at argument 3, made if need be; false: no memory. */
static bool
claim_begin(const struct client *c, struct claimer *w)
{
    if ((w->consumer = stream_consumer_find(w->group, c->argv[3])) != NULL)
        return true;
    w->consumer = stream_consumer_create(w->group, c->argv[3], clock_now.ms);
    w->made_consumer = w->consumer != NULL;
    return w->made_consumer;
}

static void
claim_give_up(const struct claimer *w)
{
    if (w->made_consumer)
        stream_consumer_delete(w->group, w->consumer);
}

/* claim_tell: it will succeed. */
static void
claim_tell(struct client *c, const struct claimer *w)
{
    if (w->made_consumer) {
        changed_beside(c, c->argv[1], KEY_EVENT_STREAM, "xgroup-createconsumer", 1);
        if (unlikely(effects_are_wanted))
            stream_say_consumer(&(struct stream_said){c->argv[1], c->argv[2], c->argv[3]});
    }
    stream_consumer_set(w->consumer, clock_now.ms, w->consumer->active_ms);
}

/* is_idle: has it been pending for long enough? */
static bool
is_idle(const struct claimer *w, const struct stream_pending *p)
{
    return p->consumer == NULL || w->min_idle_ms == 0 ||
           clock_now.ms - p->delivered_ms >= w->min_idle_ms;
}

static void
claim_one(const struct claimer *w, struct stream_id id, int64_t delivered_ms, uint64_t deliveries)
{
    stream_claim(w->group, w->consumer, id, delivered_ms, deliveries);
    stream_consumer_set(w->consumer, clock_now.ms, clock_now.ms);
    changed_unheard(w->c, w->c->argv[1], 1);
    if (unlikely(effects_are_wanted))
        stream_say_claimed(&(struct stream_said){w->c->argv[1], w->c->argv[2], w->c->argv[3]},
                           w->group, id);
}

/* drop_deleted: an entry that is deleted is no longer pending. */
static void
drop_deleted(const struct claimer *w, struct stream_id id)
{
    if (!stream_ack(w->group, id))
        return;
    changed_unheard(w->c, w->c->argv[1], 1);
    if (unlikely(effects_are_wanted))
        stream_say_acked(&(struct stream_said){w->c->argv[1], w->c->argv[2], w->c->argv[3]}, id);
}

/* ---- XCLAIM ---- */

struct claim_args {
    int ids_end; /* the argument behind the last id */
    bool force, just_id;
    int64_t deliveries;   /* -1: not given */
    int64_t delivered_ms; /* -1: not given */
    struct stream_id last;
};

/* parse_claim_option: the one at *i, which then is its last argument. */
static bool
parse_claim_option(struct client *c, struct claim_args *a, int *i)
{
    bool more = *i + 1 < c->argc;

    if (arg_is(c, *i, "force")) {
        a->force = true;
        return true;
    }
    if (arg_is(c, *i, "justid")) {
        a->just_id = true;
        return true;
    }
    if (more && arg_is(c, *i, "idle")) {
        if (!arg_int_from(c, ++*i, INT64_MIN, "ERR Invalid IDLE option argument for XCLAIM",
                          &a->delivered_ms))
            return false;
        a->delivered_ms = (int64_t)((uint64_t)clock_now.ms - (uint64_t)a->delivered_ms);
        return true;
    }
    if (more && arg_is(c, *i, "time"))
        return arg_int_from(c, ++*i, INT64_MIN, "ERR Invalid TIME option argument for XCLAIM",
                            &a->delivered_ms);
    if (more && arg_is(c, *i, "retrycount"))
        return arg_int_from(c, ++*i, INT64_MIN, "ERR Invalid RETRYCOUNT option argument for XCLAIM",
                            &a->deliveries);
    if (more && arg_is(c, *i, "lastid"))
        return arg_stream_id(c, ++*i, &a->last);
    reply_errorf(c, "ERR Unrecognized XCLAIM option '%.*s'", (int)c->argv[*i].len, c->argv[*i].ptr);
    return false;
}

static bool
parse_claim(struct client *c, struct claim_args *a, int64_t *ret_min_idle_ms)
{
    struct stream_id id;
    int i = 5;

    *a = (struct claim_args){.deliveries = -1, .delivered_ms = -1};
    if (!arg_int_from(c, 4, INT64_MIN, "ERR Invalid min-idle-time argument for XCLAIM",
                      ret_min_idle_ms))
        return false;
    if (*ret_min_idle_ms < 0)
        *ret_min_idle_ms = 0;
    while (i < c->argc &&
           stream_id_parse(c->argv[i], (struct id_syntax){.strict = true}, &id, NULL))
        i++;
    a->ids_end = i;
    for (; i < c->argc; i++)
        if (!parse_claim_option(c, a, &i))
            return false;
    if (a->delivered_ms < 0 || a->delivered_ms > clock_now.ms)
        a->delivered_ms = clock_now.ms;
    return true;
}

/* claims: is the entry one that this XCLAIM takes?  *ret: what is pending of it, NULL: nothing. */
static bool
claims(const struct claimer *w, const struct claim_args *a, struct stream_id id,
       const struct stream_pending **ret)
{
    *ret = idtree_find(&w->group->pending, id);
    return *ret == NULL ? a->force : is_idle(w, *ret);
}

/* prepare_claims: all that may fail; false: nothing has changed. */
static bool
prepare_claims(const struct client *c, const struct claimer *w, const struct claim_args *a)
{
    const struct stream_pending *p;
    struct stream_id id;

    for (int i = 5; i < a->ids_end; i++) {
        stream_id_parse(c->argv[i], (struct id_syntax){.strict = true}, &id, NULL);
        if (!stream_has(w->stream, id) || !claims(w, a, id, &p) ||
            stream_claim_prepare(w->group, w->consumer, id) == 0)
            continue;
        for (; i >= 5; i--) {
            stream_id_parse(c->argv[i], (struct id_syntax){.strict = true}, &id, NULL);
            stream_claim_undo(w->group, w->consumer, id);
        }
        return false;
    }
    return true;
}

/* claim_and_reply: false: not this one. */
static bool
claim_and_reply(struct client *c, const struct claimer *w, const struct claim_args *a,
                struct stream_id id)
{
    const struct stream_pending *p;
    uint64_t deliveries;

    if (!stream_has(w->stream, id)) {
        drop_deleted(w, id);
        return false;
    }
    if (!claims(w, a, id, &p) || p == NULL)
        return false;
    deliveries = p->consumer == NULL ? 1 : p->deliveries;
    if (a->deliveries >= 0)
        deliveries = (uint64_t)a->deliveries;
    else if (!a->just_id)
        deliveries++;
    claim_one(w, id, a->delivered_ms, deliveries);
    if (a->just_id)
        reply_stream_id(c, id);
    else
        reply_stream_entry_at(c, w->stream, id);
    return true;
}

/* XCLAIM key group consumer min-idle-time id ... [options] -> the entries, or their ids. */
void
cmd_xclaim(struct client *c)
{
    struct claimer w = {.c = c};
    struct claim_args a;
    size_t token, entries = 0;

    if (!stream_key_with_group(c, &w.stream, &w.group) || !parse_claim(c, &a, &w.min_idle_ms))
        return;
    if (!claim_begin(c, &w) || !prepare_claims(c, &w, &a)) {
        claim_give_up(&w);
        reply_no_memory(c);
        return;
    }
    if (stream_id_compare(a.last, w.group->last) > 0) {
        stream_group_set(w.group, a.last, w.group->entries_read);
        changed_unheard(c, c->argv[1], 1);
        if (unlikely(effects_are_wanted))
            stream_say_read(&(struct stream_said){c->argv[1], c->argv[2], c->argv[3]}, w.group);
    }
    claim_tell(c, &w);
    token = reply_array_deferred(c);
    for (int i = 5; i < a.ids_end; i++) {
        struct stream_id id;

        stream_id_parse(c->argv[i], (struct id_syntax){.strict = true}, &id, NULL);
        entries += claim_and_reply(c, &w, &a, id);
    }
    reply_array_close(c, token, entries);
}

/* ---- XAUTOCLAIM ---- */

struct auto_args {
    struct stream_id start;
    int64_t count;
    bool just_id;
};

/* What it found: ids to be claimed, from the front; deleted ones, from the back. */
struct auto_found {
    struct stream_id *ids; /* [owned] */
    size_t room, claimed, deleted;
    struct stream_id next; /* where the next call goes on */
};

enum { ATTEMPTS_PER_ENTRY = 10, AUTO_COUNT = 100 };

static bool
parse_auto(struct client *c, struct auto_args *a, int64_t *ret_min_idle_ms)
{
    *a = (struct auto_args){.count = AUTO_COUNT};
    if (!arg_int_from(c, 4, INT64_MIN, "ERR Invalid min-idle-time argument for XAUTOCLAIM",
                      ret_min_idle_ms))
        return false;
    if (*ret_min_idle_ms < 0)
        *ret_min_idle_ms = 0;
    if (!arg_stream_start(c, 5, &a->start))
        return false;
    for (int i = 6; i < c->argc; i++) {
        if (arg_is(c, i, "count") && i + 1 < c->argc) {
            if (!arg_int_from(c, ++i, INT64_MIN, "ERR COUNT must be > 0", &a->count))
                return false;
            if (a->count < 1 || a->count > INT64_MAX / STREAM_ID_BYTES) {
                reply_error(c, "ERR COUNT must be > 0");
                return false;
            }
        } else if (arg_is(c, i, "justid")) {
            a->just_id = true;
        } else {
            reply_syntax(c);
            return false;
        }
    }
    return true;
}

/* look_for: what to claim, and what is deleted; the claims are prepared.  False: no memory. */
static bool
look_for(const struct claimer *w, const struct auto_args *a, struct auto_found *f)
{
    int64_t left = a->count, attempts = a->count * ATTEMPTS_PER_ENTRY;
    struct idcursor at;
    bool more = idcursor_from(&at, &w->group->pending, a->start);

    for (; more && left > 0 && attempts > 0; attempts--, more = idcursor_next(&at)) {
        struct stream_id id = idcursor_id(&at);

        if (!stream_has(w->stream, id)) {
            f->ids[f->room - ++f->deleted] = id;
        } else if (!is_idle(w, idcursor_value(&at))) {
            continue;
        } else {
            /* puts into the consumer's tree only */
            if (stream_claim_prepare(w->group, w->consumer, id) < 0)
                return false;
            f->ids[f->claimed++] = id;
        }
        left--;
    }
    f->next = more ? idcursor_id(&at) : (struct stream_id){0, 0};
    return true;
}

static void
claim_found(const struct claimer *w, const struct auto_args *a, const struct auto_found *f)
{
    for (size_t i = 0; i < f->claimed; i++) {
        const struct stream_pending *p = idtree_find(&w->group->pending, f->ids[i]);

        claim_one(w, f->ids[i], clock_now.ms, p->deliveries + !a->just_id);
    }
    for (size_t i = 0; i < f->deleted; i++)
        drop_deleted(w, f->ids[f->room - 1 - i]);
}

static void
reply_found(struct client *c, const struct claimer *w, const struct auto_args *a,
            const struct auto_found *f)
{
    reply_array(c, 3);
    reply_stream_id(c, f->next);
    reply_array(c, f->claimed);
    for (size_t i = 0; i < f->claimed; i++) {
        if (a->just_id)
            reply_stream_id(c, f->ids[i]);
        else
            reply_stream_entry_at(c, w->stream, f->ids[i]);
    }
    reply_array(c, f->deleted);
    for (size_t i = 0; i < f->deleted; i++)
        reply_stream_id(c, f->ids[f->room - 1 - i]);
}

/* XAUTOCLAIM key group consumer min-idle-time start [COUNT n] [JUSTID] -> where to go on, the
 * entries or their ids, the ids of those that were deleted. */
void
cmd_xautoclaim(struct client *c)
{
    struct claimer w = {.c = c};
    struct auto_found f = {.claimed = 0};
    struct auto_args a;
    struct db_ref ref;

    if (!parse_auto(c, &a, &w.min_idle_ms)) {
        (void)db_lookup(c->db, c->argv[1], DB_READ, &ref); /* Redis has looked before: keymiss */
        return;
    }
    if (!stream_key_with_group(c, &w.stream, &w.group))
        return;
    f.room = (uint64_t)a.count < w.group->pending.count ? (size_t)a.count : w.group->pending.count;
    if ((f.ids = calloc(f.room + 1, sizeof *f.ids)) == NULL) {
        reply_error(c,
                    "ERR Insufficient memory, failed allocating transient memory, COUNT too high.");
        return;
    }
    if (!claim_begin(c, &w) || !look_for(&w, &a, &f)) {
        for (size_t i = 0; i < f.claimed; i++)
            stream_claim_undo(w.group, w.consumer, f.ids[i]);
        claim_give_up(&w);
        reply_no_memory(c);
    } else {
        claim_tell(c, &w);
        claim_found(&w, &a, &f);
        reply_found(c, &w, &a, &f);
    }
    free(f.ids);
}
