/* server/commands/string/string.c - SET, GET and their kin.  What is said behind them:
 * commands/string/string_options.c; several keys: string_many.c; conditions on the value:
 * string_condition.c; numbers: string_number.c; parts: string_range.c. */
#include <errno.h>
#include <stdlib.h>

#include "mm/base/clock.h"
#include "server/commands/string/string.h"
#include "server/commands/string/string_options.h"
#include "server/config/config.h"
#include "server/data/db/blob.h"
#include "server/data/db/db.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/cmd.h"
#include "server/exec/effect.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/net.h"
#include "server/net/reply.h"

#include "server/commands/string/string.def"

bool
string_find_key(struct client *c, int i, unsigned flags, struct db_ref *ref)
{
    if (db_lookup(c->db, c->argv[i], flags, ref) == NULL || record_type(ref->rec) == TYPE_STRING)
        return true;
    reply_wrong_type(c);
    return false;
}

void
reply_string(struct client *c, const struct record *r)
{
    char scratch[NUM_MAX_BYTES];
    struct slice text = record_text(r, scratch);

    reply_bulk(c, text.ptr, text.len);
}

void
reply_string_direct(struct client *c, const struct record *r)
{
    struct slice text;

    if (likely(record_encoding(r) != ENC_OUTER) || (text = record_blob(r)).len < NET_DIRECT_BYTES) {
        reply_string(c, r);
        return;
    }
    reply_bulk_begin(c, text.len);
    net_send_direct(c, text.ptr, text.len);
    reply_bulk_end(c);
}

/* ---- SET ---- */

void
string_say_set(struct slice key, struct slice value, int64_t expire_at_ms)
{
    char at[NUM_MAX_BYTES];
    struct slice words[] = {SLICE("SET"), key, value, SLICE("PXAT"),
                            effect_number(at, expire_at_ms)};

    EFFECT(words);
}

/* set: store a value at ref.  0 or -ENOMEM */
static int
set(struct client *c, struct db_ref *ref, struct slice value, const struct set_options *o)
{
    int64_t expire = o->keep_ttl && ref->rec != NULL ? record_expire(ref->rec) : o->expire_at_ms;
    struct value v;

    if (value_string(&v, value, ref->key.len) < 0)
        return -ENOMEM;
    if (db_store(ref, &v, expire) < 0) {
        value_free(&v);
        return -ENOMEM;
    }
    changed(c, ref->key, KEY_EVENT_STRING, "set", 1);
    if (o->expire_at_ms != RECORD_NO_EXPIRE) {
        key_event(c->db, ref->key, KEY_EVENT_GENERIC, "expire");
        if (unlikely(effects_are_wanted))
            string_say_set(ref->key, value, o->expire_at_ms);
    }
    return 0;
}

/* may_set: what SET was asked for beside the value does not say no. */
static enum string_verdict
may_set(struct client *c, const struct db_ref *ref, const struct set_options *o)
{
    if ((o->nx && ref->rec != NULL) || (o->xx && ref->rec == NULL))
        return CONDITION_FAILS;
    return likely(o->condition.kind == IF_ANY) ? CONDITION_HOLDS
                                               : string_judge(c, &o->condition, ref->rec);
}

/* set_and_get: SET ... GET: the old value is the reply; a copy of it waits until the new one is
 * in. */
static void
set_and_get(struct client *c, struct db_ref *ref, const struct set_options *o)
{
    enum string_verdict verdict = may_set(c, ref, o);
    char scratch[NUM_MAX_BYTES], *copy = NULL;
    struct slice old = {.ptr = NULL, .len = 0};

    if (verdict == CONDITION_ERROR)
        return;
    if (ref->rec != NULL) {
        old = record_text(ref->rec, scratch);
        if ((copy = malloc(old.len + 1)) == NULL) {
            reply_no_memory(c);
            return;
        }
        memcpy(copy, old.ptr, old.len);
    }
    if (verdict == CONDITION_HOLDS && set(c, ref, c->argv[2], o) < 0)
        reply_no_memory(c);
    else if (copy == NULL)
        reply_null(c);
    else
        reply_bulk(c, copy, old.len);
    free(copy);
}

void
cmd_set(struct client *c)
{
    struct set_options o = {.expire_at_ms = RECORD_NO_EXPIRE};
    enum string_verdict verdict;
    struct db_ref ref;

    if (unlikely(c->argc > 3) && !string_parse_options(c, 3, true, &o))
        return;
    if (unlikely(o.get)) {
        if (string_find_key(c, 1, DB_READ, &ref))
            set_and_get(c, &ref, &o);
        return;
    }
    db_lookup(c->db, c->argv[1], DB_WRITE, &ref);
    if (unlikely((verdict = may_set(c, &ref, &o)) == CONDITION_ERROR))
        return;
    if (verdict == CONDITION_FAILS)
        reply_null(c);
    else if (set(c, &ref, c->argv[2], &o) < 0)
        reply_no_memory(c);
    else
        reply_ok(c);
}

void
cmd_get(struct client *c)
{
    struct db_ref ref;

    if (!string_find_key(c, 1, DB_READ, &ref))
        return;
    if (ref.rec == NULL)
        reply_null(c);
    else
        reply_string_direct(c, ref.rec);
}

/* ---- older forms of SET ---- */

void
cmd_setnx(struct client *c)
{
    struct set_options o = {.expire_at_ms = RECORD_NO_EXPIRE};
    struct db_ref ref;

    if (db_lookup(c->db, c->argv[1], DB_WRITE, &ref) != NULL)
        reply_int(c, 0);
    else if (set(c, &ref, c->argv[2], &o) < 0)
        reply_no_memory(c);
    else
        reply_int(c, 1);
}

static void
set_expiring(struct client *c, const struct expiry_word *w)
{
    struct set_options o = {.expire_at_ms = RECORD_NO_EXPIRE};
    struct db_ref ref;

    if (!string_parse_expiry(c, 2, w, &o.expire_at_ms))
        return;
    db_lookup(c->db, c->argv[1], DB_WRITE, &ref);
    if (set(c, &ref, c->argv[3], &o) < 0)
        reply_no_memory(c);
    else
        reply_ok(c);
}

void
cmd_setex(struct client *c)
{
    set_expiring(c, &string_expiry_words[EXPIRY_EX]);
}

void
cmd_psetex(struct client *c)
{
    set_expiring(c, &string_expiry_words[EXPIRY_PX]);
}

void
cmd_getset(struct client *c)
{
    struct set_options o = {.expire_at_ms = RECORD_NO_EXPIRE};
    struct db_ref ref;

    if (string_find_key(c, 1, DB_READ, &ref))
        set_and_get(c, &ref, &o);
}

/* ---- GET that changes the key ---- */

void
cmd_getdel(struct client *c)
{
    struct db_ref ref;

    if (!string_find_key(c, 1, DB_READ, &ref))
        return;
    if (ref.rec == NULL) {
        reply_null(c);
        return;
    }
    reply_string(c, ref.rec);
    db_remove(&ref);
    changed_gone(c, c->argv[1]);
    if (unlikely(effects_are_wanted))
        effect_deleted(c->argv[1]);
}

struct getex_options {
    bool persist;
    const struct expiry_word *expiry; /* NULL: none */
    int number_at;
};

static bool
parse_getex(struct client *c, struct getex_options *o)
{
    *o = (struct getex_options){.expiry = NULL};
    for (int i = 2; i < c->argc; i++) {
        const struct expiry_word *w = string_expiry_word(c, i);
        if (arg_is(c, i, "persist") && o->expiry == NULL) {
            o->persist = true;
        } else if (w != NULL && !o->persist && (o->expiry == NULL || o->expiry == w) &&
                   i + 1 < c->argc) {
            o->expiry = w;
            o->number_at = ++i;
        } else {
            reply_syntax(c);
            return false;
        }
    }
    return true;
}

/* change_expiry: what GETEX does to the key, once its value is in the reply.  0 or -ENOMEM */
static int
change_expiry(struct client *c, struct db_ref *ref, const struct getex_options *o, int64_t at_ms)
{
    if (o->persist && record_expire(ref->rec) == RECORD_NO_EXPIRE)
        return 0;
    if (o->expiry != NULL && o->expiry->absolute && at_ms <= clock_now.ms) {
        db_remove(ref);
        changed_gone(c, c->argv[1]);
        if (unlikely(effects_are_wanted))
            effect_deleted(c->argv[1]);
    } else if (db_set_expire(ref, o->persist ? RECORD_NO_EXPIRE : at_ms) < 0) {
        return -ENOMEM;
    } else {
        changed(c, c->argv[1], KEY_EVENT_GENERIC, o->persist ? "persist" : "expire", 1);
        if (unlikely(effects_are_wanted))
            effect_expiry(c->argv[1], o->persist ? RECORD_NO_EXPIRE : at_ms);
    }
    return 0;
}

void
cmd_getex(struct client *c)
{
    int64_t at_ms = RECORD_NO_EXPIRE;
    struct getex_options o;
    struct db_ref ref;
    size_t mark;

    if (!parse_getex(c, &o) || !string_find_key(c, 1, DB_READ, &ref))
        return;
    if (ref.rec == NULL) {
        reply_null(c);
        return;
    }
    if (o.expiry != NULL && !string_parse_expiry(c, o.number_at, o.expiry, &at_ms))
        return;
    mark = client_pending_out(c);
    reply_string(c, ref.rec);
    if ((o.persist || o.expiry != NULL) && change_expiry(c, &ref, &o, at_ms) < 0) {
        reply_take_back(c, mark);
        reply_no_memory(c);
    }
}
