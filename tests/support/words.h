/* tests/support/words.h - a command line as arguments: words are separated by blanks; "@N*c" is a
 * word of N times the character c, "''" the empty word, "^N" word number N of a crowd: their hashes
 * end in ten ones. */
#ifndef TESTS_SUPPORT_WORDS_H
#define TESTS_SUPPORT_WORDS_H

#include <stddef.h>

#include "mm/base/slice.h"

enum { WORDS_MAX = 256 };

struct words {
    struct slice argv[WORDS_MAX]; /* into owned[] */
    char *owned[WORDS_MAX];
    int argc;
};

/* words_split: at most WORDS_MAX of them, else the test ends.  words_free() gives them back. */
void words_split(struct words *w, const char *line, size_t len);
void words_free(struct words *w);

#endif
