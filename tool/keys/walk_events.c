/* tool/keys/walk_events.c - between the decoder and a command: which keys it hears of.  The
 * decoder's ctx is the struct walk with which the command's own begins. */
#include "mm/base/num.h"
#include "tool/keys/walk_impl.h"

/* ---- every pass ---- */

static int
on_progress(void *ctx, uint64_t consumed)
{
    struct walk *w = ctx;

    tool_progress_draw(&w->run, consumed);
    return 0;
}

static int
on_start(void *ctx, int version)
{
    struct walk *w = ctx;
    const struct rdb_events *ev = &w->events->rdb;

    w->version = version;
    return w->state->pass != WALK_MEASURES && ev->start != NULL ? ev->start(ctx, version) : 0;
}

static int
on_aux(void *ctx, struct slice key, struct slice value)
{
    struct walk *w = ctx;
    const struct rdb_events *ev = &w->events->rdb;
    int64_t ctime;

    if (slice_is(key, "ctime") && num_parse(value.ptr, value.len, &ctime) && ctime >= 0 &&
        ctime < INT64_MAX / 1000) {
        w->has_ctime = true;
        w->counted_from_ms = ctime * 1000;
    }
    return w->state->pass != WALK_MEASURES && ev->aux != NULL ? ev->aux(ctx, key, value) : 0;
}

static int
on_unknown(void *ctx, const struct rdb_key *key, const char *what)
{
    struct walk *w = ctx;
    const struct rdb_events *ev = &w->events->rdb;

    if (w->state->pass == WALK_MEASURES)
        return 0;
    w->unknown++;
    return ev->unknown != NULL ? ev->unknown(ctx, key, what) : 0;
}

/* keep_key: it is in hand until its value's end. */
static void
keep_key(struct walk_state *s, const struct rdb_key *key)
{
    s->key = *key;
    s->measure.facts.key = &s->key;
}

/* count: one more that was taken. */
static int
count(struct walk *w)
{
    if (!selection_count(w->selection))
        return 0;
    w->state->is_over = true;
    return WALK_ENOUGH;
}

/* ---- the first of two passes: which keys, and their facts ---- */

static int
measures_key(void *ctx, const struct rdb_key *key)
{
    struct walk *w = ctx;
    struct walk_state *s = w->state;

    s->is_taken = selection_takes_key(w->selection, key, w->counted_from_ms);
    if (!s->is_taken) {
        ledger_pass_over(&s->ledger);
        return RDB_SKIP_VALUE;
    }
    keep_key(s, key);
    measure_begin(&s->measure, &s->key);
    return 0;
}

/* note: the key in hand, whose facts are known. */
static int
note(struct walk *w)
{
    struct walk_state *s = w->state;

    if (!selection_takes_facts(w->selection, &s->measure.facts)) {
        ledger_pass_over(&s->ledger);
        return 0;
    }
    if ((s->ledger_error = ledger_add(&s->ledger, &s->measure.facts)) != 0)
        return s->ledger_error;
    return ++s->measured == s->most ? WALK_ENOUGH : 0;
}

static int
measures_plain(void *ctx, const struct rdb_key *key, struct slice value)
{
    struct walk *w = ctx;
    struct walk_state *s = w->state;

    if (!selection_takes_key(w->selection, key, w->counted_from_ms)) {
        ledger_pass_over(&s->ledger);
        return 0;
    }
    measure_plain(&s->measure, key, value, rdb_source_offset(s->src));
    return note(w);
}

static int
measures_end(void *ctx)
{
    struct walk *w = ctx;
    struct walk_state *s = w->state;

    if (!s->is_taken)
        return 0;
    measure_end(&s->measure, rdb_source_offset(s->src));
    return note(w);
}

/* ---- keys and facts ---- */

static int
facts_key(void *ctx, const struct rdb_key *key)
{
    struct walk *w = ctx;
    struct walk_state *s = w->state;
    const struct rdb_events *ev = &w->events->rdb;
    int r;

    s->is_taken = selection_takes_key(w->selection, key, w->counted_from_ms);
    if (!s->is_taken)
        return RDB_SKIP_VALUE;
    keep_key(s, key);
    if (!s->is_key_delayed && ev->key != NULL && (r = ev->key(ctx, key)) != 0 &&
        r != RDB_SKIP_VALUE)
        return r;
    if (!s->with_measure)
        return RDB_SKIP_VALUE;
    measure_begin(&s->measure, &s->key);
    return 0;
}

/* tell: of the key in hand, whose facts are known, if anybody has asked for them. */
static int
tell(struct walk *w, const struct rdb_key *key)
{
    struct walk_state *s = w->state;
    const struct walk_events *ev = w->events;
    int r;

    if (s->is_key_delayed) {
        if (!selection_takes_facts(w->selection, &s->measure.facts))
            return 0;
        if (ev->rdb.key != NULL && (r = ev->rdb.key(w, key)) != 0 && r != RDB_SKIP_VALUE)
            return r;
    }
    if (ev->rdb.value_end != NULL && (r = ev->rdb.value_end(w)) != 0)
        return r;
    if (ev->facts != NULL && (r = ev->facts(w, &s->measure.facts)) != 0)
        return r;
    return count(w);
}

static int
facts_plain(void *ctx, const struct rdb_key *key, struct slice value)
{
    struct walk *w = ctx;
    struct walk_state *s = w->state;
    const struct rdb_events *ev = &w->events->rdb;
    int r;

    if (!selection_takes_key(w->selection, key, w->counted_from_ms))
        return 0;
    if (s->with_measure)
        measure_plain(&s->measure, key, value, rdb_source_offset(s->src));
    if (!s->is_key_delayed && ev->key != NULL && (r = ev->key(ctx, key)) != 0 &&
        r != RDB_SKIP_VALUE)
        return r;
    return tell(w, key);
}

static int
facts_end(void *ctx)
{
    struct walk *w = ctx;
    struct walk_state *s = w->state;

    if (!s->is_taken)
        return 0;
    if (s->with_measure)
        measure_end(&s->measure, rdb_source_offset(s->src));
    return tell(w, &s->key);
}

/* ---- values ---- */

/* choose: is the key one of those that the command hears of? */
static int
choose(struct walk *w, const struct rdb_key *key)
{
    struct walk_state *s = w->state;

    if (!s->with_ledger) {
        s->is_taken = selection_takes_key(w->selection, key, w->counted_from_ms);
        return 0;
    }
    s->ledger_error = ledger_take(&s->ledger, &s->is_taken, &s->facts);
    return s->ledger_error;
}

static int
values_key(void *ctx, const struct rdb_key *key)
{
    struct walk *w = ctx;
    struct walk_state *s = w->state;
    const struct rdb_events *ev = &w->events->rdb;
    int r;

    if ((r = choose(w, key)) != 0)
        return r;
    if (!s->is_taken)
        return RDB_SKIP_VALUE;
    s->key = *key;
    s->facts.key = &s->key;
    return ev->key != NULL ? ev->key(ctx, key) : 0;
}

static int
finish_value(struct walk *w)
{
    const struct walk_events *ev = w->events;
    int r;

    if (ev->facts != NULL && (r = ev->facts(w, &w->state->facts)) != 0)
        return r;
    return count(w);
}

static int
values_end(void *ctx)
{
    struct walk *w = ctx;
    const struct rdb_events *ev = &w->events->rdb;
    int r;

    if (!w->state->is_taken)
        return 0;
    if (ev->value_end != NULL && (r = ev->value_end(ctx)) != 0)
        return r;
    return finish_value(w);
}

/* in_events: a string that came at once, as the others come. */
static int
in_events(struct walk *w, const struct rdb_key *key, struct slice value)
{
    const struct rdb_events *ev = &w->events->rdb;
    int r = 0;

    if (ev->key != NULL && (r = ev->key(w, key)) != 0 && r != RDB_SKIP_VALUE)
        return r;
    if (ev->key == NULL || r != RDB_SKIP_VALUE) {
        if (ev->form != NULL && (r = ev->form(w, RDB_FORM_PLAIN)) != 0)
            return r;
        if (ev->string_begin != NULL && (r = ev->string_begin(w, value.len)) != 0)
            return r;
        if (ev->string_bytes != NULL && value.len > 0 && (r = ev->string_bytes(w, value)) != 0)
            return r;
    }
    return ev->value_end != NULL ? ev->value_end(w) : 0;
}

static int
values_plain(void *ctx, const struct rdb_key *key, struct slice value)
{
    struct walk *w = ctx;
    struct walk_state *s = w->state;
    const struct rdb_events *ev = &w->events->rdb;
    int r;

    if ((r = choose(w, key)) != 0 || !s->is_taken)
        return r;
    s->key = *key;
    s->facts.key = &s->key;
    r = ev->plain_string != NULL ? ev->plain_string(ctx, key, value) : in_events(w, key, value);
    return r != 0 ? r : finish_value(w);
}

/* ---- the measure's events ---- */

static struct measure *
measure_of(void *ctx)
{
    return &((struct walk *)ctx)->state->measure;
}

static int
on_form(void *ctx, enum rdb_form form)
{
    measure_form(measure_of(ctx), form);
    return 0;
}

static int
on_string_begin(void *ctx, uint64_t len)
{
    return measure_string_begin(measure_of(ctx), len);
}

static int
on_string_bytes(void *ctx, struct slice piece)
{
    measure_string_bytes(measure_of(ctx), piece);
    return 0;
}

static int
on_list_ziplist(void *ctx)
{
    measure_list_ziplist(measure_of(ctx));
    return 0;
}

static int
on_list_element(void *ctx, struct slice element)
{
    measure_list_element(measure_of(ctx), element);
    return 0;
}

static int
on_list_listpack(void *ctx, struct slice lp, uint32_t elements)
{
    (void)elements;
    measure_list_listpack(measure_of(ctx), lp);
    return 0;
}

static int
on_hash_listpack(void *ctx, struct slice lp, uint32_t fields)
{
    (void)fields;
    measure_pairs(measure_of(ctx), lp);
    return 0;
}

static int
on_hash_field(void *ctx, struct slice field, struct slice value)
{
    measure_hash_field(measure_of(ctx), field, value);
    return 0;
}

static int
on_hash_field_expiring(void *ctx, struct slice field, struct slice value, int64_t expire_at_ms)
{
    struct measure *m = measure_of(ctx);

    (void)expire_at_ms;
    m->facts.expiring_fields++;
    measure_hash_field(m, field, value);
    return 0;
}

static int
on_set_intset(void *ctx, struct slice intset, uint32_t members)
{
    measure_intset(measure_of(ctx), intset, members);
    return 0;
}

static int
on_set_listpack(void *ctx, struct slice lp, uint32_t members)
{
    (void)members;
    measure_members(measure_of(ctx), lp);
    return 0;
}

static int
on_set_member(void *ctx, struct slice member)
{
    measure_member(measure_of(ctx), member);
    return 0;
}

static int
on_zset_listpack(void *ctx, struct slice lp, uint32_t members)
{
    (void)members;
    measure_scored(measure_of(ctx), lp);
    return 0;
}

static int
on_zset_member(void *ctx, struct slice member, double score)
{
    (void)score;
    measure_zset_member(measure_of(ctx), member);
    return 0;
}

static int
on_stream_node(void *ctx, struct stream_id id, struct slice lp, const struct stream_node_sum *sum)
{
    (void)sum;
    measure_stream_node(measure_of(ctx), id, lp);
    return 0;
}

static const struct rdb_events measure_events = {.no_values = true,
                                                 .form = on_form,
                                                 .string_begin = on_string_begin,
                                                 .string_bytes = on_string_bytes,
                                                 .list_ziplist = on_list_ziplist,
                                                 .list_element = on_list_element,
                                                 .list_listpack = on_list_listpack,
                                                 .hash_listpack = on_hash_listpack,
                                                 .hash_field = on_hash_field,
                                                 .hash_field_expiring = on_hash_field_expiring,
                                                 .set_intset = on_set_intset,
                                                 .set_listpack = on_set_listpack,
                                                 .set_member = on_set_member,
                                                 .zset_listpack = on_zset_listpack,
                                                 .zset_member = on_zset_member,
                                                 .stream_node = on_stream_node};

/* ---- a pass's events ---- */

/* others_of: what a command hears of that is about no key. */
static void
others_of(const struct rdb_events *ev, struct rdb_events *ret)
{
    ret->selectdb = ev->selectdb;
    ret->resizedb = ev->resizedb;
    ret->function = ev->function;
    ret->finding = ev->finding;
    ret->item = ev->item;
    ret->end = ev->end;
}

/* direct: every key is the command's, and nobody counts: its events are the decoder's. */
static bool
direct(const struct walk *w)
{
    return !w->state->with_ledger && selection_is_all(w->selection) && w->events->facts == NULL;
}

static void
values_events(const struct walk *w, struct rdb_events *ret)
{
    *ret = w->events->rdb;
    if (direct(w))
        return;
    ret->key = values_key;
    ret->value_end = values_end;
    /* a string as it stands in the file does not come at once */
    ret->plain_string = ret->raw != NULL && ret->plain_string == NULL ? NULL : values_plain;
}

void
walk_events_for(const struct walk *w, struct rdb_events *ret)
{
    switch (w->state->pass) {
    case WALK_MEASURES:
        *ret = measure_events;
        ret->key = measures_key;
        ret->plain_string = measures_plain;
        ret->value_end = measures_end;
        break;
    case WALK_FACTS:
        *ret = measure_events;
        others_of(&w->events->rdb, ret);
        ret->key = facts_key;
        ret->plain_string = facts_plain;
        ret->value_end = facts_end;
        break;
    case WALK_VALUES:
        values_events(w, ret);
        break;
    }
    ret->start = on_start;
    ret->aux = on_aux;
    ret->progress = on_progress;
    ret->unknown = on_unknown;
    ret->any_version = w->run.relaxed;
    ret->skip_unknown = w->skip_unknown;
}
