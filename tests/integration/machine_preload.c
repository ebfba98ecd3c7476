/* tests/integration/machine_preload.c - LD_PRELOAD: a machine of one program, as OSv is one.
 *
 * MACHINE_BYTES is its memory.  What is free of it is less by what this process holds; the process
 * ends with "Out of memory" and SIGABRT, as such a machine does, when that is all: it is looked at
 * whenever somebody asks what is free, and 1,000 times a second.
 *
 * MACHINE_DISCARD_MS is how long it takes to give memory back, each time. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

/* What the server knows such a system by; the caller's to free. */
char *osv_version(void);
char *
osv_version(void)
{
    return strdup("v0.57.0-test");
}

static unsigned long
machine_bytes(void)
{
    static unsigned long bytes;
    const char *text = getenv("MACHINE_BYTES");

    if (bytes == 0 && text != NULL)
        bytes = strtoul(text, NULL, 10);
    return bytes;
}

/* held_bytes: what the kernel has put memory behind, but for files. */
static unsigned long
held_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long pages = 0, shared = 0;

    if (f == NULL || fscanf(f, "%*u %lu %lu", &pages, &shared) != 2)
        abort();
    fclose(f);
    return (pages - shared) * (unsigned long)sysconf(_SC_PAGESIZE);
}

static unsigned long
free_bytes(void)
{
    unsigned long all = machine_bytes(), held = held_bytes();

    if (held < all)
        return all - held;
    fprintf(stderr, "Out of memory: %lu of %lu bytes\n", held, all);
    abort();
}

int
sysinfo(struct sysinfo *ret)
{
    *ret = (struct sysinfo){.totalram = machine_bytes(), .freeram = free_bytes(), .mem_unit = 1};
    return 0;
}

int
madvise(void *at, size_t bytes, int advice)
{
    int (*next)(void *, size_t, int) = (int (*)(void *, size_t, int))dlsym(RTLD_NEXT, "madvise");
    const char *ms = getenv("MACHINE_DISCARD_MS");

    if (advice == MADV_DONTNEED && ms != NULL)
        nanosleep(
            &(struct timespec){.tv_sec = atol(ms) / 1000, .tv_nsec = atol(ms) % 1000 * 1000000},
            NULL);
    return next(at, bytes, advice);
}

static void *
look(void *arg)
{
    for (;;) {
        (void)free_bytes();
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return arg;
}

__attribute__((constructor)) static void
begin(void)
{
    pthread_t thread;

    if (machine_bytes() == 0 || pthread_create(&thread, NULL, look, NULL) != 0)
        abort();
}
