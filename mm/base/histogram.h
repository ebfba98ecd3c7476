/* mm/base/histogram.h - durations counted by size: log-linear buckets, 32 to an octave.
 *
 * A value is known to 1/32 (3 %) of itself, from 1 ns to 68 s; what is longer counts as that.  9
 * KiB.
 * [HdrHistogram's layout.]
 * Threads: mutator. */
#ifndef MM_BASE_HISTOGRAM_H
#define MM_BASE_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_SUB_BITS = 5,
    HISTOGRAM_OCTAVES = 32,
    HISTOGRAM_BUCKETS = (HISTOGRAM_OCTAVES + 1) << HISTOGRAM_SUB_BITS
};

struct histogram {
    uint64_t total;
    uint64_t count[HISTOGRAM_BUCKETS];
};

static inline unsigned
histogram_bucket(uint64_t ns)
{
    unsigned shift, bucket;

    if (ns < 1U << HISTOGRAM_SUB_BITS)
        return (unsigned)ns;
    shift = 63U - (unsigned)__builtin_clzll(ns) - HISTOGRAM_SUB_BITS;
    bucket = (shift << HISTOGRAM_SUB_BITS) + (unsigned)(ns >> shift);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static inline void
histogram_add(struct histogram *h, uint64_t ns)
{
    h->total++;
    h->count[histogram_bucket(ns)]++;
}

/* histogram_upper: the largest value that a bucket counts. */
uint64_t histogram_upper(unsigned bucket);
/* histogram_percentile: the value, in ns, below or at which so many percent are; 0 if there are
 * none. */
uint64_t histogram_percentile(const struct histogram *h, double percent);
/* histogram_below: how many are smaller than 2^exponent ns; exponent >= 5. */
uint64_t histogram_below(const struct histogram *h, unsigned exponent);

#endif
