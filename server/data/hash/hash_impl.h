/* server/data/hash/hash_impl.h - what hash.c and hash_table.c share.
 * Threads: mutator. */
#ifndef SERVER_DATA_HASH_HASH_IMPL_H
#define SERVER_DATA_HASH_HASH_IMPL_H

#include "server/data/hash/hash.h"

/* hash_table_set: hash_set() for a table. */
int hash_table_set(const struct htable *t, const struct slice *words, int pairs,
                   int64_t *ret_added);
/* hash_convert: the listpack at ref, or nothing, becomes a table, and the pairs are set in it. */
int hash_convert(struct db_ref *ref, const struct slice *words, int pairs, int64_t *ret_added);

#endif
