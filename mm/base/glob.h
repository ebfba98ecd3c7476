/* mm/base/glob.h - glob patterns as KEYS, SCAN and CONFIG GET know them: * ? [abc] [^abc] [a-z] and
 * \ to quote.
 * Threads: [any]. */
#ifndef MM_BASE_GLOB_H
#define MM_BASE_GLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/base/slice.h"

/* glob_match: does the whole text match?  An empty text matches the empty pattern alone, not even a
 * star, as in Redis: a channel without a name reaches no pattern.  Cost: at most pattern length
 * times text length, whatever the pattern. */
bool glob_match(struct slice pattern, struct slice text, bool nocase);

/* The same match of a text that comes in pieces, some steps at a time. */
enum glob_state { GLOB_NO, GLOB_YES, GLOB_AGAIN };
struct glob_walk {
    struct slice pattern; /* [borrowed] as long as the walk goes on */
    bool nocase;
    uint64_t text_len, at; /* at: the byte that is looked at next */
    size_t element;        /* in the pattern: what that byte is held against */
    size_t star;           /* behind the last star seen; 0: none was */
    uint64_t star_at;      /* what the star has taken ends there */
};
void glob_begin(struct glob_walk *w, struct slice pattern, uint64_t text_len, bool nocase);
/* glob_go_on: piece holds the text from byte piece_at on.  GLOB_AGAIN: the steps are used up, or
 * w->at lies outside of the piece: call again with one that holds it.  It goes back by less than
 * the pattern's length, so a piece that begins at w->at and is longer than the pattern always gets
 * on. A step costs at most the pattern's length. */
enum glob_state glob_go_on(struct glob_walk *w, struct slice piece, uint64_t piece_at,
                           size_t steps);

/* glob_is_all: the pattern that KEYS and SCAN take for "everything", empty names too. */
static inline bool
glob_is_all(struct slice pattern)
{
    return pattern.len == 1 && pattern.ptr[0] == '*';
}

#endif
