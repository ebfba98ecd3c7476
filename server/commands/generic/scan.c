/* server/commands/generic/scan.c - KEYS, SCAN, and the walks through one value: HSCAN, SSCAN. */
#include "server/commands/generic/scan.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "mm/base/glob.h"
#include "server/data/db/db.h"
#include "server/data/db/type.h"
#include "server/data/db/value.h"
#include "server/exec/args.h"
#include "server/exec/handlers.h"
#include "server/exec/pause.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/generic/generic.def"

/* ---- KEYS ---- */

struct keys {
    struct client *c;
    struct slice pattern;
    size_t count;
};

static void
reply_if_matching(void *ctx, const void *record)
{
    struct slice key = record_key(record);
    struct keys *k = ctx;

    if (db_record_is_expired(record) ||
        !(glob_is_all(k->pattern) || glob_match(k->pattern, key, false)))
        return;
    reply_bulk(k->c, key.ptr, key.len);
    k->count++;
}

void
cmd_keys(struct client *c)
{
    struct keys k = {.c = c, .pattern = c->argv[1]};
    size_t token = reply_array_deferred(c);

    db_each(c->db, reply_if_matching, &k);
    reply_array_close(c, token, k.count);
}

/* ---- what SCAN and its kin have in common ---- */

struct scan_options {
    uint64_t cursor;
    int64_t count;
    struct slice pattern; /* ptr NULL: all */
    struct slice type;    /* ptr NULL: all */
};

static bool
parse_cursor(struct client *c, int i, uint64_t *ret)
{
    enum { CURSOR_BYTES = 32 };
    char text[CURSOR_BYTES], *end;
    struct slice s = c->argv[i];

    if (s.len < sizeof text) {
        memcpy(text, s.ptr, s.len);
        text[s.len] = '\0';
        errno = 0;
        *ret = strtoull(text, &end, 10);
        if (s.len == 0 ||
            (!isspace((unsigned char)text[0]) && end == text + s.len && errno != ERANGE))
            return true;
    }
    reply_error(c, "ERR invalid cursor");
    return false;
}

static bool
parse_scan(struct client *c, int first, bool typed, struct scan_options *o)
{
    o->count = 10;
    o->pattern = o->type = (struct slice){.ptr = NULL};
    for (int i = first; i < c->argc; i += 2) {
        bool has_value = i + 1 < c->argc;

        if (arg_is(c, i, "count") && has_value) {
            if (!arg_int(c, i + 1, &o->count))
                return false;
            if (o->count < 1) {
                reply_syntax(c);
                return false;
            }
        } else if (arg_is(c, i, "match") && has_value) {
            o->pattern = c->argv[i + 1];
        } else if (typed && arg_is(c, i, "type") && has_value) {
            o->type = c->argv[i + 1];
        } else {
            reply_syntax(c);
            return false;
        }
    }
    return true;
}

static bool
is_wanted(const struct scan_options *o, struct slice text)
{
    return o->pattern.ptr == NULL || glob_is_all(o->pattern) || glob_match(o->pattern, text, false);
}

static void
reply_cursor(struct client *c, uint64_t cursor)
{
    char text[NUM_MAX_BYTES];

    reply_array(c, 2);
    reply_bulk(c, text, (size_t)(num_put_unsigned(text, cursor) - text));
}

/* What one call meets, in order; replied when its end is known, because SCAN deletes what has
 * expired. */
struct found {
    const void **at;
    size_t count, room;
    bool failed;
};

static void
remember(void *ctx, const void *entry)
{
    struct found *f = ctx;

    if (f->count == f->room && !f->failed) {
        size_t room = f->room == 0 ? 64 : f->room * 2;
        const void **at = realloc(f->at, room * sizeof *at);

        if (at == NULL) {
            f->failed = true;
            return;
        }
        f->at = at;
        f->room = room;
    }
    if (!f->failed)
        f->at[f->count++] = entry;
}

/* may_go_on: after so many steps, with so many found.  Empty places are walked over, but not
 * without end. */
static bool
may_go_on(const struct scan_options *o, uint64_t cursor, int64_t *steps, size_t found)
{
    enum { STEPS_PER_COUNT = 10 };

    ++*steps;
    return cursor != 0 && *steps / STEPS_PER_COUNT < o->count && found < (uint64_t)o->count;
}

/* ---- SCAN ---- */

static bool
type_is_wanted(const struct scan_options *o, const struct record *r)
{
    const char *name = value_type_name(record_type(r));

    return o->type.ptr == NULL || slice_is_word(o->type, name);
}

static void
reply_found_keys(struct client *c, const struct scan_options *o, const struct found *f)
{
    size_t token = reply_array_deferred(c), count = 0;

    for (size_t i = 0; i < f->count; i++) {
        const struct record *r = f->at[i];

        if (!is_wanted(o, record_key(r)))
            continue;
        if (db_record_is_expired(r)) { /* whatever its type: its name has been looked at */
            if (!pause_is_on())
                db_expire_record(c->db, r);
            continue;
        }
        if (!type_is_wanted(o, r))
            continue;
        reply_bulk(c, record_key(r).ptr, record_key(r).len);
        count++;
    }
    reply_array_close(c, token, count);
}

void
cmd_scan(struct client *c)
{
    struct found f = {.at = NULL};
    struct scan_options o;
    int64_t steps = 0;

    if (!parse_cursor(c, 1, &o.cursor) || !parse_scan(c, 2, true, &o))
        return;
    do
        o.cursor = db_walk(c->db, o.cursor, remember, &f);
    while (may_go_on(&o, o.cursor, &steps, f.count));
    if (f.failed) {
        reply_no_memory(c);
    } else {
        reply_cursor(c, o.cursor);
        reply_found_keys(c, &o, &f);
    }
    free(f.at);
}

/* ---- HSCAN, SSCAN, ZSCAN: the elements of one value, as its type walks through them ---- */

struct element_scan {
    struct client *c;
    const struct scan_options *o;
    size_t replied; /* words */
};

static void
reply_element_if_wanted(void *ctx, struct slice element, struct slice value)
{
    struct element_scan *s = ctx;

    if (!is_wanted(s->o, element))
        return;
    reply_bulk(s->c, element.ptr, element.len);
    s->replied++;
    if (value.ptr == NULL)
        return;
    reply_bulk(s->c, value.ptr, value.len);
    s->replied++;
}

static void
count_element(void *ctx, struct slice element, struct slice value)
{
    (void)element;
    (void)value;
    ++*(size_t *)ctx;
}

/* scan_end: where this call ends: the same walk as the one that replies, without a reply. */
static uint64_t
scan_end(const struct record *r, const struct scan_options *o)
{
    const struct type_ops *type = type_of(record_type(r));
    uint64_t cursor = o->cursor;
    int64_t steps = 0;
    size_t seen = 0;

    do
        cursor = type->walk(r, cursor, count_element, &seen);
    while (may_go_on(o, cursor, &steps, seen));
    return cursor;
}

static void
reply_elements(struct client *c, const struct record *r, const struct scan_options *o)
{
    const struct type_ops *type = type_of(record_type(r));
    struct element_scan s = {.c = c, .o = o};
    uint64_t cursor = o->cursor, end = scan_end(r, o);
    size_t token;

    reply_cursor(c, end);
    token = reply_array_deferred(c);
    do
        cursor = type->walk(r, cursor, reply_element_if_wanted, &s);
    while (cursor != end);
    reply_array_close(c, token, s.replied);
}

void
scan_elements(struct client *c, enum value_type type)
{
    struct scan_options o;
    const struct record *r;

    if (!parse_cursor(c, 2, &o.cursor))
        return;
    if ((r = db_find_read(c->db, c->argv[1])) == NULL) {
        reply_cursor(c, 0);
        reply_array(c, 0);
    } else if (record_type(r) != type && !(type == TYPE_HASH && record_is_timed(r))) {
        reply_wrong_type(c);
    } else if (parse_scan(c, 3, false, &o)) {
        reply_elements(c, r, &o);
    }
}
