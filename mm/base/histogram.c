/* mm/base/histogram.c - reading a histogram. */
#include "mm/base/histogram.h"

#include "mm/base/must.h"

uint64_t
histogram_upper(unsigned bucket)
{
    unsigned shift = bucket >> HISTOGRAM_SUB_BITS, low = bucket & ((1U << HISTOGRAM_SUB_BITS) - 1);

    must(bucket < HISTOGRAM_BUCKETS);
    if (shift == 0) /* up to 31 ns each value has a bucket of its own */
        return low;
    shift--;
    return (((uint64_t)(1U << HISTOGRAM_SUB_BITS) + low + 1) << shift) - 1;
}

uint64_t
histogram_percentile(const struct histogram *h, double percent)
{
    double rank = percent / 100 * (double)h->total;
    uint64_t wanted = (uint64_t)rank + ((double)(uint64_t)rank < rank), seen = 0;

    must(percent >= 0 && percent <= 100);
    if (h->total == 0)
        return 0;
    if (wanted == 0)
        wanted = 1;
    for (unsigned b = 0; b < HISTOGRAM_BUCKETS; b++) {
        seen += h->count[b];
        if (seen >= wanted)
            return histogram_upper(b);
    }
    return histogram_upper(HISTOGRAM_BUCKETS - 1);
}

uint64_t
histogram_below(const struct histogram *h, unsigned exponent)
{
    uint64_t n = 0;
    unsigned end;

    must(exponent >= HISTOGRAM_SUB_BITS && exponent < 64);
    end = histogram_bucket(1ULL << exponent);
    for (unsigned b = 0; b < end; b++)
        n += h->count[b];
    return n;
}
