/* server/commands/list/list_move.c - from one list to another, and from the first of several:
 * LMOVE, RPOPLPUSH, LMPOP. */
#include "server/commands/list/list.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/effect.h"
#include "server/exec/handlers.h"

#include "server/commands/list/list.def"

static struct slice
side_word(enum list_side side)
{
    return side == LIST_HEAD ? SLICE("LEFT") : SLICE("RIGHT");
}

/* tell_move: the destination's event comes first. */
static void
tell_move(struct client *c, const struct move *m, struct db_ref *source)
{
    changed(c, m->to_key, KEY_EVENT_LIST, m->to == LIST_HEAD ? "lpush" : "rpush", 0);
    list_went(c, source, m->from, 1);
    if (unlikely(effects_are_wanted)) {
        struct slice words[] = {SLICE("LMOVE"), m->from_key, m->to_key, side_word(m->from),
                                side_word(m->to)};

        EFFECT(words);
    }
}

/* rotate: source and destination are one list. */
static void
rotate(struct client *c, const struct move *m, struct db_ref *source)
{
    size_t pending = client_pending_out(c);
    struct list_elem e;

    list_get(source->rec, m->from == LIST_HEAD ? 0 : list_len(source->rec) - 1, &e);
    reply_element(c, &e);
    if (list_rotate(source, m->from, m->to) == 0) {
        tell_move(c, m, source);
        return;
    }
    if (!c->close_now)
        reply_take_back(c, pending);
    reply_no_memory(c);
}

void
list_move_replying(struct client *c, const struct move *m, struct db_ref *source)
{
    size_t pending = client_pending_out(c);
    struct db_ref to;
    struct list_elem e;

    if (slice_equal(m->from_key, m->to_key)) {
        rotate(c, m, source);
        return;
    }
    if (db_lookup(c->db, m->to_key, DB_WRITE, &to) != NULL && record_type(to.rec) != TYPE_LIST) {
        reply_wrong_type(c);
        return;
    }
    source->at.bucket = NULL; /* an expired destination may have gone meanwhile */
    list_get(source->rec, m->from == LIST_HEAD ? 0 : list_len(source->rec) - 1, &e);
    reply_element(c, &e);
    if (list_move(source, m->from, &to, m->to) == 0) {
        tell_move(c, m, source);
        return;
    }
    if (!c->close_now)
        reply_take_back(c, pending);
    reply_no_memory(c);
}

static void
move_now(struct client *c, enum list_side from, enum list_side to)
{
    struct move m = {.from_key = c->argv[1], .to_key = c->argv[2], .from = from, .to = to};
    struct db_ref source;

    if (!list_find_key(c, 1, DB_WRITE, &source))
        return;
    if (source.rec == NULL)
        reply_null(c);
    else
        list_move_replying(c, &m, &source);
}

void
cmd_lmove(struct client *c)
{
    enum list_side from, to;

    if (arg_side(c, 3, &from) && arg_side(c, 4, &to))
        move_now(c, from, to);
}

void
cmd_rpoplpush(struct client *c)
{
    move_now(c, LIST_TAIL, LIST_HEAD);
}

/* ---- LMPOP ---- */

bool
list_parse_mpop(struct client *c, int at, struct mpop *ret)
{
    static const char *const sides[2] = {"left", "right"};
    struct arg_mpop a;

    if (!arg_mpop(c, at, sides, &a))
        return false;
    *ret = (struct mpop){.first_key = a.first_key,
                         .key_count = a.key_count,
                         .pop = {.side = a.second_end ? LIST_TAIL : LIST_HEAD,
                                 .count = (uint64_t)a.count,
                                 .with_key = true,
                                 .as_array = true}};
    return true;
}

bool
list_mpop_now(struct client *c, const struct mpop *m)
{
    for (int i = m->first_key; i < m->first_key + m->key_count; i++) {
        struct db_ref ref;

        if (!list_find_key(c, i, DB_WRITE, &ref))
            return true;
        if (ref.rec == NULL)
            continue;
        list_pop_replying(c, &ref, &m->pop);
        return true;
    }
    return false;
}

void
cmd_lmpop(struct client *c)
{
    struct mpop m;

    if (list_parse_mpop(c, 1, &m) && !list_mpop_now(c, &m))
        reply_null_array(c);
}
