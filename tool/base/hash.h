/* tool/base/hash.h - XXH3 of names and values of any length: of large ones (large.h) piece by
 * piece, so that no more than a piece of them is in memory.  The numbers are those of XXH3 of the
 * whole.
 * Threads: any. */
#ifndef TOOL_BASE_HASH_H
#define TOOL_BASE_HASH_H

#include <stdint.h>
#define XXH_INLINE_ALL
#ifdef STILLFRAME_DEBUG /* gcc -Og does not inline all that its hints demand */
#define XXH_NO_INLINE_HINTS 1
#endif
#include <xxhash.h>

#include "mm/base/must.h"
#include "mm/base/slice.h"
#include "snapshot/rdb/rdb_dec.h"

/* tool_hash_large, tool_hash128_large: for the two below. */
uint64_t tool_hash_large(struct slice s, uint64_t seed);
XXH128_hash_t tool_hash128_large(struct slice s, uint64_t seed);

static inline uint64_t
tool_hash(struct slice s, uint64_t seed)
{
    return likely(s.len <= RDB_LARGE_BYTES) ? XXH3_64bits_withSeed(s.ptr, s.len, seed)
                                            : tool_hash_large(s, seed);
}

static inline XXH128_hash_t
tool_hash128(struct slice s, uint64_t seed)
{
    return likely(s.len <= RDB_LARGE_BYTES) ? XXH3_128bits_withSeed(s.ptr, s.len, seed)
                                            : tool_hash128_large(s, seed);
}

#endif
