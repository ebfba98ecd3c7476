/* mm/tidy.c - free memory goes back to the system, through a thread that does nothing else.
 *
 *   TD1 What is on loan to the discarder stands in no bin and is of kind BLOCK_LENT: it is not
 *       allocated, and not merged with its neighbours, until the mutator has taken it back.
 *       Memory of page copies is lent as well; a copy that would go there waits (image_get()).
 *
 *     FREE, dirty --lend--> LENT --the job is done, take_back--> FREE, clean
 *
 * Without a thread (none can be made) the mutator discards by itself, less at a time. */
#include "mm/base/os.h"
#include "mm/discarder.h"
#include "mm/heap_impl.h"
#include "mm/page.h"

enum {
    RANGE_BLOCKS = 32,     /* 2 MiB: of one range */
    LOOK_EACH_BLOCKS = 512 /* between two looks at the clock */
};

/* What goes at a time: 64 MiB of blocks; without a thread 2 MiB, which take some hundred
 * microseconds. */
struct portion {
    unsigned ranges, images; /* images: ranges of them among all */
    uint32_t blocks;
};
static const struct portion with_thread = {DISCARDER_RANGES, DISCARDER_RANGES, 1024},
                            alone = {OS_RANGES_MAX, 1, 32};

static struct loan {
    struct os_range ranges[DISCARDER_RANGES]; /* first those of images, then blocks */
    unsigned count, images;
    uint32_t blocks;
} loan; /* count 0: nothing is out */

/* What is free and has memory is kept for those who will want some, but not for long:
 *   - of a burst, all above 16 MiB and a sixteenth of what is in use goes at once;
 *   - what nobody has needed for a period goes at its end, but a little that is always kept. */
enum { BURST_BLOCKS = 256, KEPT_BLOCKS = 32, PERIOD_US = 2000000 };

static bool
blocks_are_due(void)
{
    if (heap.dirty_free_blocks > BURST_BLOCKS && heap.dirty_free_blocks > heap.used_blocks / 16)
        return true;
    return heap.surplus_blocks > 0 && heap.dirty_free_blocks > KEPT_BLOCKS;
}

static void
look_at_period(int64_t now_us)
{
    static int64_t end_us;

    if (now_us < end_us && end_us - now_us <= PERIOD_US)
        return;
    end_us = now_us + PERIOD_US;
    slabs_drop_empty();
    heap.surplus_blocks = heap.idle_blocks > KEPT_BLOCKS ? heap.idle_blocks - KEPT_BLOCKS : 0;
    heap.idle_blocks = heap.dirty_free_blocks;
}

static bool
is_due(void)
{
    return page_images_are_due() || blocks_are_due();
}

/* lend: blocks [b, b + n) of the free run of `blocks` at first. */
static void
lend(uint32_t first, uint32_t blocks, uint32_t b, uint32_t n)
{
    blocks_split(first, blocks, b, n);
    for (uint32_t i = b; i < b + n; i++) {
        debug_check(heap.blocks[i].dirty);
        heap.blocks[i].dirty = false;
        block_set_state(i, BLOCK_LENT, 0, 0);
    }
    heap.blocks[b].run_blocks = n;
    heap.dirty_free_blocks -= n;
    heap.surplus_blocks -= n < heap.surplus_blocks ? n : heap.surplus_blocks;
    if (heap.dirty_free_blocks < heap.idle_blocks)
        heap.idle_blocks = heap.dirty_free_blocks;
    heap.lent_blocks += n;
    loan.ranges[loan.count++] = (struct os_range){block_base(b), (size_t)n << MM_BLOCK_SHIFT};
    loan.blocks += n;
}

static void
take_back(void)
{
    heap.lent_blocks -= loan.blocks;
    page_images_take_back();
    for (unsigned i = loan.images; i < loan.count; i++) {
        must(state_kind(block_state(block_of(loan.ranges[i].at))) == BLOCK_LENT); /* TD1 */
        blocks_give(block_of(loan.ranges[i].at), (uint32_t)(loan.ranges[i].bytes >> MM_BLOCK_SHIFT),
                    0);
    }
    loan = (struct loan){.count = 0};
}

/* run_at: how many blocks the slab or run, free, lent or in use, at b has. */
static uint32_t
run_at(uint32_t b)
{
    enum block_kind kind = state_kind(block_state(b));

    return kind_is_slab(kind) ? 1 : heap.blocks[b].run_blocks;
}

/* look_at_run: lend the next dirty blocks of the free run at tidy_next, `most` at most.  Returns
 * how many blocks were looked at; tidy_next goes on behind the run, or stays for the rest of it. */
static uint32_t
look_at_run(uint32_t most)
{
    uint32_t first = heap.tidy_next, blocks = run_at(first), end = first + blocks;
    uint32_t from = heap.tidy_at > first && heap.tidy_at < end ? heap.tidy_at : first, b = from,
             n = 0;

    while (b < end && b - from < LOOK_EACH_BLOCKS && !heap.blocks[b].dirty)
        b++;
    while (b + n < end && n < most && heap.blocks[b + n].dirty)
        n++;
    heap.tidy_at = b + n;
    if (n > 0) {
        lend(first, blocks, b, n);
        heap.tidy_next = b + n;
    } else if (b == end) {
        heap.tidy_next = end;
    }
    return b + n - from;
}

/* gather: the walk over blocks goes on where the last one ended. */
static void
gather(const struct portion *most, int64_t until_us)
{
    uint32_t looked = 0, seen = 0;

    while (loan.count < most->images && page_images_lend(&loan.ranges[loan.count]))
        loan.images = ++loan.count;

    while (looked <= heap.block_top && loan.count < most->ranges && loan.blocks < most->blocks &&
           blocks_are_due()) {
        uint32_t n, rest = most->blocks - loan.blocks;

        if (heap.tidy_next >= heap.block_top)
            heap.tidy_next = 1;
        if (state_kind(block_state(heap.tidy_next)) == BLOCK_FREE) {
            n = look_at_run(rest < RANGE_BLOCKS ? rest : RANGE_BLOCKS);
        } else {
            n = run_at(heap.tidy_next);
            heap.tidy_next += n;
        }
        looked += n;
        seen += n < LOOK_EACH_BLOCKS ? n : LOOK_EACH_BLOCKS;
        if (seen >= LOOK_EACH_BLOCKS) {
            seen = 0;
            if (os_monotonic_us() >= until_us)
                return;
        }
    }
}

enum mm_tidy
mm_tidy(unsigned budget_us)
{
    int64_t now_us = os_monotonic_us(), until_us = now_us + budget_us;

    look_at_period(now_us);
    if (loan.count > 0) {
        if (!discarder_take())
            return MM_TIDY_WAITS;
        take_back();
    }
    if (!is_due())
        return MM_TIDY_DONE;
    if (discarder_start()) {
        gather(&with_thread, until_us);
        if (loan.count == 0)
            return MM_TIDY_MORE;
        discarder_post(loan.ranges, loan.count);
        return MM_TIDY_WAITS;
    }
    gather(&alone, until_us);
    if (loan.count > 0)
        (void)os_discard_ranges(loan.ranges, loan.count);
    take_back();
    return is_due() ? MM_TIDY_MORE : MM_TIDY_DONE;
}

bool
tidy_recall(void)
{
    if (loan.count == 0)
        return false;
    discarder_wait();
    take_back();
    return true;
}
