/* server/data/hash/htable.c - large hashes: ltable.inc.h over the arena's values heap. */
#include "server/data/hash/htable.h"

#include <errno.h>

#include "mm/base/keyhash.h"
#include "mm/mm.h"
#include "server/data/db/draw.h"

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

#define LT_NAME              htable
#define LT_REHASH(entry)     rehash(entry)
#define LT_KEY               const struct slice *
#define LT_EQUAL(entry, key) has_field(entry, key)
#include "server/data/db/ltable_arena.inc.h"

const struct htable *
htable_new(void)
{
    struct htable *t = mm_alloc(MM_VALUE, sizeof *t);

    if (t == NULL || arena_start(t))
        return t;
    mm_free(t);
    return NULL;
}

void
htable_expect(const struct htable *t, uint64_t pairs)
{
    arena_expect(t, pairs);
}

void
htable_warm(const struct htable *t, uint64_t hash)
{
    arena_warm(t, hash);
}

int
htable_enter(const struct htable *t, uint64_t hash, const struct hash_pair *p)
{
    struct slice field = hash_pair_field(p);
    struct htable_ref ref;

    debug_check(hash == keyhash(field));
    if (unlikely(htable_find(t, hash, &field, &ref) != NULL))
        return -EEXIST;
    return htable_insert(t, hash, p) ? 0 : -ENOMEM;
}

bool
htable_drop(const struct htable *t, uint64_t *next, uint64_t pairs)
{
    if (!htable_drain(t, next, pairs, arena_free_entry, NULL))
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

uint64_t
htable_weigh(const struct htable *t, uint64_t samples)
{
    return mm_usable(t) + arena_weigh(t, samples);
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

    if (field.len > UINT32_MAX || value.len >= UINT32_MAX) /* H3: that length says something else */
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

    if (value.len >= UINT32_MAX)
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
