/* server/data/hash_inner.h - what hash.c and hash_table.c share.
 * Threads: mutator. */
#ifndef SERVER_HASH_INNER_H
#define SERVER_HASH_INNER_H

#include "server/data/hash.h"

/* hash_table_set: hash_set() for a table. */
int hash_table_set(const struct htable *t, const struct slice *words, int pairs,
                   int64_t *ret_added);
/* hash_convert: the listpack at ref, or nothing, becomes a table, and the pairs are set in it. */
int hash_convert(struct db_ref *ref, const struct slice *words, int pairs, int64_t *ret_added);

#endif
