/* server/data/db/blob.h - the bytes of one value: inline in its record, or in a block of the values
 * heap.
 *
 * An outer block may be larger than what is used of it; how much it holds is mm_usable().  From 1
 * MiB on it is a run with address space behind it, so that a string that is appended to grows where
 * it stands.
 *
 *   B1  Within a block, only bytes that change go through the barrier: a write of n bytes preserves
 *       the pages of these n bytes, however large the string is.
 *
 * Threads: mutator. */
#ifndef SERVER_DATA_DB_BLOB_H
#define SERVER_DATA_DB_BLOB_H

#include "server/data/db/db.h"
#include "server/data/db/value.h"

enum { BLOB_ROOMY_BYTES = 1 << 20 }; /* from here on blocks get address space to grow */

/* blob_alloc: a block for a new value of len bytes; NULL: no memory. */
char *blob_alloc(size_t len);
/* blob_alloc_growing: a block for len bytes that is likely to grow on; NULL: no memory. */
char *blob_alloc_growing(size_t len);

/* blob_write: the string at ref (or none) gets these bytes at offset; what lies between its end and
 * offset becomes zeros.  It keeps its expiry.  0 or -ENOMEM */
int blob_write(struct db_ref *ref, size_t offset, struct slice bytes);
/* blob_store: the value at ref, of this type (a structure goes then), or none, becomes these bytes;
 * changes only what differs where its block can stay.  It keeps its expiry; a string is raw
 * afterwards.  0 or -ENOMEM */
int blob_store(struct db_ref *ref, enum value_type type, struct slice bytes);

#endif
