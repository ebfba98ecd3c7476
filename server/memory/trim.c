/* server/memory/trim.c - what malloc() keeps of what was freed goes back to the system. */
#include "server/memory/trim.h"

#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>

#include "mm/base/clock.h"
#include "server/figures/stats.h"
#include "server/memory/usage.h"

enum {
    FIRST_WAIT_MS = 10000,
    LONGEST_WAIT_MS = 640000, /* while it brings nothing */
    WORTH_BYTES = 1 << 20,    /* brings so much: soon again */
    FREE_BYTES = 4 << 20,     /* less is not missed */
    MOST_CHUNKS = 4096,       /* each may be a system call of a microsecond */
    MOST_BYTES = 64 << 20,    /* in one call, which cannot be parted: 0.15 ms each megabyte */
    QUIET_MS = 1000           /* without a command: nobody waits for a longer one */
};

/* glibc's; where there is none, there is nothing to be done. */
#pragma weak malloc_trim

void
memory_trim(void)
{
    if (malloc_trim != NULL)
        malloc_trim(0);
}

/* Much is free, beside what is used, and it is soon walked through. */
static bool
is_worth_it(const struct memory_sample *s)
{
    return s->malloc_free_bytes > FREE_BYTES && s->malloc_free_bytes > s->malloc_bytes / 4 &&
           s->malloc_free_chunks <= MOST_CHUNKS;
}

/* is_quiet: no command has been executed for a while.  To be asked each time, or it knows less. */
static bool
is_quiet(void)
{
    static uint64_t commands;
    static int64_t since_ms;

    if (stats.commands != commands || clock_now.ms < since_ms) {
        commands = stats.commands;
        since_ms = clock_now.ms;
    }
    return clock_now.ms - since_ms >= QUIET_MS;
}

/* What was given back before counts as free still: whether it brings anything, only the process's
 * size tells. */
void
memory_trim_watch(void)
{
    static int64_t next_ms, wait_ms = FIRST_WAIT_MS;
    uint64_t before, after;
    bool quiet = is_quiet();

    if (clock_now.ms < next_ms && next_ms - clock_now.ms <= LONGEST_WAIT_MS)
        return;
    if (!is_worth_it(&memory_sample) || (memory_sample.malloc_free_bytes > MOST_BYTES && !quiet))
        return;
    before = memory_rss();
    memory_trim();
    after = memory_rss();
    if (after + WORTH_BYTES <= before)
        wait_ms = FIRST_WAIT_MS;
    else if (wait_ms < LONGEST_WAIT_MS)
        wait_ms *= 2;
    next_ms = clock_now.ms + wait_ms;
}
