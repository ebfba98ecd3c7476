/* server/data/hash/htable.c - large hashes: ltable.inc.h over the arena's values heap. */
#include "server/data/hash/htable.h"

#include "mm/base/keyhash.h"
#include "mm/mm.h"
#include "server/data/db/draw.h"
#include "server/data/db/ltable_arena.h"

static struct lt_bucket *
write_bucket(const struct lt_bucket *b)
{
    return mm_modify(b, sizeof *b);
}

/* write_root: the counts.  The segments' addresses are written by set_segment(): they may stand in
 * another page. */
static struct htable *
write_root(const struct htable *t)
{
    return mm_modify(t, offsetof(struct htable, segment));
}

static void
set_segment(const struct htable *t, unsigned i, const struct lt_bucket *b)
{
    const struct lt_bucket **at = mm_modify(&t->segment[i], sizeof *at);

    *at = b;
}

static inline uint64_t
rehash(const void *pair)
{
    return keyhash(hash_pair_field(pair));
}

static inline bool
has_field(const void *pair, const struct slice *field)
{
    return slice_equal(hash_pair_field(pair), *field);
}

#define LT_NAME                 htable
#define LT_CONST                const
#define LT_WRITE_BUCKET(b)      write_bucket(b)
#define LT_WRITE_ROOT(t)        write_root(t)
#define LT_SET_SEGMENT(t, i, b) set_segment(t, i, b)
#define LT_CHILD_NEW()          mm_alloc(MM_VALUE, sizeof(struct lt_bucket))
#define LT_CHILD_FREE(b)        mm_free(b)
#define LT_SEGMENT_NEW(n)       lt_segment_alloc(n)
#define LT_SEGMENT_FREE(b, n)   mm_free(b)
#define LT_GROWN(t, n)          lt_segment_count((t)->segment[lt_segment_of((n)-1)], (n)-1)
#define LT_SHRUNK(t, n)         ((void)0)
#define LT_REHASH(entry)        rehash(entry)
#define LT_KEY                  const struct slice *
#define LT_EQUAL(entry, key)    has_field(entry, key)
#define LT_LOAD_MAX             4
#define LT_LOAD_MIN             1
#include "server/data/db/ltable.inc.h"

const struct htable *
htable_new(void)
{
    struct htable *t = mm_alloc(MM_VALUE, sizeof *t);
    struct lt_bucket *b;

    if (t == NULL)
        return NULL;
    if ((b = mm_alloc(MM_VALUE, sizeof *b)) == NULL) {
        mm_free(t);
        return NULL;
    }
    b->meta = 0;
    *t = (struct htable){.buckets = 1};
    t->segment[0] = b;
    return t;
}

static void
free_pair(void *ctx, const void *pair)
{
    (void)ctx;
    mm_free(pair);
}

bool
htable_drop(const struct htable *t, uint64_t *next, uint64_t pairs)
{
    if (!htable_drain(t, next, pairs, free_pair, NULL))
        return false;
    mm_free(t);
    return true;
}

void
htable_free(const struct htable *t)
{
    uint64_t next = 0;

    htable_drop(t, &next, UINT64_MAX);
}

const struct hash_pair *
htable_get(const struct htable *t, struct slice field)
{
    struct htable_ref ref;

    return htable_find(t, keyhash(field), &field, &ref);
}

bool
htable_put(const struct htable *t, const struct hash_pair *p, const struct hash_pair **ret_old)
{
    struct slice field = hash_pair_field(p);
    uint64_t hash = keyhash(field);
    struct htable_ref ref;
    const struct hash_pair *old = htable_find(t, hash, &field, &ref);

    if (old == NULL && !htable_insert(t, hash, p))
        return false;
    if (old != NULL)
        htable_set_entry(ref, p);
    *ret_old = old;
    return true;
}

const struct hash_pair *
htable_take(const struct htable *t, struct slice field)
{
    uint64_t hash = keyhash(field);
    struct htable_ref ref;
    const struct hash_pair *p = htable_find(t, hash, &field, &ref);

    if (p != NULL)
        htable_remove(t, hash, ref);
    return p;
}

const struct hash_pair *
htable_draw(const struct htable *t)
{
    return htable_random_entry(t);
}

uint64_t
htable_walk(const struct htable *t, uint64_t cursor, htable_visitor visit, void *ctx)
{
    return htable_scan(t, cursor, visit, ctx);
}

void
htable_visit_bucket(const struct htable *t, uint64_t bucket, htable_visitor visit, void *ctx)
{
    htable_visit_chain(t, bucket, visit, ctx);
}

void
htable_each(const struct htable *t, htable_visitor visit, void *ctx)
{
    for (uint64_t i = 0; i < t->buckets; i++)
        htable_visit_chain(t, i, visit, ctx);
}

struct copy {
    const struct htable *to;
    bool failed;
};

static void
copy_pair(void *ctx, const void *pair)
{
    struct copy *c = ctx;
    const struct hash_pair *p, *old;

    if (c->failed)
        return;
    p = hash_pair_new(hash_pair_field(pair), hash_pair_value(pair));
    if (p == NULL || !htable_put(c->to, p, &old)) {
        if (p != NULL)
            mm_free(p);
        c->failed = true;
    }
}

const struct htable *
htable_copy(const struct htable *t)
{
    struct copy c = {.to = htable_new()};

    if (c.to == NULL)
        return NULL;
    htable_each(t, copy_pair, &c);
    if (!c.failed)
        return c.to;
    htable_free(c.to);
    return NULL;
}

struct weighing {
    uint64_t pairs, bytes;
};

static void
weigh_pair(void *ctx, const void *pair)
{
    struct weighing *w = ctx;

    w->pairs++;
    w->bytes += mm_usable(pair);
}

uint64_t
htable_weigh(const struct htable *t, uint64_t samples)
{
    struct weighing w = {.pairs = 0};
    uint64_t cursor = 0;

    if (samples == 0)
        samples = UINT64_MAX;
    do
        cursor = htable_walk(t, cursor, weigh_pair, &w);
    while (cursor != 0 && w.pairs < samples);
    if (w.pairs == 0)
        return mm_usable(t);
    return mm_usable(t) + (t->buckets + t->children) * sizeof(struct lt_bucket) +
           (uint64_t)((double)w.bytes / (double)w.pairs * (double)htable_count(t));
}

void
htable_verify(const struct htable *t)
{
    htable_check(t);
}

/* ---- pairs ---- */

const struct hash_pair *
hash_pair_new(struct slice field, struct slice value)
{
    struct hash_pair *p;

    if (field.len > UINT32_MAX || value.len > UINT32_MAX)
        return NULL;
    if ((p = mm_alloc(MM_VALUE, sizeof *p + field.len + value.len)) == NULL)
        return NULL;
    p->field_len = (uint32_t)field.len;
    p->value_len = (uint32_t)value.len;
    memcpy(p->bytes, field.ptr, field.len);
    memcpy(p->bytes + field.len, value.ptr, value.len);
    return p;
}

void
hash_pair_free(const struct hash_pair *p)
{
    mm_free(p);
}

bool
hash_pair_set(const struct hash_pair *p, struct slice value)
{
    /* Between a value's length and the value: bytes that a cut would preserve for nothing. */
    enum { LONG_FIELD = 256 };
    size_t at = offsetof(struct hash_pair, bytes) + p->field_len, from = at;
    uint32_t len = (uint32_t)value.len;
    char *w;

    if (value.len > UINT32_MAX)
        return false;
    if (value.len != p->value_len) {
        if (p->field_len > LONG_FIELD || mm_size_class(at + value.len) != mm_usable(p))
            return false;
        from = offsetof(struct hash_pair, value_len);
    }
    if (at + value.len == from)
        return true; /* still empty */
    w = mm_modify((const char *)p + from, at + value.len - from);
    if (from != at)
        memcpy(w, &len, sizeof len);
    memcpy(w + (at - from), value.ptr, value.len);
    return true;
}
