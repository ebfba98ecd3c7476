/* mm/base/room_malloc.c - the C library's allocator, which says no where it should (RM1).
 *
 * The linker (--wrap) leads the program's own calls of malloc() here; those of libraries it leaves
 * alone.  Elsewhere than on a unikernel that is a compare a call. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "mm/base/room.h"

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *p, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *p, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);

/* is_refused: no room for them. */
static inline bool
is_refused(size_t bytes)
{
    if (likely(bytes < ROOM_SMALL_BYTES ? room_for_small(bytes) : room_for(bytes)))
        return false;
    errno = ENOMEM;
    return true;
}

void *
__wrap_malloc(size_t bytes)
{
    return is_refused(bytes) ? NULL : __real_malloc(bytes);
}

void *
__wrap_calloc(size_t count, size_t bytes)
{
    size_t all;

    if (__builtin_mul_overflow(count, bytes, &all))
        all = SIZE_MAX;
    return is_refused(all) ? NULL : __real_calloc(count, bytes);
}

void *
__wrap_realloc(void *p, size_t bytes)
{
    return is_refused(bytes) ? NULL : __real_realloc(p, bytes);
}

void *
__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    return is_refused(bytes) ? NULL : __real_aligned_alloc(alignment, bytes);
}
