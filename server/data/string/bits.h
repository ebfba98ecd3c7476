/* server/data/string/bits.h - strings as rows of bits: bit 0 is the highest one of byte 0.
 *
 * Ranges are [from, end) in bits; p has at least (end + 7) / 8 bytes.
 * Threads: any. */
#ifndef SERVER_DATA_STRING_BITS_H
#define SERVER_DATA_STRING_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/base/slice.h"

enum bits_operation { BITS_AND, BITS_OR, BITS_XOR, BITS_NOT };

/* bits_count: how many are set.  O(bytes), eight at a time. */
uint64_t bits_count(const char *p, uint64_t from, uint64_t end);
/* bits_find: the first that is set, or clear; -1: there is none.  O(bytes), eight at a time. */
int64_t bits_find(const char *p, uint64_t from, uint64_t end, bool is_set);
/* bits_combine: out[0 .. len) of several strings, zeros behind the end of each; count is 1 for
 * BITS_NOT. O(len * count), a piece that stays in the cache at a time. */
void bits_combine(char *out, size_t len, enum bits_operation op, const struct slice *in, int count);

/* bits_read, bits_write: a number of 1 to 64 bits at any offset, the highest bit first.  Reading,
 * bytes behind the end of s are zeros; writing, p has them all. */
uint64_t bits_read(struct slice s, uint64_t offset, unsigned bits);
void bits_write(char *p, uint64_t offset, unsigned bits, uint64_t value);

#endif
