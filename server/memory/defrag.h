/* server/memory/defrag.h - when sparse slabs are emptied (mm/compact.h, data/db/db_move.h), and how
 * much of the loop that may take: `activedefrag yes`, MEMORY PURGE, and after a save that has left
 * a trace.
 *
 *   DF1 A pass stands still while a cut is open or is being settled: what moves then would stay in
 *       memory twice. One that is under way is left, so that its slabs are filled meanwhile, and
 *       another one goes on with the walk where it was.
 *   DF2 A slice is as long as any background work's (L3); then the loop has itself for so long that
 *       the share of all slices is what it is to be.
 *
 * Threads: mutator. */
#ifndef SERVER_MEMORY_DEFRAG_H
#define SERVER_MEMORY_DEFRAG_H

#include <stdbool.h>
#include <stdint.h>

/* What INFO says of it; blocks and keys: db_move_figures. */
struct defrag_figures {
    unsigned running_percent; /* of the loop; 0: no pass is under way */
    uint64_t total_ms;        /* so long passes were under way */
    uint64_t current_ms;      /* of that, the present one */
};
void defrag_figures(struct defrag_figures *ret);
void defrag_reset_figures(void);

/* defrag_init: the loop gets its task. */
void defrag_init(void);
/* defrag_cron: is there a reason to begin?  O(size classes) */
void defrag_cron(void);
/* defrag_purge: passes until little is to be gained, from now on, whatever is configured. */
void defrag_purge(void);

extern bool defrag_is_running;
/* defrag_wait_ms: while one is: after so long defrag_work() has something to do. */
int defrag_wait_ms(void);
/* defrag_work: a slice of about budget_us, if it is time for one. */
void defrag_work(unsigned budget_us);

#endif
