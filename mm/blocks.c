/* mm/blocks.c - runs of blocks: segregated free lists with boundary tags (Knuth vol. 1, 2.5; binned
 * in two levels as in TLSF, Masmano et al. 2004).  Taking and giving are O(1), but for the marking
 * of each block of a run. */
#include "mm/base/os.h"
#include "mm/base/room.h"
#include "mm/discarder.h"
#include "mm/heap_impl.h"
#include "mm/page.h"
#include "mm/warmer.h"

enum { COMMIT_BLOCKS = 512 }; /* 32 MiB of arena become usable at a time */

void
block_list_push(struct block_list *l, uint32_t b)
{
    heap.blocks[b].prev = 0;
    heap.blocks[b].next = l->head;
    if (l->head != 0)
        heap.blocks[l->head].prev = b;
    else
        l->tail = b;
    l->head = b;
}

void
block_list_remove(struct block_list *l, uint32_t b)
{
    uint32_t prev = heap.blocks[b].prev, next = heap.blocks[b].next;

    debug_check(prev != 0 ? heap.blocks[prev].next == b : l->head == b);
    debug_check(next == 0 || heap.blocks[next].prev == b);
    if (prev != 0)
        heap.blocks[prev].next = next;
    else
        l->head = next;
    if (next != 0)
        heap.blocks[next].prev = prev;
    else
        l->tail = prev;
}

/* bin_of: free runs of n blocks are kept in this bin: exact below 8, then four bins a power of
 * two. */
static unsigned
bin_of(uint32_t n)
{
    unsigned log2;

    if (n < 8)
        return n;
    log2 = 31U - (unsigned)__builtin_clz(n);
    return 8 + (log2 - 3) * 4 + ((n >> (log2 - 2)) & 3);
}

/* bin_fit: the first bin whose runs all have at least n blocks. */
static unsigned
bin_fit(uint32_t n)
{
    unsigned bin = bin_of(n);

    if (n < 8)
        return bin;
    return (n & ((1U << (31U - (unsigned)__builtin_clz(n) - 2)) - 1)) == 0 ? bin : bin + 1;
}

static void
bin_add(uint32_t first, uint32_t n)
{
    unsigned bin = bin_of(n);
    struct block_list l = {.head = heap.bins[bin], .tail = heap.bins[bin]};

    heap.blocks[first].run_blocks = n;
    heap.blocks[first + n - 1].run_blocks = n;
    block_list_push(&l, first);
    heap.bins[bin] = first;
    heap.bins_used[bin / 64] |= 1ULL << (bin % 64);
}

static void
bin_remove(uint32_t first)
{
    unsigned bin = bin_of(heap.blocks[first].run_blocks);
    struct block_list l = {.head = heap.bins[bin], .tail = 0};

    block_list_remove(&l, first);
    heap.bins[bin] = l.head;
    if (l.head == 0)
        heap.bins_used[bin / 64] &= ~(1ULL << (bin % 64));
}

static unsigned
first_used_bin(unsigned from)
{
    for (unsigned w = from / 64; w < 2; w++) {
        uint64_t bits = heap.bins_used[w];

        if (w == from / 64)
            bits &= ~0ULL << (from % 64);
        if (bits != 0)
            return w * 64 + (unsigned)__builtin_ctzll(bits);
    }
    return RUN_BINS;
}

/* commit_to: blocks below top become usable, with their side tables.  false: no memory. */
static bool
commit_to(uint32_t top)
{
    uint32_t end = (top + COMMIT_BLOCKS - 1) / COMMIT_BLOCKS * COMMIT_BLOCKS,
             have = heap.committed_top;

    if (end > heap.block_count)
        end = heap.block_count;
    if (os_commit(heap.blocks, (size_t)end * sizeof *heap.blocks) < 0 ||
        pages_commit((size_t)end << MM_BLOCK_SHIFT) < 0)
        return false;
#ifndef STILLFRAME_BARRIER
    if (os_commit(block_base(have), (size_t)(end - have) << MM_BLOCK_SHIFT) < 0)
        return false;
#endif
    heap.committed_top = end;
    (void)have;
    return true;
}

static uint32_t
take_from_top(uint32_t n)
{
    uint32_t first = heap.block_top;

    if (n > heap.block_count - first)
        return 0;
    if (first + n > heap.committed_top && !commit_to(first + n))
        return 0;
    heap.block_top = first + n;
    return first;
}

/* count_dirty: a free run's blocks leave (take) or join (give) the count of dirty free ones. */
static uint32_t
count_dirty(uint32_t first, uint32_t n)
{
    uint32_t dirty = 0;

    for (uint32_t i = first; i < first + n; i++)
        dirty += heap.blocks[i].dirty;
    return dirty;
}

/* The blocks that will be taken next, one after the other, get their memory ahead (W1): so many of
 * what is in use, but never more than 2 MiB.  In a small arena, or while nothing is taken, nothing
 * is fetched; what is free and has memory already counts. */
enum { AHEAD_SHARE = 32, AHEAD_LEAST = 2 };

struct ahead {
    struct os_range ranges[WARM_RANGES];
    unsigned count;
    uint32_t left; /* so many more are to be looked at */
};

/* add_ahead: the first blocks of the free run [b, b + n). */
static void
add_ahead(struct ahead *a, uint32_t b, uint32_t n)
{
    for (; n > 0 && a->left > 0; b++, n--, a->left--) {
        struct os_range *last = &a->ranges[a->count == 0 ? 0 : a->count - 1];

        if (heap.blocks[b].dirty)
            continue;
        heap.blocks[b].dirty = true;
        heap.dirty_free_blocks++;
        if (a->count > 0 && (char *)last->at + last->bytes == block_base(b))
            last->bytes += MM_BLOCK_BYTES;
        else
            a->ranges[a->count++] = (struct os_range){block_base(b), MM_BLOCK_BYTES};
    }
}

/* free_from_top: up to n blocks that were never in use become a free run; no memory is committed
 * for it. */
static void
free_from_top(struct ahead *a, uint32_t n)
{
    uint32_t first = heap.block_top;

    if (heap.committed_top <= first)
        return;
    if (n > heap.committed_top - first)
        n = heap.committed_top - first;
    heap.block_top = first + n;
    for (uint32_t b = first; b < first + n; b++)
        block_set_state(b, BLOCK_LENT, 0, 0);
    blocks_give(first, n, 0);
    add_ahead(a, first, n);
}

/* look_ahead: so many are about to be taken: have the blocks behind them fetched, in the order in
 * which single ones are taken. */
static void
look_ahead(uint32_t taken)
{
    uint32_t want = (heap.used_blocks + taken) / AHEAD_SHARE;
    struct ahead a = {.left = want < AHEAD_BLOCKS ? want : AHEAD_BLOCKS};

    heap.until_look = AHEAD_BLOCKS;
    if (want < AHEAD_LEAST || !discarder_start())
        return;
    heap.until_look = (a.left + 1) / 2;
    if (!warmer_is_idle(WARM_BLOCKS))
        return;
    page_images_prepare();
    for (unsigned bin = first_used_bin(0); bin < RUN_BINS && a.left > 0;
         bin = first_used_bin(bin + 1))
        for (uint32_t b = heap.bins[bin]; b != 0 && a.left > 0; b = heap.blocks[b].next)
            add_ahead(&a, b, heap.blocks[b].run_blocks);
    if (a.left > 0)
        free_from_top(&a, a.left);
    if (a.count == 0)
        return;
    warmer_post(WARM_BLOCKS, a.ranges, a.count);
    discarder_wake();
}

/* has_memory: is there memory for so many blocks of the first free run of that bin, or else of
 * those that were never in use?  Dirty ones have theirs, however little the system has.  (RM2) */
static bool
has_memory(unsigned bin, uint32_t blocks)
{
    uint32_t clean;

    if (likely(room_for((size_t)blocks << MM_BLOCK_SHIFT)))
        return true;
    if (bin == RUN_BINS)
        return false;
    clean = blocks - count_dirty(heap.bins[bin], blocks);
    return clean == 0 || room_for((size_t)clean << MM_BLOCK_SHIFT);
}

static uint32_t
take(uint32_t n, uint32_t charged)
{
    unsigned bin = first_used_bin(bin_fit(n));
    uint32_t first, have;

    must(charged > 0 && charged <= n);
    if (unlikely(!has_memory(bin, charged)))
        return heap.recall() ? take(n, charged) : 0;
    if (bin == RUN_BINS) {
        /* What is on loan may be what is missing. */
        if ((first = take_from_top(n)) == 0)
            return heap.recall() ? take(n, charged) : 0;
    } else {
        first = heap.bins[bin];
        have = heap.blocks[first].run_blocks;
        bin_remove(first);
        if (have > n)
            bin_add(first + n, have - n);
        heap.dirty_free_blocks -= count_dirty(first, n);
        if (heap.dirty_free_blocks < heap.idle_blocks)
            heap.idle_blocks = heap.dirty_free_blocks;
    }
    for (uint32_t i = first; i < first + charged; i++)
        heap.blocks[i].dirty = true;
    heap.used_blocks += charged;
    return first;
}

uint32_t
blocks_take(uint32_t n, uint32_t charged)
{
    if (charged < heap.until_look)
        heap.until_look -= charged;
    else
        look_ahead(
            charged); /* before: what has been taken looks free until its owner says what it is */
    return take(n, charged);
}

void
blocks_give(uint32_t first, uint32_t n, uint32_t charged)
{
    must(first > 0 && n > 0 && charged <= heap.used_blocks);
    debug_check(state_kind(block_state(first)) != BLOCK_FREE &&
                state_kind(block_state(first + n - 1)) != BLOCK_FREE);
    for (uint32_t i = first; i < first + n; i++)
        if (block_state(i) != 0) /* room that a run never grew into has no memory for its state */
            block_set_state(i, BLOCK_FREE, 0, 0);
    heap.used_blocks -= charged;
    heap.dirty_free_blocks += count_dirty(first, n);
    if (first > 1 && state_kind(block_state(first - 1)) == BLOCK_FREE) {
        uint32_t before = heap.blocks[first - 1].run_blocks;

        bin_remove(first - before);
        first -= before;
        n += before;
    }
    if (first + n < heap.block_top && state_kind(block_state(first + n)) == BLOCK_FREE) {
        uint32_t after = heap.blocks[first + n].run_blocks;

        bin_remove(first + n);
        n += after;
    }
    bin_add(first, n);
    if (heap.tidy_next > first && heap.tidy_next < first + n)
        heap.tidy_next = first; /* a run begins where tidying goes on */
}

void
blocks_split(uint32_t first, uint32_t blocks, uint32_t b, uint32_t n)
{
    must(n > 0 && b >= first && b + n <= first + blocks);
    debug_check(heap.blocks[first].run_blocks == blocks);
    bin_remove(first);
    if (b > first)
        bin_add(first, b - first);
    if (b + n < first + blocks)
        bin_add(b + n, first + blocks - (b + n));
}
