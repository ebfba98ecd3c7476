/* tool/diff/edits.h - the fewest elements to take out of a list, and to put into it, to make
 * another one of it (E. Myers, "An O(ND) Difference Algorithm", 1986).
 * Threads: one at a time. */
#ifndef TOOL_DIFF_EDITS_H
#define TOOL_DIFF_EDITS_H

#include <stddef.h>
#include <stdint.h>

#include "tool/diff/sorter.h"

/* edits_find: of the lists' marks, whose `rest` stands for an element; to `removed` goes the index
 * of each one in a that is in no place in b, to `added` of b what is not in a, both falling.  Where
 * more than EDITS_MOST are needed, all between the common front and end.  0, what they returned, or
 * -ENOMEM.  Cost: (n + m) EDITS_MOST at most. */
enum { EDITS_MOST = 400 };
int edits_find(const struct mark *a, size_t n, const struct mark *b, size_t m,
               int (*removed)(void *ctx, size_t at), int (*added)(void *ctx, size_t at), void *ctx);

#endif
