/* server/commands/set/set_combine.c - SINTER, SINTERCARD, SUNION, SDIFF, and what stores their
 * results. */
#include <stdlib.h>

#include "server/commands/set/set.h"
#include "server/data/db/db.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/set/set.def"

enum { ON_STACK = 16 };

/* The sets at some keys. */
struct sources {
    struct set few[ON_STACK], *at;
    unsigned count;
    bool any_missing, first_missing;
};

/* find_sources: of the arguments from `first` on.  False: an error was replied. */
static bool
find_sources(struct client *c, int first, int keys, struct sources *s)
{
    *s = (struct sources){.at = s->few};
    if (keys > ON_STACK && (s->at = malloc((size_t)keys * sizeof *s->at)) == NULL) {
        reply_no_memory(c);
        return false;
    }
    for (int i = 0; i < keys; i++) {
        const struct record *r = db_find_read(c->db, c->argv[first + i]);

        if (r == NULL) {
            s->any_missing = true;
            s->first_missing = s->first_missing || i == 0;
            continue;
        }
        if (record_type(r) != TYPE_SET) {
            reply_wrong_type(c);
            if (s->at != s->few)
                free(s->at);
            return false;
        }
        s->at[s->count++] = set_of(r);
    }
    return true;
}

static void
release(struct sources *s)
{
    if (s->at != s->few)
        free(s->at);
}

/* ---- to the client ---- */

/* Members replied; limit 0: all are. */
struct output {
    struct client *c;
    uint64_t count, limit;
};

static bool
reply_and_count(void *ctx, struct set_batch *b, uint32_t which)
{
    struct output *o = ctx;

    o->count += (unsigned)__builtin_popcount(which);
    return set_reply_members(o->c, b, which);
}

static bool
count_only(void *ctx, struct set_batch *b, uint32_t which)
{
    struct output *o = ctx;

    (void)b;
    o->count += (unsigned)__builtin_popcount(which);
    return o->limit == 0 || o->count < o->limit;
}

void
cmd_sinter(struct client *c)
{
    struct output o = {.c = c};
    struct sources s;
    size_t token;

    if (!find_sources(c, 1, c->argc - 1, &s))
        return;
    if (s.any_missing) {
        reply_set(c, 0);
    } else {
        token = reply_array_deferred(c);
        set_inter(s.at, s.count, reply_and_count, &o);
        reply_set_close(c, token, o.count);
    }
    release(&s);
}

void
cmd_sdiff(struct client *c)
{
    size_t before = client_pending_out(c), token;
    struct output o = {.c = c};
    struct sources s;

    if (!find_sources(c, 1, c->argc - 1, &s))
        return;
    if (s.first_missing) {
        reply_set(c, 0);
    } else {
        token = reply_array_deferred(c);
        if (set_diff(s.at, s.count, reply_and_count, &o) == 0) {
            reply_set_close(c, token, o.count);
        } else {
            reply_take_back(c, before);
            reply_no_memory(c);
        }
    }
    release(&s);
}

/* union_of_many: with many sets, looking each member up in all those before costs more than making
 * the union. */
static void
union_of_many(struct client *c, const struct sources *s)
{
    struct set_build b;
    struct set made;

    set_build_init(&b, SET_INTS, false);
    set_union(s->at, s->count, false, set_build_add, &b);
    if (set_build_view(&b, &made) < 0) {
        reply_no_memory(c);
    } else {
        reply_set(c, made.count);
        set_each(&made, set_reply_members, c);
    }
    set_build_free(&b);
}

void
cmd_sunion(struct client *c)
{
    enum { FEW = 4 };
    struct output o = {.c = c};
    struct sources s;
    size_t token;

    if (!find_sources(c, 1, c->argc - 1, &s))
        return;
    if (s.count > FEW) {
        union_of_many(c, &s);
    } else {
        token = reply_array_deferred(c);
        set_union(s.at, s.count, true, reply_and_count, &o);
        reply_set_close(c, token, o.count);
    }
    release(&s);
}

/* parse_limit: the arguments behind the keys of SINTERCARD. */
static bool
parse_limit(struct client *c, int i, int64_t *ret)
{
    *ret = 0;
    for (; i < c->argc; i += 2) {
        if (!arg_is(c, i, "limit") || i + 1 == c->argc) {
            reply_syntax(c);
            return false;
        }
        if (!arg_int_from(c, i + 1, 0, "ERR LIMIT can't be negative", ret))
            return false;
    }
    return true;
}

void
cmd_sintercard(struct client *c)
{
    struct output o = {.c = c};
    int64_t keys, limit;
    struct sources s;

    if (!arg_numkeys(c, 1, &keys))
        return;
    if (keys > c->argc - 2) {
        reply_error(c, "ERR Number of keys can't be greater than number of args");
        return;
    }
    if (!parse_limit(c, 2 + (int)keys, &limit) || !find_sources(c, 2, (int)keys, &s))
        return;
    o.limit = (uint64_t)limit;
    if (!s.any_missing)
        set_inter(s.at, s.count, count_only, &o);
    reply_int(c, (int64_t)(limit > 0 && o.count > o.limit ? o.limit : o.count));
    release(&s);
}

/* ---- to another key ---- */

/* store: what was built becomes the value of argument 1, or, when it is empty, takes it away. */
static void
store(struct client *c, struct set_build *b, const char *event)
{
    struct db_ref ref;
    uint64_t count;

    (void)db_lookup(c->db, c->argv[1], DB_WRITE, &ref);
    if (set_build_store(b, &ref, RECORD_NO_EXPIRE, &count) < 0) {
        reply_no_memory(c);
        return;
    }
    if (count > 0) {
        changed(c, c->argv[1], KEY_EVENT_SET, event, 1);
    } else if (ref.rec != NULL) {
        db_remove(&ref);
        changed_gone(c, c->argv[1]);
    }
    reply_int(c, (int64_t)count);
}

void
cmd_sinterstore(struct client *c)
{
    struct set_build b;
    struct sources s;

    if (!find_sources(c, 2, c->argc - 2, &s))
        return;
    set_build_init(&b, SET_INTS, true);
    if (!s.any_missing) {
        const struct set *smallest = &s.at[0];

        for (unsigned i = 1; i < s.count; i++)
            if (s.at[i].count < smallest->count)
                smallest = &s.at[i];
        b.form = smallest->form == SET_INTS ? SET_INTS : SET_LISTPACK;
        set_inter(s.at, s.count, set_build_add, &b);
    }
    store(c, &b, "sinterstore");
    release(&s);
}

void
cmd_sunionstore(struct client *c)
{
    struct set_build b;
    struct sources s;

    if (!find_sources(c, 2, c->argc - 2, &s))
        return;
    set_build_init(&b, SET_INTS, s.count == 1);
    set_union(s.at, s.count, false, set_build_add, &b);
    store(c, &b, "sunionstore");
    release(&s);
}

void
cmd_sdiffstore(struct client *c)
{
    struct set_build b;
    struct sources s;

    if (!find_sources(c, 2, c->argc - 2, &s))
        return;
    set_build_init(&b, SET_INTS, true);
    if (!s.first_missing && set_diff(s.at, s.count, set_build_add, &b) < 0) {
        set_build_free(&b);
        reply_no_memory(c);
    } else {
        store(c, &b, "sdiffstore");
    }
    release(&s);
}
