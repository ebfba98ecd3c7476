/* server/data/db/ltable_move.c - see ltable_move.h.  The ways through a table are those of
 * ltable_walk.inc.h. */
#include "server/data/db/ltable_move.h"

#define ADDRESS_BITS 0xffffffffffffULL

static void
set_slot(const uint64_t *slot, const void *p)
{
    uint64_t *w = mm_modify(slot, sizeof *w);

    *w = (*w & ~ADDRESS_BITS) | (uint64_t)(uintptr_t)p;
}

/* move_slot: what a slot leads to: an entry, a child, or a junction's side. */
static const void *
move_slot(struct mover *m, const uint64_t *slot)
{
    const void *p = lt_entry(*slot), *to = move_ask(m, p);

    if (to != p)
        set_slot(slot, to);
    return to;
}

static const struct lt_bucket *
bucket_at(const struct lt_moved *t, uint64_t bucket)
{
    unsigned segment = lt_segment_of(bucket);

    return t->segment[segment] + (segment == 0 ? 0 : bucket - (1ULL << (segment - 1)));
}

/* move_to_leaf: down the path from a bucket to the chain at its end; the sides on the way move. */
static const struct lt_bucket *
move_to_leaf(struct mover *m, const struct lt_bucket *b, uint64_t path, uint64_t *ret_next)
{
    unsigned depth = 0;

    for (; unlikely(lt_is_junction(b)); depth++)
        b = move_slot(m, &b->slot[path >> depth & 1]);
    *ret_next = lt_next_cursor(lt_low_bits(path, depth), depth);
    return b;
}

static void
move_chain(struct mover *m, const struct lt_bucket *b, bool with_entries)
{
    for (;; b = move_slot(m, &b->slot[LT_SLOTS - 1])) {
        for (unsigned i = 0; with_entries && i < lt_count(b); i++)
            move_slot(m, &b->slot[i]);
        if (!lt_has_child(b))
            return;
    }
}

bool
ltable_move(struct mover *m, const struct lt_moved *t, uint64_t next[2])
{
    while (next[0] < t->buckets) {
        uint64_t bucket = next[0], path = next[1];

        if (path == 0 && (bucket & (bucket - 1)) == 0) /* the first one of its segment */
            move_at(m, &t->segment[lt_segment_of(bucket)]);
        m->left--;
        move_chain(m, move_to_leaf(m, bucket_at(t, bucket), path, &next[1]), t->with_entries);
        next[0] += next[1] == 0;
        if (m->left <= 0)
            return next[0] >= t->buckets;
    }
    return true;
}

void
ltable_entry_moved(const struct lt_moved *t, uint64_t hash, const void *entry, const void *to)
{
    const struct lt_bucket *b = bucket_at(t, lt_home(hash, t->buckets));

    for (;; b = lt_is_junction(b) ? lt_side(b, lt_side_of(b, hash)) : lt_child(b)) {
        for (unsigned i = 0; i < lt_count(b); i++)
            if (lt_entry(b->slot[i]) == entry) {
                set_slot(&b->slot[i], to);
                return;
            }
        must(lt_has_child(b));
    }
}
