/* server/data/db/digest.h - DEBUG DIGEST's fingerprint of the data: the same as Redis computes for
 * the same data, whatever the order and the encodings.  It covers database numbers, keys, types,
 * values and whether a key expires, not when.
 * Threads: mutator. */
#ifndef SERVER_DATA_DB_DIGEST_H
#define SERVER_DATA_DB_DIGEST_H

#include <stdint.h>

#include "server/data/db/db.h"

enum { DIGEST_BYTES = 20, DIGEST_TEXT_BYTES = 2 * DIGEST_BYTES + 1 };

/* digest_all: of all databases.  Cost O(data). */
void digest_all(uint8_t ret[DIGEST_BYTES]);
/* digest_value: of one key's type, value and having an expiry. */
void digest_value(const struct record *r, uint8_t ret[DIGEST_BYTES]);
/* digest_text: in hexadecimal, with a NUL. */
void digest_text(const uint8_t digest[DIGEST_BYTES], char ret[DIGEST_TEXT_BYTES]);

#endif
