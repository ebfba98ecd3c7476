/* tool/check/marks.c - duplicates among any number of things: an external sort.  The contract is
 * in marks.h. */
#include "tool/check/marks.h"
#include "tool/base/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
tool_marks_init(struct tool_marks *m)
{
    *m = (struct tool_marks){.twice = UINT64_MAX};
    field_set_init(&m->held);
}

static void
drop_runs(struct tool_marks *m)
{
    free(m->run);
    if (m->runs != NULL)
        (void)fclose(m->runs); /* read or of no use: nothing is lost with it */
    m->run = NULL;
    m->runs = NULL;
    m->fill = m->run_count = 0;
    m->twice = UINT64_MAX;
}

void
tool_marks_fini(struct tool_marks *m)
{
    field_set_fini(&m->held);
    drop_runs(m);
}

void
tool_marks_clear(struct tool_marks *m)
{
    field_set_clear(&m->held);
    if (m->run != NULL || m->runs != NULL)
        drop_runs(m);
}

/* open_runs: a file without a name, or one that has lost it. */
static int
open_runs(struct tool_marks *m)
{
    int fd = tool_spill_open();

    if (fd < 0)
        return fd;
    if ((m->runs = fdopen(fd, "w+")) == NULL) {
        (void)close(fd);
        return -ENOMEM;
    }
    return 0;
}

static int
compare(const void *a, const void *b)
{
    const struct tool_mark *x = a, *y = b;

    if (x->mark.high != y->mark.high)
        return x->mark.high < y->mark.high ? -1 : 1;
    if (x->mark.low != y->mark.low)
        return x->mark.low < y->mark.low ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static bool
is_same(const struct tool_mark *a, const struct tool_mark *b)
{
    return a->mark.high == b->mark.high && a->mark.low == b->mark.low;
}

/* look: `next` follows `mark` in order. */
static void
look(struct tool_marks *m, const struct tool_mark *mark, const struct tool_mark *next)
{
    if (is_same(mark, next) && next->place < m->twice)
        m->twice = next->place;
}

/* A mark is a hash: its high bits say nearly where it belongs.  First all go to the part of the run
 * that is theirs by these (McIlroy's American flag sort), then each part is sorted. */
enum { PART_BITS = 13, PARTS = 1 << PART_BITS };

static inline size_t
part_of(const struct tool_mark *m)
{
    return (size_t)(m->mark.high >> (64 - PART_BITS));
}

/* share: *begin: where each part begins; then every mark goes to its part. */
static void
share(struct tool_mark *run, size_t n, uint32_t begin[PARTS + 1])
{
    uint32_t free_at[PARTS];

    memset(begin, 0, (PARTS + 1) * sizeof *begin);
    for (size_t i = 0; i < n; i++)
        begin[part_of(&run[i]) + 1]++;
    for (size_t p = 0; p < PARTS; p++)
        begin[p + 1] += begin[p];
    memcpy(free_at, begin, sizeof free_at);
    for (size_t p = 0; p < PARTS; p++)
        while (free_at[p] < begin[p + 1]) {
            struct tool_mark *at = &run[free_at[p]], *to = &run[free_at[part_of(at)]++], mark = *at;

            *at = *to; /* perhaps the same: then it stays */
            *to = mark;
        }
}

/* sort_part: a few marks; or many, where one thing comes again and again. */
static void
sort_part(struct tool_mark *part, size_t n)
{
    enum { FEW = 256 };

    if (n > FEW) {
        qsort(part, n, sizeof *part, compare);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        struct tool_mark mark = part[i];
        size_t at = i;

        for (; at > 0 && compare(&mark, &part[at - 1]) < 0; at--)
            part[at] = part[at - 1];
        part[at] = mark;
    }
}

static void
sort_run(struct tool_marks *m)
{
    uint32_t begin[PARTS + 1];

    if (m->fill > 1) {
        share(m->run, m->fill, begin);
        for (size_t p = 0; p < PARTS; p++)
            sort_part(m->run + begin[p], begin[p + 1] - begin[p]);
    }
    for (size_t i = 1; i < m->fill; i++)
        look(m, &m->run[i - 1], &m->run[i]);
}

static int
write_run(struct tool_marks *m)
{
    int r;

    if (m->runs == NULL && (r = open_runs(m)) < 0)
        return r;
    sort_run(m);
    if (fwrite(m->run, sizeof *m->run, m->fill, m->runs) != m->fill)
        return errno != 0 ? -errno : -EIO;
    m->run_count++;
    m->fill = 0;
    return 0;
}

int
tool_marks_add(struct tool_marks *m, uint64_t space, const void *bytes, size_t len, uint64_t place)
{
    struct field_mark mark;
    int r;

    if (m->held.used < MARKS_HELD)
        return field_set_add_in(&m->held, space, bytes, len);
    mark = field_mark_of(&m->held, space, bytes, len);
    if (field_set_has(&m->held, mark))
        return MARKS_TWICE;
    if (m->run == NULL && (m->run = malloc(MARKS_RUN * sizeof *m->run)) == NULL)
        return -ENOMEM;
    if (m->fill == MARKS_RUN && (r = write_run(m)) < 0)
        return r;
    m->run[m->fill++] = (struct tool_mark){.mark = mark, .place = place};
    return MARKS_NEW;
}

/* ---- the merge ---- */

/* What is left of a run: [at, end) of its part of the buffer, then [from, to) of the file. */
struct reader {
    struct tool_mark *at, *end, *buffer;
    uint64_t from, to; /* in marks */
};

struct merge {
    struct reader *reader;    /* [owned] a heap: none is below the one at (i - 1) / 2 */
    struct tool_mark *buffer; /* [owned] */
    size_t readers, each;     /* each: marks of the buffer for one reader */
};

/* refill: false: the run is at its end, or *ret_error says why not. */
static bool
refill(const struct tool_marks *m, const struct merge *g, struct reader *r, int *ret_error)
{
    uint64_t left = r->to - r->from;
    size_t want = (left < g->each ? (size_t)left : g->each) * sizeof(struct tool_mark), got = 0;

    while (got < want) {
        ssize_t n = pread(fileno(m->runs), (char *)r->buffer + got, want - got,
                          (off_t)(r->from * sizeof(struct tool_mark) + got));

        if (n <= 0 && errno != EINTR) {
            *ret_error = n == 0 ? -EIO : -errno;
            return false;
        }
        got += n > 0 ? (size_t)n : 0;
    }
    r->at = r->buffer;
    r->end = r->buffer + want / sizeof(struct tool_mark);
    r->from += want / sizeof(struct tool_mark);
    return want > 0;
}

static void
sink_down(struct merge *g, size_t i)
{
    struct reader moved = g->reader[i];
    size_t child;

    while ((child = 2 * i + 1) < g->readers) {
        if (child + 1 < g->readers && compare(g->reader[child + 1].at, g->reader[child].at) < 0)
            child++;
        if (compare(moved.at, g->reader[child].at) <= 0)
            break;
        g->reader[i] = g->reader[child];
        i = child;
    }
    g->reader[i] = moved;
}

/* next: the lowest mark of all runs; false: none is left, or *ret_error. */
static bool
next(const struct tool_marks *m, struct merge *g, struct tool_mark *ret, int *ret_error)
{
    if (g->readers == 0)
        return false;
    *ret = *g->reader[0].at++;
    if (g->reader[0].at == g->reader[0].end && !refill(m, g, &g->reader[0], ret_error)) {
        if (*ret_error != 0)
            return false;
        g->reader[0] = g->reader[--g->readers];
    }
    if (g->readers > 0)
        sink_down(g, 0);
    return true;
}

/* open_readers: one for each run; the last one is shorter. */
static int
open_readers(const struct tool_marks *m, struct merge *g, uint64_t total)
{
    size_t count = (size_t)m->run_count, least = 4096 / sizeof(struct tool_mark);
    int error = 0;

    g->each = MARKS_MERGE_BYTES / sizeof(struct tool_mark) / count;
    if (g->each < least)
        g->each = least;
    g->reader = calloc(count, sizeof *g->reader);
    g->buffer = malloc(count * g->each * sizeof *g->buffer);
    if (g->reader == NULL || g->buffer == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        struct reader *r = &g->reader[g->readers];

        *r = (struct reader){.buffer = g->buffer + i * g->each, .from = i * MARKS_RUN};
        r->to = r->from + MARKS_RUN < total ? r->from + MARKS_RUN : total;
        if (refill(m, g, r, &error))
            g->readers++;
        if (error != 0)
            return error;
    }
    for (size_t i = g->readers / 2; i-- > 0;)
        sink_down(g, i);
    return 0;
}

static int
merge(struct tool_marks *m, uint64_t total)
{
    struct merge g = {.readers = 0};
    struct tool_mark last, mark;
    bool is_first = true;
    int r = open_readers(m, &g, total);

    while (r == 0 && next(m, &g, &mark, &r)) {
        if (!is_first)
            look(m, &last, &mark);
        last = mark;
        is_first = false;
    }
    free(g.reader);
    free(g.buffer);
    return r;
}

int
tool_marks_end(struct tool_marks *m, uint64_t *ret_place)
{
    int r = 0;

    if (m->runs == NULL) {
        sort_run(m);
    } else {
        uint64_t total = m->run_count * MARKS_RUN + m->fill;

        if (m->fill > 0)
            r = write_run(m);
        free(m->run); /* its place is the merge's now */
        m->run = NULL;
        if (r == 0 && fflush(m->runs) != 0)
            r = -errno;
        if (r == 0)
            r = merge(m, total);
    }
    if (r < 0)
        return r;
    *ret_place = m->twice;
    return m->twice == UINT64_MAX ? MARKS_NEW : MARKS_TWICE;
}
