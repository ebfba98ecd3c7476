/* tests/integration/malloc_preload.c - LD_PRELOAD: no memory, from the MALLOC_FAILS'th call on (0
 * is the first); with MALLOC_FAILS_ONCE only then. */
#include <errno.h>
#include <stdlib.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *p, size_t size);

static int
fails(void)
{
    static long calls, first = -2, once; /* -2: not yet known */
    long call = __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);

    if (first == -2) {
        const char *text = getenv("MALLOC_FAILS");

        once = getenv("MALLOC_FAILS_ONCE") != NULL;
        first = text == NULL ? -1 : strtol(text, NULL, 10);
    }
    if (first < 0 || call < first || (once && call > first))
        return 0;
    errno = ENOMEM;
    return 1;
}

void *
malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *
realloc(void *p, size_t size)
{
    return fails() ? NULL : __libc_realloc(p, size);
}
