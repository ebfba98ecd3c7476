/* mm/base/slice.h - bytes that somebody else owns: arguments, keys, values.
 * Threads: [any]. */
#ifndef MM_BASE_SLICE_H
#define MM_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "mm/base/must.h"

struct slice {
    const char *ptr;
    size_t len;
};

#define SLICE(literal) ((struct slice){.ptr = (literal), .len = sizeof(literal) - 1})

/* slice_of, slice_bytes: bytes that are looked at as numbers, not as characters. */
static inline struct slice
slice_of(const void *bytes, size_t len)
{
    return (struct slice){.ptr = bytes, .len = len};
}

static inline const uint8_t *
slice_bytes(struct slice s)
{
    return (const uint8_t *)s.ptr;
}

/* slice_shown: how much of words that somebody sent is quoted back to them: the number for
 * "%.*s". */
static inline int
slice_shown(struct slice s)
{
    enum { SHOWN_MAX = 128 };

    return (int)(s.len < SHOWN_MAX ? s.len : SHOWN_MAX);
}

/* slice_is: is it this text? */
static inline bool
slice_is(struct slice s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.ptr, text, s.len) == 0;
}

static inline bool
slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

/* slice_is_word: is it this word, whatever the case? */
static inline bool
slice_is_word(struct slice s, const char *word)
{
    return s.len == strlen(word) && strncasecmp(s.ptr, word, s.len) == 0;
}

/* slices_bytes, slices_copy: a copy of some slices and of what they show, in one block of
 * slices_bytes() bytes, which is the caller's. */
static inline size_t
slices_bytes(const struct slice *s, int count)
{
    size_t bytes = (size_t)count * sizeof *s;

    for (int i = 0; i < count; i++)
        bytes += s[i].len;
    return bytes;
}

static inline void
slices_copy(struct slice *to, const struct slice *s, int count)
{
    char *p = (char *)(to + count);

    debug_check(count >= 0);
    for (int i = 0; i < count; i++) {
        memcpy(p, s[i].ptr, s[i].len);
        to[i] = (struct slice){p, s[i].len};
        p += s[i].len;
    }
}

#endif
