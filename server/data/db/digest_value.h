/* server/data/db/digest_value.h - the two steps of which a type makes the fingerprint of its
 * values; digest.c says how.
 * Threads: mutator. */
#ifndef SERVER_DATA_DB_DIGEST_VALUE_H
#define SERVER_DATA_DB_DIGEST_VALUE_H

#include <stddef.h>

#include "server/data/db/digest.h"

/* digest_add: d = d xor SHA1(x): order does not matter. */
void digest_add(uint8_t d[DIGEST_BYTES], const void *bytes, size_t len);
/* digest_stir: d = SHA1(d xor SHA1(x)): order matters. */
void digest_stir(uint8_t d[DIGEST_BYTES], const void *bytes, size_t len);

#endif
