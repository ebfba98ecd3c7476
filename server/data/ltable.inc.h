/* server/data/ltable.inc.h - the algorithms of ltable.h, over storage that the includer names.  No include
 * guard: each table type includes it once, after defining
 *
 *   LT_NAME              the table's struct; LT(x) becomes LT_NAME_x
 *   LT_CONST             const, or nothing: how buckets are read
 *   LT_WRITE_BUCKET(b)   the same bucket, writable
 *   LT_WRITE_ROOT(t)     the table's root with its counts, writable
 *   LT_SET_SEGMENT(t, i, b)    note where segment i is
 *   LT_CHILD_NEW()       a fresh bucket or NULL;      LT_CHILD_FREE(b)
 *   LT_SEGMENT_NEW(n)    n fresh buckets or NULL;     LT_SEGMENT_FREE(b, n)
 *   LT_REHASH(entry)     an entry's hash
 *   LT_KEY               type of a key;               LT_EQUAL(entry, key)
 *   LT_LOAD_MAX, LT_LOAD_MIN   entries per bucket beyond which the table grows, below which it shrinks
 *
 * A function that the includer has no use for would be an unused static: all are marked so. */
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

/* put_at: entry number i of a writable bucket. */
static inline void
LT(put_at)(struct lt_bucket *b, unsigned i, uint8_t tag, uint64_t slot)
{
    b->tag[i] = tag;
    b->slot[i] = slot;
}

/* find: the entry with this key.  Inlined where a lookup is hot. */
LT_STATIC inline const void *
LT(find)(const LT_TABLE *t, uint64_t hash, LT_KEY key, LT_REF *ret)
{
    LT_BUCKET *b;

    ret->bucket = NULL;
    if (unlikely(t->buckets == 0))
        return NULL;
    for (b = LT(at)(t, lt_home(hash, t->buckets));; b = LT(child)(b)) {
        unsigned mask = lt_match(b, lt_tag(hash));

        for (; mask != 0; mask &= mask - 1) {
            unsigned i = (unsigned)__builtin_ctz(mask);

            if (lt_is_near(b->slot[i], hash) && LT_EQUAL(lt_entry(b->slot[i]), key)) {
                ret->bucket = b;
                ret->slot = i;
                return lt_entry(b->slot[i]);
            }
        }
        if (likely(!lt_has_child(b)))
            return NULL;
    }
}

/* find_entry: where this very entry stands; its key is not looked at. */
LT_STATIC bool
LT(find_entry)(const LT_TABLE *t, uint64_t hash, const void *entry, LT_REF *ret)
{
    LT_BUCKET *b;

    ret->bucket = NULL;
    if (t->buckets == 0)
        return false;
    for (b = LT(at)(t, lt_home(hash, t->buckets));; b = LT(child)(b)) {
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

/* Taking a chain apart.  What is read goes to one of two chains; these get their children from fresh[], then
 * from the old chain's own, in order.  The reader is one bucket ahead of what is poured: then a child has
 * always been read when its turn comes to be written (for a merge of 2 + 8 entries, say, just so). */
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

/* pour: the entries of the chain at `from` go to out[0] and, by their split bit, out[1]; split false: all to
 * out[0]. Returns how many of the chain's children are left over; they are freed. */
static uint64_t
LT(pour)(struct LT(flow) * f, LT_BUCKET *from, bool split, unsigned level)
{
    struct lt_bucket cur, ahead = *from;
    bool more = true;
    uint64_t freed = 0;

    f->spare = lt_has_child(from) ? LT(child)(from) : NULL;
    if (split) {
        f->out[0] = (struct LT(out)){.tail = LT_WRITE_BUCKET(from)};
        f->out[0].tail->meta = 0;
    }
    while (more) {
        cur = ahead;
        more = lt_has_child(&cur);
        if (more)
            ahead = *LT(child)(&cur);
        for (unsigned i = 0; i < lt_count(&cur); i++)
            LT(emit)(f, &f->out[split ? LT(split_bit)(level, cur.slot[i]) : 0], cur.tag[i], cur.slot[i]);
    }
    while (f->spare != NULL) {
        LT_BUCKET *b = LT(take_spare)(f);

        LT_CHILD_FREE(b);
        freed++;
    }
    return freed;
}

/* grow: split the next bucket in turn.  Without memory for its segment the table just stays fuller. */
static void
LT(grow)(LT_TABLE *root)
{
    struct LT(flow) f = {.fresh_count = 0};
    uint64_t n = root->buckets;
    unsigned level = lt_level(n), segment = lt_segment_of(n);

    if (segment >= LT_SEGMENTS)
        return;
    if (n == 1ULL << level) { /* the first bucket of a segment */
        struct lt_bucket *fresh = LT_SEGMENT_NEW(lt_segment_buckets(segment));

        if (fresh == NULL)
            return;
        LT_SET_SEGMENT(root, segment, fresh);
    }
    f.out[1].tail = LT_WRITE_BUCKET(LT(at)(root, n));
    f.out[1].tail->meta = 0; /* LT3 */
    root->children -= LT(pour)(&f, LT(at)(root, n - (1ULL << level)), true, level);
    root->buckets = n + 1;
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

/* reserve: the children that a merge needs beyond those of its two chains: at most two.  false: no memory. */
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

/* shrink: merge the last bucket into the one that it was split from.  Without memory the table just stays
 * larger. */
static void
LT(shrink)(LT_TABLE *root)
{
    struct LT(flow) f = {.fresh_count = 0};
    uint64_t n = root->buckets - 1, low_count, high_count, need;
    LT_BUCKET *high = LT(at)(root, n), *low = LT(at)(root, n - (1ULL << lt_level(n))), *tail, *high_tail;
    unsigned segment = lt_segment_of(n);

    low_count = LT(chain_count)(low, &tail);
    high_count = LT(chain_count)(high, &high_tail);
    need = lt_children(low_count + high_count) - lt_children(low_count) - lt_children(high_count);
    if (!LT(reserve)(&f, need))
        return;
    if (high_count > 0) {
        f.out[0] = (struct LT(out)){.tail = LT_WRITE_BUCKET(tail), .fill = lt_count(tail)};
        LT(pour)(&f, high, false, 0);
    }
    root->children += need;
    root->buckets = n;
    if (n == 1ULL << lt_level(n)) /* its address stays behind, unread */
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

/* insert: an entry whose key is not in the table.  false: no memory, nothing has changed. */
LT_STATIC bool
LT(insert)(const LT_TABLE *t, uint64_t hash, const void *entry)
{
    LT_TABLE *root = LT_WRITE_ROOT(t);
    struct LT(out) o;
    struct lt_bucket *child = NULL;
    LT_BUCKET *b;

    if (unlikely(root->buckets == 0) && !LT(first)(root))
        return false;
    for (b = LT(at)(root, lt_home(hash, root->buckets)); lt_has_child(b); b = LT(child)(b))
        ;
    if (unlikely(lt_count(b) == LT_SLOTS) && (child = LT_CHILD_NEW()) == NULL)
        return false;
    o = (struct LT(out)){.tail = LT_WRITE_BUCKET(b), .fill = lt_count(b)};
    if (unlikely(child != NULL)) {
        LT(add_child)(&o, child);
        root->children++;
    }
    LT(put_at)(o.tail, o.fill, lt_tag(hash), lt_pack(entry, hash));
    o.tail->meta = (uint8_t)(o.fill + 1);
    root->count++;
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
    LT_BUCKET *last = LT(at)(root, lt_home(hash, root->buckets)), *parent = NULL;
    unsigned n;

    for (; lt_has_child(last); last = LT(child)(last))
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
    if (root->buckets > 1 && root->count < root->buckets * LT_LOAD_MIN)
        LT(shrink)(root);
}

/* ---- walking ---- */

typedef void (*LT(visit))(void *ctx, const void *entry);

/* visit_chain: every entry of the bucket with this number.  visit may free the entry, not change
 * the table. */
LT_STATIC void
LT(visit_chain)(const LT_TABLE *t, uint64_t bucket, LT(visit) visit, void *ctx)
{
    for (LT_BUCKET *b = LT(at)(t, bucket);; b = LT(child)(b)) {
        for (unsigned i = 0; i < lt_count(b); i++)
            visit(ctx, lt_entry(b->slot[i]));
        if (!lt_has_child(b))
            return;
    }
}

/* scan: one step of a walk that survives growing and shrinking: an entry that is there from the first step
 * (cursor 0) to the last (0 returned) is visited at least once. */
LT_STATIC uint64_t
LT(scan)(const LT_TABLE *t, uint64_t cursor, LT(visit) visit, void *ctx)
{
    unsigned level;
    uint64_t half;

    if (t->buckets == 0)
        return 0;
    level = lt_level(t->buckets);
    half = 1ULL << level;
    cursor &= half - 1;
    LT(visit_chain)(t, cursor, visit, ctx);
    if (cursor + half < t->buckets)
        LT(visit_chain)(t, cursor + half, visit, ctx);
    return lt_next_cursor(cursor, level);
}

/* sample: the entry at a random place; NULL: nothing stands there, draw again.  Each entry is as likely as
 * any other in a chain of up to two buckets; of longer chains, entries are a little less likely. */
LT_STATIC const void *
LT(sample)(const LT_TABLE *t, uint64_t random)
{
    enum { PLACES = 16 };
    LT_BUCKET *b, *tail;
    uint64_t place = random >> 60, n;

    if (t->count == 0)
        return NULL;
    b = LT(at)(t, (random & 0xfffffffffffffffULL) % t->buckets);
    n = LT(chain_count)(b, &tail);
    if (n > PLACES)
        place = place * n / PLACES;
    if (place >= n)
        return NULL;
    for (; lt_has_child(b) && place >= lt_count(b); b = LT(child)(b))
        place -= lt_count(b);
    return lt_entry(b->slot[place]);
}

/* ---- the end ---- */

/* drain: take apart a table that nobody looks into any more, buckets from *next on, until about `entries` of
 * them were visited.  True: all done, the segments are freed too; the root is the caller's. */
LT_STATIC bool
LT(drain)(const LT_TABLE *t, uint64_t *next, uint64_t entries, LT(visit) visit, void *ctx)
{
    uint64_t seen = 0;

    for (; *next < t->buckets; ++*next) {
        LT_BUCKET *head = LT(at)(t, *next), *b = head;

        if (seen >= entries)
            return false;
        for (bool more = true; more;) {
            LT_BUCKET *gone = b;

            for (unsigned i = 0; i < lt_count(b); i++)
                visit(ctx, lt_entry(b->slot[i]));
            seen += 1 + lt_count(b);
            more = lt_has_child(b);
            if (more)
                b = LT(child)(b);
            if (gone != head)
                LT_CHILD_FREE(gone);
        }
    }
    for (unsigned s = 0; s < LT_SEGMENTS && s <= lt_segment_of(t->buckets - 1) && t->buckets > 0; s++)
        LT_SEGMENT_FREE(t->segment[s], lt_segment_buckets(s));
    return true;
}

/* check: assert LT1, LT2 and that every entry stands where its hash says; for tests. */
LT_STATIC void
LT(check)(const LT_TABLE *t)
{
    uint64_t count = 0, children = 0;

    for (uint64_t i = 0; i < t->buckets; i++) {
        uint64_t in_chain = 0, links = 0;

        for (LT_BUCKET *b = LT(at)(t, i);; b = LT(child)(b), links++) {
            must(!lt_has_child(b) || lt_count(b) == LT_SLOTS - 1);
            must(links == 0 || lt_has_child(b) || lt_count(b) >= 2);
            for (unsigned k = 0; k < lt_count(b); k++) {
                uint64_t hash = LT_REHASH(lt_entry(b->slot[k]));

                must(lt_home(hash, t->buckets) == i);
                must(b->tag[k] == lt_tag(hash) && lt_is_near(b->slot[k], hash));
            }
            in_chain += lt_count(b);
            if (!lt_has_child(b))
                break;
        }
        must(links == lt_children(in_chain));
        count += in_chain;
        children += links;
    }
    must(count == t->count);
    must(children == t->children);
}

#undef LT_PASTE2
#undef LT_PASTE
#undef LT
#undef LT_TABLE
#undef LT_REF
#undef LT_BUCKET
#undef LT_STATIC
