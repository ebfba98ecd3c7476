/* tool/check/marks.h - "did this come twice?", for any number of things, in memory that does not
 * grow with it.
 *
 * Of each thing 128 bits of XXH3 are compared (field_set.h).  The first MARKS_HELD stay in a table,
 * so that a second one is noticed at once.  Later ones are compared with these, and then with each
 * other: they are collected, sorted, written as a run to a temporary file without a name, and
 * merged in the end.
 *
 *     add, add, ... --MARKS_RUN of them--> run | run | run | --end--> merge: two equal ones are
 *     neighbours
 * Threads: one. */
#ifndef TOOL_CHECK_MARKS_H
#define TOOL_CHECK_MARKS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "snapshot/rdb/field_set.h"

enum {
    MARKS_HELD = 1 << 17,       /* 4 MiB as a table */
    MARKS_RUN = 1 << 18,        /* 6 MiB */
    MARKS_MERGE_BYTES = 4 << 20 /* for the runs of a merge together, at least a page each */
};

/* A thing that was seen: its mark, and where, in the caller's own numbers. */
struct tool_mark {
    struct field_mark mark;
    uint64_t place;
};

struct tool_marks {
    struct field_set held;
    struct tool_mark *run; /* [owned] the run being collected; NULL: none was ever needed */
    size_t fill;
    FILE *runs; /* [owned] all runs but the last have MARKS_RUN marks; NULL: none was written */
    uint64_t run_count;
    uint64_t twice; /* the lowest place of a thing that had come before, of those found so far */
};

enum { MARKS_NEW = 1, MARKS_TWICE = 0 };

void tool_marks_init(struct tool_marks *m);
void tool_marks_fini(struct tool_marks *m);
/* tool_marks_clear: forget all; what a large set needed is given back. */
void tool_marks_clear(struct tool_marks *m);
/* tool_marks_add: MARKS_TWICE: it was there; MARKS_NEW: it was not, as far as is known yet; or
 * -errno. Places rise from call to call.  space: things of different spaces are different. */
int tool_marks_add(struct tool_marks *m, uint64_t space, const void *bytes, size_t len,
                   uint64_t place);
/* tool_marks_end: MARKS_NEW: nothing came twice; MARKS_TWICE and the place of the first thing that
 * had come before; or -errno. */
int tool_marks_end(struct tool_marks *m, uint64_t *ret_place);

#endif
