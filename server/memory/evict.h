/* server/memory/evict.h - maxmemory: keys go when memory is short, by policy.
 *
 * Approximated LRU, LFU and TTL as Redis has them: maxmemory-samples keys are drawn, the best
 * candidates wait in a pool of sixteen.  [Redis documentation: Key eviction.]
 * Threads: mutator. */
#ifndef SERVER_MEMORY_EVICT_H
#define SERVER_MEMORY_EVICT_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/base/must.h"
#include "server/config/config.h"
#include "server/data/db/evict_policy.h"

/* evict_memory_used: what maxmemory limits: data, tables, buffers; not what a snapshot holds.
 * O(1): cheap enough to ask before each command. */
uint64_t evict_memory_used(void);
/* evict_make_room: free keys until memory is within maxmemory, for a bounded time.  False: it is
 * not within it, nothing more can be freed, and commands that need memory must be refused. */
bool evict_make_room(void);

/* What INFO says of it. */
struct evict_figures {
    uint64_t keys;
    uint64_t exceeded_us;      /* so long was memory above the limit, in the past */
    int64_t exceeded_since_us; /* monotonic; 0: it is not now */
};
extern struct evict_figures evict_figures;

/* evict_verify: assert what the pool of candidates relies on: its order, and that no candidate
 * stands behind a free place; for tests. */
void evict_verify(void);
/* evict_init: hook CONFIG SET maxmemory and maxmemory-policy, be asked for room before each
 * command, and have the loop go on with what evict_make_room() left undone. */
void evict_init(void);
/* evict_work: go on with what evict_make_room() left undone in its time; a turn's slice.  True:
 * more to do. */
bool evict_work(unsigned budget_us);

#endif
