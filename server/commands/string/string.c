/* server/commands/string/string.c - SET, GET and their kin.  Numbers:
 * commands/string/string_number.c; parts: commands/string/string_range.c. */
#include <errno.h>
#include <stdlib.h>

#include "mm/base/clock.h"
#include "server/commands/generic/ttl.h"
#include "server/commands/string/string.h"
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

/* reply_string_direct: a large one goes from the arena to the socket without a copy, as far as the
 * socket takes it. */
static void
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

struct set_options {
    bool nx, xx, get, keep_ttl;
    int64_t expire_at_ms; /* RECORD_NO_EXPIRE */
};

/* One of EX, PX, EXAT, PXAT. */
struct expiry_word {
    const char *word;
    bool seconds, absolute;
};
static const struct expiry_word expiry_words[] = {
    {"ex", true, false}, {"px", false, false}, {"exat", true, true}, {"pxat", false, true}};

static const struct expiry_word *
find_expiry_word(const struct client *c, int i)
{
    for (size_t k = 0; k < sizeof expiry_words / sizeof *expiry_words; k++)
        if (arg_is(c, i, expiry_words[k].word))
            return &expiry_words[k];
    return NULL;
}

static bool
parse_expiry(struct client *c, int i, const struct expiry_word *w, int64_t *ret)
{
    int64_t n;

    if (!arg_int(c, i, &n))
        return false;
    if (n <= 0 || !ttl_deadline(n, w->seconds, w->absolute, ret)) {
        reply_errorf(c, "ERR invalid expire time in '%s' command", c->cmd->full_name);
        return false;
    }
    return true;
}

/* parse_set: false: an error was replied.  The words are all read before a number in them is looked
 * at; the same word twice is no error, as in Redis: the last number counts. */
static bool
parse_set(struct client *c, struct set_options *o)
{
    const struct expiry_word *w = NULL, *this;
    int number_at = 0;

    *o = (struct set_options){.expire_at_ms = RECORD_NO_EXPIRE};
    for (int i = 3; i < c->argc; i++) {
        if (arg_is(c, i, "nx") && !o->xx) {
            o->nx = true;
        } else if (arg_is(c, i, "xx") && !o->nx) {
            o->xx = true;
        } else if (arg_is(c, i, "get")) {
            o->get = true;
        } else if (arg_is(c, i, "keepttl") && w == NULL) {
            o->keep_ttl = true;
        } else if ((this = find_expiry_word(c, i)) != NULL && (w == NULL || w == this) &&
                   !o->keep_ttl && i + 1 < c->argc) {
            w = this;
            number_at = ++i;
        } else {
            reply_syntax(c);
            return false;
        }
    }
    return w == NULL || parse_expiry(c, number_at, w, &o->expire_at_ms);
}

/* say_set: what SET was asked for with an expiry, to the millisecond. */
static void
say_set(struct slice key, struct slice value, int64_t expire_at_ms)
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
            say_set(ref->key, value, o->expire_at_ms);
    }
    return 0;
}

/* set_and_get: SET ... GET: the old value is the reply; a copy of it waits until the new one is
 * in. */
static void
set_and_get(struct client *c, struct db_ref *ref, const struct set_options *o)
{
    char scratch[NUM_MAX_BYTES], *copy = NULL;
    struct slice old = {.ptr = NULL, .len = 0};

    if (ref->rec != NULL) {
        old = record_text(ref->rec, scratch);
        if ((copy = malloc(old.len + 1)) == NULL) {
            reply_no_memory(c);
            return;
        }
        memcpy(copy, old.ptr, old.len);
    }
    if (!(o->nx && copy != NULL) && !(o->xx && copy == NULL) && set(c, ref, c->argv[2], o) < 0)
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
    struct db_ref ref;

    if (unlikely(c->argc > 3) && !parse_set(c, &o))
        return;
    if (unlikely(o.get)) {
        if (string_find_key(c, 1, DB_READ, &ref))
            set_and_get(c, &ref, &o);
        return;
    }
    db_lookup(c->db, c->argv[1], DB_WRITE, &ref);
    if ((o.nx && ref.rec != NULL) || (o.xx && ref.rec == NULL))
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

    if (!parse_expiry(c, 2, w, &o.expire_at_ms))
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
    set_expiring(c, &expiry_words[0]);
}

void
cmd_psetex(struct client *c)
{
    set_expiring(c, &expiry_words[1]);
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
        const struct expiry_word *w = find_expiry_word(c, i);
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
    if (o.expiry != NULL && !parse_expiry(c, o.number_at, o.expiry, &at_ms))
        return;
    mark = client_pending_out(c);
    reply_string(c, ref.rec);
    if ((o.persist || o.expiry != NULL) && change_expiry(c, &ref, &o, at_ms) < 0) {
        reply_take_back(c, mark);
        reply_no_memory(c);
    }
}

/* ---- several keys ---- */

/* make_items: records for all of MSET's keys.  Returns how many could be made. */
static int
make_items(struct client *c, struct db_item *items, int count)
{
    for (int i = 0; i < count; i++) {
        struct record_spec spec = {.key = c->argv[1 + 2 * i],
                                   .expire_at_ms = RECORD_NO_EXPIRE,
                                   .db = db_number(c->db),
                                   .clock = db_birth_clock()};

        if (value_string(&spec.value, c->argv[2 + 2 * i], spec.key.len) < 0)
            return i;
        if ((items[i].fresh = record_new(&spec)) == NULL) {
            value_free(&spec.value);
            return i;
        }
    }
    return count;
}

static void
free_items(const struct db_item *items, int count)
{
    for (int i = 0; i < count; i++) {
        struct value v = value_of(items[i].fresh);

        record_free(items[i].fresh);
        value_free(&v);
    }
}

static bool
any_exists(struct client *c)
{
    struct db_ref ref;

    for (int i = 1; i < c->argc; i += 2)
        if (db_lookup(c->db, c->argv[i], 0, &ref) != NULL)
            return true;
    return false;
}

static void
set_all(struct client *c, bool nx)
{
    int count = (c->argc - 1) / 2, made;
    struct db_item *items;

    if (c->argc % 2 == 0) {
        arg_wrong_count(c);
        return;
    }
    if (nx && any_exists(c)) {
        reply_int(c, 0);
        return;
    }
    if ((items = malloc((size_t)count * sizeof *items)) == NULL) {
        reply_no_memory(c);
        return;
    }
    made = make_items(c, items, count);
    if (made == count && db_store_all(c->db, items, count) == 0) {
        for (int i = 0; i < count; i++) {
            if (items[i].had_expired)
                changed(c, c->argv[1 + 2 * i], KEY_EVENT_EXPIRED, "expired", 0);
            if (items[i].is_new)
                key_event(c->db, c->argv[1 + 2 * i], KEY_EVENT_NEW, "new");
            changed(c, c->argv[1 + 2 * i], KEY_EVENT_STRING, "set", 1);
        }
        if (nx)
            reply_int(c, 1);
        else
            reply_ok(c);
    } else {
        free_items(items, made);
        reply_no_memory(c);
    }
    free(items);
}

void
cmd_mset(struct client *c)
{
    set_all(c, false);
}

void
cmd_msetnx(struct client *c)
{
    set_all(c, true);
}

void
cmd_mget(struct client *c)
{
    reply_array(c, (size_t)c->argc - 1);
    for (int i = 1; i < c->argc; i++) {
        const struct record *r = db_find_read(c->db, c->argv[i]);

        if (r == NULL || record_type(r) != TYPE_STRING)
            reply_null(c);
        else
            reply_string_direct(c, r);
    }
}
