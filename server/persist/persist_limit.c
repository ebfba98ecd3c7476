/* server/persist/persist_limit.c - snapshot-memory-limit: what a snapshot may take beside the data,
 * and who waits when it is reached. */
#include "mm/cut.h"
#include "server/config/config.h"
#include "server/exec/exec.h"
#include "server/net/net.h"
#include "server/persist/persist.h"
#include "server/persist/persist_impl.h"

/* The sweep ends whatever the writers do. */
static struct net_gate memory_gate = {.is_closed = persist_writers_delayed,
                                      .opens_by_itself = true};

void
persist_limit_init(void)
{
    exec_gates.writers_wait = persist_writers_delayed;
    net_gate_add(&memory_gate);
}

size_t
persist_images_cap(void)
{
    size_t limit = (size_t)config.snapshot_memory_limit;

    return limit == 0 ? 0 : limit + limit / 4 + ((size_t)16 << 20);
}

bool
persist_writers_delayed(void)
{
    bool delayed = config.snapshot_memory_limit != 0 && mm_barrier_on &&
                   mm_snapshot_bytes() >= (size_t)config.snapshot_memory_limit;

    if (delayed && !persist.delayed)
        persist.delays++;
    persist.delayed = delayed;
    return delayed;
}
