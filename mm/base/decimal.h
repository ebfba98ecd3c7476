/* mm/base/decimal.h - integers as the text that stands for them in RDB and listpacks.  [any] */
#ifndef MM_BASE_DECIMAL_H
#define MM_BASE_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DECIMAL_BYTES = 20 }; /* the longest: -9223372036854775808 */

/* decimal_parse: true, and *ret_value, if the bytes are exactly what decimal_print() gives for a
 * number: no sign but a minus, no leading zeros, no "-0", nothing around it. */
bool decimal_parse(const void *bytes, size_t len, int64_t *ret_value);
/* decimal_print: writes up to DECIMAL_BYTES, no NUL; returns how many. */
unsigned decimal_print(int64_t value, char *dst);

#endif
