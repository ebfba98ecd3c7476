/* tool/diff/edits.c - the fewest edits between two lists. */
#include "tool/diff/edits.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

/* Two windows, without what both begin and end with.  A point (x, y) has x of a's and y of b's
 * elements behind it; it lies on the diagonal x - y.  far[d][k + d]: how far x comes on diagonal k
 * with d edits. */
struct edits {
    const struct mark *a, *b;
    int64_t n, m;
    int32_t **far; /* [owned] each has 2 d + 1 */
};

static int32_t
at(const struct edits *e, int64_t d, int64_t k)
{
    return e->far[d][k + d];
}

/* comes_down: the step onto diagonal k with the d-th edit puts one of b's in; else one of a's is
 * taken out. */
static bool
comes_down(const struct edits *e, int64_t d, int64_t k)
{
    return k == -d || (k != d && at(e, d - 1, k - 1) < at(e, d - 1, k + 1));
}

static int64_t
begin_of(const struct edits *e, int64_t d, int64_t k)
{
    if (d == 0)
        return 0;
    return comes_down(e, d, k) ? at(e, d - 1, k + 1) : at(e, d - 1, k - 1) + 1;
}

/* advance: all diagonals with d edits; true: the end is reached. */
static bool
advance(struct edits *e, int64_t d)
{
    for (int64_t k = -d; k <= d; k += 2) {
        int64_t x = begin_of(e, d, k);

        while (x < e->n && x - k < e->m && x - k >= 0 && e->a[x].rest == e->b[x - k].rest)
            x++;
        e->far[d][k + d] = (int32_t)x;
        if (x >= e->n && x - k >= e->m)
            return true;
    }
    return false;
}

/* walk_back: from the end to the begin, edit by edit. */
static int
walk_back(const struct edits *e, int64_t d, size_t front, int (*removed)(void *ctx, size_t at),
          int (*added)(void *ctx, size_t at), void *ctx)
{
    int64_t k = e->n - e->m;
    int r = 0;

    for (; r == 0 && d > 0; d--) {
        int64_t x = begin_of(e, d, k);

        if (comes_down(e, d, k)) {
            r = added(ctx, front + (size_t)(x - k - 1));
            k++;
        } else {
            r = removed(ctx, front + (size_t)(x - 1));
            k--;
        }
    }
    return r;
}

static int
all_of(const struct edits *e, size_t front, int (*removed)(void *ctx, size_t at),
       int (*added)(void *ctx, size_t at), void *ctx)
{
    int r = 0;

    for (int64_t i = e->n; r == 0 && i-- > 0;)
        r = removed(ctx, front + (size_t)i);
    for (int64_t i = e->m; r == 0 && i-- > 0;)
        r = added(ctx, front + (size_t)i);
    return r;
}

int
edits_find(const struct mark *a, size_t n, const struct mark *b, size_t m,
           int (*removed)(void *ctx, size_t at), int (*added)(void *ctx, size_t at), void *ctx)
{
    int32_t *far[EDITS_MOST + 1];
    struct edits e = {.far = far};
    size_t front = 0;
    int64_t d;
    int r = -ENOMEM;

    while (front < n && front < m && a[front].rest == b[front].rest)
        front++;
    while (n > front && m > front && a[n - 1].rest == b[m - 1].rest) {
        n--;
        m--;
    }
    e.a = a + front;
    e.b = b + front;
    e.n = (int64_t)(n - front);
    e.m = (int64_t)(m - front);
    for (d = 0; d <= EDITS_MOST; d++) {
        if ((far[d] = malloc((2 * (size_t)d + 1) * sizeof **far)) == NULL)
            goto free_all;
        if (advance(&e, d)) {
            r = walk_back(&e, d++, front, removed, added, ctx);
            goto free_all;
        }
    }
    r = all_of(&e, front, removed, added, ctx);
free_all:
    while (d-- > 0)
        free(far[d]);
    return r;
}
