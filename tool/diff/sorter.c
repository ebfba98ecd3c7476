/* tool/diff/sorter.c - marks in order: runs, and their merge. */
#include "tool/diff/sorter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mm/base/must.h"
#include "tool/base/spill.h"

enum { SMALL = 32, DIGIT_BITS = 8, DIGITS = 1 << DIGIT_BITS, FIRST_ROOM = 256 };

void
sorter_init(struct sorter *s)
{
    memset(s, 0, sizeof *s);
    s->fd = -1;
}

static void
forget_runs(struct sorter *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    free(s->readers);
    free(s->heap);
    s->readers = NULL;
    s->heap = NULL;
}

void
sorter_fini(struct sorter *s)
{
    forget_runs(s);
    free(s->marks);
    s->marks = NULL;
}

void
sorter_clear(struct sorter *s)
{
    forget_runs(s);
    s->fill = s->at = 0;
    s->count = 0;
    s->error = 0;
}

/* ---- in memory ---- */

static inline bool
is_below(const struct mark *a, const struct mark *b)
{
    if (a->first != b->first)
        return a->first < b->first;
    return a->second != b->second ? a->second < b->second : a->place < b->place;
}

static int
compare(const void *a, const void *b)
{
    return is_below(a, b) ? -1 : is_below(b, a);
}

static void
insert_sort(struct mark *m, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct mark x = m[i];
        size_t at = i;

        for (; at > 0 && is_below(&x, &m[at - 1]); at--)
            m[at] = m[at - 1];
        m[at] = x;
    }
}

/* highest_difference: the shift of the digit in which the marks' `first` differ first; -1: they are
 * all the same. */
static int
highest_difference(const struct mark *m, size_t n)
{
    uint64_t bits = 0;
    int top;

    for (size_t i = 1; i < n; i++)
        bits |= m[i].first ^ m[0].first;
    if (bits == 0)
        return -1;
    top = 63 - __builtin_clzll(bits);
    return top < DIGIT_BITS ? 0 : top - DIGIT_BITS + 1;
}

/* sort: in place, digit by digit from the highest that matters ("American flag"). */
static void
sort(struct mark *m, size_t n)
{
    uint32_t until[DIGITS], next[DIGITS], sum = 0;
    int shift;

    if (n <= SMALL) {
        insert_sort(m, n);
        return;
    }
    if ((shift = highest_difference(m, n)) < 0) {
        qsort(m, n, sizeof *m, compare);
        return;
    }
    memset(until, 0, sizeof until);
    for (size_t i = 0; i < n; i++)
        until[m[i].first >> shift & (DIGITS - 1)]++;
    for (unsigned d = 0; d < DIGITS; d++) {
        next[d] = sum;
        sum += until[d];
        until[d] = sum;
    }
    for (unsigned d = 0; d < DIGITS; d++)
        while (next[d] < until[d]) {
            struct mark x = m[next[d]];
            unsigned to = x.first >> shift & (DIGITS - 1);

            for (; to != d; to = x.first >> shift & (DIGITS - 1)) {
                struct mark y = m[next[to]];

                m[next[to]++] = x;
                x = y;
            }
            m[next[d]++] = x;
        }
    for (unsigned d = 0; d < DIGITS; d++) {
        uint32_t from = d == 0 ? 0 : until[d - 1];

        if (until[d] - from > 1)
            sort(m + from, until[d] - from);
    }
}

/* ---- runs ---- */

static int
write_run(struct sorter *s)
{
    int r;

    if (s->fd < 0 && (s->fd = tool_spill_open()) < 0)
        return s->fd;
    sort(s->marks, s->fill);
    r = tool_spill_write(s->fd, s->marks, s->fill * sizeof *s->marks,
                         (s->count - s->fill) * sizeof *s->marks);
    s->fill = 0;
    return r;
}

static int
grow(struct sorter *s)
{
    size_t room = s->room == 0 ? FIRST_ROOM : s->room * 2;
    struct mark *more;

    if (room > SORTER_RUN / 2) /* what is not touched costs nothing */
        room = SORTER_RUN;
    if ((more = realloc(s->marks, room * sizeof *more)) == NULL)
        return -ENOMEM;
    s->marks = more;
    s->room = room;
    return 0;
}

int
sorter_add_slow(struct sorter *s, const struct mark *m)
{
    if (s->error == 0)
        s->error = s->room < SORTER_RUN ? grow(s) : write_run(s);
    return s->error != 0 ? s->error : sorter_add(s, m);
}

/* ---- the merge ---- */

/* refill: false: the reader has no more, or s->error. */
static bool
refill(struct sorter *s, size_t i)
{
    struct sorter_reader *r = &s->readers[i];
    uint64_t n = r->until - r->next;

    if (n == 0 || s->error != 0)
        return false;
    if (n > s->each)
        n = s->each;
    r->at = i * s->each;
    r->end = r->at + n;
    s->error =
        tool_spill_read(s->fd, s->marks + r->at, n * sizeof *s->marks, r->next * sizeof *s->marks);
    r->next += n;
    return s->error == 0;
}

static inline const struct mark *
head(const struct sorter *s, size_t at)
{
    return &s->marks[s->readers[s->heap[at]].at];
}

static void
sift_down(struct sorter *s, size_t at)
{
    for (;;) {
        size_t child = 2 * at + 1;
        uint32_t reader;

        if (child >= s->heap_count)
            return;
        if (child + 1 < s->heap_count && is_below(head(s, child + 1), head(s, child)))
            child++;
        if (!is_below(head(s, child), head(s, at)))
            return;
        reader = s->heap[at];
        s->heap[at] = s->heap[child];
        s->heap[child] = reader;
        at = child;
    }
}

static int
open_readers(struct sorter *s)
{
    size_t count = (s->count + SORTER_RUN - 1) / SORTER_RUN;

    if (count > SORTER_RUNS_MOST)
        return -EFBIG;
    s->readers = calloc(count, sizeof *s->readers);
    s->heap = calloc(count, sizeof *s->heap);
    if (s->readers == NULL || s->heap == NULL)
        return -ENOMEM;
    s->each = SORTER_RUN / count;
    s->heap_count = 0;
    for (size_t i = 0; i < count; i++) {
        s->readers[i].next = i * (uint64_t)SORTER_RUN;
        s->readers[i].until = i + 1 < count ? (i + 1) * (uint64_t)SORTER_RUN : s->count;
        if (refill(s, i))
            s->heap[s->heap_count++] = (uint32_t)i;
    }
    for (size_t i = s->heap_count / 2; s->error == 0 && i-- > 0;)
        sift_down(s, i);
    return s->error;
}

int
sorter_begin(struct sorter *s)
{
    if (s->error != 0)
        return s->error;
    s->at = 0;
    if (s->fd < 0) {
        sort(s->marks, s->fill);
        return 0;
    }
    if (s->fill > 0)
        s->error = write_run(s);
    if (s->error == 0)
        s->error = open_readers(s);
    return s->error;
}

bool
sorter_next(struct sorter *s, struct mark *ret)
{
    struct sorter_reader *r;

    if (s->error != 0)
        return false;
    if (s->fd < 0) {
        if (s->at == s->fill)
            return false;
        *ret = s->marks[s->at++];
        return true;
    }
    if (s->heap_count == 0)
        return false;
    r = &s->readers[s->heap[0]];
    *ret = s->marks[r->at++];
    if (r->at == r->end && !refill(s, s->heap[0]))
        s->heap[0] = s->heap[--s->heap_count];
    sift_down(s, 0);
    return s->error == 0;
}
