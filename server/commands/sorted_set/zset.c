/* server/commands/sorted_set/zset.c - commands on sorted sets: members, scores, ranks.  Ranges:
 * commands/sorted_set/zset_range.c; several sets: commands/sorted_set/zset_combine.c; popping and
 * drawing: commands/sorted_set/zset_pop.c; ZSCAN: commands/generic/scan.c. */
#include "server/commands/sorted_set/zset.h"
#include "server/commands/generic/scan.h"

#include <errno.h>
#include <stdlib.h>

#include "mm/base/fault.h"
#include "server/data/db/db.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/handlers.h"

#include "server/commands/sorted_set/sorted_set.def"

/* ---- shared ---- */

void
zset_reply_begin(const struct zset_reply *z, uint64_t count)
{
    reply_array(z->c, z->with_scores && z->c->resp == 2 ? 2 * count : count);
}

void
zset_reply_element(void *ctx, struct slice member, double score)
{
    const struct zset_reply *z = ctx;

    if (z->with_scores && z->c->resp > 2)
        reply_array(z->c, 2);
    reply_bulk(z->c, member.ptr, member.len);
    if (z->with_scores)
        reply_double(z->c, score);
}

/* ---- ZADD, ZINCRBY ---- */

enum { RETURN_CHANGED = 1 << 8 }; /* CH, beside enum zset_flag */

static unsigned
add_option(const struct client *c, int i)
{
    static const struct {
        const char *word;
        unsigned flag;
    } options[] = {{"nx", ZSET_NX}, {"xx", ZSET_XX},        {"gt", ZSET_GT},
                   {"lt", ZSET_LT}, {"ch", RETURN_CHANGED}, {"incr", ZSET_INCR}};

    for (size_t k = 0; k < sizeof options / sizeof *options; k++)
        if (arg_is(c, i, options[k].word))
            return options[k].flag;
    return 0;
}

/* check_options: false, and the error was replied. */
static bool
check_options(struct client *c, unsigned flags, int words)
{
    if (words == 0 || words % 2 != 0)
        reply_syntax(c);
    else if ((flags & ZSET_NX) != 0 && (flags & ZSET_XX) != 0)
        reply_error(c, "ERR XX and NX options at the same time are not compatible");
    else if (__builtin_popcount(flags & (ZSET_GT | ZSET_LT | ZSET_NX)) > 1)
        reply_error(c, "ERR GT, LT, and/or NX options at the same time are not compatible");
    else if ((flags & ZSET_INCR) != 0 && words > 2)
        reply_error(c, "ERR INCR option supports a single increment-element pair");
    else
        return true;
    return false;
}

static void
reply_added(struct client *c, unsigned flags, const struct zset_added *sum)
{
    if ((flags & ZSET_INCR) == 0)
        reply_int(c, sum->added + ((flags & RETURN_CHANGED) != 0 ? sum->updated : 0));
    else if (sum->done)
        reply_double(c, sum->score);
    else
        reply_null(c);
}

/* add_members: the scores were parsed. */
static void
add_members(struct client *c, unsigned flags, const struct zmember *members, int count)
{
    struct zset_added sum = {.added = 0};
    struct db_ref ref;
    int r;

    if (!zset_find_key(c, 1, DB_WRITE, &ref))
        return;
    if ((r = zset_add(&ref, flags, members, count, &sum)) == -EDOM) {
        reply_error(c, "ERR resulting score is not a number (NaN)");
        return;
    }
    if (r < 0) {
        reply_no_memory(c);
        return;
    }
    if (sum.added + sum.updated > 0)
        changed(c, c->argv[1], KEY_EVENT_ZSET, (flags & ZSET_INCR) != 0 ? "zincr" : "zadd",
                (uint64_t)(sum.added + sum.updated));
    reply_added(c, flags, &sum);
}

static void
add(struct client *c, unsigned flags)
{
    enum { ON_STACK = 32 };
    struct zmember few[ON_STACK], *members = few;
    int first = 2, count;
    unsigned option;

    for (; first < c->argc && (option = add_option(c, first)) != 0; first++)
        flags |= option;
    if (!check_options(c, flags, c->argc - first))
        return;
    count = (c->argc - first) / 2;
    if (count > ON_STACK && (fault_point(FAULT_side_alloc) ||
                             (members = malloc((size_t)count * sizeof *members)) == NULL)) {
        reply_no_memory(c);
        return;
    }
    for (int i = 0; i < count; i++) {
        members[i].member = c->argv[first + 2 * i + 1];
        if (!arg_double(c, first + 2 * i, NULL, &members[i].score))
            goto free_members;
    }
    add_members(c, flags, members, count);
free_members:
    if (members != few)
        free(members);
}

void
cmd_zadd(struct client *c)
{
    add(c, 0);
}

void
cmd_zincrby(struct client *c)
{
    add(c, ZSET_INCR);
}

/* ---- ZREM ---- */

void
cmd_zrem(struct client *c)
{
    int64_t removed = 0;
    struct db_ref ref;

    if (!zset_find_key(c, 1, DB_WRITE, &ref))
        return;
    if (ref.rec != NULL && zset_remove(&ref, c->argv + 2, c->argc - 2, &removed) < 0) {
        reply_no_memory(c);
        return;
    }
    if (removed > 0)
        changed_taken(c, &ref, KEY_EVENT_ZSET, "zrem", (uint64_t)removed);
    reply_int(c, removed);
}

/* ---- read ---- */

void
cmd_zcard(struct client *c)
{
    struct db_ref ref;

    if (zset_find_key(c, 1, DB_READ, &ref))
        reply_int(c, ref.rec == NULL ? 0 : (int64_t)zset_len(ref.rec));
}

static void
reply_score_of(struct client *c, const struct db_ref *ref, struct slice member)
{
    double score;

    if (ref->rec != NULL && zset_score(ref->rec, member, &score))
        reply_double(c, score);
    else
        reply_null(c);
}

void
cmd_zscore(struct client *c)
{
    struct db_ref ref;

    if (zset_find_key(c, 1, DB_READ, &ref))
        reply_score_of(c, &ref, c->argv[2]);
}

void
cmd_zmscore(struct client *c)
{
    struct db_ref ref;

    if (!zset_find_key(c, 1, DB_READ, &ref))
        return;
    reply_array(c, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++)
        reply_score_of(c, &ref, c->argv[i]);
}

static void
rank(struct client *c, bool reverse)
{
    bool with_score = c->argc > 3;
    struct db_ref ref;
    uint64_t rank_up;
    double score;

    if (c->argc > 4) {
        arg_wrong_count(c);
    } else if (with_score && !arg_is(c, 3, "withscore")) {
        reply_syntax(c);
    } else if (!zset_find_key(c, 1, DB_READ, &ref)) {
        return;
    } else if (ref.rec == NULL || !zset_rank(ref.rec, c->argv[2], &rank_up, &score)) {
        if (with_score)
            reply_null_array(c);
        else
            reply_null(c);
    } else {
        if (with_score)
            reply_array(c, 2);
        reply_int(c, (int64_t)(reverse ? zset_len(ref.rec) - 1 - rank_up : rank_up));
        if (with_score)
            reply_double(c, score);
    }
}

void
cmd_zrank(struct client *c)
{
    rank(c, false);
}

void
cmd_zrevrank(struct client *c)
{
    rank(c, true);
}

void
cmd_zscan(struct client *c)
{
    scan_elements(c, TYPE_ZSET);
}
