/* server/memory/usage.c - what is used, and what is held for it. */
#include "server/memory/usage.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include "mm/base/clock.h"
#include "mm/base/os.h"
#include "mm/base/room.h"
#include "mm/mm.h"
#include "server/config/config.h"
#include "server/config/config_machine.h"
#include "server/data/db/db.h"
#include "server/net/client.h"
#include "server/net/output.h"
#include "server/persist/persist.h"

struct memory_sample memory_sample;

/* glibc's; where there is none, its share of the figure is missing. */
#pragma weak mallinfo2

static uint64_t
less(uint64_t bytes, uint64_t part)
{
    return bytes > part ? bytes - part : 0;
}

/* machine_given_bytes: what a machine of one program has given to it since the start. */
static uint64_t
machine_given_bytes(void)
{
    return less(room_sizes.start_bytes, os_free_bytes());
}

/* sample_machine: on a machine of one program the library need not tell: what the machine has
 * given, and neither arena nor tables have, is its, and the system's for our files and
 * connections. */
static void
sample_machine(void)
{
    struct mm_figures f;

    mm_figures(&f);
    memory_sample.malloc_held_bytes =
        less(machine_given_bytes(),
             f.resident_bytes + f.images_bytes + f.side_bytes + db_mapped_bytes());
    memory_sample.malloc_bytes = memory_sample.malloc_held_bytes;
}

static void
sample_malloc(void)
{
    struct mallinfo2 m = {.uordblks = 0};

    if (room_sizes.kept_bytes != 0) {
        sample_machine();
    } else {
        if (mallinfo2 != NULL)
            m = mallinfo2();
        memory_sample.malloc_bytes = less(m.uordblks + m.hblkhd, output_reserve_bytes());
        memory_sample.malloc_held_bytes = m.arena + m.hblkhd;
        memory_sample.malloc_free_bytes = m.fordblks;
        memory_sample.malloc_free_chunks = m.ordblks;
    }
    if (memory_sample.malloc_bytes < client_bytes_all())
        /* an allocator that says nothing (sanitizers') says 0 */
        memory_sample.malloc_bytes = client_bytes_all();
    if (!persist_is_saving())
        memory_sample.malloc_counted_bytes =
            less(memory_sample.malloc_bytes, client_bytes_all() + config_machine_system_bytes());
}

uint64_t
memory_used(void)
{
    struct mm_figures f;
    uint64_t bytes;

    mm_figures(&f);
    bytes = f.live_bytes + f.retired_bytes + f.images_bytes + f.side_bytes + db_mapped_bytes();
    sample_malloc();
    return bytes + memory_sample.malloc_bytes;
}

uint64_t
memory_rss(void)
{
    FILE *f;
    unsigned long long pages = 0;

    if (room_sizes.kept_bytes != 0)
        return machine_given_bytes();
    if ((f = fopen("/proc/self/statm", "re")) == NULL)
        return 0;
    if (fscanf(f, "%*u %llu", &pages) != 1)
        pages = 0;
    fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void
memory_figures(struct memory_figures *ret)
{
    struct mm_figures f;
    uint64_t in_use, held;

    ret->used = memory_used();
    ret->rss = memory_rss();
    mm_figures(&f);
    in_use = f.live_bytes + f.retired_bytes + memory_sample.malloc_bytes;
    held = f.resident_bytes + memory_sample.malloc_held_bytes;
    ret->active = ret->used + (held > in_use ? held - in_use : 0);
    ret->resident = ret->rss != 0 && ret->rss < ret->active ? ret->rss : ret->active;
}

void
memory_watch(void)
{
    static int64_t last_ms;

    if (config.maxmemory != 0)
        sample_malloc();
    if (clock_now.ms - last_ms < 1000 && clock_now.ms >= last_ms)
        return; /* mallinfo2() walks the allocator's lists */
    last_ms = clock_now.ms;
    if (memory_used() > memory_sample.peak_bytes)
        memory_sample.peak_bytes = memory_used();
}
