/* mm/base/glob.h - glob patterns as KEYS, SCAN and CONFIG GET know them: * ? [abc] [^abc] [a-z] and
 * \ to quote.
 * Threads: [any]. */
#ifndef MM_BASE_GLOB_H
#define MM_BASE_GLOB_H

#include <stdbool.h>

#include "mm/base/slice.h"

/* glob_match: does the whole text match?  An empty text matches the empty pattern alone, not even a
 * star, as in Redis: a channel without a name reaches no pattern.  Cost: at most pattern length
 * times text length, whatever the pattern. */
bool glob_match(struct slice pattern, struct slice text, bool nocase);

/* glob_is_all: the pattern that KEYS and SCAN take for "everything", empty names too. */
static inline bool
glob_is_all(struct slice pattern)
{
    return pattern.len == 1 && pattern.ptr[0] == '*';
}

#endif
