/* server/commands/hash/hash_getset.c - fields and their times in one: HGETEX, HSETEX, HGETDEL. */
#include <stdlib.h>

#include "mm/base/clock.h"
#include "server/commands/hash/hash_fields.h"
#include "server/commands/hash/hash_key.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/handlers.h"
#include "server/net/reply.h"

#include "server/commands/hash/hash.def"

static const char bad_count[] = "ERR Number of fields must be a positive integer";

/* ---- EX, PX, EXAT, PXAT, and KEEPTTL or PERSIST ---- */

struct times {
    const char *word; /* KEEPTTL or PERSIST */
    bool is_given, is_word;
    int64_t at_ms; /* of the others */
};

/* parse_time: argument i, if it is one of these words, with its time; *ret_used: how many arguments
 * it took, 0: it is another word. */
static bool
parse_time(struct client *c, int i, struct times *t, int *ret_used)
{
    static const struct {
        const char *word;
        bool in_seconds, is_absolute;
    } forms[] = {
        {"ex", true, false}, {"px", false, false}, {"exat", true, true}, {"pxat", false, true}};
    size_t f = 0;

    while (f < sizeof forms / sizeof *forms && !arg_is(c, i, forms[f].word))
        f++;
    *ret_used = 0;
    if (f == sizeof forms / sizeof *forms && !arg_is(c, i, t->word))
        return true;
    if (t->is_given) {
        reply_errorf(c, "ERR Only one of EX, PX, EXAT, PXAT or %s arguments can be specified",
                     t->word);
        return false;
    }
    t->is_given = true;
    t->is_word = f == sizeof forms / sizeof *forms;
    *ret_used = t->is_word ? 1 : 2;
    if (t->is_word)
        return true;
    if (i + 1 >= c->argc) {
        reply_error(c, "ERR missing expire time");
        return false;
    }
    return hash_time(c, i + 1, forms[f].in_seconds, forms[f].is_absolute, &t->at_ms);
}

/* reply_values: of these fields.  already: NULL, or a field that came before is not there any
 * more. */
static void
reply_values(struct client *c, const struct record *r, int first, int count,
             struct same_words *already)
{
    char text[LP_INT_TEXT_BYTES];
    struct slice value;

    reply_array(c, (size_t)count);
    for (int i = 0; i < count; i++)
        if (r != NULL && (already == NULL || same_words_earlier(already, i) == i) &&
            hash_get(r, c->argv[first + i], text, &value))
            reply_bulk(c, value.ptr, value.len);
        else
            reply_null(c);
}

/* ---- HGETEX ---- */

static bool
parse_getex(struct client *c, struct times *t, int *ret_first, int *ret_count)
{
    int i = 2, used;

    for (; i < c->argc && !arg_is(c, i, "fields"); i += used) {
        if (!parse_time(c, i, t, &used))
            return false;
        if (used == 0)
            break;
    }
    return hash_fields(c, i, bad_count, ret_first, ret_count);
}

/* plan_getex: what becomes of the fields that are there. */
static void
plan_getex(const struct client *c, const struct record *r, int first, int count,
           const struct times *t, struct field_plan *plan)
{
    for (int i = first; i < first + count; i++) {
        int64_t now;

        if (!hash_expiry(r, c->argv[i], &now) || (t->is_word && now == RECORD_NO_EXPIRE))
            continue;
        field_plan_expiry(plan, c->argv[i], t->is_word ? RECORD_NO_EXPIRE : t->at_ms);
    }
}

void
cmd_hgetex(struct client *c)
{
    struct times t = {.word = "PERSIST"};
    struct field_plan plan;
    struct db_ref ref;
    int first, count;
    size_t before;

    if (!hash_key(c, DB_READ, &ref) || !parse_getex(c, &t, &first, &count))
        return;
    if (ref.rec == NULL || !t.is_given) {
        reply_values(c, ref.rec, first, count, NULL);
        return;
    }
    if (!field_plan_init(&plan, count)) {
        reply_no_memory(c);
        return;
    }
    before = client_pending_out(c);
    reply_values(c, ref.rec, first, count, NULL);
    plan_getex(c, ref.rec, first, count, &t, &plan);
    if (field_plan_run(c, &ref, &plan, t.is_word ? "hpersist" : "hexpire") < 0) {
        reply_take_back(c, before);
        reply_no_memory(c);
    }
    field_plan_fini(&plan);
}

/* ---- HGETDEL ---- */

void
cmd_hgetdel(struct client *c)
{
    struct same_words same;
    int64_t deleted = 0;
    struct db_ref ref;
    int first, count;
    size_t before;

    if (!hash_key(c, DB_WRITE, &ref) || !hash_fields(c, 2, bad_count, &first, &count))
        return;
    if (!same_words_init(&same, c->argv + first, count)) {
        reply_no_memory(c);
        return;
    }
    before = client_pending_out(c);
    reply_values(c, ref.rec, first, count, &same);
    same_words_fini(&same);
    if (ref.rec != NULL && hash_delete(&ref, c->argv + first, count, &deleted) < 0) {
        reply_take_back(c, before);
        reply_no_memory(c);
    } else if (deleted > 0) {
        changed_taken(c, &ref, KEY_EVENT_HASH, "hdel", (uint64_t)deleted);
    }
}

/* ---- HSETEX ---- */

struct setex {
    struct times t;
    bool if_none, if_all; /* FNX, FXX */
    int first, count;     /* of the pairs; count 0: not given yet */
};

/* parse_pairs: FIELDS numfields field value ..., from argument i on. */
static bool
parse_pairs(struct client *c, int i, struct setex *s)
{
    int64_t count;

    if (s->count > 0) {
        reply_error(c, "ERR FIELDS keyword specified multiple times");
        return false;
    }
    if (i + 1 >= c->argc) {
        arg_wrong_count(c);
        return false;
    }
    if (!arg_int_from(c, i + 1, 1, "ERR invalid number of fields", &count))
        return false;
    if (count > (c->argc - i - 2) / 2) {
        reply_error(c, "ERR wrong number of arguments");
        return false;
    }
    s->first = i + 2;
    s->count = (int)count;
    return true;
}

static bool
parse_condition(struct client *c, int i, struct setex *s)
{
    if (s->if_none || s->if_all) {
        reply_error(c, "ERR Only one of FXX or FNX arguments can be specified");
        return false;
    }
    s->if_none = arg_is(c, i, "fnx");
    s->if_all = !s->if_none;
    return true;
}

static bool
parse_setex(struct client *c, struct setex *s)
{
    for (int i = 2, used; i < c->argc; i += used) {
        if (arg_is(c, i, "fields")) {
            if (!parse_pairs(c, i, s))
                return false;
            used = 2 + 2 * s->count;
        } else if (arg_is(c, i, "fnx") || arg_is(c, i, "fxx")) {
            if (!parse_condition(c, i, s))
                return false;
            used = 1;
        } else if (!parse_time(c, i, &s->t, &used)) {
            return false;
        } else if (used == 0) {
            reply_errorf(c, "ERR unknown argument: %.*s", slice_shown(c->argv[i]), c->argv[i].ptr);
            return false;
        }
    }
    if (s->count == 0)
        reply_error(c, "ERR missing FIELDS argument");
    return s->count > 0;
}

static struct slice
field_of(const struct client *c, const struct setex *s, int i)
{
    return c->argv[s->first + 2 * i];
}

/* may_set: FNX: none of the fields is there; FXX: all are. */
static bool
may_set(const struct client *c, const struct setex *s, const struct record *r)
{
    int64_t ignored;

    for (int i = 0; (s->if_none || s->if_all) && i < s->count; i++)
        if ((r != NULL && hash_expiry(r, field_of(c, s, i), &ignored)) != s->if_all)
            return false;
    return true;
}

static void
plan_setex(const struct client *c, const struct setex *s, const struct record *r,
           struct field_plan *plan)
{
    for (int i = 0; i < s->count; i++) {
        int64_t at_ms = s->t.is_given ? s->t.at_ms : RECORD_NO_EXPIRE;

        if (s->t.is_word && (r == NULL || !hash_expiry(r, field_of(c, s, i), &at_ms)))
            at_ms = RECORD_NO_EXPIRE;
        if (s->t.is_given && !s->t.is_word && at_ms <= clock_now.ms) {
            if (r != NULL)
                plan->gone[plan->gone_count++] = field_of(c, s, i);
            continue;
        }
        plan->items[plan->item_count++] =
            (struct hash_item){field_of(c, s, i), c->argv[s->first + 2 * i + 1], at_ms};
    }
}

void
cmd_hsetex(struct client *c)
{
    struct setex s = {.t.word = "KEEPTTL"};
    struct field_plan plan;
    struct db_ref ref;

    if (!hash_key(c, DB_WRITE, &ref) || !parse_setex(c, &s))
        return;
    if (!may_set(c, &s, ref.rec)) {
        reply_int(c, 0);
        return;
    }
    if (!field_plan_init(&plan, s.count)) {
        reply_no_memory(c);
        return;
    }
    plan_setex(c, &s, ref.rec, &plan);
    if (field_plan_run(c, &ref, &plan, s.t.is_word ? "hset" : NULL) < 0)
        reply_no_memory(c);
    else
        reply_int(c, 1);
    field_plan_fini(&plan);
}
