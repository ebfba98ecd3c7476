/* tool/look/info_buckets.c - the bars of the two charts: which sizes, which times of expiry. */
#include "tool/look/info.h"

#define SECONDS(n) ((int64_t)(n)*1000)
#define DAYS(n)    SECONDS((int64_t)(n)*86400)

const struct info_expiry info_expiries[INFO_EXPIRY_BUCKETS] = {
    {"never", 0}, /* these two are not told by the limit */
    {"past already", 0},
    {"within a minute", SECONDS(60)},
    {"within an hour", SECONDS(3600)},
    {"within a day", DAYS(1)},
    {"within a week", DAYS(7)},
    {"within 30 days", DAYS(30)},
    {"within a year", DAYS(365)},
    {"later", INT64_MAX},
};

uint64_t
info_size_from(unsigned bucket)
{
    return bucket == 0 ? 0 : (uint64_t)1 << (bucket - 1);
}

unsigned
info_size_bucket(uint64_t bytes)
{
    return bytes == 0 ? 0 : 64 - (unsigned)__builtin_clzll(bytes);
}

unsigned
info_expiry_bucket(int64_t at_ms, int64_t from_ms)
{
    unsigned b = 1;

    if (at_ms == -1)
        return 0;
    if (at_ms > from_ms)
        for (b = 2; at_ms - from_ms > info_expiries[b].within_ms; b++)
            ;
    return b;
}
