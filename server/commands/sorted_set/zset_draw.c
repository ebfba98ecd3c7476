/* server/commands/sorted_set/zset_draw.c - ZRANDMEMBER: a rank is drawn, and found in O(log n). */
#include <stdlib.h>

#include "mm/base/fault.h"
#include "server/commands/sorted_set/zset.h"
#include "server/data/db/draw.h"
#include "server/exec/args.h"
#include "server/exec/handlers.h"

#include "server/commands/sorted_set/sorted_set.def"

/* draw_with_repetitions: count times any member. */
static void
draw_with_repetitions(struct zset_reply *z, const struct record *r, uint64_t count)
{
    zset_reply_begin(z, count);
    for (; count > 0 && !z->c->close_now; count--)
        zset_range(r, draw_below(zset_len(r)), 1, false, zset_reply_element, z);
}

static int
by_rank(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* A member is passed over with just the chance that leaves the wanted number in the end [Knuth,
 * Algorithm 3.4.2S]. */
struct selection {
    struct zset_reply *reply;
    uint64_t wanted, left;
};

static void
select_or_pass(void *ctx, struct slice member, double score)
{
    struct selection *s = ctx;

    if (draw_below(s->left--) >= s->wanted)
        return;
    s->wanted--;
    zset_reply_element(s->reply, member, score);
}

/* draw_few: different ranks: what was drawn before is drawn again.  false: no memory. */
static bool
draw_few(struct zset_reply *z, const struct record *r, uint64_t count)
{
    uint64_t len = zset_len(r), *ranks, n = 0;

    if (fault_point(FAULT_side_alloc) || (ranks = malloc(count * sizeof *ranks)) == NULL)
        return false;
    while (n < count) {
        uint64_t kept = 0;

        while (n < count)
            ranks[n++] = draw_below(len);
        qsort(ranks, n, sizeof *ranks, by_rank);
        for (uint64_t i = 0; i < n; i++)
            if (i == 0 || ranks[i] != ranks[i - 1])
                ranks[kept++] = ranks[i];
        n = kept;
    }
    zset_reply_begin(z, count);
    for (uint64_t i = 0; i < count; i++)
        zset_range(r, ranks[i], 1, false, zset_reply_element, z);
    free(ranks);
    return true;
}

/* draw_different: so many members, or all of them. */
static void
draw_different(struct zset_reply *z, const struct record *r, uint64_t count)
{
    enum { WALK_RATIO = 16 }; /* from a sixteenth on walking through is cheaper */
    uint64_t len = zset_len(r);
    struct selection s = {.reply = z, .wanted = count < len ? count : len, .left = len};

    if (count < len / WALK_RATIO) {
        if (!draw_few(z, r, count))
            reply_no_memory(z->c);
        return;
    }
    zset_reply_begin(z, s.wanted);
    zset_range(r, 0, len, false, select_or_pass, &s);
}

static void
draw_count(struct client *c)
{
    struct zset_reply z = {.c = c, .with_scores = c->argc == 4};
    struct db_ref ref;
    int64_t count;

    if (!arg_int_either_way(c, 2, &count))
        return;
    if (c->argc > 4 || (c->argc == 4 && !arg_is(c, 3, "withscores"))) {
        reply_syntax(c);
        return;
    }
    if (z.with_scores && (count < -INT64_MAX / 2 || count > INT64_MAX / 2)) {
        reply_error(c, "ERR value is out of range");
        return;
    }
    if (!zset_find_key(c, 1, DB_READ, &ref))
        return;
    if (ref.rec == NULL || count == 0)
        reply_array(c, 0);
    else if (count < 0)
        draw_with_repetitions(&z, ref.rec, (uint64_t)-count);
    else
        draw_different(&z, ref.rec, (uint64_t)count);
}

void
cmd_zrandmember(struct client *c)
{
    struct zset_reply z = {.c = c};
    struct db_ref ref;

    if (c->argc > 2) {
        draw_count(c);
        return;
    }
    if (!zset_find_key(c, 1, DB_READ, &ref))
        return;
    if (ref.rec == NULL)
        reply_null(c);
    else
        zset_range(ref.rec, draw_below(zset_len(ref.rec)), 1, false, zset_reply_element, &z);
}
