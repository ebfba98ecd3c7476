/* mm/cut.c - open and close a cut. */
#include "mm/cut.h"

#include <errno.h>

#include "mm/heap_impl.h"
#include "mm/page.h"

bool
mm_cut_is_ready(void)
{
    return !mm_barrier_on && !heap.settling;
}

int
mm_cut_begin(epoch_t *ret_epoch)
{
    if (!mm_cut_is_ready())
        return -EBUSY;
    if (heap.epoch == UINT32_MAX)
        return -EOVERFLOW;
    must(heap.retired_bytes == 0 && heap.pending.head == 0); /* S1 */
    must(heap.settle_next >= heap.settle_end);               /* S1: no record block is left */
    slabs_drop_empty(); /* an empty slab of before the cut could not go until it is swept */
    heap.epoch++;
    heap.settle_next = 1;
    heap.settle_end = heap.block_top;
    heap.newborn_bytes = heap.peak_bytes = 0;
    pages_open();
    heap_note_cut();
    mm_barrier_on = true;
    slabs_choose_bitmaps();
    barrier_close_all();
    *ret_epoch = heap.epoch;
    return 0;
}

void
mm_cut_end(void)
{
    must(mm_barrier_on);
    mm_barrier_on = false;
    slabs_choose_bitmaps();
    barrier_open_all();
    pages_reset(); /* C1: after the grace period no one reads images */
    heap.newborn_bytes = 0;
    heap.settling = true;
}

void
mm_sweep_init(struct mm_sweep *s)
{
    must(mm_barrier_on);
    *s = (struct mm_sweep){.next_block = 1, .end_block = heap.settle_end, .epoch = heap.epoch};
}

void
mm_sweep_area_init(struct mm_sweep_area *a)
{
    must(mm_barrier_on);
    atomic_store_explicit(&a->next_block, 1, memory_order_relaxed);
    a->end_block = heap.settle_end;
    a->epoch = heap.epoch;
}
