/* mm/base/keyhash.h - the hash of keys and fields: XXH3 with a seed drawn at start, so that
 * nobody outside can choose keys that collide.
 * Threads: keyhash [any]. */
#ifndef MM_BASE_KEYHASH_H
#define MM_BASE_KEYHASH_H

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "mm/base/slice.h"

extern uint64_t keyhash_seed; /* [const after keyhash_init] */

/* keyhash_init: draw the seed: from the system's generator, or, where there is none, from clock and
 * addresses. */
void keyhash_init(void);

static inline uint64_t
keyhash(struct slice s)
{
    return XXH3_64bits_withSeed(s.ptr, s.len, keyhash_seed);
}

#endif
