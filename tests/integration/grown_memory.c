/* tests/integration/grown_memory.c - those calls of mm/base/os.h that give memory, as a system
 * without an MMU could have them: what is reserved is memory, at once and for good; nothing is
 * protected, fetched ahead or given back.  Linked into a server with the linker's --wrap.  What is
 * discarded is filled with a pattern: nobody may rely on zeros there.
 * Threads: [any]. */
#include <stdlib.h>
#include <string.h>

#include "mm/base/os.h"

enum { ALIGN = 65536, DISCARDED = 0xa5 };

void *__wrap_os_reserve(size_t bytes);
int __wrap_os_commit(void *p, size_t bytes);
void __wrap_os_release(void *p, size_t bytes);
void __wrap_os_discard(void *p, size_t bytes);
unsigned __wrap_os_discard_ranges(const struct os_range *r, unsigned count);
void __wrap_os_populate(void *p, size_t bytes);

void *
__wrap_os_reserve(size_t bytes)
{
    size_t whole = (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    void *p = aligned_alloc(ALIGN, whole);

    return p == NULL ? NULL : memset(p, 0, whole);
}

int
__wrap_os_commit(void *p, size_t bytes)
{
    (void)p;
    (void)bytes;
    return 0;
}

void
__wrap_os_release(void *p, size_t bytes)
{
    (void)bytes;
    free(p);
}

void
__wrap_os_discard(void *p, size_t bytes)
{
    memset(p, DISCARDED, bytes);
}

unsigned
__wrap_os_discard_ranges(const struct os_range *r, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        __wrap_os_discard(r[i].at, r[i].bytes);
    return OS_RANGES_MAX;
}

void
__wrap_os_populate(void *p, size_t bytes)
{
    (void)p;
    (void)bytes;
}
