/* server/commands/sorted_set/zset_combine.c - several sorted sets at once, plain sets among them:
 * ZUNION, ZINTER, ZDIFF, ZINTERCARD, and the STORE forms.
 *
 * The result is collected in a large sorted set that has no tree yet: its hash table finds the
 * members that several sources have, and adding up changes a score where it stands. */
#include <math.h>
#include <stdlib.h>

#include "mm/base/fault.h"
#include "server/commands/sorted_set/zset.h"
#include "server/data/set/set.h"
#include "server/exec/args.h"
#include "server/exec/cmd.h"
#include "server/exec/handlers.h"

#include "server/commands/sorted_set/sorted_set.def"

enum operation { UNION, INTER, DIFF };
enum aggregate { SUM, MIN, MAX };

/* One input: a key that is not there has rec NULL; the members of a plain set have the score 1. */
struct source {
    const struct record *rec;
    struct set set; /* where the key holds one */
    double weight;
    uint64_t len;
};

struct combination {
    struct client *c;
    enum operation operation;
    enum aggregate aggregate;
    bool with_scores, count_only;
    int64_t limit; /* ZINTERCARD; 0: none */
    struct source *source;
    int sources;
    /* while it is worked out */
    const struct zroot *result; /* NULL with count_only */
    int at;                     /* the source that is walked through */
    int64_t count;
    bool failed;
};

/* ---- sources ---- */

static struct source
source_of(const struct record *r)
{
    struct source s = {.rec = r, .weight = 1};

    if (r != NULL && record_type(r) == TYPE_SET) {
        s.set = set_of(r);
        s.len = s.set.count;
    } else if (r != NULL) {
        s.len = zset_len(r);
    }
    return s;
}

static bool
is_set(const struct source *s)
{
    return record_type(s->rec) == TYPE_SET;
}

static bool
source_score(const struct source *s, struct slice member, double *ret)
{
    if (s->rec == NULL)
        return false;
    if (!is_set(s))
        return zset_score(s->rec, member, ret);
    *ret = 1;
    return set_has(&s->set, member);
}

static void
each_of_set(const struct source *s, zset_visitor visit, void *ctx)
{
    struct set_reader reader;
    struct set_batch b;

    set_reader_init(&reader, &s->set);
    while (set_read(&reader, &b) > 0)
        for (unsigned i = 0; i < b.count; i++)
            visit(ctx, b.text[i], 1);
}

static void
source_each(const struct source *s, zset_visitor visit, void *ctx)
{
    if (s->len == 0)
        return;
    if (is_set(s))
        each_of_set(s, visit, ctx);
    else
        zset_range(s->rec, 0, s->len, false, visit, ctx);
}

/* ---- scores ---- */

/* Infinity times zero, and infinity less infinity, are 0 here. */
static double
weighted(const struct source *s, double score)
{
    double v = s->weight * score;

    return isnan(v) ? 0 : v;
}

static double
join(enum aggregate how, double a, double b)
{
    double sum = a + b;

    switch (how) {
    case SUM:
        return isnan(sum) ? 0 : sum;
    case MIN:
        return b < a ? b : a;
    case MAX:
        return b > a ? b : a;
    }
    never("a way to join scores");
}

/* ---- the operations ---- */

static void
put(struct combination *k, double score, struct slice member)
{
    k->failed = k->failed || zroot_collect(k->result, score, member) == NULL;
}

static void
add_to_union(void *ctx, struct slice member, double score)
{
    struct combination *k = ctx;
    const struct zentry *e = zroot_get(k->result, member);
    double v = weighted(&k->source[k->at], score);

    if (e == NULL)
        put(k, v, member);
    else
        zentry_set_score(e, join(k->aggregate, e->score, v));
}

static void
keep_if_in_all(void *ctx, struct slice member, double score)
{
    struct combination *k = ctx;
    double v = weighted(&k->source[0], score), other;

    if (k->limit > 0 && k->count >= k->limit)
        return;
    for (int i = 1; i < k->sources; i++) {
        if (!source_score(&k->source[i], member, &other))
            return;
        v = join(k->aggregate, v, weighted(&k->source[i], other));
    }
    k->count++;
    if (!k->count_only)
        put(k, v, member);
}

static void
keep_if_in_no_other(void *ctx, struct slice member, double score)
{
    struct combination *k = ctx;
    double other;

    for (int i = 1; i < k->sources; i++)
        if (source_score(&k->source[i], member, &other))
            return;
    put(k, score, member);
}

/* smallest_first: sources by their size, those of equal size as they were given. */
static void
smallest_first(struct combination *k)
{
    for (int i = 1; i < k->sources; i++) {
        struct source s = k->source[i];
        int j = i;

        for (; j > 0 && k->source[j - 1].len > s.len; j--)
            k->source[j] = k->source[j - 1];
        k->source[j] = s;
    }
}

static void
work_out(struct combination *k)
{
    if (k->operation != DIFF)
        smallest_first(k);
    switch (k->operation) {
    case UNION:
        for (; k->at < k->sources; k->at++)
            source_each(&k->source[k->at], add_to_union, k);
        break;
    case INTER:
        source_each(&k->source[0], keep_if_in_all, k);
        break;
    case DIFF:
        source_each(&k->source[0], keep_if_in_no_other, k);
        break;
    }
}

/* ---- arguments ---- */

/* read_sources: argument `at` is their number.  False, and the error was replied. */
static bool
read_sources(struct combination *k, int at)
{
    struct client *c = k->c;
    struct db_ref ref;
    int64_t n;

    if (!arg_int(c, at, &n))
        return false;
    if (n < 1) {
        reply_errorf(c, "ERR at least 1 input key is needed for '%s' command", c->cmd->full_name);
        return false;
    }
    if (n > c->argc - at - 1) {
        reply_syntax(c);
        return false;
    }
    if (fault_point(FAULT_side_alloc) ||
        (k->source = calloc((size_t)n, sizeof *k->source)) == NULL) {
        reply_no_memory(c);
        return false;
    }
    k->sources = (int)n;
    for (int i = 0; i < k->sources; i++) {
        const struct record *r = db_lookup(c->db, c->argv[at + 1 + i], DB_READ, &ref);

        if (r != NULL && record_type(r) != TYPE_ZSET && record_type(r) != TYPE_SET) {
            reply_wrong_type(c);
            return false;
        }
        k->source[i] = source_of(r);
    }
    return true;
}

static bool
parse_weights(struct combination *k, int at)
{
    for (int i = 0; i < k->sources; i++)
        if (!arg_double(k->c, at + i, "ERR weight value is not a float", &k->source[i].weight))
            return false;
    return true;
}

static bool
parse_aggregate(struct combination *k, int at)
{
    static const char *const names[] = {[SUM] = "sum", [MIN] = "min", [MAX] = "max"};

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (arg_is(k->c, at, names[i])) {
            k->aggregate = (enum aggregate)i;
            return true;
        }
    reply_syntax(k->c);
    return false;
}

/* parse_options: from argument i to the end.  False, and the error was replied. */
static bool
parse_options(struct combination *k, int i, bool is_store)
{
    struct client *c = k->c;
    bool joins = k->operation != DIFF && !k->count_only;

    for (; i < c->argc; i++) {
        int left = c->argc - i;

        if (joins && left > k->sources && arg_is(c, i, "weights")) {
            if (!parse_weights(k, i + 1))
                return false;
            i += k->sources;
        } else if (joins && left > 1 && arg_is(c, i, "aggregate")) {
            if (!parse_aggregate(k, ++i))
                return false;
        } else if (!is_store && !k->count_only && arg_is(c, i, "withscores")) {
            k->with_scores = true;
        } else if (k->count_only && left > 1 && arg_is(c, i, "limit")) {
            if (!arg_int_from(c, ++i, 0, "ERR LIMIT can't be negative", &k->limit))
                return false;
        } else {
            reply_syntax(c);
            return false;
        }
    }
    return true;
}

/* ---- results ---- */

static void
reply_result(struct combination *k)
{
    struct zset_reply z = {.c = k->c, .with_scores = k->with_scores};
    const struct zentry **sorted = k->failed ? NULL : zroot_sorted(k->result);

    if (sorted == NULL) {
        reply_no_memory(k->c);
    } else {
        uint64_t count = zroot_count(k->result);

        zset_reply_begin(&z, count);
        for (uint64_t i = 0; i < count; i++)
            zset_reply_element(&z, zentry_member(sorted[i]), sorted[i]->score);
    }
    free(sorted);
    db_bury(TYPE_ZSET, k->result);
}

static void
store_result(struct combination *k)
{
    static const char *const events[] = {
        [UNION] = "zunionstore", [INTER] = "zinterstore", [DIFF] = "zdiffstore"};

    if (!k->failed) {
        zset_store(k->c, k->c->argv[1], k->result, (struct zset_told){events[k->operation], 1});
        return;
    }
    db_bury(TYPE_ZSET, k->result);
    reply_no_memory(k->c);
}

/* combine: numkeys is argument `at`: 2 where the result is stored. */
static void
combine(struct client *c, enum operation operation, int at, bool count_only)
{
    struct combination k = {.c = c, .operation = operation, .count_only = count_only};
    bool is_store = at == 2;

    if (!read_sources(&k, at) || !parse_options(&k, at + 1 + k.sources, is_store))
        goto free_sources;
    if (!count_only && (k.result = zroot_new()) == NULL) {
        reply_no_memory(c);
        goto free_sources;
    }
    work_out(&k);
    if (count_only)
        reply_int(c, k.count);
    else if (is_store)
        store_result(&k);
    else
        reply_result(&k);
free_sources:
    free(k.source);
}

void
cmd_zunion(struct client *c)
{
    combine(c, UNION, 1, false);
}

void
cmd_zinter(struct client *c)
{
    combine(c, INTER, 1, false);
}

void
cmd_zdiff(struct client *c)
{
    combine(c, DIFF, 1, false);
}

void
cmd_zunionstore(struct client *c)
{
    combine(c, UNION, 2, false);
}

void
cmd_zinterstore(struct client *c)
{
    combine(c, INTER, 2, false);
}

void
cmd_zdiffstore(struct client *c)
{
    combine(c, DIFF, 2, false);
}

void
cmd_zintercard(struct client *c)
{
    combine(c, INTER, 1, true);
}
