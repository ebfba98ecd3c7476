/* server/commands/string/string_number.c - strings that are numbers: INCR, DECR, INCRBYFLOAT. */
#include "mm/base/long_double.h"
#include "mm/base/num.h"
#include "server/commands/string/string.h"
#include "server/data/db/blob.h"
#include "server/data/db/db.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/effect.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/string/string.def"

/* ---- integers ---- */

/* integer_at: the integer at ref, 0 where there is no key; false: it is none, an error was
 * replied. */
static bool
integer_at(struct client *c, const struct db_ref *ref, int64_t *ret)
{
    struct slice text;

    *ret = 0;
    if (ref->rec == NULL)
        return true;
    if (record_encoding(ref->rec) == ENC_INT) {
        *ret = record_int(ref->rec);
        return true;
    }
    text = record_blob(ref->rec);
    if (text.len <= NUM_MAX_BYTES && num_parse(text.ptr, text.len, ret))
        return true;
    reply_not_int(c);
    return false;
}

static void
add(struct client *c, int64_t by)
{
    struct value v = {.type = TYPE_STRING, .enc = ENC_INT};
    struct db_ref ref;
    int64_t old;

    if (!string_find_key(c, 1, DB_WRITE, &ref) || !integer_at(c, &ref, &old))
        return;
    if (__builtin_add_overflow(old, by, &v.integer)) {
        reply_error(c, "ERR increment or decrement would overflow");
        return;
    }
    if (db_store(&ref, &v, ref.rec != NULL ? record_expire(ref.rec) : RECORD_NO_EXPIRE) < 0) {
        reply_no_memory(c);
        return;
    }
    changed(c, c->argv[1], KEY_EVENT_STRING, "incrby", 1);
    reply_int(c, v.integer);
}

void
cmd_incr(struct client *c)
{
    add(c, 1);
}

void
cmd_decr(struct client *c)
{
    add(c, -1);
}

void
cmd_incrby(struct client *c)
{
    int64_t by;

    if (arg_int(c, 2, &by))
        add(c, by);
}

void
cmd_decrby(struct client *c)
{
    int64_t by;

    if (!arg_int(c, 2, &by))
        return;
    if (by == INT64_MIN)
        reply_error(c, "ERR decrement would overflow");
    else
        add(c, -by);
}

/* ---- floating point ---- */

static bool
store_float(struct db_ref *ref, struct slice text)
{
    struct value v;

    if (value_blob(&v, TYPE_STRING, text, ref->key.len) < 0)
        return false;
    if (db_store(ref, &v, ref->rec != NULL ? record_expire(ref->rec) : RECORD_NO_EXPIRE) == 0)
        return true;
    value_free(&v);
    return false;
}

void
cmd_incrbyfloat(struct client *c)
{
    char scratch[NUM_MAX_BYTES], text[LONG_DOUBLE_BYTES];
    long double value = 0, by;
    struct db_ref ref;
    size_t len;

    if (!string_find_key(c, 1, DB_WRITE, &ref))
        return;
    if ((ref.rec != NULL && !long_double_parse(record_text(ref.rec, scratch), &value)) ||
        !long_double_parse(c->argv[2], &by)) {
        reply_error(c, "ERR value is not a valid float");
        return;
    }
    value += by;
    if ((len = long_double_put(text, value)) == 0) {
        reply_error(c, "ERR increment would produce NaN or Infinity");
        return;
    }
    if (!store_float(&ref, (struct slice){text, len})) {
        reply_no_memory(c);
        return;
    }
    changed(c, c->argv[1], KEY_EVENT_STRING, "incrbyfloat", 1);
    if (unlikely(effects_are_wanted)) {
        struct slice words[] = {SLICE("SET"), c->argv[1], {text, len}, SLICE("KEEPTTL")};

        EFFECT(words); /* another machine may round otherwise */
    }
    reply_bulk(c, text, len);
}
