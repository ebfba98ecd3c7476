/* server/data/set/set_sample.c - members of a set at random: to be read, or to leave it. */
#include <errno.h>

#include "server/data/db/blob.h"
#include "server/data/db/draw.h"
#include "server/data/set/set_combine.h"
#include "server/data/set/set_impl.h"

/* choose: of the next `members`, which are a part of `*left` of which `*need` are wanted? */
static uint32_t
choose(unsigned members, uint64_t *left, uint64_t *need)
{
    uint32_t chosen = 0;

    for (unsigned i = 0; i < members; i++)
        chosen |= (uint32_t)draw_choose(left, need) << i;
    return chosen;
}

static void
sample_by_walking(const struct set *s, uint64_t count, set_sink sink, void *ctx)
{
    uint64_t left = s->count;
    struct set_reader r;
    struct set_batch b;

    set_reader_init(&r, s);
    while (count > 0 && set_read(&r, &b) > 0) {
        uint32_t chosen = choose(b.count, &left, &count);

        if (chosen != 0 && !sink(ctx, &b, chosen))
            return;
    }
}

/* Members on their way to a sink, a batch at a time. */
struct outlet {
    struct set_batch batch;
    uint64_t need; /* so many are still to come */
    set_sink sink;
    void *ctx;
};

/* pass_on: false: the sink wants no more. */
static bool
pass_on(struct outlet *o, const struct set_member *m)
{
    bool more;

    o->need--;
    o->batch.text[o->batch.count++] = set_member_text(m);
    if (o->batch.count < SET_BATCH && o->need > 0)
        return true;
    more = o->sink(o->ctx, &o->batch, (1U << o->batch.count) - 1);
    o->batch.count = 0;
    o->batch.hashed = false;
    return more;
}

/* pass_on_rest: as many as are still wanted, of those that were not drawn. */
static void
pass_on_rest(struct outlet *o, const struct mtable *t, uint64_t left, const struct draw_set *drawn)
{
    uint64_t need = o->need;
    struct mtable_at at = {.bucket = 0};
    const struct set_member *m;

    while (need > 0 && mtable_next(t, &at, &m, 1) > 0)
        if (!draw_set_has(drawn, m) && draw_choose(&left, &need) && !pass_on(o, m))
            return;
}

/* sample_by_drawing: few of many: what was drawn before is drawn again.  Where the table is so
 * crowded that draws meet the same few all the time, the others are chosen of the rest. */
static int
sample_by_drawing(const struct set *s, uint64_t count, set_sink sink, void *ctx)
{
    struct outlet o = {.need = count, .sink = sink, .ctx = ctx};
    struct draw_set d;
    bool more = true;

    if (!draw_set_init(&d, count))
        return -ENOMEM;
    for (uint64_t tries = draw_tries(count); more && tries > 0 && o.need > 0; tries--) {
        const struct set_member *m = mtable_draw(s->table);

        if (draw_set_add(&d, m))
            more = pass_on(&o, m);
    }
    if (unlikely(more && o.need > 0))
        pass_on_rest(&o, s->table, s->count - (count - o.need), &d);
    draw_set_fini(&d);
    return 0;
}

int
set_sample(const struct set *s, uint64_t count, set_sink sink, void *ctx)
{
    enum { FEW = 3 }; /* a third at most: then two draws in three, or more, are new */

    if (s->form == SET_TABLE && count <= s->count / FEW)
        return sample_by_drawing(s, count, sink, ctx);
    sample_by_walking(s, count, sink, ctx);
    return 0;
}

/* ---- pop ---- */

static int
pop_ints(struct db_ref *ref, const struct set *s, uint64_t count, set_sink sink, void *ctx)
{
    uint32_t *at = set_scratch(count * sizeof *at), n = 0;
    uint64_t left = s->count, need = count;
    struct set_reader r;
    struct set_batch b;

    if (at == NULL)
        return -ENOMEM;
    set_reader_init(&r, s);
    while (need > 0 && set_read(&r, &b) > 0) {
        uint32_t chosen = choose(b.count, &left, &need);

        for (uint32_t m = chosen; m != 0; m &= m - 1)
            at[n++] = (uint32_t)b.id[__builtin_ctz(m)];
        if (chosen != 0)
            sink(ctx, &b, chosen);
    }
    return set_ints_remove(ref, at, n);
}

static int
pop_listpack(struct db_ref *ref, const struct set *s, uint64_t count, set_sink sink, void *ctx)
{
    uint32_t bytes = lp_bytes(s->blob);
    uint8_t *lp = set_scratch(bytes);
    uint64_t left = s->count;
    struct set_reader r;
    struct set_batch b;

    if (lp == NULL)
        return -ENOMEM;
    memcpy(lp, s->blob, bytes);
    set_reader_init(&r, s);
    while (count > 0 && set_read(&r, &b) > 0) {
        uint32_t chosen = choose(b.count, &left, &count);

        for (uint32_t m = chosen; m != 0; m &= m - 1) /* what is gone stood before it */
            lp_delete(lp, (uint32_t)b.id[__builtin_ctz(m)] - (bytes - lp_bytes(lp)), 1);
        if (chosen != 0)
            sink(ctx, &b, chosen);
    }
    return blob_store(ref, TYPE_SET, (struct slice){.ptr = (const char *)lp, .len = lp_bytes(lp)});
}

/* pop_few: one by one out of the table.  Cannot fail. */
static void
pop_few(const struct mtable *t, uint64_t count, set_sink sink, void *ctx)
{
    struct set_batch b = {.count = 1};

    for (; count > 0; count--) {
        const struct set_member *m = mtable_draw(t);

        b.text[0] = set_member_text(m);
        b.hashed = false;
        sink(ctx, &b, 1);
        mtable_take_this(t, m);
        set_member_free(m);
    }
}

/* pop_most: what stays becomes a new set; the old one is freed as any large value is. */
static int
pop_most(struct db_ref *ref, const struct set *s, uint64_t count, set_sink sink, void *ctx)
{
    uint64_t left = s->count, need = count, stay;
    struct set_build build;
    struct set_reader r;
    struct set_batch b;

    set_build_init(&build, SET_LISTPACK, true);
    build.only_ints = false; /* as in Redis, integers among them stay what they are */
    set_reader_init(&r, s);
    while (set_read(&r, &b) > 0) {
        uint32_t chosen = choose(b.count, &left, &need), rest = ((1U << b.count) - 1) & ~chosen;

        if (chosen != 0)
            sink(ctx, &b, chosen);
        if (rest != 0)
            set_build_add(&build, &b, rest);
    }
    return set_build_store(&build, ref, record_expire(ref->rec), &stay);
}

int
set_pop(struct db_ref *ref, uint64_t count, set_sink sink, void *ctx)
{
    enum { MOST = 5 }; /* what stays is a fifth of what goes, or less: a new set, as in Redis */
    struct set s = set_of(ref->rec);

    must(count > 0 && count < s.count); /* the key stays, with a set that is not empty */
    switch (s.form) {
    case SET_INTS:
        return pop_ints(ref, &s, count, sink, ctx);
    case SET_LISTPACK:
        return pop_listpack(ref, &s, count, sink, ctx);
    case SET_TABLE:
        if ((s.count - count) * MOST <= count)
            return pop_most(ref, &s, count, sink, ctx);
        pop_few(s.table, count, sink, ctx);
        return 0;
    }
    never("a form of a set");
}
