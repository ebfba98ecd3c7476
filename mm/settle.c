/* mm/settle.c - take in what the sweep has passed, and what a cut leaves behind: retired slots
 * become free, born ones like any other (S3), page copies return.  In slices: no call does more
 * than it was asked to.
 *
 * Record blocks are settled by a cursor that follows the sweep in address order, each once a cut.
 * Value blocks with something retired or born stand on a list, and are settled when the cut has
 * ended (V1). */
#include "mm/cut.h"
#include "mm/heap_impl.h"
#include "mm/page.h"

static void
settle_slab(uint32_t b)
{
    must(b == heap.settle_next); /* each once a cut, in order */
    if (mm_barrier_on)
        /* O-3: the sweep will not read these pages again */
        page_images_free_chain(heap.blocks[b].images);
    heap.blocks[b].images = 0;
    heap.settle_next = b + 1; /* before slab_settle(): from here on b is like any other slab */
    slab_settle(b);
}

/* settle_record_block: false: the sweep has not come that far. */
static bool
settle_record_block(uint32_t b)
{
    uint64_t state = block_state(b);
    enum block_kind kind = state_kind(state);

    if ((kind != BLOCK_SLAB_RECORD && kind != BLOCK_RUN_RECORD) ||
        state_birth(state) == heap.epoch) {
        heap.settle_next = b + 1;
        return true;
    }
    if (mm_barrier_on && !block_is_swept(b))
        return false;
    if (kind == BLOCK_SLAB_RECORD) {
        settle_slab(b);
    } else {
        heap.settle_next = b + 1;
        if (heap.blocks[b].retired_slots != 0)
            block_run_release(b);
        else
            barrier_open(block_base(b), (size_t)heap.blocks[b].run_blocks << MM_BLOCK_SHIFT);
    }
    return true;
}

static void
settle_value_block(uint32_t b)
{
    must(!mm_barrier_on); /* V1 */
    debug_check(kind_is_run(state_kind(block_state(b))) ? heap.blocks[b].retired_slots != 0
                                                        : heap.blocks[b].pending);
    heap.pending.head = heap.blocks[b].pending_next;
    if (heap.pending.head == 0)
        heap.pending.tail = 0;
    if (kind_is_run(state_kind(block_state(b)))) {
        block_run_release(b);
        return;
    }
    slab_settle(b);
}

bool
mm_settle(unsigned max_blocks)
{
    if (!mm_barrier_on && !heap.settling)
        return false;
    while (heap.settle_next < heap.settle_end && max_blocks > 0) {
        if (!settle_record_block(heap.settle_next))
            return false;
        max_blocks--;
    }
    if (mm_barrier_on)
        return heap.settle_next < heap.settle_end;
    while (heap.pending.head != 0 && max_blocks > 0) {
        settle_value_block(heap.pending.head);
        max_blocks--;
    }
    if (heap.settle_next >= heap.settle_end && heap.pending.head == 0) {
        must(heap.retired_bytes == 0); /* S1 */
        heap.settling = false;
    }
    return heap.settling;
}
