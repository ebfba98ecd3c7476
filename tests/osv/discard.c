/* tests/osv/discard.c - memory that is given back on OSv takes nothing with it.  test_system.py
 * compiles it with mm/base/os_linux.c, and boots it.
 *
 * A reservation is committed piece by piece, as an arena grows, each page gets a number, and ranges
 * of all kinds are discarded: inside of a piece, over the edge of two, over several.  Afterwards a
 * page that was not in the range has its number, and one that was has it no more. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "mm/base/os.h"

enum { PAGE = 4096, PIECE = 256, PIECES = 16, PAGES = PIECE * PIECES, RANGES = 400 };

static uint64_t *
page(char *at, unsigned i)
{
    return (uint64_t *)(at + (size_t)i * PAGE);
}

static void
number(char *at, unsigned from, unsigned count)
{
    for (unsigned i = from; i < from + count; i++)
        *page(at, i) = i + 1;
}

/* *lost grows by the pages outside of the range that have not their numbers, *kept by those of it
 * that still have. */
static void
look(char *at, unsigned from, unsigned count, unsigned *lost, unsigned *kept)
{
    for (unsigned i = 0; i < PAGES; i++) {
        bool is_whole = *page(at, i) == i + 1;

        if (i >= from && i < from + count)
            *kept += is_whole;
        else
            *lost += !is_whole;
    }
}

int
main(void)
{
    char *at = os_reserve((size_t)PAGES * PAGE);
    unsigned lost = 0, kept = 0, crossing = 0;

    if (at == NULL)
        return 1;
    for (unsigned i = 0; i < PIECES; i++) {
        if (os_commit(at + (size_t)i * PIECE * PAGE, (size_t)PIECE * PAGE) < 0)
            return 1;
        number(at, i * PIECE, PIECE);
    }
    srand(1);
    for (unsigned n = 0; n < RANGES; n++) {
        unsigned from = (unsigned)rand() % PAGES, count = 1 + (unsigned)rand() % (2 * PIECE);
        struct os_range r;

        if (count > PAGES - from)
            count = PAGES - from;
        r = (struct os_range){.at = page(at, from), .bytes = (size_t)count * PAGE};
        crossing += from / PIECE != (from + count - 1) / PIECE;
        if (n % 2)
            os_discard(r.at, r.bytes);
        else
            (void)os_discard_ranges(&r, 1);
        look(at, from, count, &lost, &kept);
        number(at, 0, PAGES);
    }
    printf("discarded %d ranges, %u over an edge: %u pages lost, %u kept\n", RANGES, crossing, lost,
           kept);
    fflush(stdout);
    exit(0);
}
