/* mm/base/difference.h - where two pieces of memory differ, eight bytes at a time.
 * Threads: [any]. */
#ifndef MM_BASE_DIFFERENCE_H
#define MM_BASE_DIFFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline bool
difference_none(const char *a, const char *b)
{
    uint64_t x, y;

    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x == y;
}

/* difference_span: what must be written to turn old[0, old_len) into new[0, new_len): [*ret_begin,
 * *ret_end) of new holds every byte that differs or has no counterpart; empty if there is none. */
static inline void
difference_span(const char *old, size_t old_len, const char *new, size_t new_len, size_t *ret_begin,
                size_t *ret_end)
{
    size_t common = new_len < old_len ? new_len : old_len, begin = 0, end = new_len;

    while (begin + 8 <= common && difference_none(old + begin, new + begin))
        begin += 8;
    while (begin < common && old[begin] == new[begin])
        begin++;
    if (new_len <= old_len) {
        while (end >= begin + 8 && difference_none(old + end - 8, new + end - 8))
            end -= 8;
        while (end > begin && old[end - 1] == new[end - 1])
            end--;
    }
    *ret_begin = begin;
    *ret_end = end;
}

#endif
