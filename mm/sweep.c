/* mm/sweep.c - the sweep's walk over the record blocks, in address order.  Threads: sweepers. */
#include "mm/base/step.h"
#include "mm/cut.h"
#include "mm/heap_impl.h"

/* So many blocks a claim: settling, which follows in address order, waits for the slowest thread,
 * and what the others have swept above it is taken back later: a stretch of each at most.  The
 * heaps of the step scheduler have a handful of blocks. */
#ifdef STILLFRAME_STEPS
enum { CLAIM_BLOCKS = 1 };
#else
enum { CLAIM_BLOCKS = 16 };
#endif

bool
mm_sweep_claim(struct mm_sweep_area *a, struct mm_sweep *ret)
{
    /* S4: relaxed, as blocks of the cut are ordered by the start message (O-4), and by nothing that
     * another sweeper does. */
    uint32_t first = atomic_load_explicit(&a->next_block, memory_order_relaxed);

    STEP("sweep: claim");
    if (first >= a->end_block)
        return false;
    first = atomic_fetch_add_explicit(&a->next_block, CLAIM_BLOCKS, memory_order_relaxed);
    if (first >= a->end_block)
        return false;
    *ret = (struct mm_sweep){.next_block = first, .end_block = a->end_block, .epoch = a->epoch};
    if (a->end_block - first > CLAIM_BLOCKS)
        ret->end_block = first + CLAIM_BLOCKS;
    return true;
}

/* Whatever the mutator does meanwhile, the blocks that this finds are the same: those of the
 * records heap that were there at the cut keep kind, class and bitmaps until mm_sweep_done() (S2);
 * all others are free, of the values heap, or born in this epoch. */
bool
mm_sweep_next(struct mm_sweep *s, struct mm_extent *ret)
{
    for (; s->next_block < s->end_block; s->next_block++) {
        uint32_t b = s->next_block;
        /* O-7 reader */
        uint64_t state = atomic_load_explicit(&heap.blocks[b].state, memory_order_acquire);
        enum block_kind kind = state_kind(state);
        unsigned class = state_class(state);

        STEP("sweep: block");
        if (state_birth(state) == s->epoch ||
            (kind != BLOCK_SLAB_RECORD && kind != BLOCK_RUN_RECORD))
            continue;
        ret->base = block_base(b);
        ret->block = b;
        if (kind == BLOCK_SLAB_RECORD) {
            ret->slots = size_class_slots[class];
            ret->slot_bytes = size_class_bytes[class];
            ret->bytes = (size_t)ret->slots * ret->slot_bytes;
            ret->used = heap.blocks[b].bits;
        } else {
            static const uint64_t one = 1;

            ret->slots = 1;
            ret->slot_bytes = ret->bytes = (size_t)heap.blocks[b].run_blocks << MM_BLOCK_SHIFT;
            ret->used = &one;
        }
        s->next_block++;
        return true;
    }
    return false;
}

void
mm_sweep_done(const struct mm_sweep *s, const struct mm_extent *x)
{
    debug_check(x->block < s->next_block); /* mm_sweep_next() gave it */
    STEP("sweep: swept");
    /* O-3 sweep */
    atomic_store_explicit(&heap.blocks[x->block].swept, s->epoch, memory_order_release);
}
