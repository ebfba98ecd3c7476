/* mm/base/spare.c - blocks of whole pages, first fit; a flag for each page. */
#include "mm/base/spare.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "mm/base/fault.h"
#include "mm/base/must.h"
#include "mm/base/os.h"

enum { UNIT_BYTES = 4096, UNITS = SPARE_BYTES / UNIT_BYTES };

static struct {
    pthread_mutex_t lock; /* of the flags */
    unsigned char *at;    /* NULL: nothing was promised */
    bool taken[UNITS];
} spare = {.lock = PTHREAD_MUTEX_INITIALIZER};

int
spare_open(void)
{
    void *at;

    must(spare.at == NULL);
    if ((at = os_reserve(SPARE_BYTES)) == NULL)
        return -ENOMEM;
    if (os_commit(at, SPARE_BYTES) < 0) {
        os_release(at, SPARE_BYTES);
        return -ENOMEM;
    }
    spare.at = at;
    return 0;
}

void
spare_close(void)
{
    if (spare.at != NULL)
        os_release(spare.at, SPARE_BYTES);
    spare.at = NULL;
    for (unsigned i = 0; i < UNITS; i++)
        spare.taken[i] = false;
}

static unsigned
units(size_t bytes)
{
    return (unsigned)((bytes + UNIT_BYTES - 1) / UNIT_BYTES);
}

/* find: where n units in a row are free; UNITS: nowhere.  With the lock held. */
static unsigned
find(unsigned n)
{
    unsigned run = 0;

    for (unsigned i = 0; i < UNITS; i++) {
        run = spare.taken[i] ? 0 : run + 1;
        if (run == n)
            return i + 1 - n;
    }
    return UNITS;
}

/* mark: with the lock held. */
static void
mark(unsigned first, unsigned n, bool taken)
{
    for (unsigned i = first; i < first + n; i++) {
        must(spare.taken[i] != taken);
        spare.taken[i] = taken;
    }
}

void *
spare_take(size_t bytes)
{
    void *block = fault_point(FAULT_spare_malloc) ? NULL : malloc(bytes);
    unsigned first = UNITS;

    must(bytes > 0);
    if (block != NULL || spare.at == NULL || bytes > SPARE_BYTES)
        return block;
    pthread_mutex_lock(&spare.lock);
    if ((first = find(units(bytes))) < UNITS)
        mark(first, units(bytes), true);
    pthread_mutex_unlock(&spare.lock);
    return first < UNITS ? spare.at + (size_t)first * UNIT_BYTES : NULL;
}

void
spare_give(void *block, size_t bytes)
{
    uintptr_t offset = (uintptr_t)block - (uintptr_t)spare.at;

    if (spare.at == NULL || block == NULL || offset >= SPARE_BYTES) {
        free(block);
        return;
    }
    os_discard(block, (size_t)units(bytes) * UNIT_BYTES); /* while it is nobody else's */
    pthread_mutex_lock(&spare.lock);
    mark((unsigned)(offset / UNIT_BYTES), units(bytes), false);
    pthread_mutex_unlock(&spare.lock);
}

size_t
spare_free_bytes(void)
{
    size_t n = 0;

    pthread_mutex_lock(&spare.lock);
    for (unsigned i = 0; spare.at != NULL && i < UNITS; i++)
        n += spare.taken[i] ? 0 : UNIT_BYTES;
    pthread_mutex_unlock(&spare.lock);
    return n;
}
