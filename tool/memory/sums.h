/* tool/memory/sums.h - what is added up over keys, whatever they have in common.
 * Threads: one. */
#ifndef TOOL_MEMORY_SUMS_H
#define TOOL_MEMORY_SUMS_H

#include "tool/memory/value.h"

enum { MEMORY_BUCKETS = 48 }; /* of sizes: b has those of at most 2^b bytes, above 2^(b - 1) */

struct memory_sums {
    uint64_t keys, memory, record_bytes, elements, expiring;
    uint64_t largest; /* memory of one key */
    double squares;   /* of memory: what the error of a sample is told from */
};

static inline void
memory_sums_add(struct memory_sums *s, const struct memory_key *k)
{
    double memory = (double)k->memory;

    s->keys++;
    s->memory += k->memory;
    s->record_bytes += k->facts->record_bytes;
    s->elements += k->facts->elements;
    s->expiring += k->facts->key->expire_at_ms != -1;
    if (k->memory > s->largest)
        s->largest = k->memory;
    s->squares += memory * memory;
}

static inline unsigned
memory_bucket(uint64_t bytes)
{
    unsigned b = bytes <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(bytes - 1);

    return b < MEMORY_BUCKETS ? b : MEMORY_BUCKETS - 1;
}

/* memory_scaled: a sum over a sample that is this share of all, for all.
 * memory_error: the sum of which these are the squares, of a sample: in 95 of 100 samples the whole
 * is no further than that from what the sample says. */
uint64_t memory_scaled(uint64_t sum, double share);
uint64_t memory_error(double squares, double share);

#endif
