/* server/commands/sorted_set/zset_pop.c - popping from the ends of sorted sets, waiting for it, and
 * drawing members. */
#include <stdlib.h>
#include <string.h>

#include "mm/base/fault.h"
#include "mm/base/keyhash.h"
#include "server/commands/sorted_set/zset.h"
#include "server/data/db/db.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/effect.h"
#include "server/exec/handlers.h"
#include "server/exec/keywait.h"

#include "server/commands/sorted_set/sorted_set.def"

/* ---- pop ---- */

/* How what was popped is replied. */
enum pop_form {
    POP_FLAT,   /* member, score, member, score ... */
    POP_NESTED, /* an array of arrays of two */
    POP_ONE,    /* key, member, score */
    POP_KEY     /* key, and an array of arrays of two */
};

struct pop {
    bool highest; /* else the lowest */
    enum pop_form form;
    int64_t count;
};

static void
reply_pop_head(struct client *c, struct slice key, const struct pop *p, uint64_t count)
{
    if (p->form == POP_FLAT)
        reply_array(c, 2 * count);
    else if (p->form == POP_NESTED)
        reply_array(c, count);
    if (p->form < POP_ONE)
        return;
    reply_array(c, p->form == POP_ONE ? 3 : 2);
    reply_bulk(c, key.ptr, key.len);
    if (p->form == POP_KEY)
        reply_array(c, count);
}

struct pop_visit {
    struct client *c;
    bool nested;
};

static void
reply_popped(void *ctx, struct slice member, double score)
{
    const struct pop_visit *v = ctx;

    if (v->nested)
        reply_array(v->c, 2);
    reply_bulk(v->c, member.ptr, member.len);
    reply_double(v->c, score);
}

/* say_popped: from this sorted set, whichever command it was, and for whomever. */
static void
say_popped(struct slice key, bool highest, uint64_t count)
{
    char number[NUM_MAX_BYTES];
    struct slice words[] = {highest ? SLICE("ZPOPMAX") : SLICE("ZPOPMIN"), key,
                            effect_number(number, (int64_t)count)};

    EFFECT(words);
}

/* pop_key: from the sorted set at ref, which is there; count > 0. */
static void
pop_key(struct client *c, struct db_ref *ref, const struct pop *p)
{
    struct pop_visit v = {.c = c, .nested = p->form == POP_NESTED || p->form == POP_KEY};
    uint64_t len = zset_len(ref->rec), count = (uint64_t)p->count < len ? (uint64_t)p->count : len;
    size_t pending = client_pending_out(c);

    reply_pop_head(c, ref->key, p, count);
    zset_range(ref->rec, p->highest ? len - 1 : 0, count, p->highest, reply_popped, &v);
    if (zset_cut(ref, p->highest ? len - count : 0, count) < 0) {
        reply_take_back(c, pending);
        reply_no_memory(c);
        return;
    }
    changed_taken(c, ref, KEY_EVENT_ZSET, p->highest ? "zpopmax" : "zpopmin", count);
    if (unlikely(effects_are_wanted))
        say_popped(ref->key, p->highest, count);
}

static void
pop(struct client *c, bool highest)
{
    bool has_count = c->argc > 2;
    struct pop p = {
        .highest = highest, .form = has_count && c->resp > 2 ? POP_NESTED : POP_FLAT, .count = 1};
    struct db_ref ref;

    if (c->argc > 3) {
        reply_syntax(c);
        return;
    }
    if (has_count && !arg_positive(c, 2, &p.count))
        return;
    if (!zset_find_key(c, 1, DB_WRITE, &ref))
        return;
    if (ref.rec == NULL || p.count == 0)
        reply_array(c, 0);
    else
        pop_key(c, &ref, &p);
}

void
cmd_zpopmin(struct client *c)
{
    pop(c, false);
}

void
cmd_zpopmax(struct client *c)
{
    pop(c, true);
}

/* ---- of the first of several keys, or after a wait ---- */

/* pop_first: from the first key that is there.  False: none is.  An error counts as replied. */
static bool
pop_first(struct client *c, int first_key, int keys, const struct pop *p)
{
    struct db_ref ref;

    for (int i = 0; i < keys; i++) {
        if (!zset_find_key(c, first_key + i, DB_WRITE, &ref))
            return true;
        if (ref.rec != NULL) {
            pop_key(c, &ref, p);
            return true;
        }
    }
    return false;
}

static bool
serve(struct client *c, struct slice key, const struct pop *p)
{
    struct db_ref ref;

    if (db_lookup(c->db, key, DB_WRITE, &ref) == NULL)
        return false;
    pop_key(c, &ref, p);
    return true;
}

static bool
serve_min(struct client *c, struct slice key, int argc, const struct slice *argv)
{
    (void)argc;
    (void)argv;
    return serve(c, key, &(struct pop){.form = POP_ONE, .count = 1});
}

static bool
serve_max(struct client *c, struct slice key, int argc, const struct slice *argv)
{
    (void)argc;
    (void)argv;
    return serve(c, key, &(struct pop){.highest = true, .form = POP_ONE, .count = 1});
}

static void
pop_or_wait(struct client *c, bool highest)
{
    struct pop p = {.highest = highest, .form = POP_ONE, .count = 1};
    struct keywait_spec spec = {.type = TYPE_ZSET,
                                .first_key = 1,
                                .key_count = c->argc - 2,
                                .serve = highest ? serve_max : serve_min,
                                .reply_timeout = reply_null_array};

    if (!arg_deadline(c, c->argc - 1, &spec.deadline_ms))
        return;
    if (!pop_first(c, spec.first_key, spec.key_count, &p))
        keywait_begin(c, &spec);
}

void
cmd_bzpopmin(struct client *c)
{
    pop_or_wait(c, false);
}

void
cmd_bzpopmax(struct client *c)
{
    pop_or_wait(c, true);
}

/* parse_mpop: numkeys is argument `at`; then the keys, MIN or MAX, and COUNT.  False, and the error
 * was replied. */
static bool
parse_mpop(struct client *c, int at, int *ret_keys, struct pop *p)
{
    static const char *const ends[2] = {"min", "max"};
    struct arg_mpop a;

    if (!arg_mpop(c, at, ends, &a))
        return false;
    *ret_keys = a.key_count;
    *p = (struct pop){.form = POP_KEY, .highest = a.second_end, .count = a.count};
    return true;
}

void
cmd_zmpop(struct client *c)
{
    struct pop p;
    int keys;

    if (parse_mpop(c, 1, &keys, &p) && !pop_first(c, 2, keys, &p))
        reply_null_array(c);
}

static bool
serve_mpop(struct client *c, struct slice key, int argc, const struct slice *argv)
{
    struct pop p;
    int keys;

    (void)argc;
    (void)argv;
    return parse_mpop(c, 2, &keys, &p) && serve(c, key, &p);
}

void
cmd_bzmpop(struct client *c)
{
    struct keywait_spec spec = {
        .type = TYPE_ZSET, .first_key = 3, .serve = serve_mpop, .reply_timeout = reply_null_array};
    struct pop p;
    int keys;

    if (!parse_mpop(c, 2, &keys, &p) || !arg_deadline(c, 1, &spec.deadline_ms))
        return;
    spec.key_count = keys;
    if (!pop_first(c, spec.first_key, spec.key_count, &p))
        keywait_begin(c, &spec);
}
