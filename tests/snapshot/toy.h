/* tests/snapshot/toy.h - a small keyspace over mm/, to test cuts without a server: an array of
 * keys, each with a record (replaced or changed in place) and perhaps a value block that the record
 * points to.
 *
 * toy_digest() is the sum of one hash a record, over live data. */
#ifndef TESTS_SNAPSHOT_TOY_H
#define TESTS_SNAPSHOT_TOY_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mm/cut.h"
#include "snapshot/view.h"

struct toy_record {
    uint32_t key;
    uint32_t bytes; /* of payload */
    uint64_t version;
    const unsigned char *value;
    uint64_t value_bytes;
    unsigned char payload[];
};

struct toy {
    uint32_t keys;
    const struct toy_record **slot; /* [keys], NULL: no such key */
    uint64_t seed;
    size_t payload_max, value_max;
};

static inline uint64_t
toy_random(struct toy *t)
{
    t->seed ^= t->seed << 13;
    t->seed ^= t->seed >> 7;
    t->seed ^= t->seed << 17;
    return t->seed;
}

static inline uint64_t
toy_hash(uint64_t h, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;

    for (; len >= 8; len -= 8, p += 8) {
        uint64_t w;

        memcpy(&w, p, 8);
        h = (h ^ w) * 0x9e3779b97f4a7c15ULL;
        h ^= h >> 29;
    }
    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * 0x100000001b3ULL;
    return h ^ h >> 32;
}

/* toy_record_hash: of a record whose bytes are at r and whose value's bytes are at value. */
static inline uint64_t
toy_record_hash(const struct toy_record *r, const unsigned char *value)
{
    uint64_t h = toy_hash(r->key + 1, &r->version, 8);

    h = toy_hash(h, r->payload, r->bytes);
    return toy_hash(h, value, r->value_bytes);
}

static inline uint64_t
toy_digest(const struct toy *t, uint64_t *ret_count)
{
    uint64_t sum = 0, n = 0;

    for (uint32_t i = 0; i < t->keys; i++)
        if (t->slot[i] != NULL) {
            sum += toy_record_hash(t->slot[i], t->slot[i]->value);
            n++;
        }
    *ret_count = n;
    return sum;
}

static inline void
toy_init(struct toy *t, uint32_t keys, size_t payload_max, size_t value_max, uint64_t seed)
{
    *t = (struct toy){
        .keys = keys, .payload_max = payload_max, .value_max = value_max, .seed = seed * 2 + 1};
    t->slot = calloc(keys, sizeof *t->slot);
}

static inline void
toy_fill(struct toy *t, unsigned char *p, size_t len)
{
    uint64_t x = toy_random(t);

    for (size_t i = 0; i < len; i++)
        p[i] = (unsigned char)(x >> (i % 8 * 8));
}

/* toy_new: a record and, with value_bytes, its value. */
static inline struct toy_record *
toy_new(struct toy *t, uint32_t key, size_t bytes, size_t value_bytes)
{
    struct toy_record *r = mm_alloc(MM_RECORD, sizeof *r + bytes);
    unsigned char *v = value_bytes != 0 ? mm_alloc(MM_VALUE, value_bytes) : NULL;

    must(r != NULL && (v != NULL || value_bytes == 0));
    r->key = key;
    r->bytes = (uint32_t)bytes;
    r->version = toy_random(t);
    r->value = v;
    r->value_bytes = value_bytes;
    toy_fill(t, r->payload, bytes);
    if (v != NULL)
        toy_fill(t, v, value_bytes);
    return r;
}

static inline void
toy_delete(struct toy *t, uint32_t key)
{
    const struct toy_record *r = t->slot[key];

    if (r == NULL)
        return;
    t->slot[key] = NULL;
    if (r->value != NULL)
        mm_free(r->value);
    mm_free(r);
}

static inline void
toy_set(struct toy *t, uint32_t key) /* overwrite */
{
    size_t bytes = toy_random(t) % t->payload_max;
    size_t value =
        t->value_max != 0 && toy_random(t) % 4 == 0 ? 1 + toy_random(t) % t->value_max : 0;
    struct toy_record *r = toy_new(t, key, bytes, value);

    toy_delete(t, key);
    t->slot[key] = r;
}

/* toy_touch: change a record in place, or replace it when it is frozen and replace is asked for. */
static inline void
toy_touch(struct toy *t, uint32_t key, bool replace)
{
    const struct toy_record *old = t->slot[key];
    struct toy_record *r;

    if (old == NULL)
        return;
    if (replace && mm_is_frozen(old)) {
        size_t all = sizeof *old + old->bytes;

        r = mm_alloc(MM_RECORD, all);
        memcpy(r, old, all);
        r->version = toy_random(t);
        t->slot[key] = r;
        mm_free(old);
        return;
    }
    r = mm_modify(old, sizeof *old + old->bytes);
    r->version = toy_random(t);
    if (r->bytes > 0)
        r->payload[toy_random(t) % r->bytes] ^= 0x55;
}

/* toy_poke: change some bytes inside a value. */
static inline void
toy_poke(struct toy *t, uint32_t key)
{
    const struct toy_record *r = t->slot[key];
    size_t at, len;
    unsigned char *p;

    if (r == NULL || r->value_bytes == 0)
        return;
    at = toy_random(t) % r->value_bytes;
    len = 1 + toy_random(t) % (r->value_bytes - at < 100 ? r->value_bytes - at : 100);
    p = mm_modify(r->value + at, len);
    toy_fill(t, p, len);
}

/* toy_take_over: RENAME: a record of another key points to this one's value from now on (V2). */
static inline void
toy_take_over(struct toy *t, uint32_t from, uint32_t to)
{
    const struct toy_record *old = t->slot[from];
    struct toy_record *r;

    if (old == NULL || from == to)
        return;
    r = toy_new(t, to, old->bytes, 0);
    r->value = old->value;
    r->value_bytes = old->value_bytes;
    memcpy(r->payload, old->payload, old->bytes);
    t->slot[from] = NULL;
    mm_free(old);
    toy_delete(t, to);
    t->slot[to] = r;
}

/* toy_mutate: one random write. */
static inline void
toy_mutate(struct toy *t)
{
    uint32_t key = (uint32_t)(toy_random(t) % t->keys);

    switch (toy_random(t) % 8) {
    case 0:
    case 1:
        toy_set(t, key);
        break;
    case 2:
        toy_touch(t, key, true);
        break;
    case 3:
        toy_touch(t, key, false);
        break;
    case 4:
    case 5:
        toy_poke(t, key);
        break;
    case 6:
        toy_delete(t, key);
        break;
    default:
        toy_take_over(t, key, (uint32_t)(toy_random(t) % t->keys));
    }
}

/* toy_sweep_extent: add up what one block held at the cut.  0 or view_read's error. */
static inline int
toy_sweep_extent(struct view *v, const struct mm_extent *x, uint64_t *sum, uint64_t *count)
{
    unsigned char *staged = malloc(x->bytes);
    int r = view_read(v, staged, x->base, x->bytes);

    for (uint32_t i = 0; r == 0 && i < x->slots; i++) {
        struct toy_record *rec = (struct toy_record *)(void *)(staged + (size_t)i * x->slot_bytes);
        unsigned char *value = NULL;

        if ((x->used[i / 64] >> (i % 64) & 1) == 0)
            continue;
        if (rec->value_bytes != 0) {
            value = malloc(rec->value_bytes);
            r = view_read(v, value, rec->value, rec->value_bytes);
        }
        if (r == 0) {
            *sum += toy_record_hash(rec, value);
            ++*count;
        }
        free(value);
    }
    free(staged);
    return r;
}

#endif
