/* server/data/set_sample.c - members of a set at random: to be read, or to leave it. */
#include <errno.h>

#include "server/data/blob.h"
#include "server/data/draw.h"
#include "server/data/set_combine.h"
#include "server/data/set_inner.h"

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

/* sample_by_drawing: few of many: what was drawn before is drawn again. */
static int
sample_by_drawing(const struct set *s, uint64_t count, set_sink sink, void *ctx)
{
    struct set_batch b = {.count = 0};
    struct draw_set d;

    if (!draw_set_init(&d, count))
        return -ENOMEM;
    for (uint64_t n = 0; n < count;) {
        const struct member *m = mtable_draw(s->table);

        if (!draw_set_add(&d, m))
            continue;
        n++;
        b.text[b.count++] = member_text(m);
        if (b.count < SET_BATCH && n < count)
            continue;
        if (!sink(ctx, &b, (1U << b.count) - 1))
            break;
        b.count = 0;
        b.hashed = false;
    }
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
        const struct member *m = mtable_draw(t);

        b.text[0] = member_text(m);
        b.hashed = false;
        sink(ctx, &b, 1);
        mtable_take_this(t, m);
        member_free(m);
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
    enum { MOST = 5 }; /* what stays is a fifth or less: Redis, too, makes a new set of it then */
    struct set s = set_of(ref->rec);

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
