/* snapshot/rdb/listpack_impl.h - what listpack.c and listpack_edit.c share.
 * Threads: [any]. */
#ifndef SNAPSHOT_RDB_LISTPACK_IMPL_H
#define SNAPSHOT_RDB_LISTPACK_IMPL_H

#include <stdint.h>

enum {
    LP_ENC_STR32 = 0xf0,
    LP_ENC_INT16 = 0xf1,
    LP_ENC_INT24 = 0xf2,
    LP_ENC_INT32 = 0xf3,
    LP_ENC_INT64 = 0xf4,
    LP_END = 0xff,
    LP_COUNT_UNKNOWN = 65535
};

/* lp_header_count: the header's element count, perhaps LP_COUNT_UNKNOWN. */
static inline uint32_t
lp_header_count(const uint8_t *lp)
{
    return lp[4] | (uint32_t)lp[5] << 8;
}

/* lp_backlen_bytes: how long the backlen of an entry of `core` bytes is;
 * lp_backlen_put: write it, return that. */
unsigned lp_backlen_bytes(uint64_t core);
unsigned lp_backlen_put(uint8_t *dst, uint64_t core);

#endif
