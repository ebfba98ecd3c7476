/* server/data/db/ltable.inc.h - the algorithms of ltable.h, over storage that the includer names.
 * No include guard: each table type includes it once, after defining
 *
 *   LT_NAME              the table's struct; LT(x) becomes LT_NAME_x
 *   LT_CONST             const, or nothing: how buckets are read
 *   LT_WRITE_BUCKET(b)   the same bucket, writable
 *   LT_WRITE_ROOT(t)     the table's root with its counts, writable
 *   LT_SET_SEGMENT(t, i, b)    note where segment i is
 *   LT_CHILD_NEW()       a fresh bucket or NULL;      LT_CHILD_FREE(b)
 *   LT_SEGMENT_NEW(n)    n fresh buckets or NULL;     LT_SEGMENT_FREE(b, n)
 *   LT_GROWN(t, n)       told that the table is about to have n buckets, one more than before
 *   LT_SHRUNK(t, n)      ... one less than before
 *   LT_REHASH(entry)     an entry's hash
 *   LT_KEY               type of a key;               LT_EQUAL(entry, key)
 *   LT_LOAD_MAX          entries per bucket beyond which the table grows
 *   LT_LOAD_MIN          ... and below which it shrinks
 *
 * Junctions (LT5 to LT7) are in ltable_junction.inc.h, what only reads or ends a table in
 * ltable_walk.inc.h; both are included below.
 *
 * A function that the includer has no use for would be an unused static: all are marked so.
 * Threads: those of the includer. */
#define LT_PASTE2(a, b) a##_##b
#define LT_PASTE(a, b)  LT_PASTE2(a, b)
#define LT(x)           LT_PASTE(LT_NAME, x)
#define LT_TABLE        struct LT_NAME
#define LT_REF          struct LT(ref)
#define LT_BUCKET       LT_CONST struct lt_bucket
#define LT_STATIC       __attribute__((unused)) static

LT_STATIC inline LT_BUCKET *
LT(at)(const LT_TABLE *t, uint64_t bucket)
{
    unsigned segment = lt_segment_of(bucket);

    return t->segment[segment] + (segment == 0 ? 0 : bucket - (1ULL << (segment - 1)));
}

LT_STATIC inline LT_BUCKET *
LT(child)(const struct lt_bucket *b)
{
    return (LT_BUCKET *)(uintptr_t)b->slot[LT_SLOTS - 1];
}

LT_STATIC inline LT_BUCKET *
LT(side)(const struct lt_bucket *junction, unsigned side)
{
    return (LT_BUCKET *)(uintptr_t)junction->slot[side];
}

/* onward: of a bucket that is not the last: where a search for this hash goes on. */
LT_STATIC inline LT_BUCKET *
LT(onward)(const struct lt_bucket *b, uint64_t hash)
{
    return unlikely(lt_is_junction(b)) ? LT(side)(b, lt_side_of(b, hash)) : LT(child)(b);
}

/* tail_of: the last bucket of the chain in which this hash lives.  Out of the way of buckets
 * without children. */
LT_STATIC __attribute__((noinline)) LT_BUCKET *
LT(tail_of)(LT_BUCKET *b, uint64_t hash)
{
    while (lt_has_child(b))
        b = LT(onward)(b, hash);
    return b;
}

/* leaf_of: from a bucket of the table to the first one of the chain in which this hash lives. */
LT_STATIC inline LT_BUCKET *
LT(leaf_of)(LT_BUCKET *b, uint64_t hash)
{
    while (unlikely(lt_is_junction(b)))
        b = LT(side)(b, lt_side_of(b, hash));
    return b;
}

/* put_at: entry number i of a writable bucket. */
static inline void
LT(put_at)(struct lt_bucket *b, unsigned i, uint8_t tag, uint64_t slot)
{
    b->tag[i] = tag;
    b->slot[i] = slot;
}

/* find_in: the entry with this key in one bucket. */
LT_STATIC inline const void *
LT(find_in)(LT_BUCKET *b, uint64_t hash, LT_KEY key, LT_REF *ret)
{
    for (unsigned mask = lt_match(b, lt_tag(hash)); mask != 0; mask &= mask - 1) {
        unsigned i = (unsigned)__builtin_ctz(mask);

        if (lt_is_near(b->slot[i], hash) && LT_EQUAL(lt_entry(b->slot[i]), key)) {
            ret->bucket = b;
            ret->slot = i;
            return lt_entry(b->slot[i]);
        }
    }
    return NULL;
}

/* find_behind: not in this bucket, but perhaps in one that follows.  Out of the way of the
 * others. */
LT_STATIC __attribute__((noinline)) const void *
LT(find_behind)(LT_BUCKET *b, uint64_t hash, LT_KEY key, LT_REF *ret)
{
    const void *entry = NULL;

    while (entry == NULL && lt_has_child(b)) {
        b = LT(onward)(b, hash);
        entry = LT(find_in)(b, hash, key, ret);
    }
    return entry;
}

/* find: the entry with this key.  Inlined where a lookup is hot. */
LT_STATIC inline const void *
LT(find)(const LT_TABLE *t, uint64_t hash, LT_KEY key, LT_REF *ret)
{
    const void *entry;
    LT_BUCKET *b;

    ret->bucket = NULL;
    if (unlikely(t->buckets == 0))
        return NULL;
    b = LT(at)(t, lt_home(hash, t->buckets));
    entry = LT(find_in)(b, hash, key, ret);
    if (entry == NULL && unlikely(lt_has_child(b)))
        return LT(find_behind)(b, hash, key, ret);
    return entry;
}

/* find_entry: where this very entry stands; its key is not looked at. */
LT_STATIC bool
LT(find_entry)(const LT_TABLE *t, uint64_t hash, const void *entry, LT_REF *ret)
{
    LT_BUCKET *b;

    ret->bucket = NULL;
    if (t->buckets == 0)
        return false;
    for (b = LT(at)(t, lt_home(hash, t->buckets));; b = LT(onward)(b, hash)) {
        unsigned mask = lt_match(b, lt_tag(hash));

        for (; mask != 0; mask &= mask - 1) {
            unsigned i = (unsigned)__builtin_ctz(mask);

            if (lt_entry(b->slot[i]) == entry) {
                ret->bucket = b;
                ret->slot = i;
                return true;
            }
        }
        if (!lt_has_child(b))
            return false;
    }
}

/* set_entry: another entry with the same key takes the place.  Cannot fail. */
LT_STATIC void
LT(set_entry)(LT_REF ref, const void *entry)
{
    struct lt_bucket *b = LT_WRITE_BUCKET(ref.bucket);

    b->slot[ref.slot] = (b->slot[ref.slot] & ~0xffffffffffffULL) | (uint64_t)(uintptr_t)entry;
}

/* ---- growing and shrinking ---- */

/* A chain being written: its last bucket and how full that is. */
struct LT(out) {
    struct lt_bucket *tail;
    unsigned fill;
};

/* Taking a chain apart.  What is read goes to one of two chains; these get their children from
 * fresh[], then from the old chain's own, in order.  The reader is one bucket ahead of what is
 * poured: then a child has always been read when its turn comes to be written (for a merge of 2 + 8
 * entries, say, just so). */
struct LT(flow) {
    struct LT(out) out[2];
    struct lt_bucket *fresh[2];
    unsigned fresh_count;
    LT_BUCKET *spare; /* first old child that was not used again; NULL: none */
};

static LT_BUCKET *
LT(take_spare)(struct LT(flow) * f)
{
    LT_BUCKET *b = f->spare;

    must(b != NULL); /* LT2 */
    f->spare = lt_has_child(b) ? LT(child)(b) : NULL;
    return b;
}

/* add_child: the full tail gets a child, which takes over its last entry. */
static void
LT(add_child)(struct LT(out) * o, struct lt_bucket *child)
{
    struct lt_bucket *b = o->tail;

    LT(put_at)(child, 0, b->tag[LT_SLOTS - 1], b->slot[LT_SLOTS - 1]);
    b->slot[LT_SLOTS - 1] = (uint64_t)(uintptr_t)child;
    b->meta = (LT_SLOTS - 1) | LT_LINK;
    o->tail = child;
    o->fill = 1;
}

static void
LT(emit)(struct LT(flow) * f, struct LT(out) * o, uint8_t tag, uint64_t slot)
{
    if (o->fill == LT_SLOTS)
        LT(add_child)
    (o, f->fresh_count > 0 ? f->fresh[--f->fresh_count] : LT_WRITE_BUCKET(LT(take_spare)(f)));
    LT(put_at)(o->tail, o->fill, tag, slot);
    o->fill++;
    o->tail->meta = (uint8_t)o->fill;
}

/* split_bit: to which half does an entry go? */
static inline unsigned
LT(split_bit)(unsigned level, uint64_t slot)
{
    if (level >= 16 && level < 32)
        return (unsigned)(slot >> (48 + level - 16) & 1); /* LT4 */
    return (unsigned)(LT_REHASH(lt_entry(slot)) >> level & 1);
}

/* pour: the entries of the chain at `from` go to out[0] and, by their split bit, out[1]; split
 * false: all to out[0].  With split, out[0] is the empty bucket `low`, which may be `from` itself.
 * Returns how many of the chain's children are left over; they are freed. */
static uint64_t
LT(pour)(struct LT(flow) * f, LT_BUCKET *from, struct lt_bucket *low, bool split, unsigned level)
{
    struct lt_bucket cur, ahead = *from;
    bool more = true;
    uint64_t freed = 0;

    f->spare = lt_has_child(from) ? LT(child)(from) : NULL;
    if (split) {
        f->out[0] = (struct LT(out)){.tail = low};
        f->out[0].tail->meta = 0;
    }
    while (more) {
        cur = ahead;
        more = lt_has_child(&cur);
        if (more)
            ahead = *LT(child)(&cur);
        for (unsigned i = 0; i < lt_count(&cur); i++)
            LT(emit)
        (f, &f->out[split ? LT(split_bit)(level, cur.slot[i]) : 0], cur.tag[i], cur.slot[i]);
    }
    while (f->spare != NULL) {
        LT_BUCKET *b = LT(take_spare)(f);

        LT_CHILD_FREE(b);
        freed++;
    }
    return freed;
}

/* chain_count: entries of the chain at b; *ret_tail is its last bucket. */
static uint64_t
LT(chain_count)(LT_BUCKET *b, LT_BUCKET **ret_tail)
{
    uint64_t n = lt_count(b);

    for (; lt_has_child(b); n += lt_count(b))
        b = LT(child)(b);
    *ret_tail = b;
    return n;
}

/* reserve: buckets for what comes: at most two.  false: no memory. */
static bool
LT(reserve)(struct LT(flow) * f, uint64_t need)
{
    must(need <= 2);
    for (; f->fresh_count < need; f->fresh_count++)
        if ((f->fresh[f->fresh_count] = LT_CHILD_NEW()) == NULL) {
            if (f->fresh_count > 0)
                LT_CHILD_FREE(f->fresh[0]);
            return false;
        }
    return true;
}

#include "server/data/db/ltable_junction.inc.h"

/* grow: split the next bucket in turn.  Without memory for its segment the table just stays
 * fuller. */
static void
LT(grow)(LT_TABLE *root)
{
    struct LT(flow) f; /* pour() fills in the rest */
    uint64_t n = root->buckets;
    unsigned level = lt_level(n), segment = lt_segment_of(n);
    LT_BUCKET *low;

    if (segment >= LT_SEGMENTS)
        return;
    if (n == 1ULL << level) { /* the first bucket of a segment */
        struct lt_bucket *fresh = LT_SEGMENT_NEW(lt_segment_buckets(segment));

        if (fresh == NULL)
            return;
        LT_SET_SEGMENT(root, segment, fresh);
    }
    LT_GROWN(root, n + 1);
    low = LT(at)(root, n - (1ULL << level));
    f.fresh_count = 0;
    f.out[1] = (struct LT(out)){.tail = LT_WRITE_BUCKET(LT(at)(root, n))};
    f.out[1].tail->meta = 0; /* LT3 */
    if (unlikely(lt_is_junction(low)))
        root->children -= LT(part)(low, f.out[1].tail);
    else
        root->children -= LT(pour)(&f, low, LT_WRITE_BUCKET(low), true, level);
    root->buckets = n + 1;
}

/* merge: the bucket `high` into `low`, the two that this bit parts.  false: no memory, nothing has
 * changed. */
static bool
LT(merge)(LT_TABLE *root, LT_BUCKET *low, LT_BUCKET *high, unsigned bit)
{
    struct LT(flow) f = {.fresh_count = 0};
    uint64_t low_count, high_count, need;
    LT_BUCKET *tail, *high_tail;

    if (unlikely(lt_is_junction(low) || lt_is_junction(high)))
        return LT(join)(root, low, high, bit);
    low_count = LT(chain_count)(low, &tail);
    high_count = LT(chain_count)(high, &high_tail);
    if (unlikely(low_count + high_count > LT_CHAIN_MAX))
        return LT(join)(root, low, high, bit);
    need = lt_children(low_count + high_count) - lt_children(low_count) - lt_children(high_count);
    if (!LT(reserve)(&f, need))
        return false;
    if (high_count > 0) {
        f.out[0] = (struct LT(out)){.tail = LT_WRITE_BUCKET(tail), .fill = lt_count(tail)};
        LT(pour)(&f, high, NULL, false, 0);
    }
    root->children += need;
    return true;
}

/* shrink: merge the last bucket into the one that it was split from.  Without memory the table just
 * stays larger. */
static void
LT(shrink)(LT_TABLE *root)
{
    uint64_t n = root->buckets - 1;
    unsigned level = lt_level(n), segment = lt_segment_of(n);

    if (!LT(merge)(root, LT(at)(root, n - (1ULL << level)), LT(at)(root, n), level))
        return;
    root->buckets = n;
    LT_SHRUNK(root, n);
    if (n == 1ULL << level) /* its address stays behind, unread */
        LT_SEGMENT_FREE(root->segment[segment], lt_segment_buckets(segment));
}

/* first: the table's first bucket.  false: no memory. */
static bool
LT(first)(LT_TABLE *root)
{
    struct lt_bucket *b = LT_SEGMENT_NEW(1);

    if (b == NULL)
        return false;
    b->meta = 0;
    LT_SET_SEGMENT(root, 0, b);
    root->buckets = 1;
    return true;
}

/* ---- an entry more, an entry less ---- */

/* insert: an entry whose key is not in the table.  false: no memory, nothing has changed (but for a
 * chain that became two, perhaps). */
LT_STATIC bool
LT(insert)(const LT_TABLE *t, uint64_t hash, const void *entry)
{
    LT_TABLE *root = LT_WRITE_ROOT(t);
    struct lt_bucket *tail;
    LT_BUCKET *home, *b;
    unsigned fill;

    if (unlikely(root->buckets == 0) && !LT(first)(root))
        return false;
    home = LT(at)(root, lt_home(hash, root->buckets));
    b = unlikely(lt_has_child(home)) ? LT(tail_of)(home, hash) : home;
    if (unlikely(lt_count(b) == LT_SLOTS) && (b = LT(lengthen)(root, home, hash)) == NULL)
        return false;
    fill = lt_count(b);
    tail = LT_WRITE_BUCKET(b);
    LT(put_at)(tail, fill, lt_tag(hash), lt_pack(entry, hash));
    tail->meta = (uint8_t)(fill + 1);
    root->count++;
    if (unlikely(lt_is_junction(home)))
        LT(note_below)(home, hash, 1);
    if (root->count > root->buckets * LT_LOAD_MAX)
        LT(grow)(root);
    return true;
}

/* fill_hole: the chain's last entry takes the place of the one at ref. */
static void
LT(fill_hole)(LT_REF ref, LT_BUCKET *last, unsigned i)
{
    if (ref.bucket != last || ref.slot != i)
        LT(put_at)(LT_WRITE_BUCKET(ref.bucket), ref.slot, last->tag[i], last->slot[i]);
}

/* remove: the entry at ref, whose hash this is.  Cannot fail. */
LT_STATIC void
LT(remove)(const LT_TABLE *t, uint64_t hash, LT_REF ref)
{
    LT_TABLE *root = LT_WRITE_ROOT(t);
    LT_BUCKET *home = LT(at)(root, lt_home(hash, root->buckets)), *last, *parent = NULL;
    unsigned n;

    for (last = LT(leaf_of)(home, hash); lt_has_child(last); last = LT(child)(last))
        parent = last;
    n = lt_count(last);
    if (parent != NULL && n == 2) { /* LT1: the child's other entry goes up, the child goes */
        unsigned keep = ref.bucket == last && ref.slot == 0 ? 1 : 0;
        struct lt_bucket *up = LT_WRITE_BUCKET(parent);

        if (ref.bucket != last)
            LT(fill_hole)(ref, last, 1);
        LT(put_at)(up, LT_SLOTS - 1, last->tag[keep], last->slot[keep]);
        up->meta = LT_SLOTS;
        LT_CHILD_FREE(last);
        root->children--;
    } else {
        struct lt_bucket *w = LT_WRITE_BUCKET(last);

        LT(fill_hole)(ref, last, n - 1);
        w->meta = (uint8_t)(n - 1);
    }
    root->count--;
    if (unlikely(lt_is_junction(home))) {
        LT(note_below)(home, hash, (uint64_t)-1);
        LT(gather)(root, home, hash);
    }
    if (root->buckets > 1 && root->count < root->buckets * LT_LOAD_MIN)
        LT(shrink)(root);
}

#include "server/data/db/ltable_walk.inc.h"

#undef LT_PASTE2
#undef LT_PASTE
#undef LT
#undef LT_TABLE
#undef LT_REF
#undef LT_BUCKET
#undef LT_STATIC
