/* server/data/set/set_combine.c - intersection, union and difference, in batches: what is looked up
 * in large tables is hashed, fetched and compared sixteen members at a time, so that the misses of
 * the cache overlap. */
#include "server/data/set/set_combine.h"

#include <errno.h>
#include <stdlib.h>

static uint32_t
all_of(const struct set_batch *b)
{
    return (1U << b->count) - 1;
}

void
set_each(const struct set *s, set_sink sink, void *ctx)
{
    struct set_reader r;
    struct set_batch b;

    set_reader_init(&r, s);
    while (set_read(&r, &b) > 0)
        if (!sink(ctx, &b, all_of(&b)))
            return;
}

static int
smaller_first(const void *a, const void *b)
{
    uint64_t x = ((const struct set *)a)->count, y = ((const struct set *)b)->count;

    return (x > y) - (x < y);
}

static int
larger_first(const void *a, const void *b)
{
    return smaller_first(b, a);
}

/* is_same: the same set twice among the keys. */
static bool
is_same(const struct set *a, const struct set *b)
{
    return a->form == b->form && (a->form == SET_TABLE ? a->table == b->table : a->blob == b->blob);
}

/* Where searches in the others go on; the first few have theirs, the rest search from the start. */
enum { HINTS = 64 };

static uint32_t
match(const struct set *sets, unsigned i, struct set_batch *b, uint32_t asked, uint32_t *hints)
{
    uint32_t none = 0;

    return set_match(&sets[i], b, asked, i < HINTS ? &hints[i] : &none);
}

void
set_inter(struct set *sets, unsigned count, set_sink sink, void *ctx)
{
    uint32_t hints[HINTS] = {0};
    struct set_reader r;
    struct set_batch b;

    must(count > 0);
    qsort(sets, count, sizeof *sets, smaller_first);
    set_reader_init(&r, &sets[0]);
    while (set_read(&r, &b) > 0) {
        uint32_t left = all_of(&b);

        for (unsigned i = 1; i < count && left != 0; i++)
            if (!is_same(&sets[i], &sets[i - 1]))
                left = match(sets, i, &b, left, hints);
        if (left != 0 && !sink(ctx, &b, left))
            return;
    }
}

void
set_union(const struct set *sets, unsigned count, bool distinct, set_sink sink, void *ctx)
{
    struct set_reader r;
    struct set_batch b;

    for (unsigned k = 0; k < count; k++) {
        uint32_t hints[HINTS] = {0};

        set_reader_init(&r, &sets[k]);
        while (set_read(&r, &b) > 0) {
            uint32_t left = all_of(&b);

            for (unsigned i = 0; distinct && i < k && left != 0; i++)
                left &= ~match(sets, i, &b, left, hints);
            if (left != 0 && !sink(ctx, &b, left))
                return;
        }
    }
}

/* ---- difference ---- */

/* diff_by_probing: each member of the first is looked up in the others. */
static void
diff_by_probing(const struct set *sets, unsigned count, set_sink sink, void *ctx)
{
    uint32_t hints[HINTS] = {0};
    struct set_reader r;
    struct set_batch b;

    set_reader_init(&r, &sets[0]);
    while (set_read(&r, &b) > 0) {
        uint32_t left = all_of(&b);

        for (unsigned i = 1; i < count && left != 0; i++)
            left &= ~match(sets, i, &b, left, hints);
        if (left != 0 && !sink(ctx, &b, left))
            return;
    }
}

/* first_has: which of the batch are in the first set; those are noted in `gone`. */
static int
note_gone(const struct set *first, struct set_batch *b, uint32_t *hint, const struct mtable *gone)
{
    uint32_t hits = set_match(first, b, all_of(b), hint);

    set_batch_hash(b);
    for (; hits != 0; hits &= hits - 1) {
        unsigned i = (unsigned)__builtin_ctz(hits);
        const struct set_member *m;

        if (mtable_has(gone, b->hash[i], b->text[i]))
            continue;
        if ((m = set_member_new(b->text[i])) == NULL)
            return -ENOMEM;
        if (!mtable_add(gone, b->hash[i], m)) {
            set_member_free(m);
            return -ENOMEM;
        }
    }
    return 0;
}

/* diff_by_taking: members of the others that the first has are collected; what it has beside them
 * is left. */
static int
diff_by_taking(const struct set *sets, unsigned count, set_sink sink, void *ctx)
{
    struct set pair[2] = {sets[0], {.form = SET_TABLE, .table = mtable_new()}};
    struct set_reader r;
    struct set_batch b;
    int error = pair[1].table == NULL ? -ENOMEM : 0;

    for (unsigned i = 1; i < count && error == 0; i++) {
        uint32_t hint = 0;

        set_reader_init(&r, &sets[i]);
        while (error == 0 && set_read(&r, &b) > 0)
            error = note_gone(&sets[0], &b, &hint, pair[1].table);
    }
    if (error == 0)
        diff_by_probing(pair, 2, sink, ctx);
    if (pair[1].table != NULL)
        db_bury(TYPE_SET, pair[1].table);
    return error;
}

int
set_diff(struct set *sets, unsigned count, set_sink sink, void *ctx)
{
    uint64_t probes = sets[0].count * (count - 1), members = sets[0].count;

    must(count > 0);
    for (unsigned i = 1; i < count; i++) {
        if (is_same(&sets[0], &sets[i]))
            return 0;
        members += sets[i].count;
    }
    qsort(sets + 1, count - 1, sizeof *sets, larger_first); /* more is found in the larger ones */
    if (probes / 2 > members) /* probing ends with the first hit: half as much */
        return diff_by_taking(sets, count, sink, ctx);
    diff_by_probing(sets, count, sink, ctx);
    return 0;
}
