/* mm/heap.c - the arena's state, which all files of mm/ share, its figures, and what asserts ask
 * it.  It calls none of them. */
#include "mm/heap_impl.h"
#include "mm/page.h"

struct heap heap;
struct page_state page_state;
bool mm_barrier_on;

static size_t
preserved_bytes(void)
{
    return (size_t)page_state.in_use << MM_PAGE_SHIFT;
}

size_t
mm_live_bytes(void)
{
    return heap.live_bytes;
}

size_t
mm_snapshot_bytes(void)
{
    return preserved_bytes() + heap.retired_bytes + heap.newborn_bytes;
}

void
heap_note_peak(void)
{
    size_t now = mm_snapshot_bytes();

    if (now > heap.peak_bytes)
        heap.peak_bytes = now;
}

/* Blocks with memory behind them. */
static uint32_t
resident_blocks(void)
{
    return heap.used_blocks + heap.dirty_free_blocks + heap.lent_blocks;
}

size_t
mm_free_bytes(void)
{
    return (size_t)heap.dirty_free_blocks << MM_BLOCK_SHIFT;
}

/* blocks_of_cut: the same for the account of a cut: free blocks that are kept for those who come
 * next, fetched ahead or left over, are nobody's. */
static uint32_t
blocks_of_cut(void)
{
    uint32_t kept = heap.dirty_free_blocks < AHEAD_BLOCKS ? heap.dirty_free_blocks : AHEAD_BLOCKS;

    return resident_blocks() - kept;
}

void
heap_note_cut(void)
{
    heap.cut_live_bytes = heap.live_bytes;
    heap.cut_words_bytes = page_state.words_bytes;
    heap.cut_blocks = blocks_of_cut();
}

static size_t
above(size_t n, size_t base)
{
    return n > base ? n - base : 0;
}

struct mm_cut_memory
mm_cut_memory(void)
{
    size_t tables, images, arena, data;

    if (!mm_barrier_on)
        return (struct mm_cut_memory){0};
    /* What images had memory when the cut began have it still: touched changes between cuts. */
    images = above(page_state.bump, page_state.touched > 0 ? page_state.touched : 1);
    tables = page_state.words_bytes - heap.cut_words_bytes + images * sizeof *page_state.next;
    arena = above(blocks_of_cut(), heap.cut_blocks) << MM_BLOCK_SHIFT;
    data = above(heap.live_bytes, heap.cut_live_bytes);
    data += data / 8; /* the slabs that it came to are not all full */
    return (struct mm_cut_memory){
        .held_bytes =
            preserved_bytes() + tables +
            (heap.retired_bytes < heap.newborn_bytes ? heap.retired_bytes : heap.newborn_bytes),
        .grown_bytes = (images << MM_PAGE_SHIFT) + tables + above(arena, data),
    };
}

void
mm_figures(struct mm_figures *ret)
{
    uint32_t warm = page_state.warm, bump = page_state.bump;

    *ret = (struct mm_figures){
        .arena_bytes = heap.arena_bytes,
        .live_bytes = heap.live_bytes,
        .record_bytes = heap.record_bytes,
        .resident_bytes = (size_t)resident_blocks() << MM_BLOCK_SHIFT,
        .images_bytes = (size_t)(warm > bump ? warm : bump) << MM_PAGE_SHIFT,
        .preserved_bytes = preserved_bytes(),
        .retired_bytes = heap.retired_bytes,
        .newborn_bytes = heap.newborn_bytes,
        .peak_bytes = heap.peak_bytes,
        .preserved_pages = page_state.preserved_total,
        .side_bytes = (size_t)heap.block_top * sizeof *heap.blocks + page_state.words_bytes,
        .bitmap_bytes = heap.bitmap_bytes,
        .epoch = heap.epoch,
        .cut_open = mm_barrier_on,
    };
}

/* ---- for asserts ---- */

/* run_holds: block b, of a run, and the bytes behind p up to len are the same run's; of one with
 * room, those in use (V3). */
static bool
run_holds(uint32_t b, const void *p, size_t len)
{
    uint32_t first = b;

    while (!kind_is_run(state_kind(block_state(first))))
        first--;
    if (heap.blocks[first].retired_slots != 0)
        return false;
    return (const char *)p + len <= (heap.blocks[first].roomy
                                         ? block_base(first) + heap.blocks[first].run_bytes
                                         : block_base(first + heap.blocks[first].run_blocks));
}

bool
mm_is_allocated(const void *p, size_t len)
{
    uint32_t b = block_of(p), slot;
    uint64_t state = block_state(b);
    enum block_kind kind = state_kind(state);
    unsigned class = state_class(state);

    if (len == 0 || kind == BLOCK_FREE || kind == BLOCK_LENT)
        return false;
    if (!kind_is_slab(kind))
        return run_holds(b, p, len);
    slot = slot_index(class, p);
    return slot < size_class_slots[class] && slot_in_use(b, state, slot) &&
           (const char *)p + len <= block_base(b) + (size_t)(slot + 1) * size_class_bytes[class];
}
