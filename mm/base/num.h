/* mm/base/num.h - integers to text and back, fast.
 * Threads: [any]. */
#ifndef MM_BASE_NUM_H
#define MM_BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NUM_MAX_BYTES = 20 }; /* "-9223372036854775808" and "18446744073709551615" */

/* num_put: write value in decimal at p (room for NUM_MAX_BYTES, no NUL); returns the end. */
char *num_put(char *p, int64_t value);
char *num_put_unsigned(char *p, uint64_t value);

/* num_print: the same, but returns how many bytes they are. */
static inline unsigned
num_print(char *p, int64_t value)
{
    return (unsigned)(num_put(p, value) - p);
}

/* num_parse: the whole of s is a decimal int64 in the one form that num_put() writes, which is that
 * of integers in listpacks and RDB too (no blanks, no plus sign, no leading zeros, no "-0"): false
 * otherwise, also when out of range. */
bool num_parse(const void *s, size_t len, int64_t *ret);

/* num_parse_memory: "100", "64mb", "1gb", "5k", ...: bytes; k, m, g are powers of ten, kb, mb, gb
 * powers of two. */
bool num_parse_memory(const char *s, size_t len, uint64_t *ret);

#endif
