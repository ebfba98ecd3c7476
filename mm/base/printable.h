/* mm/base/printable.h - bytes of any kind as text for a person.
 * Threads: [any]. */
#ifndef MM_BASE_PRINTABLE_H
#define MM_BASE_PRINTABLE_H

#include <stddef.h>
#include <stdint.h>

/* printable: write [bytes, bytes + len) to dst, NUL at the end, in dst_bytes >= 8.  What is not
 * printable ASCII comes as \xNN, a backslash and a quote with a backslash before it; what does not
 * fit is cut, and "..." stands for it. */
void printable(char *dst, size_t dst_bytes, const void *bytes, size_t len);

#endif
