/* tool/convert/merge.c - which of the same keys is written. */
#include "tool/convert/merge.h"

#include <endian.h>

enum { KEYS_BYTES = 16 << 20, OUT_BYTES = 4 << 20 };

/* Records are sorted by their bytes: numbers stand with the highest first. */
struct key_record {
    struct field_mark mark;
    struct merge_place at;
};

static struct merge_place
place_to_bytes(struct merge_place p)
{
    return (struct merge_place){htobe64(p.file), htobe64(p.ordinal)};
}

static struct merge_place
place_of_bytes(struct merge_place p)
{
    return (struct merge_place){be64toh(p.file), be64toh(p.ordinal)};
}

void
merge_init(struct merge *m, enum merge_rule rule)
{
    *m = (struct merge){.rule = rule, .next = {UINT64_MAX, 0}};
    field_set_init(&m->marks);
    sort_init(&m->keys, sizeof(struct key_record), KEYS_BYTES);
    sort_init(&m->out, sizeof(struct merge_place), OUT_BYTES);
}

void
merge_fini(struct merge *m)
{
    field_set_fini(&m->marks);
    sort_fini(&m->keys);
    sort_fini(&m->out);
}

int
merge_add(struct merge *m, uint64_t db, struct slice name, struct merge_place at)
{
    struct key_record k = {field_mark_of(&m->marks, db, name.ptr, name.len), place_to_bytes(at)};

    return sort_add(&m->keys, &k);
}

static bool
is_same(const struct key_record *a, const struct key_record *b)
{
    return a->mark.low == b->mark.low && a->mark.high == b->mark.high;
}

/* next_out: the place behind which nobody is left out before it. */
static int
next_out(struct merge *m)
{
    const void *at;
    int r = sort_next(&m->out, &at);

    m->next = (struct merge_place){UINT64_MAX, 0};
    if (r > 0)
        m->next = place_of_bytes(*(const struct merge_place *)at);
    return r < 0 ? r : 0;
}

/* decide: of neighbours with the same mark, which stand in the order of their places. */
int
merge_decide(struct merge *m)
{
    struct key_record last = {.at = {0, 0}};
    bool has_last = false;
    const void *at;
    int r;

    if ((r = sort_rewind(&m->keys)) < 0)
        return r;
    while ((r = sort_next(&m->keys, &at)) > 0) {
        struct key_record k = *(const struct key_record *)at;

        if (has_last && is_same(&last, &k) &&
            (r = sort_add(&m->out, m->rule == MERGE_LAST ? &last.at : &k.at)) < 0)
            return r;
        last = k;
        has_last = true;
    }
    sort_clear(&m->keys);
    if (r < 0 || (r = sort_rewind(&m->out)) < 0)
        return r;
    m->is_decided = true;
    return next_out(m);
}

int
merge_takes(struct merge *m, struct merge_place at, bool *ret_takes)
{
    *ret_takes = !m->is_decided || at.file != m->next.file || at.ordinal != m->next.ordinal;
    return *ret_takes ? 0 : next_out(m);
}
