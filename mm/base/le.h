/* mm/base/le.h - little-endian integers of 1 to 8 bytes, as RDB, listpacks and ziplists have them.
 * Threads: [any]. */
#ifndef MM_BASE_LE_H
#define MM_BASE_LE_H

#include <stdint.h>

#include "mm/base/must.h"

/* le_load: the unsigned integer of n bytes at p; le_load_signed: the same in two's complement. */
static inline uint64_t
le_load(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;

    debug_check(n >= 1 && n <= 8);
    for (unsigned i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i & 63);
    return v;
}

static inline int64_t
le_load_signed(const uint8_t *p, unsigned n)
{
    uint64_t sign = (uint64_t)1 << ((8 * n - 1) & 63);

    return (int64_t)((le_load(p, n) ^ sign) - sign);
}

/* le_store: the low n bytes of v to p. */
static inline void
le_store(uint8_t *p, uint64_t v, unsigned n)
{
    debug_check(n >= 1 && n <= 8);
    for (unsigned i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * i & 63));
}

#endif
