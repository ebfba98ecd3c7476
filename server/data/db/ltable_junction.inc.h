/* server/data/db/ltable_junction.inc.h - junctions (LT5 to LT7 in ltable.h): what becomes of a
 * chain that is full.  A part of ltable.inc.h, included there and nowhere else.
 * Threads: those of the includer. */

/* below: the entries of a bucket and all that hangs on it. */
static uint64_t
LT(below)(LT_BUCKET *b)
{
    LT_BUCKET *tail;

    return lt_is_junction(b) ? lt_below(b, 0) + lt_below(b, 1) : LT(chain_count)(b, &tail);
}

/* make_junction: a writable bucket becomes one. */
static void
LT(make_junction)(struct lt_bucket *w, unsigned bit, LT_BUCKET *zero, LT_BUCKET *one)
{
    w->meta = LT_LINK | LT_JUNCTION;
    w->tag[0] = (uint8_t)bit;
    w->slot[0] = (uint64_t)(uintptr_t)zero;
    w->slot[1] = (uint64_t)(uintptr_t)one;
    w->slot[2] = LT(below)(zero);
    w->slot[3] = LT(below)(one);
}

/* fork_chain: the full chain at `first` becomes two behind a junction: their first buckets are
 * fresh, their children the old ones.  false: no memory. */
static bool
LT(fork_chain)(LT_TABLE *root, LT_BUCKET *first, unsigned bit)
{
    struct LT(flow) f; /* pour() fills in the rest */
    struct lt_bucket *side[2];

    f.fresh_count = 0;
    if (!LT(reserve)(&f, 2))
        return false;
    side[0] = f.fresh[0];
    side[1] = f.fresh[1];
    f.fresh_count = 0; /* pour() takes what hangs on the chain */
    f.out[1] = (struct LT(out)){.tail = side[1]};
    f.out[1].tail->meta = 0;
    root->children += 2;
    root->children -= LT(pour)(&f, first, side[0], true, bit);
    LT(make_junction)(LT_WRITE_BUCKET(first), bit, side[0], side[1]);
    return true;
}

/* lengthen: room in the chain of this hash, whose last bucket is full: a child, or two chains
 * instead of one; two may not be enough, where all entries go to the same.  The last bucket then,
 * NULL: no memory. */
static LT_BUCKET *
LT(lengthen)(LT_TABLE *root, LT_BUCKET *home, uint64_t hash)
{
    unsigned bit = lt_bits(lt_home(hash, root->buckets), root->buckets);
    LT_BUCKET *first = home, *tail;
    struct lt_bucket *child;
    struct LT(out) o;
    uint64_t n;

    for (;;) {
        for (; lt_is_junction(first); bit++)
            first = LT(side)(first, lt_side_of(first, hash));
        n = LT(chain_count)(first, &tail);
        if (lt_count(tail) < LT_SLOTS)
            return tail;
        if (n < LT_CHAIN_MAX || bit >= LT_HASH_BITS)
            break;
        if (!LT(fork_chain)(root, first, bit))
            return NULL;
    }
    if ((child = LT_CHILD_NEW()) == NULL)
        return NULL;
    o = (struct LT(out)){.tail = LT_WRITE_BUCKET(tail), .fill = LT_SLOTS};
    LT(add_child)(&o, child);
    child->meta = 1;
    root->children++;
    return child;
}

/* note_below: an entry with this hash has come (1) or gone (-1). */
static void
LT(note_below)(LT_BUCKET *b, uint64_t hash, uint64_t difference)
{
    while (lt_is_junction(b)) {
        unsigned side = lt_side_of(b, hash);

        LT_WRITE_BUCKET(b)->slot[2 + side] += difference;
        b = LT(side)(b, side);
    }
}

/* collect: move all entries at and below b into `to`; the buckets are freed.  No deeper than a hash
 * has bits. */
static void
LT(collect)(LT_TABLE *root, LT_BUCKET *b, struct lt_bucket *to)
{
    if (lt_is_junction(b)) {
        LT(collect)(root, LT(side)(b, 0), to);
        LT(collect)(root, LT(side)(b, 1), to);
    } else {
        must(!lt_has_child(b)); /* LT1: a chain of two has more than LT6 leaves here */
        for (unsigned i = 0; i < lt_count(b); i++, to->meta++)
            LT(put_at)(to, to->meta, b->tag[i], b->slot[i]);
    }
    LT_CHILD_FREE(b);
    root->children--;
}

/* gather: LT6: the first junction on the way of this hash that has too few below becomes a plain
 * bucket. */
static void
LT(gather)(LT_TABLE *root, LT_BUCKET *b, uint64_t hash)
{
    struct lt_bucket few = {.meta = 0};

    for (; lt_is_junction(b); b = LT(side)(b, lt_side_of(b, hash)))
        if (LT(below)(b) <= LT_SLOTS) {
            LT(collect)(root, LT(side)(b, 0), &few);
            LT(collect)(root, LT(side)(b, 1), &few);
            *LT_WRITE_BUCKET(b) = few;
            return;
        }
}

/* part: LT7: the two sides of a junction in the table: one takes its place, the other goes to
 * `high`. Returns how many buckets were freed. */
static uint64_t
LT(part)(LT_BUCKET *junction, struct lt_bucket *high)
{
    LT_BUCKET *zero = LT(side)(junction, 0), *one = LT(side)(junction, 1);

    *LT_WRITE_BUCKET(junction) = *zero;
    *high = *one;
    LT_CHILD_FREE(zero);
    LT_CHILD_FREE(one);
    return 2;
}

/* join: LT7: two buckets of the table, with what hangs on them, become one in the place of `low`.
 * false: no memory. */
static bool
LT(join)(LT_TABLE *root, LT_BUCKET *low, LT_BUCKET *high, unsigned bit)
{
    struct LT(flow) f = {.fresh_count = 0};

    if (!LT(reserve)(&f, 2))
        return false;
    *f.fresh[0] = *low;
    *f.fresh[1] = *high;
    root->children += 2;
    LT(make_junction)(LT_WRITE_BUCKET(low), bit, f.fresh[0], f.fresh[1]);
    return true;
}
