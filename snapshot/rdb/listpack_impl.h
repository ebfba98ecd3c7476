/* snapshot/rdb/listpack_impl.h - what listpack.c and listpack_edit.c share.
 * Threads: [any]. */
#ifndef SNAPSHOT_RDB_LISTPACK_IMPL_H
#define SNAPSHOT_RDB_LISTPACK_IMPL_H

#include <stdint.h>

/* lp_backlen_bytes: how long the backlen of an entry of `core` bytes is;
 * lp_backlen_put: write it, return that. */
unsigned lp_backlen_bytes(uint64_t core);
unsigned lp_backlen_put(uint8_t *dst, uint64_t core);

#endif
