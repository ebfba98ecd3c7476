/* server/data/set/mtable.c - large sets: ltable.inc.h over the arena's values heap. */
#include "server/data/set/mtable.h"

#include "mm/base/keyhash.h"
#include "mm/mm.h"
#include "server/data/db/draw.h"

static inline bool
has_text(const void *member, const struct slice *text)
{
    return slice_equal(set_member_text(member), *text);
}

#define LT_NAME              mtable
#define LT_REHASH(entry)     keyhash(set_member_text(entry))
#define LT_KEY               const struct slice *
#define LT_EQUAL(entry, key) has_text(entry, key)
#include "server/data/db/ltable_arena.inc.h"

const struct mtable *
mtable_new(void)
{
    struct mtable *t = mm_alloc(MM_VALUE, sizeof *t);

    if (t == NULL || arena_start(t))
        return t;
    mm_free(t);
    return NULL;
}

void
mtable_expect(const struct mtable *t, uint64_t members)
{
    arena_expect(t, members);
}

bool
mtable_drop(const struct mtable *t, uint64_t *next, uint64_t members)
{
    if (!mtable_drain(t, next, members, arena_free_entry, NULL))
        return false;
    mm_free(t);
    return true;
}

void
mtable_free(const struct mtable *t)
{
    uint64_t next = 0;

    mtable_drop(t, &next, UINT64_MAX);
}

/* ---- one member ---- */

uint64_t
mtable_hash(struct slice text)
{
    return keyhash(text);
}

bool
mtable_has(const struct mtable *t, uint64_t hash, struct slice text)
{
    struct mtable_ref ref;

    return mtable_find(t, hash, &text, &ref) != NULL;
}

bool
mtable_add(const struct mtable *t, uint64_t hash, const struct set_member *m)
{
    return mtable_insert(t, hash, m);
}

const struct set_member *
mtable_take(const struct mtable *t, struct slice text)
{
    uint64_t hash = keyhash(text);
    struct mtable_ref ref;
    const struct set_member *m = mtable_find(t, hash, &text, &ref);

    if (m != NULL)
        mtable_remove(t, hash, ref);
    return m;
}

void
mtable_take_this(const struct mtable *t, const struct set_member *m)
{
    uint64_t hash = keyhash(set_member_text(m));
    struct mtable_ref ref;

    must(mtable_find_entry(t, hash, m, &ref));
    mtable_remove(t, hash, ref);
}

/* ---- many members at once: memory is asked for side by side ---- */

static const struct lt_bucket *
leaf(const struct mtable *t, uint64_t hash)
{
    return mtable_leaf_of(mtable_at(t, lt_home(hash, t->buckets)), hash);
}

void
mtable_warm(const struct mtable *t, const uint64_t *hashes, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        arena_warm(t, hashes[i]);
}

/* warm_candidate: the block of the first entry in the bucket that may be the one. */
static void
warm_candidate(const struct lt_bucket *b, uint64_t hash)
{
    for (unsigned mask = lt_match(b, lt_tag(hash)); mask != 0; mask &= mask - 1) {
        unsigned i = (unsigned)__builtin_ctz(mask);

        if (lt_is_near(b->slot[i], hash)) {
            __builtin_prefetch(lt_entry(b->slot[i]));
            return;
        }
    }
    if (lt_has_child(b))
        __builtin_prefetch(lt_child(b));
}

uint32_t
mtable_probe(const struct mtable *t, const struct slice *texts, const uint64_t *hashes,
             uint32_t asked)
{
    struct mtable_ref ref;
    uint32_t found = 0;

    for (uint32_t m = asked; m != 0; m &= m - 1)
        __builtin_prefetch(mtable_at(t, lt_home(hashes[__builtin_ctz(m)], t->buckets)));
    for (uint32_t m = asked; m != 0; m &= m - 1)
        warm_candidate(leaf(t, hashes[__builtin_ctz(m)]), hashes[__builtin_ctz(m)]);
    for (uint32_t m = asked; m != 0; m &= m - 1) {
        unsigned i = (unsigned)__builtin_ctz(m);

        if (mtable_find(t, hashes[i], &texts[i], &ref) != NULL)
            found |= 1U << i;
    }
    return found;
}

unsigned
mtable_next(const struct mtable *t, struct mtable_at *at, const struct set_member **ret,
            unsigned most)
{
    enum { BUCKETS_AHEAD = 4 };
    unsigned n = 0;

    while (n < most && at->bucket < t->buckets) {
        if (at->link == NULL) {
            at->link = mtable_leaf_at(t, at->bucket, at->path, &at->path);
            if (at->bucket + BUCKETS_AHEAD < t->buckets)
                __builtin_prefetch(mtable_at(t, at->bucket + BUCKETS_AHEAD));
        }
        if (at->slot < lt_count(at->link)) {
            ret[n] = lt_entry(at->link->slot[at->slot++]);
            __builtin_prefetch(ret[n++]);
            continue;
        }
        at->slot = 0;
        at->link = lt_has_child(at->link) ? lt_child(at->link) : NULL;
        at->bucket += at->link == NULL && at->path == 0;
    }
    return n;
}

const struct set_member *
mtable_draw(const struct mtable *t)
{
    return mtable_random_entry(t);
}

/* ---- all of them ---- */

uint64_t
mtable_walk(const struct mtable *t, uint64_t cursor, mtable_visitor visit, void *ctx)
{
    return mtable_scan(t, cursor, visit, ctx);
}

const struct mtable *
mtable_copy(const struct mtable *t)
{
    const struct mtable *to = mtable_new();
    struct mtable_at at = {.bucket = 0};
    const struct set_member *from, *m;

    if (to == NULL)
        return NULL;
    while (mtable_next(t, &at, &from, 1) > 0) {
        m = set_member_new(set_member_text(from));
        if (m == NULL || !mtable_insert(to, keyhash(set_member_text(m)), m)) {
            if (m != NULL)
                mm_free(m);
            mtable_free(to);
            return NULL;
        }
    }
    return to;
}

uint64_t
mtable_weigh(const struct mtable *t, uint64_t samples)
{
    return mm_usable(t) + arena_weigh(t, samples);
}

void
mtable_verify(const struct mtable *t)
{
    mtable_check(t);
}

/* ---- members ---- */

const struct set_member *
set_member_new(struct slice text)
{
    size_t head = text.len < MEMBER_LONG ? MEMBER_HEAD_BYTES : MEMBER_LONG_HEAD_BYTES;
    uint8_t *p;

    if (text.len > UINT32_MAX || (p = mm_alloc(MM_VALUE, head + text.len)) == NULL)
        return NULL;
    p[0] = (uint8_t)(head == MEMBER_HEAD_BYTES ? text.len : MEMBER_LONG);
    for (unsigned i = 1; i < head; i++)
        p[i] = (uint8_t)(text.len >> (8 * (i - 1)));
    memcpy(p + head, text.ptr, text.len);
    return (const struct set_member *)(const void *)p;
}

void
set_member_free(const struct set_member *m)
{
    mm_free(m);
}
