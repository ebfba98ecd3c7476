/* server/data/hash_sample.c - pairs of a hash at random. */
#include <errno.h>

#include "server/data/draw.h"
#include "server/data/hash.h"

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
    struct sampling s = {.visit = visit, .ctx = ctx, .left = hash_len(r), .need = count};

    hash_each(r, visit_if_chosen, &s);
}

/* sample_by_drawing: few of many: what was drawn before is drawn again. */
static int
sample_by_drawing(const struct htable *t, uint64_t count, hash_visitor visit, void *ctx)
{
    struct draw_set d;

    if (!draw_set_init(&d, count))
        return -ENOMEM;
    while (count > 0) {
        const struct pair *p = htable_draw(t);

        if (!draw_set_add(&d, p))
            continue;
        visit(ctx, pair_field(p), pair_value(p));
        count--;
    }
    draw_set_fini(&d);
    return 0;
}

int
hash_sample(const struct record *r, uint64_t count, hash_visitor visit, void *ctx)
{
    enum { FEW = 3 }; /* a third at most: then two draws in three, or more, are new */

    if (record_encoding(r) == ENC_ROOT && count <= hash_len(r) / FEW)
        return sample_by_drawing(record_root(r), count, visit, ctx);
    sample_by_walking(r, count, visit, ctx);
    return 0;
}

void
hash_draw(const struct record *r, hash_visitor visit, void *ctx)
{
    if (record_encoding(r) == ENC_ROOT) {
        const struct pair *p = htable_draw(record_root(r));

        visit(ctx, pair_field(p), pair_value(p));
    } else {
        sample_by_walking(r, 1, visit, ctx);
    }
}
