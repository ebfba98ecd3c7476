/* server/commands/cmd_string.c - commands on strings. */
#include <errno.h>
#include <stdlib.h>

#include "server/client.h"
#include "server/commands/cmd.h"
#include "server/commands/ttl.h"
#include "server/config.h"
#include "server/data/blob.h"
#include "server/reply.h"
#include "server/server.h"

/* find_string: the string at the client's argument i, in ref.  False, and an error was replied: it is of
 * another type. ref->rec is NULL where there is no key. */
static bool
find_string(struct client *c, int i, unsigned flags, struct db_ref *ref)
{
    if (db_lookup(c->db, c->argv[i], flags, ref) == NULL || record_type(ref->rec) == TYPE_STRING)
        return true;
    reply_wrong_type(c);
    return false;
}

static void
reply_string(struct client *c, const struct record *r)
{
    char scratch[NUM_MAX_BYTES];
    struct slice text = record_text(r, scratch);

    reply_bulk(c, text.ptr, text.len);
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

/* parse_set: false: an error was replied.  The words are all read before a number in them is looked at. */
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
        } else if ((this = find_expiry_word(c, i)) != NULL && w == NULL && !o->keep_ttl && i + 1 < c->argc) {
            w = this;
            number_at = ++i;
        } else {
            reply_syntax(c);
            return false;
        }
    }
    return w == NULL || parse_expiry(c, number_at, w, &o->expire_at_ms);
}

/* set: store argument 2 at ref.  0 or -ENOMEM */
static int
set(struct client *c, struct db_ref *ref, const struct set_options *o)
{
    int64_t expire = o->keep_ttl && ref->rec != NULL ? record_expire(ref->rec) : o->expire_at_ms;
    struct value v;

    if (value_string(&v, c->argv[2], ref->key.len) < 0)
        return -ENOMEM;
    if (db_store(ref, &v, expire) < 0) {
        value_free(&v);
        return -ENOMEM;
    }
    server.dirty++;
    return 0;
}

/* set_and_get: SET ... GET: the old value is the reply; a copy of it waits until the new one is in. */
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
    if (!(o->nx && copy != NULL) && !(o->xx && copy == NULL) && set(c, ref, o) < 0)
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
        if (find_string(c, 1, DB_READ, &ref))
            set_and_get(c, &ref, &o);
        return;
    }
    db_lookup(c->db, c->argv[1], DB_WRITE, &ref);
    if ((o.nx && ref.rec != NULL) || (o.xx && ref.rec == NULL))
        reply_null(c);
    else if (set(c, &ref, &o) < 0)
        reply_no_memory(c);
    else
        reply_ok(c);
}

void
cmd_get(struct client *c)
{
    struct db_ref ref;

    if (!find_string(c, 1, DB_READ, &ref))
        return;
    if (ref.rec == NULL)
        reply_null(c);
    else
        reply_string(c, ref.rec);
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
                                   .clock_s = server.clock_s};

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

void
cmd_mset(struct client *c)
{
    int count = (c->argc - 1) / 2, made;
    struct db_item *items;

    if (c->argc % 2 == 0) {
        reply_arity(c);
        return;
    }
    if ((items = malloc((size_t)count * sizeof *items)) == NULL) {
        reply_no_memory(c);
        return;
    }
    made = make_items(c, items, count);
    if (made == count && db_store_all(c->db, items, count) == 0) {
        server.dirty += (uint64_t)count;
        reply_ok(c);
    } else {
        free_items(items, made);
        reply_no_memory(c);
    }
    free(items);
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
            reply_string(c, r);
    }
}

/* ---- integers ---- */

/* integer_at: the integer at ref, 0 where there is no key; false: it is none, an error was replied. */
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

    if (!find_string(c, 1, DB_WRITE, &ref) || !integer_at(c, &ref, &old))
        return;
    if (__builtin_add_overflow(old, by, &v.integer)) {
        reply_error(c, "ERR increment or decrement would overflow");
        return;
    }
    if (db_store(&ref, &v, ref.rec != NULL ? record_expire(ref.rec) : RECORD_NO_EXPIRE) < 0) {
        reply_no_memory(c);
        return;
    }
    server.dirty++;
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

/* ---- parts of strings ---- */

static size_t
string_len(const struct db_ref *ref)
{
    char scratch[NUM_MAX_BYTES];

    return ref->rec == NULL ? 0 : record_text(ref->rec, scratch).len;
}

/* length_is_good: may a string be that long?  If not, an error was replied. */
static bool
length_is_good(struct client *c, uint64_t offset, size_t more)
{
    uint64_t total;

    if (!__builtin_add_overflow(offset, more, &total) && total <= config.proto_max_bulk_len)
        return true;
    reply_error(c, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    return false;
}

void
cmd_append(struct client *c)
{
    struct set_options plain = {.expire_at_ms = RECORD_NO_EXPIRE};
    struct db_ref ref;
    size_t len;
    int r;

    if (!find_string(c, 1, DB_WRITE, &ref))
        return;
    len = string_len(&ref);
    if (ref.rec == NULL) {
        r = set(c, &ref, &plain);
    } else {
        if (!length_is_good(c, len, c->argv[2].len))
            return;
        r = blob_write(&ref, len, c->argv[2]);
        server.dirty += r == 0;
    }
    if (r < 0)
        reply_no_memory(c);
    else
        reply_int(c, (int64_t)(len + c->argv[2].len));
}

void
cmd_setrange(struct client *c)
{
    struct slice bytes = c->argv[3];
    struct db_ref ref;
    int64_t offset;
    size_t len;

    if (!arg_int(c, 2, &offset))
        return;
    if (offset < 0) {
        reply_error(c, "ERR offset is out of range");
        return;
    }
    if (!find_string(c, 1, DB_WRITE, &ref))
        return;
    len = string_len(&ref);
    if (bytes.len == 0) {
        reply_int(c, (int64_t)len);
        return;
    }
    if (!length_is_good(c, (uint64_t)offset, bytes.len))
        return;
    if (blob_write(&ref, (size_t)offset, bytes) < 0) {
        reply_no_memory(c);
        return;
    }
    server.dirty++;
    reply_int(c, (int64_t)((size_t)offset + bytes.len > len ? (size_t)offset + bytes.len : len));
}

void
cmd_strlen(struct client *c)
{
    struct db_ref ref;

    if (find_string(c, 1, DB_READ, &ref))
        reply_int(c, (int64_t)string_len(&ref));
}

void
cmd_getrange(struct client *c)
{
    char scratch[NUM_MAX_BYTES];
    struct slice text = {.ptr = "", .len = 0};
    int64_t start, end, len;
    struct db_ref ref;

    if (!arg_int(c, 2, &start) || !arg_int(c, 3, &end) || !find_string(c, 1, DB_READ, &ref))
        return;
    if (ref.rec != NULL)
        text = record_text(ref.rec, scratch);
    len = (int64_t)text.len;
    if (start < 0 && end < 0 && start > end)
        len = 0;
    start = start < 0 ? (start + len > 0 ? start + len : 0) : start;
    end = end < 0 ? (end + len > 0 ? end + len : 0) : end;
    end = end >= len ? len - 1 : end;
    if (len == 0 || start > end)
        reply_bulk(c, "", 0);
    else
        reply_bulk(c, text.ptr + start, (size_t)(end - start + 1));
}
