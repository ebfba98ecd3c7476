/* server/commands/generic/expire.c - commands about when keys expire. */
#include "mm/base/clock.h"
#include "server/commands/generic/ttl.h"
#include "server/data/db/db.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/cmd.h"
#include "server/exec/effect.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/generic/generic.def"

struct expire_options {
    bool nx, xx, gt, lt;
};

static bool
parse_options(struct client *c, struct expire_options *o)
{
    *o = (struct expire_options){.nx = false};
    for (int i = 3; i < c->argc; i++) {
        if (arg_is(c, i, "nx")) {
            o->nx = true;
        } else if (arg_is(c, i, "xx")) {
            o->xx = true;
        } else if (arg_is(c, i, "gt")) {
            o->gt = true;
        } else if (arg_is(c, i, "lt")) {
            o->lt = true;
        } else {
            reply_errorf(c, "ERR Unsupported option %.*s", slice_shown(c->argv[i]), c->argv[i].ptr);
            return false;
        }
    }
    if (o->nx && (o->xx || o->gt || o->lt)) {
        reply_error(c, "ERR NX and XX, GT or LT options at the same time are not compatible");
        return false;
    }
    if (o->gt && o->lt) {
        reply_error(c, "ERR GT and LT options at the same time are not compatible");
        return false;
    }
    return true;
}

/* is_wanted: do the options allow this change?  No expiry counts as the latest of all. */
static bool
is_wanted(const struct expire_options *o, int64_t current, int64_t wanted)
{
    if (current == RECORD_NO_EXPIRE)
        return !o->xx && !o->gt;
    return !o->nx && !(o->gt && wanted <= current) && !(o->lt && wanted >= current);
}

static void
expire(struct client *c, bool seconds, bool absolute)
{
    struct expire_options o;
    struct db_ref ref;
    int64_t n, at_ms;

    if (!parse_options(c, &o) || !arg_int(c, 2, &n))
        return;
    if (!ttl_deadline(n, seconds, absolute, &at_ms)) {
        reply_errorf(c, "ERR invalid expire time in '%s' command", c->cmd->full_name);
        return;
    }
    if (db_lookup(c->db, c->argv[1], DB_WRITE, &ref) == NULL ||
        !is_wanted(&o, record_expire(ref.rec), at_ms)) {
        reply_int(c, 0);
        return;
    }
    if (at_ms <= clock_now.ms) {
        db_remove(&ref);
        changed_gone(c, c->argv[1]);
        if (unlikely(effects_are_wanted))
            effect_deleted(c->argv[1]);
    } else if (db_set_expire(&ref, at_ms) < 0) {
        reply_no_memory(c);
        return;
    } else {
        changed(c, c->argv[1], KEY_EVENT_GENERIC, "expire", 1);
        if (unlikely(effects_are_wanted))
            effect_expiry(c->argv[1], at_ms);
    }
    reply_int(c, 1);
}

void
cmd_expire(struct client *c)
{
    expire(c, true, false);
}

void
cmd_pexpire(struct client *c)
{
    expire(c, false, false);
}

void
cmd_expireat(struct client *c)
{
    expire(c, true, true);
}

void
cmd_pexpireat(struct client *c)
{
    expire(c, false, true);
}

static void
ttl(struct client *c, bool seconds, bool absolute)
{
    struct db_ref ref;
    int64_t at_ms, n;

    if (db_lookup(c->db, c->argv[1], DB_LOOK, &ref) == NULL) {
        reply_int(c, -2);
        return;
    }
    if ((at_ms = record_expire(ref.rec)) == RECORD_NO_EXPIRE) {
        reply_int(c, -1);
        return;
    }
    n = absolute ? at_ms : at_ms - clock_now.ms;
    if (n < 0)
        n = 0;
    reply_int(c, seconds ? n / 1000 + (n % 1000 >= 500) : n);
}

void
cmd_ttl(struct client *c)
{
    ttl(c, true, false);
}

void
cmd_pttl(struct client *c)
{
    ttl(c, false, false);
}

void
cmd_expiretime(struct client *c)
{
    ttl(c, true, true);
}

void
cmd_pexpiretime(struct client *c)
{
    ttl(c, false, true);
}

void
cmd_persist(struct client *c)
{
    struct db_ref ref;

    if (db_lookup(c->db, c->argv[1], DB_WRITE, &ref) == NULL ||
        record_expire(ref.rec) == RECORD_NO_EXPIRE) {
        reply_int(c, 0);
    } else if (db_set_expire(&ref, RECORD_NO_EXPIRE) < 0) {
        reply_no_memory(c);
    } else {
        changed(c, c->argv[1], KEY_EVENT_GENERIC, "persist", 1);
        reply_int(c, 1);
    }
}
