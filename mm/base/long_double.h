/* mm/base/long_double.h - floating point numbers as text, as INCRBYFLOAT and its kin read
 * and write them.
 * Threads: [any]. */
#ifndef MM_BASE_LONG_DOUBLE_H
#define MM_BASE_LONG_DOUBLE_H

#include <stdbool.h>

#include "mm/base/slice.h"

enum { LONG_DOUBLE_BYTES = 5 * 1024 /* the longest one without exponent */ };

/* long_double_parse: as Redis reads one: all of the bytes, no blank before it, not a NaN. */
bool long_double_parse(struct slice s, long double *ret);
/* long_double_put: seventeen digits behind the point, less the zeros at the end.  Returns the
 * length; 0: it is no finite number. */
size_t long_double_put(char text[LONG_DOUBLE_BYTES], long double value);

#endif
