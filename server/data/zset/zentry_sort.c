/* server/data/zset/zentry_sort.c - bring entries into order: by the bytes of their scores, lowest
 * first, as one sorts punched cards (LSD radix sort), eight passes of which those are left out that
 * would change nothing; then, where scores are equal, by member. */
#include <stdlib.h>

#include "mm/base/fault.h"
#include "server/data/zset/zroot.h"

enum { BYTES = 8, VALUES = 256, SHORT = 64 };

struct card {
    uint64_t key; /* ordered as the scores are */
    const struct zentry *entry;
};

/* key_of: a double's bits as an unsigned number of the same order; zero has no sign. */
static uint64_t
key_of(double score)
{
    uint64_t bits, sign = 1ULL << 63;

    score += 0.0; /* -0 becomes 0 */
    memcpy(&bits, &score, sizeof bits);
    return (bits & sign) != 0 ? ~bits : bits | sign;
}

static int
compare(const void *a, const void *b)
{
    const struct card *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return zentry_member_compare(zentry_member(x->entry), zentry_member(y->entry));
}

/* pass: from one array into the other, by one byte of the key. */
static void
pass(const struct card *from, struct card *to, uint64_t count, const uint64_t *how_many,
     unsigned byte)
{
    uint64_t at[VALUES], sum = 0;

    for (unsigned v = 0; v < VALUES; v++) {
        at[v] = sum;
        sum += how_many[v];
    }
    for (uint64_t i = 0; i < count; i++)
        to[at[from[i].key >> 8 * byte & 0xff]++] = from[i];
}

/* by_score: returns the one of the two arrays in which the result stands. */
static struct card *
by_score(struct card *a, struct card *b, uint64_t count)
{
    static uint64_t how_many[BYTES][VALUES]; /* one sort at a time: the mutator's */

    memset(how_many, 0, sizeof how_many);
    for (uint64_t i = 0; i < count; i++)
        for (unsigned byte = 0; byte < BYTES; byte++)
            how_many[byte][a[i].key >> 8 * byte & 0xff]++;
    for (unsigned byte = 0; byte < BYTES; byte++) {
        struct card *swap = a;

        if (how_many[byte][a[0].key >> 8 * byte & 0xff] == count)
            continue;
        pass(a, b, count, how_many[byte], byte);
        a = b;
        b = swap;
    }
    return a;
}

/* by_member: each run of equal scores. */
static void
by_member(struct card *cards, uint64_t count)
{
    for (uint64_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && cards[end].key == cards[i].key; end++)
            ;
        if (end - i > 1)
            qsort(cards + i, end - i, sizeof *cards, compare);
    }
}

bool
zentry_sort(const struct zentry **entries, uint64_t count)
{
    struct card *cards, *sorted;

    if (fault_point(FAULT_side_alloc) || (cards = malloc((2 * count + 1) * sizeof *cards)) == NULL)
        return false;
    sorted = cards;
    for (uint64_t i = 0; i < count; i++)
        cards[i] = (struct card){key_of(entries[i]->score), entries[i]};
    if (count <= SHORT) {
        qsort(cards, count, sizeof *cards, compare);
    } else {
        sorted = by_score(cards, cards + count, count);
        by_member(sorted, count);
    }
    for (uint64_t i = 0; i < count; i++)
        entries[i] = sorted[i].entry;
    free(cards);
    return true;
}

/* gather: the table's entries into an array. */
static void
gather(void *ctx, const void *entry)
{
    const struct zentry ***at = ctx;

    *(*at)++ = entry;
}

const struct zentry **
zroot_sorted(const struct zroot *z)
{
    uint64_t count = zroot_count(z);
    const struct zentry **sorted, **at;

    if (fault_point(FAULT_side_alloc) || (sorted = malloc((count + 1) * sizeof *sorted)) == NULL)
        return NULL;
    at = sorted;
    zroot_each(z, gather, &at);
    if (zentry_sort(sorted, count))
        return sorted;
    free(sorted);
    return NULL;
}
