/* mm/cut.h - the cut: one instant of the arena, held still for a sweep while the mutator goes on.
 *
 *     CLOSED --mm_cut_begin--> OPEN --mm_cut_end--> SETTLING --mm_settle...--> CLOSED
 *
 * A view (snapshot/view.h) is how the sweep reads bytes.
 * Threads: mutator, but for the mm_sweep_* calls, which belong to the sweep of an open cut [sweep]:
 * one thread, or several that share an area (S4). */
#ifndef MM_CUT_H
#define MM_CUT_H

#include "mm/mm.h"

/* mm_cut_is_ready: no cut is open and no retired bit of an earlier one is left (S1).  O(1) */
bool mm_cut_is_ready(void);
/* mm_cut_begin: the epoch goes up by one; from now on the arena's bytes of this instant can be read
 * by a view.  -EBUSY: not ready; -EOVERFLOW: 2^32 epochs are used up.
 * Cost    O(size classes): no page and no slab is visited. */
int mm_cut_begin(epoch_t *ret_epoch);
/* mm_cut_end: the sweep has ended, or was cancelled and a grace period that began after the cancel
 * is over (C1): no barrier any more; copies and retired blocks go back, at once or in mm_settle().
 * Cost    O(1). */
void mm_cut_end(void);
/* mm_settle: work off what a cut left behind, and, while it is open, what the sweep has passed: at
 * most about max_blocks blocks.  True: more could be done right now. */
bool mm_settle(unsigned max_blocks);
/* mm_cut_is_broken: a page could not be preserved (C2).  [any]
 * mm_cut_is_over_limit: for no other reason than the limit that was set (pages_limit()).
 * [mutator] */
bool mm_cut_is_broken(void);
bool mm_cut_is_over_limit(void);

/* One record slab or record run as it was at the cut. */
struct mm_extent {
    const char *base;
    size_t bytes; /* slab: slots * slot_bytes; run: its whole usable size */
    size_t slot_bytes;
    uint32_t slots;       /* 1 for a run */
    const uint64_t *used; /* one bit a slot; frozen until mm_sweep_done() (S2) */
    uint32_t block;       /* block number, for mm_sweep_done() and for progress */
};
/* A stretch of blocks that one thread sweeps. */
struct mm_sweep {
    uint32_t next_block, end_block; /* end: one past the last; of the whole: one past the highest
                                     * block in use at the cut */
    epoch_t epoch;
};
/* mm_sweep_init: the whole; called by the mutator right after mm_cut_begin(); handed to the sweep
 * thread with the start message. */
void mm_sweep_init(struct mm_sweep *s);
/* What several threads sweep: each claims a stretch, and, when it is done with that, the next. */
struct mm_sweep_area {
    _Atomic uint32_t
        next_block; /* [sweep] not claimed yet; S4: the read-modify-write alone decides */
    uint32_t end_block;
    epoch_t epoch;
};
/* mm_sweep_area_init: as mm_sweep_init().
 * mm_sweep_claim: the next stretch, which is this thread's alone.  False: there is none.
 * [sweep] */
void mm_sweep_area_init(struct mm_sweep_area *a);
bool mm_sweep_claim(struct mm_sweep_area *a, struct mm_sweep *ret);
/* mm_sweep_next: the next record slab or run with an earlier birth, in address order.  False: no
 * more in this stretch.  [sweep] */
bool mm_sweep_next(struct mm_sweep *s, struct mm_extent *ret);
/* mm_sweep_done: the last read of x is over; the mutator may use its slots again (O-3).  [sweep] */
void mm_sweep_done(const struct mm_sweep *s, const struct mm_extent *x);

/* mm_sweep_warm: fetch memory for page copies ahead of the mutator, who would otherwise pay for the
 * first touch of each; a bounded step a call, nothing when enough is ready.  Call it between
 * blocks.  [sweep] */
void mm_sweep_warm(void);

#endif
