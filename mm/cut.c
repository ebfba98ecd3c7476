/* mm/cut.c - open and close a cut. */
#include "mm/cut.h"

#include <errno.h>

#include "mm/heap.h"
#include "mm/page.h"

bool
mm_cut_is_ready(void)
{
    return !mm_barrier_on && !heap.settling;
}

/* close_class: allocation must leave the slabs that exist now alone until they are swept (S2). */
static void
close_class(struct slab_class *sc, unsigned class)
{
    uint32_t b = sc->cur;

    sc->cur = 0;
    sc->free_mask = 0;
    list_splice(&sc->held, &sc->room);
    if (b != 0 && heap.blocks[b].used_slots < class_slots[class]) {
        list_push(&sc->held, b);
        heap.blocks[b].listed = true;
    }
}

int
mm_cut_begin(epoch_t *ret_epoch)
{
    if (!mm_cut_is_ready())
        return -EBUSY;
    if (heap.epoch == UINT32_MAX)
        return -EOVERFLOW;
    must(heap.retired_bytes == 0 && heap.retired.head == 0); /* S1 */
    for (unsigned c = 0; c < class_count; c++) {
        close_class(&heap.classes[MM_RECORD][c], c);
        close_class(&heap.classes[MM_VALUE][c], c);
    }
    heap.epoch++;
    heap.settle_next = 1;
    heap.settle_end = heap.block_top;
    heap.newborn_bytes = heap.peak_bytes = 0;
    pages.preserved_total = 0;
    atomic_store_explicit(&pages.broken, false, memory_order_relaxed); /* before the start message: O-4 */
    mm_barrier_on = true;
    barrier_close_all();
    *ret_epoch = heap.epoch;
    return 0;
}

void
mm_cut_end(void)
{
    must(mm_barrier_on);
    for (unsigned c = 0; c < class_count; c++) {
        list_splice(&heap.classes[MM_RECORD][c].room, &heap.classes[MM_RECORD][c].held);
        list_splice(&heap.classes[MM_VALUE][c].room, &heap.classes[MM_VALUE][c].held);
    }
    mm_barrier_on = false;
    barrier_open_all();
    pages_reset();
    heap.newborn_bytes = 0;
    heap.settling = true;
}

void
mm_sweep_init(struct mm_sweep *s)
{
    *s = (struct mm_sweep){.next_block = 1, .end_block = heap.settle_end, .epoch = heap.epoch};
}
