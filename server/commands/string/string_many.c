/* server/commands/string/string_many.c - strings at several keys: MSET MSETNX MSETEX MGET. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "server/commands/string/string.h"
#include "server/commands/string/string_options.h"
#include "server/data/db/db.h"
#include "server/data/db/value.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/effect.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/string/string.def"

/* Keys and values in turn, from an argument on. */
struct pairs {
    int first, count;
};

static struct slice
key_at(const struct client *c, struct pairs p, int i)
{
    return c->argv[p.first + 2 * i];
}

static struct slice
value_at(const struct client *c, struct pairs p, int i)
{
    return c->argv[p.first + 2 * i + 1];
}

/* expiry_of: what the key's new record has for one. */
static int64_t
expiry_of(struct client *c, struct slice key, const struct set_options *o)
{
    const struct record *r = o->keep_ttl ? db_peek(c->db, key) : NULL;

    return r != NULL && !db_record_is_expired(r) ? record_expire(r) : o->expire_at_ms;
}

/* make_items: records for all the keys.  Returns how many could be made. */
static int
make_items(struct client *c, struct pairs p, const struct set_options *o, struct db_item *items)
{
    for (int i = 0; i < p.count; i++) {
        struct record_spec spec = {.key = key_at(c, p, i),
                                   .expire_at_ms = expiry_of(c, key_at(c, p, i), o),
                                   .db = db_number(c->db),
                                   .clock = db_birth_clock()};

        if (value_string(&spec.value, value_at(c, p, i), spec.key.len) < 0)
            return i;
        if ((items[i].fresh = record_new(&spec)) == NULL) {
            value_free(&spec.value);
            return i;
        }
    }
    return p.count;
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

/* tell_item: that this key was set. */
static void
tell_item(const struct client *c, struct slice key, const struct db_item *item,
          const struct set_options *o)
{
    if (item->had_expired)
        changed(c, key, KEY_EVENT_EXPIRED, "expired", 0);
    if (item->is_new)
        key_event(c->db, key, KEY_EVENT_NEW, "new");
    changed(c, key, KEY_EVENT_STRING, "set", 1);
    if (o->expire_at_ms != RECORD_NO_EXPIRE)
        key_event(c->db, key, KEY_EVENT_GENERIC, "expire");
}

/* store_all: all of them, or, without memory, none.  0 or -ENOMEM */
static int
store_all(struct client *c, struct pairs p, const struct set_options *o)
{
    struct db_item *items = malloc((size_t)p.count * sizeof *items);
    int made, r;

    if (items == NULL)
        return -ENOMEM;
    made = make_items(c, p, o, items);
    r = made == p.count ? db_store_all(c->db, items, p.count) : -ENOMEM;
    for (int i = 0; i < p.count && r == 0; i++) {
        tell_item(c, key_at(c, p, i), &items[i], o);
        if (o->expire_at_ms != RECORD_NO_EXPIRE && unlikely(effects_are_wanted))
            string_say_set(key_at(c, p, i), value_at(c, p, i), o->expire_at_ms);
    }
    if (r < 0)
        free_items(items, made);
    free(items);
    return r;
}

/* is_met: with NX none of the keys is there, with XX all are. */
static bool
is_met(struct client *c, struct pairs p, const struct set_options *o)
{
    struct db_ref ref;

    for (int i = 0; (o->nx || o->xx) && i < p.count; i++)
        if ((db_lookup(c->db, key_at(c, p, i), 0, &ref) != NULL) == o->nx)
            return false;
    return true;
}

static void
set_pairs(struct client *c, bool nx)
{
    const struct set_options o = {.nx = nx, .expire_at_ms = RECORD_NO_EXPIRE};
    struct pairs p = {.first = 1, .count = (c->argc - 1) / 2};

    if (c->argc % 2 == 0)
        arg_wrong_count(c);
    else if (!is_met(c, p, &o))
        reply_int(c, 0);
    else if (store_all(c, p, &o) < 0)
        reply_no_memory(c);
    else if (nx)
        reply_int(c, 1);
    else
        reply_ok(c);
}

void
cmd_mset(struct client *c)
{
    set_pairs(c, false);
}

void
cmd_msetnx(struct client *c)
{
    set_pairs(c, true);
}

static bool
parse_pairs(struct client *c, struct pairs *ret)
{
    static const char error[] = "ERR invalid numkeys value";
    int64_t count;

    if (!arg_int_from(c, 1, 1, error, &count))
        return false;
    if (count > INT_MAX) {
        reply_error(c, error);
        return false;
    }
    if (count > (c->argc - 2) / 2) {
        reply_error(c, "ERR wrong number of key-value pairs");
        return false;
    }
    *ret = (struct pairs){.first = 2, .count = (int)count};
    return true;
}

/* MSETEX numkeys key value [key value ...] [NX | XX] [EX n | PX n | EXAT n | PXAT n | KEEPTTL] ->
 * 1, or 0 and none was set. */
void
cmd_msetex(struct client *c)
{
    struct set_options o;
    struct pairs p;

    if (!parse_pairs(c, &p) || !string_parse_options(c, p.first + 2 * p.count, false, &o))
        return;
    if (!is_met(c, p, &o))
        reply_int(c, 0);
    else if (store_all(c, p, &o) < 0)
        reply_no_memory(c);
    else
        reply_int(c, 1);
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
