/* server/data/db/ltable_walk.inc.h - going through a table, drawing from it, taking it apart,
 * checking it.  A part of ltable.inc.h, included there and nowhere else.
 *
 * The buckets behind junctions are found by a path: the bits of the hash above those that the
 * entries of the bucket have in common.  In reversed-bit order paths go through all chains of a
 * bucket, as cursors do through the buckets.
 * Threads: those of the includer. */

typedef void (*LT(visit))(void *ctx, const void *entry);

/* leaf_at: the chain that a path leads to in the bucket with this number; *ret_next: the next path,
 * 0 after the last. */
LT_STATIC LT_BUCKET *
LT(leaf_at)(const LT_TABLE *t, uint64_t bucket, uint64_t path, uint64_t *ret_next)
{
    LT_BUCKET *b = LT(at)(t, bucket);
    unsigned depth = 0;

    for (; unlikely(lt_is_junction(b)); depth++)
        b = LT(side)(b, (unsigned)(path >> depth & 1));
    *ret_next = lt_next_cursor(lt_low_bits(path, depth), depth);
    return b;
}

/* visit_leaf: every entry of the chain that begins at b.  visit may free the entry, not change the
 * table. */
LT_STATIC void
LT(visit_leaf)(LT_BUCKET *b, LT(visit) visit, void *ctx)
{
    for (;; b = LT(child)(b)) {
        for (unsigned i = 0; i < lt_count(b); i++)
            visit(ctx, lt_entry(b->slot[i]));
        if (!lt_has_child(b))
            return;
    }
}

/* visit_chain: every entry of the bucket with this number; visit as above. */
LT_STATIC void
LT(visit_chain)(const LT_TABLE *t, uint64_t bucket, LT(visit) visit, void *ctx)
{
    uint64_t path = 0;

    do
        LT(visit_leaf)(LT(leaf_at)(t, bucket, path, &path), visit, ctx);
    while (path != 0);
}

/* scan: one step of a walk that survives growing and shrinking: an entry that is there from the
 * first step (cursor 0) to the last (0 returned) is visited at least once.  A step visits one
 * chain: LT5. */
LT_STATIC uint64_t
LT(scan)(const LT_TABLE *t, uint64_t cursor, LT(visit) visit, void *ctx)
{
    uint64_t bucket, path;
    unsigned bits;

    if (t->buckets == 0)
        return 0;
    bucket = lt_home(cursor, t->buckets);
    bits = lt_bits(bucket, t->buckets);
    LT(visit_leaf)(LT(leaf_at)(t, bucket, cursor >> bits, &path), visit, ctx);
    cursor = lt_low_bits(cursor, bits);
    return path != 0 ? cursor | path << bits : lt_next_cursor(cursor, bits);
}

/* ---- one at random ---- */

/* pick_below: entry number `place` of all at b and below it. */
static const void *
LT(pick_below)(LT_BUCKET *b, uint64_t place)
{
    while (unlikely(lt_is_junction(b))) {
        unsigned side = place >= lt_below(b, 0);

        place -= side != 0 ? lt_below(b, 0) : 0;
        b = LT(side)(b, side);
    }
    for (; lt_has_child(b) && place >= lt_count(b); b = LT(child)(b))
        place -= lt_count(b);
    return lt_entry(b->slot[place]);
}

/* sample: the entry at a random place; NULL: nothing stands there, draw again.  Each entry is as
 * likely as any other where up to sixteen share a bucket; with more, all of them together are as
 * likely as sixteen. */
LT_STATIC const void *
LT(sample)(const LT_TABLE *t, uint64_t random)
{
    enum { PLACES = 16, BUCKET_BITS = 36, MIXER = 0x9e3779b1 };
    uint64_t place = random >> 60, n;
    LT_BUCKET *b;

    if (t->count == 0)
        return NULL;
    b = LT(at)(t, (random & 0xfffffffffffffffULL) % t->buckets);
    n = LT(below)(b);
    if (unlikely(n > PLACES))
        place = (uint32_t)((random >> BUCKET_BITS ^ random) * MIXER) * n >> 32;
    return place < n ? LT(pick_below)(b, place) : NULL;
}

/* any: the table has entries: one of the first bucket, from the one of this number on, that is not
 * empty. */
LT_STATIC const void *
LT(any)(const LT_TABLE *t, uint64_t random)
{
    for (uint64_t bucket = random % t->buckets;; bucket = (bucket + 1) % t->buckets) {
        LT_BUCKET *b = LT(at)(t, bucket);
        uint64_t n = LT(below)(b);

        if (n > 0)
            return LT(pick_below)(b, (random >> 32) % n);
    }
}

/* random_entry: the table has some.  Where a thousand samples met none, and one bucket in 31 is in
 * use (LT5, and LT_LOAD_MIN), removals have been anything but random: then a walk finds one. */
LT_STATIC const void *
LT(random_entry)(const LT_TABLE *t)
{
    enum { TRIES = 1000 };

    for (unsigned i = 0; i < TRIES; i++) {
        const void *entry = LT(sample)(t, draw());

        if (entry != NULL)
            return entry;
    }
    return LT(any)(t, draw());
}

/* ---- the end ---- */

/* drain_chain: visit what is in it, and free its buckets, but for the first one if that belongs to
 * a segment. Returns how much was visited, a bucket counting for one. */
static uint64_t
LT(drain_chain)(LT_BUCKET *b, bool free_first, LT(visit) visit, void *ctx)
{
    bool free_this = free_first;
    uint64_t seen = 0;

    for (bool more = true; more; free_this = true) {
        LT_BUCKET *gone = b;

        for (unsigned i = 0; i < lt_count(b); i++)
            visit(ctx, lt_entry(b->slot[i]));
        seen += 1 + lt_count(b);
        more = lt_has_child(b);
        if (more)
            b = LT(child)(b);
        if (free_this)
            LT_CHILD_FREE(gone);
    }
    return seen;
}

/* drain_side: of a junction in a dead table: its first chain goes, and what is on the other side of
 * the last junction before that takes that junction's place.  Returns how many entries were
 * visited. */
static uint64_t
LT(drain_side)(LT_BUCKET *junction, LT(visit) visit, void *ctx)
{
    LT_BUCKET *other;
    uint64_t seen;

    while (lt_is_junction(LT(side)(junction, 0)))
        junction = LT(side)(junction, 0);
    other = LT(side)(junction, 1);
    seen = LT(drain_chain)(LT(side)(junction, 0), true, visit, ctx);
    *LT_WRITE_BUCKET(junction) = *other;
    LT_CHILD_FREE(other);
    return seen;
}

/* drain: take apart a table that nobody looks into any more, buckets from *next on, until about
 * `entries` of them were visited.  True: all done, the segments are freed too; the root is the
 * caller's. */
LT_STATIC bool
LT(drain)(const LT_TABLE *t, uint64_t *next, uint64_t entries, LT(visit) visit, void *ctx)
{
    uint64_t seen = 0;

    for (; *next < t->buckets; ++*next) {
        LT_BUCKET *head = LT(at)(t, *next);

        while (unlikely(lt_is_junction(head)) && seen < entries)
            seen += LT(drain_side)(head, visit, ctx);
        if (seen >= entries)
            return false;
        seen += LT(drain_chain)(head, false, visit, ctx);
    }
    for (unsigned s = 0; s < LT_SEGMENTS && s <= lt_segment_of(t->buckets - 1) && t->buckets > 0;
         s++)
        LT_SEGMENT_FREE(t->segment[s], lt_segment_buckets(s));
    return true;
}

/* ---- for tests ---- */

struct LT(checked) {
    uint64_t count, children;
};

/* check_below: the rules for a bucket, whose entries have `bits` bits in common, and for what hangs
 * on it. */
static struct LT(checked) LT(check_below)(LT_BUCKET *b, uint64_t common, unsigned bits)
{
    struct LT(checked) sum = {.count = 0};

    if (lt_is_junction(b)) {
        must(b->tag[0] == bits && lt_count(b) == 0); /* LT7 */
        for (unsigned side = 0; side < 2; side++) {
            struct LT(checked) c =
                LT(check_below)(LT(side)(b, side), common | (uint64_t)side << bits, bits + 1);

            must(c.count == lt_below(b, side));
            sum.count += c.count;
            sum.children += c.children + 1;
        }
        must(sum.count > LT_SLOTS); /* LT6 */
        return sum;
    }
    for (;; b = LT(child)(b), sum.children++) {
        must(!lt_has_child(b) || lt_count(b) == LT_SLOTS - 1);
        must(sum.children == 0 || lt_has_child(b) || lt_count(b) >= 2);
        for (unsigned k = 0; k < lt_count(b); k++) {
            uint64_t hash = LT_REHASH(lt_entry(b->slot[k]));

            must(lt_low_bits(hash, bits) == common);
            must(b->tag[k] == lt_tag(hash) && lt_is_near(b->slot[k], hash));
        }
        sum.count += lt_count(b);
        if (!lt_has_child(b))
            break;
    }
    must(sum.children == lt_children(sum.count));
    must(sum.count <= LT_CHAIN_MAX || bits >= LT_HASH_BITS); /* LT5 */
    return sum;
}

/* check: assert LT1, LT2, LT5 to LT7 and that every entry stands where its hash says; for tests. */
LT_STATIC void
LT(check)(const LT_TABLE *t)
{
    struct LT(checked) sum = {.count = 0};

    for (uint64_t i = 0; i < t->buckets; i++) {
        struct LT(checked) c = LT(check_below)(LT(at)(t, i), i, lt_bits(i, t->buckets));

        sum.count += c.count;
        sum.children += c.children;
    }
    must(sum.count == t->count);
    must(sum.children == t->children);
}
