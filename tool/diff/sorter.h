/* tool/diff/sorter.h - any number of marks in order, in memory that does not grow with it.
 *
 *     add, add, ... --SORTER_RUN of them--> run | run | run --begin--> merged by next()
 *
 * Runs stand in a temporary file without a name; fewer marks than a run holds stay in memory.
 * Threads: one at a time. */
#ifndef TOOL_DIFF_SORTER_H
#define TOOL_DIFF_SORTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* By `first`, then `second`, then `place`; `rest` is carried along. */
struct mark {
    uint64_t first, second, rest, place;
};

enum {
    SORTER_RUN = 256 * 1024,     /* 8 MiB */
    SORTER_RUNS_MOST = 64 * 1024 /* 25 billion marks; then still a few of each run are in memory */
};

struct sorter_reader {
    size_t at, end;       /* in its part of the buffer */
    uint64_t next, until; /* marks in the file that are not in the buffer yet */
};

struct sorter {
    struct mark *marks; /* [owned] the run in hand; then the buffers of all readers */
    size_t fill, room;
    int fd;                        /* [owned] -1: no run was written */
    uint64_t count;                /* marks added */
    struct sorter_reader *readers; /* [owned] */
    uint32_t *heap;                /* [owned] the readers that have marks, lowest first */
    size_t reader_count, heap_count, each;
    size_t at; /* without runs: the next one */
    int error; /* 0 or -errno: sticky */
};

/* sorter_init: nothing is taken yet.  sorter_clear: forget all marks; memory stays, for the next
 * ones. */
void sorter_init(struct sorter *s);
void sorter_fini(struct sorter *s);
void sorter_clear(struct sorter *s);
/* sorter_add_slow: for sorter_add().  0 or -errno. */
int sorter_add_slow(struct sorter *s, const struct mark *m);
/* sorter_begin: nothing is added any more; in order from now on.  0 or -errno. */
int sorter_begin(struct sorter *s);
/* sorter_next: false: that were all, or s->error. */
bool sorter_next(struct sorter *s, struct mark *ret);

static inline int
sorter_add(struct sorter *s, const struct mark *m)
{
    if (s->fill == s->room)
        return sorter_add_slow(s, m);
    s->marks[s->fill++] = *m;
    s->count++;
    return 0;
}

#endif
