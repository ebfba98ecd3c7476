/* server/data/set/set_impl.h - what the files of the set type share.
 * Threads: mutator. */
#ifndef SERVER_DATA_SET_SET_IMPL_H
#define SERVER_DATA_SET_SET_IMPL_H

#include "server/data/set/set.h"

enum { SET_LISTPACK_MAX_BYTES = 1 << 30 }; /* a listpack's sizes are 32 bits */

/* set_ints_add: rising integers, none of which is in the intset at ref (or none is there yet).  0
 * or -ENOMEM.
 * set_ints_remove: the elements with these rising numbers, not all of them.  0 or -ENOMEM */
int set_ints_add(struct db_ref *ref, const int64_t *values, uint32_t count);
int set_ints_remove(struct db_ref *ref, const uint32_t *at, uint32_t count);

/* set_ints_sort: into rising order, each once; returns how many are left. */
uint32_t set_ints_sort(int64_t *values, uint32_t count);

/* set_scratch: memory for one change at a time, at least so large; NULL: no memory. */
void *set_scratch(size_t bytes);

#endif
