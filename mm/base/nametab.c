/* mm/base/nametab.c - chained linear hashing. */
#include "mm/base/nametab.h"

#include <stdlib.h>

#include "mm/base/keyhash.h"
#include "mm/base/must.h"

enum {
    LOAD =
        2 /* nodes a bucket, about, before the table grows; a quarter of that before it shrinks */
};

uint64_t
nametab_hash(struct slice name)
{
    return keyhash(name);
}

/* Segment 0 has NAMETAB_FIRST buckets, segment k > 0 as many as all before it. */
static unsigned
segment_of(uint64_t bucket)
{
    return bucket < NAMETAB_FIRST ? 0 : 60U - (unsigned)__builtin_clzll(bucket);
}

static uint64_t
segment_begin(unsigned segment)
{
    return segment == 0 ? 0 : (uint64_t)NAMETAB_FIRST << (segment - 1);
}

static uint64_t
segment_buckets(unsigned segment)
{
    return segment == 0 ? NAMETAB_FIRST : (uint64_t)NAMETAB_FIRST << (segment - 1);
}

static struct nametab_node **
bucket_at(const struct nametab *t, uint64_t bucket)
{
    unsigned s = segment_of(bucket);

    debug_check(bucket < t->buckets && t->segment[s] != NULL);
    return &t->segment[s][bucket - segment_begin(s)];
}

/* The bucket of a hash among n buckets. */
static uint64_t
home(uint64_t hash, uint64_t n)
{
    uint64_t half = 1ULL << (63U - (unsigned)__builtin_clzll(n)), i = hash & (half * 2 - 1);

    return i < n ? i : i - half;
}

struct nametab_node *
nametab_find(const struct nametab *t, uint64_t hash, struct slice name)
{
    struct nametab_node *n;

    if (t->count == 0)
        return NULL;
    for (n = *bucket_at(t, home(hash, t->buckets)); n != NULL; n = n->next)
        if (n->hash == hash && slice_equal(n->name, name))
            return n;
    return NULL;
}

/* One bucket more: it takes its share of the one that it splits.  False: no memory. */
static bool
grow(struct nametab *t)
{
    uint64_t fresh = t->buckets, old;
    unsigned s = segment_of(fresh);
    struct nametab_node **p, **to;

    if (s >= NAMETAB_SEGMENTS)
        return false;
    if (t->segment[s] == NULL &&
        (t->segment[s] = calloc(segment_buckets(s), sizeof *t->segment[s])) == NULL)
        return false;
    if (fresh == 0) {
        t->buckets = NAMETAB_FIRST;
        return true;
    }
    old = home(fresh, fresh);
    t->buckets++;
    to = bucket_at(t, fresh);
    for (p = bucket_at(t, old); *p != NULL;) {
        struct nametab_node *n = *p;
        if (home(n->hash, t->buckets) == old) {
            p = &n->next;
            continue;
        }
        *p = n->next;
        n->next = *to;
        *to = n;
    }
    return true;
}

/* The last bucket goes back into the one that it was split from. */
static void
shrink(struct nametab *t)
{
    uint64_t last = t->buckets - 1;
    struct nametab_node **from = bucket_at(t, last), **end;
    unsigned s = segment_of(last);

    if (last < NAMETAB_FIRST) /* the first segment goes with the last node */
        return;
    t->buckets--;
    end = bucket_at(t, home(last, last));
    while (*end != NULL)
        end = &(*end)->next;
    *end = *from;
    *from = NULL;
    if (last == segment_begin(s)) {
        free(t->segment[s]);
        t->segment[s] = NULL;
    }
}

static void
give_all_back(struct nametab *t)
{
    for (unsigned s = 0; s < NAMETAB_SEGMENTS; s++)
        free(t->segment[s]);
    *t = (struct nametab){.count = 0};
}

bool
nametab_add(struct nametab *t, struct nametab_node *n)
{
    struct nametab_node **at;

    debug_check(n->hash == nametab_hash(n->name) && nametab_find(t, n->hash, n->name) == NULL);
    if (t->buckets == 0 && !grow(t))
        return false;
    if (t->count >= t->buckets * LOAD)
        (void)grow(t); /* without memory the chains become longer */
    at = bucket_at(t, home(n->hash, t->buckets));
    n->next = *at;
    *at = n;
    t->count++;
    return true;
}

/* link_to: what points to the node, which is there. */
static struct nametab_node **
link_to(const struct nametab *t, const struct nametab_node *n)
{
    struct nametab_node **p;

    must(t->count > 0); /* without nodes there are no buckets to look into */
    p = bucket_at(t, home(n->hash, t->buckets));
    while (*p != n) {
        must(*p != NULL);
        p = &(*p)->next;
    }
    return p;
}

void
nametab_remove(struct nametab *t, struct nametab_node *n)
{
    *link_to(t, n) = n->next;
    if (--t->count == 0)
        give_all_back(t);
    else if (t->count < t->buckets * LOAD / 4)
        shrink(t);
}

void
nametab_replace(struct nametab *t, struct nametab_node *old, struct nametab_node *n)
{
    debug_check(n->hash == old->hash && slice_equal(n->name, old->name));
    n->next = old->next;
    *link_to(t, old) = n;
}

struct nametab_node *
nametab_any(const struct nametab *t, uint64_t lot)
{
    struct nametab_node *first = NULL, *n;
    uint64_t at = t->count > 0 ? lot % t->buckets : 0, length = 0;

    if (t->count == 0)
        return NULL;
    for (; (first = *bucket_at(t, at)) == NULL; at = (at + 1) % t->buckets)
        ; /* of four buckets two are empty at most, on average: see LOAD */
    for (n = first; n != NULL; n = n->next)
        length++;
    n = first;
    for (uint64_t skip = (lot >> 32) % length; skip > 0; skip--)
        n = n->next;
    return n;
}

void
nametab_visit(struct nametab *t, uint64_t bucket, void (*fn)(void *ctx, struct nametab_node *n),
              void *ctx)
{
    struct nametab_node *next;

    for (struct nametab_node *n = *bucket_at(t, bucket); n != NULL; n = next) {
        next = n->next;
        fn(ctx, n);
    }
}

void
nametab_each(struct nametab *t, void (*fn)(void *ctx, struct nametab_node *n), void *ctx)
{
    /* Backwards: a removal may merge the last bucket into one that is still to come. */
    for (uint64_t i = t->buckets; i-- > 0;) {
        struct nametab_node *n, *next;
        if (i >= t->buckets)
            continue;
        for (n = *bucket_at(t, i); n != NULL; n = next) {
            next = n->next;
            fn(ctx, n); /* it may remove, not add: the chain would not be met whole */
            if (t->count == 0)
                return;
        }
    }
}

size_t
nametab_bytes(const struct nametab *t)
{
    size_t bytes = 0;

    for (unsigned s = 0; s < NAMETAB_SEGMENTS; s++)
        if (t->segment[s] != NULL)
            bytes += segment_buckets(s) * sizeof *t->segment[s];
    return bytes;
}
