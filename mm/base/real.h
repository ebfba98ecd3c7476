/* mm/base/real.h - doubles as text, as Redis 7.2 writes and reads scores.
 * Threads: [any]. */
#ifndef MM_BASE_REAL_H
#define MM_BASE_REAL_H

#include <stdbool.h>
#include <stddef.h>

enum { REAL_BYTES = 32 }; /* the longest: -2.2250738585072014e-308, 24 */

/* real_print: the fewest digits that give the same double back; whole numbers up to 2^62 in full;
 * "inf", "-inf", "nan", "0", "-0".  Writes up to REAL_BYTES, no NUL; returns how many. */
unsigned real_print(double value, char *dst);
/* real_parse: true if all of the bytes are one number for strtod(), without a blank before it, not
 * a NaN, and neither too large nor too small for a double. */
bool real_parse(const void *bytes, size_t len, double *ret);

#endif
