/* server/data/db/ltable_arena.inc.h - a hash table in the arena's values heap: ltable.inc.h over
 * that storage, with what all such tables do alike.  No include guard: a table type includes it
 * once, after defining LT_NAME, LT_REHASH, LT_KEY and LT_EQUAL (ltable.inc.h).  Its entries are
 * blocks of the same heap.
 *
 * Everything is read through pointers to const and changed through mm_modify().
 * Threads: those of the includer. */
#include "server/data/db/ltable_arena.h"

/* The counts.  The segments' addresses, which may stand in another page, are written by
 * arena_set_segment(). */
static inline struct LT_NAME *
arena_write_root(const struct LT_NAME *t)
{
    return mm_modify(t, offsetof(struct LT_NAME, segment));
}

static void
arena_set_segment(const struct LT_NAME *t, unsigned i, const struct lt_bucket *b)
{
    const struct lt_bucket **at = mm_modify(&t->segment[i], sizeof *at);

    *at = b;
}

#define LT_CONST                const
#define LT_WRITE_BUCKET(b)      lt_write_bucket(b)
#define LT_WRITE_ROOT(t)        arena_write_root(t)
#define LT_SET_SEGMENT(t, i, b) arena_set_segment(t, i, b)
#define LT_CHILD_NEW()          mm_alloc(MM_VALUE, sizeof(struct lt_bucket))
#define LT_CHILD_FREE(b)        mm_free(b)
#define LT_SEGMENT_NEW(n)       lt_segment_alloc(n)
#define LT_SEGMENT_FREE(b, n)   mm_free(b)
#define LT_GROWN(t, n)          lt_segment_count((t)->segment[lt_segment_of((n)-1)], (n)-1)
#define LT_SHRUNK(t, n)         ((void)0)
#define LT_LOAD_MAX             4
#define LT_LOAD_MIN             1
#include "server/data/db/ltable.inc.h"

#define ARENA_PASTE2(a, b) a##_##b
#define ARENA_PASTE(a, b)  ARENA_PASTE2(a, b)
#define ARENA_CALL(x)      ARENA_PASTE(LT_NAME, x)

/* arena_start: t, which nobody else sees yet, is an empty table; false: no memory. */
static bool
arena_start(struct LT_NAME *t)
{
    struct lt_bucket *b = mm_alloc(MM_VALUE, sizeof *b);

    if (b == NULL)
        return false;
    b->meta = 0;
    *t = (struct LT_NAME){.buckets = 1};
    t->segment[0] = b;
    return true;
}

/* arena_expect: an empty table gets the buckets that so many entries will want, as far as there is
 * memory and as ARENA_EXPECT_MOST allows: that many are cheap to prepare, and a table that large is
 * split without a look at its entries (LT4). */
static void
arena_expect(const struct LT_NAME *t, uint64_t entries)
{
    struct LT_NAME *root = arena_write_root(t);
    uint64_t buckets = entries / LT_LOAD_MAX;

    if (buckets > ARENA_EXPECT_MOST)
        buckets = ARENA_EXPECT_MOST;
    debug_check(t->count == 0 && t->children == 0);
    while (root->buckets < buckets) {
        unsigned s = lt_segment_of(root->buckets);
        uint64_t n = lt_segment_buckets(s);
        struct lt_bucket *b = lt_segment_alloc(n);

        if (b == NULL)
            return;
        if (n > buckets - root->buckets)
            n = buckets - root->buckets;
        if (n * sizeof *b > LT_SEGMENT_COUNTED)
            mm_grow(b, (n + LT_PAGE_BUCKETS - 1) / LT_PAGE_BUCKETS * LT_PAGE_BUCKETS * sizeof *b);
        for (uint64_t i = 0; i < n; i++)
            b[i].meta = 0;
        arena_set_segment(t, s, b);
        root->buckets += n;
    }
}

/* arena_warm: a hint: the bucket of this hash.  A call that does nothing but that would be no call
 * to gcc, which takes it for one without an effect. */
static inline __attribute__((always_inline)) void
arena_warm(const struct LT_NAME *t, uint64_t hash)
{
    __builtin_prefetch(ARENA_CALL(at)(t, lt_home(hash, t->buckets)));
}

static void
arena_free_entry(void *ctx, const void *entry)
{
    (void)ctx;
    mm_free(entry);
}

struct arena_weighing {
    uint64_t entries, bytes;
};

static void
arena_weigh_entry(void *ctx, const void *entry)
{
    struct arena_weighing *w = ctx;

    w->entries++;
    w->bytes += mm_usable(entry);
}

/* arena_weigh: bytes of buckets and entries, these reckoned from `samples` of them (0: from all);
 * an empty table's one bucket counts for nothing. */
static uint64_t
arena_weigh(const struct LT_NAME *t, uint64_t samples)
{
    struct arena_weighing w = {.entries = 0};
    uint64_t cursor = 0;

    if (t->count == 0)
        return 0;
    if (samples == 0)
        samples = UINT64_MAX;
    do
        cursor = ARENA_CALL(scan)(t, cursor, arena_weigh_entry, &w);
    while (cursor != 0 && w.entries < samples);
    return (t->buckets + t->children) * sizeof(struct lt_bucket) +
           (uint64_t)((double)w.bytes / (double)w.entries * (double)t->count);
}

#undef ARENA_PASTE2
#undef ARENA_PASTE
#undef ARENA_CALL
