/* server/glob.h - glob patterns as KEYS, SCAN and CONFIG GET know them: * ? [abc] [^abc] [a-z] and \ to
 * quote. [any] */
#ifndef SERVER_GLOB_H
#define SERVER_GLOB_H

#include <stdbool.h>

#include "server/slice.h"

/* glob_match: does the whole text match?  Cost: at most pattern length times text length, whatever the
 * pattern. */
bool glob_match(struct slice pattern, struct slice text, bool nocase);

#endif
