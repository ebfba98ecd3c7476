/* server/commands/list/list_block.c - list commands that wait until there is an element: BLPOP,
 * BRPOP, BLMOVE, BRPOPLPUSH, BLMPOP. */
#include "server/commands/list/list.h"
#include "server/exec/args.h"
#include "server/exec/handlers.h"
#include "server/exec/keywait.h"

#include "server/commands/list/list.def"

/* find_key: the list that became ready. */
static void
find_ready(struct client *c, struct slice key, struct db_ref *ref)
{
    (void)db_lookup(c->db, key, DB_WRITE, ref);
    must(ref->rec != NULL && record_type(ref->rec) == TYPE_LIST); /* keywait.h */
}

/* ---- BLPOP, BRPOP ---- */

static bool
serve_pop(struct client *c, struct slice key, enum list_side side)
{
    struct db_ref ref;

    find_ready(c, key, &ref);
    list_pop_replying(c, &ref, &(struct pop){.side = side, .count = 1, .with_key = true});
    return true;
}

static bool
serve_blpop(struct client *c, struct slice key, int argc, const struct slice *argv)
{
    (void)argc;
    (void)argv;
    return serve_pop(c, key, LIST_HEAD);
}

static bool
serve_brpop(struct client *c, struct slice key, int argc, const struct slice *argv)
{
    (void)argc;
    (void)argv;
    return serve_pop(c, key, LIST_TAIL);
}

static void
pop_or_wait(struct client *c, enum list_side side)
{
    struct keywait_spec wait = {.type = TYPE_LIST,
                                .first_key = 1,
                                .key_count = c->argc - 2,
                                .serve = side == LIST_HEAD ? serve_blpop : serve_brpop,
                                .reply_timeout = reply_null_array};
    struct mpop now = {.first_key = 1,
                       .key_count = c->argc - 2,
                       .pop = {.side = side, .count = 1, .with_key = true}};

    if (arg_deadline(c, c->argc - 1, &wait.deadline_ms) && !list_mpop_now(c, &now))
        keywait_begin(c, &wait);
}

void
cmd_blpop(struct client *c)
{
    pop_or_wait(c, LIST_HEAD);
}

void
cmd_brpop(struct client *c)
{
    pop_or_wait(c, LIST_TAIL);
}

/* ---- BLMPOP ---- */

static bool
serve_blmpop(struct client *c, struct slice key, int argc, const struct slice *argv)
{
    struct db_ref ref;
    struct mpop m;

    (void)argc;
    (void)argv;
    must(list_parse_mpop(c, 2, &m)); /* it was good before */
    find_ready(c, key, &ref);
    list_pop_replying(c, &ref, &m.pop);
    return true;
}

void
cmd_blmpop(struct client *c)
{
    struct keywait_spec wait = {
        .type = TYPE_LIST, .serve = serve_blmpop, .reply_timeout = reply_null_array};
    struct mpop m;

    if (!list_parse_mpop(c, 2, &m) || !arg_deadline(c, 1, &wait.deadline_ms) ||
        list_mpop_now(c, &m))
        return;
    wait.first_key = m.first_key;
    wait.key_count = m.key_count;
    keywait_begin(c, &wait);
}

/* ---- BLMOVE, BRPOPLPUSH ---- */

static bool
serve_move(struct client *c, struct slice key, enum list_side from, enum list_side to)
{
    struct move m = {.from_key = key, .to_key = c->argv[2], .from = from, .to = to};
    struct db_ref source;

    find_ready(c, key, &source);
    list_move_replying(c, &m, &source);
    return true;
}

static bool
serve_blmove(struct client *c, struct slice key, int argc, const struct slice *argv)
{
    enum list_side from = LIST_HEAD, to = LIST_HEAD;

    (void)argc;
    (void)argv;
    must(arg_side(c, 3, &from) && arg_side(c, 4, &to));
    return serve_move(c, key, from, to);
}

static bool
serve_brpoplpush(struct client *c, struct slice key, int argc, const struct slice *argv)
{
    (void)argc;
    (void)argv;
    return serve_move(c, key, LIST_TAIL, LIST_HEAD);
}

static void
move_or_wait(struct client *c, const struct move *m, struct keywait_spec *wait)
{
    struct db_ref source;

    if (!list_find_key(c, 1, DB_WRITE, &source))
        return;
    if (source.rec != NULL) {
        list_move_replying(c, m, &source);
        return;
    }
    if (c->in_exec) {
        reply_null(c);
        return;
    }
    wait->type = TYPE_LIST;
    wait->first_key = wait->key_count = 1;
    wait->reply_timeout = reply_null_array;
    keywait_begin(c, wait);
}

void
cmd_blmove(struct client *c)
{
    struct move m = {.from_key = c->argv[1], .to_key = c->argv[2]};
    struct keywait_spec wait = {.serve = serve_blmove};

    if (arg_side(c, 3, &m.from) && arg_side(c, 4, &m.to) && arg_deadline(c, 5, &wait.deadline_ms))
        move_or_wait(c, &m, &wait);
}

void
cmd_brpoplpush(struct client *c)
{
    struct move m = {
        .from_key = c->argv[1], .to_key = c->argv[2], .from = LIST_TAIL, .to = LIST_HEAD};
    struct keywait_spec wait = {.serve = serve_brpoplpush};

    if (arg_deadline(c, 3, &wait.deadline_ms))
        move_or_wait(c, &m, &wait);
}
