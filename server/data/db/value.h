/* server/data/db/value.h - values apart from records: made from bytes, copied, freed.
 * Threads: mutator, but for value_of and record_text [any]. */
#ifndef SERVER_DATA_DB_VALUE_H
#define SERVER_DATA_DB_VALUE_H

#include "mm/base/num.h"
#include "server/data/db/record.h"

/* value_of: what the record holds; slices point into it. */
struct value value_of(const struct record *r);
/* value_string: a string of these bytes in its best encoding: an integer, inline (the bytes are not
 * copied yet), or a block of its own.  key_len: of the key that will hold it.  0 or -ENOMEM */
int value_string(struct value *ret, struct slice bytes, size_t key_len);
/* value_blob: bytes of a type as they are, inline (not copied yet) or in a block of their own.  0
 * or -ENOMEM */
int value_blob(struct value *ret, enum value_type type, struct slice bytes, size_t key_len);
/* value_copy: another value with blocks of its own.  0 or -ENOMEM */
int value_copy(struct value *ret, const struct value *v, size_t key_len);
/* value_free: the block or the table that it has, if any. */
void value_free(const struct value *v);
/* value_same_block: do both have the same block or table?  a has one. */
bool value_same_block(const struct value *a, const struct value *b);

/* value_encoding_name: as OBJECT ENCODING says it. */
const char *value_encoding_name(const struct value *v);
/* value_type_name: as TYPE says it. */
const char *value_type_name(enum value_type type);

/* record_text: the bytes of a string; an integer is printed into scratch. */
static inline struct slice
record_text(const struct record *r, char scratch[NUM_MAX_BYTES])
{
    if (record_encoding(r) != ENC_INT)
        return record_blob(r);
    return (struct slice){.ptr = scratch,
                          .len = (size_t)(num_put(scratch, record_int(r)) - scratch)};
}

#endif
