/* server/commands/generic/generic.c - commands on keys of any type, and on whole databases.  SCAN
 * and KEYS: commands/generic/scan.c. */
#include <errno.h>

#include "server/data/db/db.h"
#include "server/data/db/value.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"
#include "server/persist/persist.h"

#include "server/commands/generic/generic.def"

static void
delete_all(struct client *c)
{
    int64_t deleted = 0;

    for (int i = 1; i < c->argc; i++)
        if (db_delete(c->db, c->argv[i])) {
            changed_gone(c, c->argv[i]);
            deleted++;
        }
    reply_int(c, deleted);
}

void
cmd_del(struct client *c)
{
    delete_all(c);
}

void
cmd_unlink(struct client *c)
{
    delete_all(c); /* DEL does not stall either: large values are freed in slices */
}

void
cmd_exists(struct client *c)
{
    struct db_ref ref;
    int64_t found = 0;

    for (int i = 1; i < c->argc; i++)
        found += db_lookup(c->db, c->argv[i], DB_LOOK, &ref) != NULL;
    reply_int(c, found);
}

/* TOUCH key ... -> how many there are; their access clocks are set, also for a client that said
 * NO-TOUCH. */
void
cmd_touch(struct client *c)
{
    int64_t found = 0;

    db_keep_clocks(false); /* until the next command */
    for (int i = 1; i < c->argc; i++)
        found += db_find_read(c->db, c->argv[i]) != NULL;
    reply_int(c, found);
}

void
cmd_type(struct client *c)
{
    struct db_ref ref;
    const struct record *r = db_lookup(c->db, c->argv[1], DB_LOOK, &ref);

    reply_status(c, r == NULL ? "none" : value_type_name(record_type(r)));
}

void
cmd_randomkey(struct client *c)
{
    const struct record *r = db_random(c->db);

    if (r == NULL)
        reply_null(c);
    else
        reply_bulk(c, record_key(r).ptr, record_key(r).len);
}

/* ---- one value, another key ---- */

/* hand_over: the value and expiry at `from` go to `to`, over what is there; the key at from goes.
 * 0 or -ENOMEM */
static int
hand_over(struct db *from_db, struct slice from_key, struct db_ref *to)
{
    struct record_spec spec;
    struct db_ref from;
    uint32_t clock;
    int r;

    if (db_lookup(from_db, from_key, 0, &from) == NULL)
        return 0;
    record_spec_of(from.rec, &spec);
    spec.key = to->key;
    clock = record_clock(from.rec);
    if ((r = db_supplant(to, &spec)) < 0)
        return r;
    record_touch(to->rec, clock); /* the value's use goes with it */
    /* The tables have changed: look again.  The clock stands still, so the key is there. */
    must(db_lookup(from_db, from_key, 0, &from) != NULL);
    db_unlink(&from);
    return 0;
}

static void
rename_key(struct client *c, bool nx)
{
    struct db_ref from, to;

    if (db_lookup(c->db, c->argv[1], DB_WRITE, &from) == NULL) {
        reply_no_key(c);
        return;
    }
    if (!slice_equal(c->argv[1], c->argv[2])) {
        if (db_lookup(c->db, c->argv[2], DB_WRITE, &to) != NULL && nx) {
            reply_int(c, 0);
            return;
        }
        if (hand_over(c->db, c->argv[1], &to) < 0) {
            reply_no_memory(c);
            return;
        }
        changed(c, c->argv[1], KEY_EVENT_GENERIC, "rename_from", 0);
        changed(c, c->argv[2], KEY_EVENT_GENERIC, "rename_to", 1);
    } else if (nx) {
        reply_int(c, 0);
        return;
    }
    if (nx)
        reply_int(c, 1);
    else
        reply_ok(c);
}

void
cmd_rename(struct client *c)
{
    rename_key(c, false);
}

void
cmd_renamenx(struct client *c)
{
    rename_key(c, true);
}

/* arg_db: the database that argument i names; NULL, and an error was replied. */
static struct db *
arg_db(struct client *c, int i)
{
    int n;

    return arg_db_number(c, i, &n) ? db_select(n) : NULL;
}

static const char same_object[] = "ERR source and destination objects are the same";

void
cmd_move(struct client *c)
{
    struct db *db = arg_db(c, 2);
    struct db_ref from, to;

    if (db == NULL)
        return;
    if (db == c->db) {
        reply_error(c, same_object);
        return;
    }
    if (db_lookup(c->db, c->argv[1], DB_WRITE, &from) == NULL ||
        db_lookup(db, c->argv[1], DB_WRITE, &to) != NULL) {
        reply_int(c, 0);
    } else if (hand_over(c->db, c->argv[1], &to) < 0) {
        reply_no_memory(c);
    } else {
        changed(c, c->argv[1], KEY_EVENT_GENERIC, "move_from", 0);
        changed_in(db, c->argv[1], "move_to");
        reply_int(c, 1);
    }
}

/* parse_copy: false: an error was replied. */
static bool
parse_copy(struct client *c, struct db **ret_db, bool *ret_replace)
{
    *ret_db = c->db;
    *ret_replace = false;
    for (int i = 3; i < c->argc; i++) {
        if (arg_is(c, i, "replace")) {
            *ret_replace = true;
        } else if (arg_is(c, i, "db") && i + 1 < c->argc) {
            if ((*ret_db = arg_db(c, ++i)) == NULL)
                return false;
        } else {
            reply_syntax(c);
            return false;
        }
    }
    return true;
}

/* copy_to: 0 or -ENOMEM */
static int
copy_to(const struct record *from, struct db_ref *to)
{
    struct record_spec spec;
    int r;

    record_spec_of(from, &spec);
    spec.key = to->key;
    if (value_copy(&spec.value, &spec.value, to->key.len) < 0)
        return -ENOMEM;
    if ((r = db_supplant(to, &spec)) < 0)
        value_free(&spec.value);
    return r;
}

void
cmd_copy(struct client *c)
{
    struct db_ref from, to;
    struct db *db;
    bool replace;

    if (!parse_copy(c, &db, &replace))
        return;
    if (db == c->db && slice_equal(c->argv[1], c->argv[2])) {
        reply_error(c, same_object);
        return;
    }
    if (db_lookup(c->db, c->argv[1], DB_READ, &from) == NULL) {
        reply_int(c, 0);
        return;
    }
    if (db_lookup(db, c->argv[2], DB_WRITE, &to) != NULL && !replace) {
        reply_int(c, 0);
    } else if (copy_to(from.rec, &to) < 0) {
        reply_no_memory(c);
    } else {
        changed_in(db, c->argv[2], "copy_to");
        reply_int(c, 1);
    }
}
