/* server/data/db/ktable.c - the keyspace's tables: ltable.inc.h over ordinary memory. */
#include "server/data/db/ktable.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "mm/base/fault.h"
#include "mm/base/keyhash.h"
#include "server/data/db/draw.h"

/* Segments from MAPPED_FROM buckets on are mapped: the first 2^n buckets are all of the segments
 * before, so that every bucket with a number from MAPPED_FROM on is in a mapped one.  What they
 * take is counted by buckets in use, not by segments: a segment doubles the table, and if it
 * counted as a whole at once, a table that grows at maxmemory would drive a good part of the keys
 * out.  Memory behind buckets that a shrinking table has given up goes back GIVE_BACK at a time.
 *
 * Overflow buckets are cut from chunks, linked while free.  The chunks go back when no bucket is in
 * use. */
enum { CHUNK_BUCKETS = 63, MAPPED_FROM = 256, GIVE_BACK = 4096 };
union pooled {
    struct lt_bucket bucket;
    union pooled *next;
};
struct chunk {
    _Alignas(sizeof(struct lt_bucket)) struct chunk *next;
    union pooled buckets[CHUNK_BUCKETS];
};
static struct {
    union pooled *free;
    struct chunk *chunks;
    uint64_t used;
    size_t bytes;
} pool;
static uint64_t mapped_buckets; /* in use, in mapped segments */
static size_t small_bytes;      /* of the others */

static bool
pool_refill(void)
{
    struct chunk *c = aligned_alloc(sizeof(struct lt_bucket), sizeof *c);

    if (c == NULL)
        return false;
    c->next = pool.chunks;
    pool.chunks = c;
    pool.bytes += sizeof *c;
    for (unsigned i = 0; i < CHUNK_BUCKETS; i++) {
        c->buckets[i].next = pool.free;
        pool.free = &c->buckets[i];
    }
    return true;
}

static void
pool_release(void)
{
    while (pool.chunks != NULL) {
        struct chunk *c = pool.chunks;

        pool.chunks = c->next;
        free(c);
    }
    pool.free = NULL;
    pool.bytes = 0;
}

static struct lt_bucket *
child_new(void)
{
    union pooled *b;

    if (fault_point(FAULT_side_alloc) || (pool.free == NULL && !pool_refill()))
        return NULL;
    b = pool.free;
    pool.free = b->next;
    pool.used++;
    return &b->bucket;
}

static void
child_free(struct lt_bucket *bucket)
{
    union pooled *b = (union pooled *)(void *)bucket;

    b->next = pool.free;
    pool.free = b;
    if (--pool.used == 0)
        pool_release();
}

static struct lt_bucket *
segment_new(uint64_t buckets)
{
    size_t bytes = buckets * sizeof(struct lt_bucket);
    void *p;

    if (fault_point(FAULT_side_alloc))
        return NULL;
    if (buckets < MAPPED_FROM) {
        p = aligned_alloc(sizeof(struct lt_bucket), bytes);
        small_bytes += p != NULL ? bytes : 0;
        return p;
    }
    p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
             0);
    return p != MAP_FAILED ? p : NULL;
}

static void
segment_free(struct lt_bucket *b, uint64_t buckets)
{
    size_t bytes = buckets * sizeof *b;

    if (buckets < MAPPED_FROM) {
        small_bytes -= bytes;
        free(b);
    } else {
        munmap(b, bytes);
    }
}

static inline void
note_grown(uint64_t buckets)
{
    mapped_buckets += buckets > MAPPED_FROM;
}

/* note_shrunk: bucket number `buckets` of a segment is not in use any more, nor are those behind
 * it. */
static void
note_shrunk(const struct ktable *t, uint64_t buckets)
{
    unsigned s = lt_segment_of(buckets);
    uint64_t begin = lt_segment_buckets(s); /* the number of its first bucket, too */

    mapped_buckets -= buckets >= MAPPED_FROM;
    if (buckets % GIVE_BACK == 0 && buckets > begin) /* LT3: what they hold does not matter */
        (void)madvise(t->segment[s] + (buckets - begin), GIVE_BACK * sizeof(struct lt_bucket),
                      MADV_DONTNEED);
}

static inline uint64_t
rehash(const void *record)
{
    return keyhash(record_key(record));
}

static inline bool
has_key(const void *record, const struct slice *key)
{
    return slice_equal(record_key(record), *key);
}

static inline struct ktable *
root_of(const struct ktable *t)
{
    union {
        const struct ktable *c;
        struct ktable *m;
    } u = {.c = t};
    return u.m; /* ordinary memory: only the arena's data is const for good */
}

#define LT_NAME ktable
#define LT_CONST
#define LT_WRITE_BUCKET(b)      (b)
#define LT_WRITE_ROOT(t)        root_of(t)
#define LT_SET_SEGMENT(t, i, b) ((t)->segment[i] = (b))
#define LT_CHILD_NEW()          child_new()
#define LT_CHILD_FREE(b)        child_free(b)
#define LT_SEGMENT_NEW(n)       segment_new(n)
#define LT_SEGMENT_FREE(b, n)   segment_free(b, n)
#define LT_GROWN(t, n)          note_grown(n)
#define LT_SHRUNK(t, n)         note_shrunk(t, n)
#define LT_REHASH(entry)        rehash(entry)
#define LT_KEY                  const struct slice *
#define LT_EQUAL(entry, key)    has_key(entry, key)
/* Four of seven, by bench_keyspace at 2 to 3 million keys: 17 bytes a key with 6 to 9 % of the
 * buckets overflowing; five takes 15 bytes with 17 to 19 %, and a prefetched lookup an eighth
 * longer; six 14 bytes, 27 to 31 %, a third longer. */
enum { LOAD_MAX = 4, LOAD_MIN = 1 };
#define LT_LOAD_MAX LOAD_MAX
#define LT_LOAD_MIN LOAD_MIN
#include "server/data/db/ltable.inc.h"

const struct record *
ktable_find_key(const struct ktable *t, uint64_t hash, struct slice key, struct ktable_ref *ret)
{
    return ktable_find(t, hash, &key, ret);
}

void
ktable_find_record(const struct ktable *t, uint64_t hash, const struct record *r,
                   struct ktable_ref *ret)
{
    ktable_find_entry(t, hash, r, ret);
}

/* reserve_segment: fresh buckets that are empty; those of a mapped one are so already. */
static struct lt_bucket *
reserve_segment(uint64_t buckets)
{
    struct lt_bucket *b = segment_new(buckets);

    for (uint64_t i = 0; b != NULL && buckets < MAPPED_FROM && i < buckets; i++)
        b[i].meta = 0;
    return b;
}

void
ktable_expect(struct ktable *t, uint64_t records)
{
    uint64_t buckets = records / LOAD_MAX;
    unsigned last = lt_segment_of(buckets - (buckets > 0));

    if (t->buckets > 0 || buckets == 0 || last >= LT_SEGMENTS)
        return;
    for (unsigned s = 0; s <= last; s++)
        if ((t->segment[s] = reserve_segment(lt_segment_buckets(s))) == NULL) {
            while (s-- > 0)
                segment_free(t->segment[s], lt_segment_buckets(s));
            return;
        }
    t->buckets = buckets;
    mapped_buckets += buckets > MAPPED_FROM ? buckets - MAPPED_FROM : 0;
}

void
ktable_fit(struct ktable *t)
{
    uint64_t before = 0;

    while (t->buckets > 1 && t->count < t->buckets * LOAD_MIN && t->buckets != before) {
        before = t->buckets;
        ktable_shrink(t);
    }
}

bool
ktable_add(struct ktable *t, uint64_t hash, const struct record *r)
{
    debug_check(ktable_find_key(t, hash, record_key(r), &(struct ktable_ref){.slot = 0}) == NULL);
    return ktable_insert(t, hash, r);
}

void
ktable_switch(struct ktable_ref at, const struct record *r)
{
    debug_check(at.bucket != NULL);
    ktable_set_entry(at, r);
}

void
ktable_drop(struct ktable *t, uint64_t hash, struct ktable_ref at)
{
    debug_check(at.bucket != NULL && t->count > 0);
    ktable_remove(t, hash, at);
}

uint64_t
ktable_walk(const struct ktable *t, uint64_t cursor, ktable_visitor visit, void *ctx)
{
    return ktable_scan(t, cursor, visit, ctx);
}

void
ktable_visit_bucket(const struct ktable *t, uint64_t bucket, ktable_visitor visit, void *ctx)
{
    ktable_visit_chain(t, bucket, visit, ctx);
}

void
ktable_visit_next(const struct ktable *t, struct ktable_place *at, ktable_visitor visit, void *ctx)
{
    if (at->bucket >= t->buckets)
        *at = (struct ktable_place){.bucket = 0};
    ktable_visit_leaf(ktable_leaf_at(t, at->bucket, at->path, &at->path), visit, ctx);
    at->bucket += at->path == 0;
}

const struct record *
ktable_draw(const struct ktable *t)
{
    return ktable_random_entry(t);
}

bool
ktable_empty(struct ktable *t, uint64_t *next, uint64_t records, ktable_visitor visit, void *ctx)
{
    if (!ktable_drain(t, next, records, visit, ctx))
        return false;
    mapped_buckets -= t->buckets > MAPPED_FROM ? t->buckets - MAPPED_FROM : 0;
    *t = (struct ktable){.count = 0};
    *next = 0;
    return true;
}

void
ktable_warm_bucket(const struct ktable *t, uint64_t hash)
{
    if (t->buckets > 0)
        __builtin_prefetch(ktable_at(t, lt_home(hash, t->buckets)));
}

void
ktable_warm_record(const struct ktable *t, uint64_t hash)
{
    const struct lt_bucket *b;

    if (t->buckets == 0)
        return;
    b = ktable_at(t, lt_home(hash, t->buckets));
    /* of a junction: none */
    for (unsigned mask = lt_match(b, lt_tag(hash)); mask != 0; mask &= mask - 1)
        __builtin_prefetch(lt_entry(b->slot[__builtin_ctz(mask)]));
}

size_t
ktable_bytes(void)
{
    return ktable_mapped_bytes() + small_bytes + pool.bytes;
}

size_t
ktable_mapped_bytes(void)
{
    return mapped_buckets * sizeof(struct lt_bucket);
}

void
ktable_verify(const struct ktable *t)
{
    ktable_check(t);
}
