/* server/commands/sorted_set/zset_range.c - ranges of sorted sets, by rank, score or member: read,
 * stored, counted, removed. Each is brought to an interval of ranks first (zset.h). */
#include <math.h>
#include <stdlib.h>

#include "server/commands/sorted_set/zset.h"
#include "server/data/db/db.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/handlers.h"

#include "server/commands/sorted_set/sorted_set.def"

enum range_kind { BY_ANY, BY_RANK, BY_SCORE, BY_MEMBER };

struct range {
    enum range_kind kind;
    bool reverse;
    int64_t from, to; /* BY_RANK, as given */
    struct zbound min, max;
};

/* ---- bounds ---- */

/* parse_score: "(" for exclusive, then what strtod() takes, blanks before it and nothing
 * included. */
static bool
parse_score(struct slice s, struct zbound *ret)
{
    enum { TEXT_BYTES = 512 };
    char text[TEXT_BYTES], *end, *number = text;

    *ret = (struct zbound){.is_member = false};
    if (s.len >= sizeof text)
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    if (*number == '(') {
        ret->exclusive = true;
        number++;
    }
    ret->score = strtod(number, &end);
    return *end == '\0' && !isnan(ret->score);
}

static bool
parse_member(struct slice s, struct zbound *ret)
{
    *ret = (struct zbound){.is_member = true};
    if (s.len == 1 && (s.ptr[0] == '-' || s.ptr[0] == '+')) {
        ret->infinite = s.ptr[0] == '-' ? -1 : 1;
        return true;
    }
    if (s.len == 0 || (s.ptr[0] != '(' && s.ptr[0] != '['))
        return false;
    ret->exclusive = s.ptr[0] == '(';
    ret->member = (struct slice){s.ptr + 1, s.len - 1};
    return true;
}

/* parse_bounds: arguments min and max; false, and the error was replied. */
static bool
parse_bounds(struct client *c, int min, int max, struct range *r)
{
    if (r->kind == BY_RANK)
        return arg_int(c, min, &r->from) && arg_int(c, max, &r->to);
    if (r->kind == BY_SCORE) {
        if (parse_score(c->argv[min], &r->min) && parse_score(c->argv[max], &r->max))
            return true;
        reply_error(c, "ERR min or max is not a float");
        return false;
    }
    if (parse_member(c->argv[min], &r->min) && parse_member(c->argv[max], &r->max))
        return true;
    reply_error(c, "ERR min or max not valid string range item");
    return false;
}

/* An interval of ranks, counted from the lowest score; empty when there is nothing. */
struct interval {
    uint64_t from, count;
};

static struct interval
by_rank(const struct range *r, int64_t len)
{
    int64_t from = r->from < 0 ? r->from + len : r->from, to = r->to < 0 ? r->to + len : r->to;

    if (from < 0)
        from = 0;
    if (to >= len)
        to = len - 1;
    if (from > to || from >= len)
        return (struct interval){0, 0};
    if (r->reverse)
        return (struct interval){(uint64_t)(len - 1 - to), (uint64_t)(to - from + 1)};
    return (struct interval){(uint64_t)from, (uint64_t)(to - from + 1)};
}

static struct interval
find_interval(const struct record *rec, const struct range *r)
{
    uint64_t from, to;

    if (r->kind == BY_RANK)
        return by_rank(r, (int64_t)zset_len(rec));
    from = zset_from(rec, &r->min);
    to = zset_to(rec, &r->max);
    return (struct interval){from, to > from ? to - from : 0};
}

/* limit: skip `offset` elements in the direction of the range, keep `count` (negative: all). */
static struct interval
limit(struct interval in, bool reverse, int64_t offset, int64_t count)
{
    uint64_t kept;

    if (offset < 0 || (uint64_t)offset >= in.count)
        return (struct interval){0, 0};
    kept = in.count - (uint64_t)offset;
    if (count >= 0 && (uint64_t)count < kept)
        kept = (uint64_t)count;
    return (struct interval){
        reverse ? in.from + in.count - (uint64_t)offset - kept : in.from + (uint64_t)offset, kept};
}

/* ---- ZRANGE and all that it has replaced ---- */

struct query {
    struct range range;
    bool with_scores;
    int64_t offset, count; /* LIMIT */
};

/* parse_option: the one at *i, which moves to its last word.  False, and the error was replied. */
static bool
parse_option(struct client *c, int *i, bool is_store, bool any_direction, struct query *q)
{
    if (!is_store && arg_is(c, *i, "withscores")) {
        q->with_scores = true;
    } else if (arg_is(c, *i, "limit") && c->argc - *i > 2) {
        if (!arg_int(c, *i + 1, &q->offset) || !arg_int(c, *i + 2, &q->count))
            return false;
        *i += 2;
    } else if (any_direction && !q->range.reverse && arg_is(c, *i, "rev")) {
        q->range.reverse = true;
    } else if (q->range.kind == BY_ANY && arg_is(c, *i, "bylex")) {
        q->range.kind = BY_MEMBER;
    } else if (q->range.kind == BY_ANY && arg_is(c, *i, "byscore")) {
        q->range.kind = BY_SCORE;
    } else {
        reply_syntax(c);
        return false;
    }
    return true;
}

/* parse_query: what follows the source key, argument `key`.  given: the kind that the command's
 * name says, and the direction. False, and the error was replied. */
static bool
parse_query(struct client *c, int key, enum range_kind given, bool reverse, struct query *q)
{
    bool is_store = key == 2, any_direction = given == BY_ANY;

    *q = (struct query){.range = {.kind = given, .reverse = reverse}, .count = -1};
    for (int i = key + 3; i < c->argc; i++)
        if (!parse_option(c, &i, is_store, any_direction, q))
            return false;
    if (q->range.kind == BY_ANY)
        q->range.kind = BY_RANK;
    if (q->count != -1 && q->range.kind == BY_RANK) {
        reply_error(
            c,
            "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX");
        return false;
    }
    if (q->range.kind == BY_RANK)
        q->offset = 0; /* "LIMIT offset -1" passes, and means nothing */
    if (q->with_scores && q->range.kind == BY_MEMBER) {
        reply_error(c, "ERR syntax error, WITHSCORES not supported in combination with BYLEX");
        return false;
    }
    if (q->range.reverse && q->range.kind != BY_RANK)
        return parse_bounds(c, key + 2, key + 1, &q->range);
    return parse_bounds(c, key + 1, key + 2, &q->range);
}

static struct interval
find_result(const struct record *rec, const struct query *q)
{
    if (rec == NULL)
        return (struct interval){0, 0};
    return limit(find_interval(rec, &q->range), q->range.reverse, q->offset, q->count);
}

static void
visit_interval(const struct record *rec, struct interval in, bool reverse, zset_visitor visit,
               void *ctx)
{
    if (in.count > 0)
        zset_range(rec, reverse ? in.from + in.count - 1 : in.from, in.count, reverse, visit, ctx);
}

static void
reply_range(struct client *c, enum range_kind given, bool reverse)
{
    struct zset_reply z = {.c = c};
    struct interval in;
    struct db_ref ref;
    struct query q;

    if (!parse_query(c, 1, given, reverse, &q) || !zset_find_key(c, 1, DB_READ, &ref))
        return;
    z.with_scores = q.with_scores;
    in = find_result(ref.rec, &q);
    zset_reply_begin(&z, in.count);
    visit_interval(ref.rec, in, q.range.reverse, zset_reply_element, &z);
}

void
cmd_zrange(struct client *c)
{
    reply_range(c, BY_ANY, false);
}

void
cmd_zrevrange(struct client *c)
{
    reply_range(c, BY_RANK, true);
}

void
cmd_zrangebyscore(struct client *c)
{
    reply_range(c, BY_SCORE, false);
}

void
cmd_zrevrangebyscore(struct client *c)
{
    reply_range(c, BY_SCORE, true);
}

void
cmd_zrangebylex(struct client *c)
{
    reply_range(c, BY_MEMBER, false);
}

void
cmd_zrevrangebylex(struct client *c)
{
    reply_range(c, BY_MEMBER, true);
}

/* ---- ZRANGESTORE ---- */

struct collection {
    const struct zroot *z;
    bool failed;
};

static void
collect(void *ctx, struct slice member, double score)
{
    struct collection *to = ctx;

    to->failed = to->failed || zroot_collect(to->z, score, member) == NULL;
}

void
cmd_zrangestore(struct client *c)
{
    struct collection to = {.failed = false};
    struct db_ref ref;
    struct query q;

    if (!parse_query(c, 2, BY_ANY, false, &q) || !zset_find_key(c, 2, DB_READ, &ref))
        return;
    if ((to.z = zroot_new()) == NULL) {
        reply_no_memory(c);
        return;
    }
    visit_interval(ref.rec, find_result(ref.rec, &q), false, collect, &to);
    if (!to.failed) {
        zset_store(c, c->argv[1], to.z, (struct zset_told){"zrangestore", 1});
        return;
    }
    zroot_free(to.z);
    reply_no_memory(c);
}

/* ---- counted ---- */

static void
count_range(struct client *c, enum range_kind kind)
{
    struct range r = {.kind = kind};
    struct db_ref ref;

    if (parse_bounds(c, 2, 3, &r) && zset_find_key(c, 1, DB_READ, &ref))
        reply_int(c, ref.rec == NULL ? 0 : (int64_t)find_interval(ref.rec, &r).count);
}

void
cmd_zcount(struct client *c)
{
    count_range(c, BY_SCORE);
}

void
cmd_zlexcount(struct client *c)
{
    count_range(c, BY_MEMBER);
}

/* ---- removed ---- */

static void
remove_range(struct client *c, enum range_kind kind, const char *event)
{
    struct interval in = {0, 0};
    struct range r = {.kind = kind};
    struct db_ref ref;

    if (!parse_bounds(c, 2, 3, &r) || !zset_find_key(c, 1, DB_WRITE, &ref))
        return;
    if (ref.rec != NULL)
        in = find_interval(ref.rec, &r);
    if (in.count > 0) {
        if (zset_cut(&ref, in.from, in.count) < 0) {
            reply_no_memory(c);
            return;
        }
        changed_taken(c, &ref, KEY_EVENT_ZSET, event, in.count);
    }
    reply_int(c, (int64_t)in.count);
}

void
cmd_zremrangebyrank(struct client *c)
{
    remove_range(c, BY_RANK, "zremrangebyrank");
}

void
cmd_zremrangebyscore(struct client *c)
{
    remove_range(c, BY_SCORE, "zremrangebyscore");
}

void
cmd_zremrangebylex(struct client *c)
{
    remove_range(c, BY_MEMBER, "zremrangebylex");
}
