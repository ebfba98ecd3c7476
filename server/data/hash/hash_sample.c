/* server/data/hash/hash_sample.c - pairs of a hash at random. */
#include <errno.h>

#include "server/data/db/draw.h"
#include "server/data/hash/timed.h"

/* Visiting those of a walk that are chosen. */
struct sampling {
    hash_visitor visit;
    void *ctx;
    uint64_t left, need;
};

static void
visit_if_chosen(void *ctx, struct slice field, struct slice value)
{
    struct sampling *s = ctx;

    if (draw_choose(&s->left, &s->need))
        s->visit(s->ctx, field, value);
}

static void
sample_by_walking(const struct record *r, uint64_t count, hash_visitor visit, void *ctx)
{
    struct sampling s = {.visit = visit, .ctx = ctx, .left = hash_shown(r), .need = count};

    hash_each(r, visit_if_chosen, &s);
}

/* What has not been drawn, when drawing is given up. */
struct rest {
    struct sampling sampling;
    const struct draw_set *drawn;
};

/* is_shown: of a plain hash each pair is. */
static bool
is_shown(const struct hash_pair *p)
{
    return likely(!tpair_is_timed(p)) || !timed_is_over(tpair_expire(p));
}

static void
visit_of_rest(void *ctx, const void *entry)
{
    struct rest *rest = ctx;
    const struct hash_pair *p = entry;

    if (is_shown(p) && !draw_set_has(rest->drawn, p))
        visit_if_chosen(&rest->sampling, hash_pair_field(p), tpair_value(p));
}

/* sample_by_drawing: few of many: what was drawn before is drawn again.  Where the table is so
 * crowded that draws meet the same few all the time, or fields whose time has passed, the others
 * are chosen of the rest. */
static int
sample_by_drawing(const struct record *r, uint64_t count, hash_visitor visit, void *ctx)
{
    const struct htable *t = record_root(r); /* of a struct thash the first */
    struct draw_set d;
    struct rest rest = {.sampling = {.visit = visit, .ctx = ctx, .need = count}, .drawn = &d};

    if (!draw_set_init(&d, count))
        return -ENOMEM;
    for (uint64_t tries = draw_tries(count); tries > 0 && rest.sampling.need > 0; tries--) {
        const struct hash_pair *p = htable_draw(t);

        if (!is_shown(p) || !draw_set_add(&d, p))
            continue;
        visit(ctx, hash_pair_field(p), tpair_value(p));
        rest.sampling.need--;
    }
    if (unlikely(rest.sampling.need > 0)) {
        rest.sampling.left = hash_shown(r) - (count - rest.sampling.need);
        htable_each(t, visit_of_rest, &rest);
    }
    draw_set_fini(&d);
    return 0;
}

int
hash_sample(const struct record *r, uint64_t count, hash_visitor visit, void *ctx)
{
    enum { FEW = 3 }; /* a third at most: then two draws in three, or more, are new */

    if (record_encoding(r) == ENC_ROOT && count <= hash_len(r) / FEW)
        return sample_by_drawing(r, count, visit, ctx);
    sample_by_walking(r, count, visit, ctx);
    return 0;
}

void
hash_draw(const struct record *r, hash_visitor visit, void *ctx)
{
    if (record_is_timed(r)) {
        timed_draw(r, visit, ctx);
    } else if (record_encoding(r) == ENC_ROOT) {
        const struct hash_pair *p = htable_draw(record_root(r));

        visit(ctx, hash_pair_field(p), hash_pair_value(p));
    } else {
        sample_by_walking(r, 1, visit, ctx);
    }
}
