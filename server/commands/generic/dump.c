/* server/commands/generic/dump.c - DUMP and RESTORE. */
#include <errno.h>
#include <stdlib.h>

#include "mm/base/clock.h"
#include "server/data/db/db.h"
#include "server/data/db/dump.h"
#include "server/data/db/value.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/effect.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/generic/generic.def"

/* DUMP key -> the payload, or null. */
void
cmd_dump(struct client *c)
{
    const struct record *r = db_find_read(c->db, c->argv[1]);
    uint8_t *bytes;
    size_t len;

    if (r == NULL) {
        reply_null(c);
        return;
    }
    if (dump_value(r, &bytes, &len) < 0) {
        reply_no_memory(c);
        return;
    }
    reply_bulk(c, bytes, len);
    free(bytes);
}

struct restore {
    bool replace, absolute;
    int64_t idle_s, freq; /* -1: not given */
    int64_t expire_at_ms;
};

static bool
parse_restore(struct client *c, struct restore *rs)
{
    *rs = (struct restore){.idle_s = -1, .freq = -1, .expire_at_ms = RECORD_NO_EXPIRE};
    for (int i = 4; i < c->argc; i++) {
        bool has_value = i + 1 < c->argc;
        if (arg_is(c, i, "replace")) {
            rs->replace = true;
        } else if (arg_is(c, i, "absttl")) {
            rs->absolute = true;
        } else if (arg_is(c, i, "idletime") && has_value && rs->freq == -1) {
            if (!arg_int(c, ++i, &rs->idle_s))
                return false;
            if (rs->idle_s < 0) {
                reply_error(c, "ERR Invalid IDLETIME value, must be >= 0");
                return false;
            }
        } else if (arg_is(c, i, "freq") && has_value && rs->idle_s == -1) {
            if (!arg_int(c, ++i, &rs->freq))
                return false;
            if (rs->freq < 0 || rs->freq > 255) {
                reply_error(c, "ERR Invalid FREQ value, must be >= 0 and <= 255");
                return false;
            }
        } else {
            reply_syntax(c);
            return false;
        }
    }
    return true;
}

static bool
parse_ttl(struct client *c, struct restore *rs)
{
    int64_t ttl;

    if (!arg_int(c, 2, &ttl))
        return false;
    if (ttl < 0) {
        reply_error(c, "ERR Invalid TTL value, must be >= 0");
        return false;
    }
    if (ttl != 0 && (rs->absolute || !__builtin_add_overflow(ttl, clock_now.ms, &rs->expire_at_ms)))
        rs->expire_at_ms = rs->absolute ? ttl : rs->expire_at_ms;
    return true;
}

/* What would be gone at once is not stored: whatever was there goes. */
static void
restore_expired(struct client *c, struct db_ref *ref)
{
    if (ref->rec != NULL) {
        db_remove(ref);
        changed_gone(c, c->argv[1]);
        if (unlikely(effects_are_wanted))
            effect_deleted(c->argv[1]);
    }
    reply_ok(c);
}

/* say_restored: with the time at which it expires. */
static void
say_restored(struct client *c, const struct restore *rs)
{
    char at[NUM_MAX_BYTES], use[NUM_MAX_BYTES];
    struct slice words[8] = {SLICE("RESTORE"), c->argv[1], effect_number(at, rs->expire_at_ms),
                             c->argv[3], SLICE("ABSTTL")};
    int argc = 5;

    if (rs->replace)
        words[argc++] = SLICE("REPLACE");
    if (rs->freq >= 0)
        words[argc++] = SLICE("FREQ");
    else if (rs->idle_s >= 0)
        words[argc++] = SLICE("IDLETIME");
    if (rs->freq >= 0 || rs->idle_s >= 0)
        words[argc++] = effect_number(use, rs->freq >= 0 ? rs->freq : rs->idle_s);
    effect_instead(argc, words);
}

static void
restore_value(struct client *c, struct db_ref *ref, const struct restore *rs, struct value *v)
{
    struct record_spec spec = {.key = ref->key, .expire_at_ms = rs->expire_at_ms, .value = *v};

    if (db_supplant(ref, &spec) < 0) {
        value_free(v);
        reply_no_memory(c);
        return;
    }
    db_set_use(ref->rec, rs->idle_s, rs->freq);
    changed(c, c->argv[1], KEY_EVENT_GENERIC, "restore", 1);
    if (rs->expire_at_ms != RECORD_NO_EXPIRE && unlikely(effects_are_wanted))
        say_restored(c, rs);
    reply_ok(c);
}

static void
reply_refusal(struct client *c, int error)
{
    if (error == -ENOMEM)
        reply_no_memory(c);
    else if (error == -ENOTSUP)
        reply_error(c, "ERR Bad data format: values of this type are not supported");
    else
        reply_error(c, "ERR Bad data format");
}

/* RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME s] [FREQ n] -> OK. */
void
cmd_restore(struct client *c)
{
    struct load_state state;
    struct restore rs;
    struct db_ref ref;
    struct value v;
    int r;

    if (!parse_restore(c, &rs))
        return;
    /* What is replaced is not told as expired. */
    if (db_lookup(c->db, c->argv[1], rs.replace ? DB_EXPIRED : 0, &ref) != NULL && !rs.replace) {
        reply_error(c, "BUSYKEY Target key name already exists.");
        return;
    }
    if (!parse_ttl(c, &rs))
        return;
    if (!dump_check(c->argv[3])) {
        reply_error(c, "ERR DUMP payload version or checksum are wrong");
        return;
    }
    r = dump_parse(c->argv[3], c->argv[1], &state, &v);
    if (r < 0) {
        reply_refusal(c, r);
    } else if (rs.expire_at_ms != RECORD_NO_EXPIRE && rs.expire_at_ms <= clock_now.ms) {
        value_free(&v);
        restore_expired(c, &ref);
    } else {
        restore_value(c, &ref, &rs, &v);
    }
    load_fini(&state);
}
