/* mm/page.c - preserving a page before its first change: copy, publish, then write. */
#include "mm/page.h"

#include <errno.h>
#include <string.h>

#include "mm/base/fault.h"
#include "mm/base/os.h"
#include "mm/base/room.h"
#include "mm/base/step.h"
#include "mm/cut.h"
#include "mm/discarder.h"
#include "mm/heap_impl.h"
#include "mm/warmer.h"

enum {
    /* address space made usable at a time; memory comes with the touch */
    IMAGES_COMMIT_BYTES = 32 << 20,
    IMAGES_KEEP_BYTES = 8 << 20,   /* kept with their memory between cuts: so much at most, ... */
    IMAGES_KEEP_LEAST = 512 << 10, /* ... so much in any case, ... */
    IMAGES_KEEP_SHARE = 32,        /* ... and in between this part of what is in use */
    IMAGES_TRIM_BYTES = 2 << 20,   /* given back at a time */
    /* Memory for copies is fetched so far ahead, twice as far whenever that was too late, up to
     * the most, ... */
    IMAGES_AHEAD_BYTES = 1 << 20,
    IMAGES_AHEAD_MOST = 8 << 20,
    IMAGES_STEP_BYTES = 64 << 10,
    /* ... and before the first cut this part of what is in use, but not more than is kept in any
     * case. */
    IMAGES_PREPARE_SHARE = 64
};

static size_t words_bytes, next_bytes;
static size_t limit_bytes;

void
pages_limit(size_t bytes)
{
    limit_bytes = bytes;
}

int
pages_init(size_t arena_bytes, size_t images_bytes)
{
    size_t count = arena_bytes >> MM_PAGE_SHIFT;

    page_state = (struct page_state){.base = heap.base, .lent_from = UINT32_MAX};
    page_state.capacity = images_bytes >> MM_PAGE_SHIFT > UINT32_MAX
                              ? UINT32_MAX
                              : (uint32_t)(images_bytes >> MM_PAGE_SHIFT);
    words_bytes = count * sizeof *page_state.words;
    next_bytes = ((size_t)page_state.capacity * sizeof *page_state.next + 4095) & ~(size_t)4095;
    page_state.words = os_reserve(words_bytes);
    page_state.images = os_reserve((size_t)page_state.capacity << MM_PAGE_SHIFT);
    page_state.next = os_reserve(next_bytes);
    if (page_state.words == NULL || page_state.images == NULL || page_state.next == NULL) {
        pages_fini();
        return -ENOMEM;
    }
    page_state.bump = 1; /* P4 */
    return 0;
}

void
pages_fini(void)
{
    if (page_state.words != NULL)
        os_release(page_state.words, words_bytes);
    if (page_state.images != NULL)
        os_release(page_state.images, (size_t)page_state.capacity << MM_PAGE_SHIFT);
    if (page_state.next != NULL)
        os_release(page_state.next, next_bytes);
    page_state = (struct page_state){0};
}

int
pages_commit(size_t arena_bytes)
{
    return os_commit(page_state.words, (arena_bytes >> MM_PAGE_SHIFT) * sizeof *page_state.words);
}

void
pages_clear(size_t arena_bytes)
{
    for (size_t i = 0; i < arena_bytes >> MM_PAGE_SHIFT; i++)
        atomic_store_explicit(&page_state.words[i], 0, memory_order_relaxed);
    page_state.words_bytes = 0;
    pages_reset();
}

/* images_grow: commit memory for more images; false: there is none. */
static bool
images_grow(void)
{
    size_t have = (size_t)page_state.committed << MM_PAGE_SHIFT, more = IMAGES_COMMIT_BYTES;
    size_t limit = (size_t)page_state.capacity << MM_PAGE_SHIFT;
    size_t next_have, next_end;

    if (more > limit - have)
        more = limit - have;
    if (more < MM_PAGE_BYTES)
        return false;
    next_have = (size_t)page_state.committed * sizeof *page_state.next & ~(size_t)4095;
    next_end = (((have + more) >> MM_PAGE_SHIFT) * sizeof *page_state.next + 4095) & ~(size_t)4095;
    if (os_commit((char *)page_state.next + next_have, next_end - next_have) < 0)
        return false;
    if (os_commit(page_state.images + have, more) < 0)
        return false;
    page_state.committed = (uint32_t)((have + more) >> MM_PAGE_SHIFT);
    return true;
}

/* images_fetch: have memory fetched for the next page_state.ahead images. */
static void
images_fetch(void)
{
    enum { STEP_IMAGES = IMAGES_STEP_BYTES >> MM_PAGE_SHIFT };
    uint32_t ahead = page_state.ahead, end;

    page_state.fetch_at = page_state.bump + STEP_IMAGES;
    if (!warmer_is_idle(WARM_IMAGES))
        return;
    if (page_state.warm < page_state.bump) {
        /* Too late: fetching beside the mutator would never overtake it. */
        if (mm_barrier_on && ahead < IMAGES_AHEAD_MOST >> MM_PAGE_SHIFT)
            page_state.ahead = ahead *= 2;
        page_state.warm = page_state.bump + ahead / 4;
    }
    end = (page_state.bump + ahead) & ~(uint32_t)(STEP_IMAGES - 1);
    if (end > page_state.committed)
        (void)images_grow();
    if (end > page_state.committed)
        end = page_state.committed;
    if (end > page_state.lent_from)
        end = page_state.lent_from; /* TD1 */
    if (page_state.warm < end) {
        uint32_t from = page_state.warm & ~(uint32_t)(STEP_IMAGES - 1);
        struct os_range r = {page_state.images + ((size_t)from << MM_PAGE_SHIFT),
                             (size_t)(end - from) << MM_PAGE_SHIFT};

        warmer_post(WARM_IMAGES, &r, 1);
        discarder_wake();
        page_state.warm = end;
    }
    if (page_state.warm > page_state.bump + ahead / 2)
        page_state.fetch_at = page_state.warm - ahead / 2;
}

void
page_images_prepare(void)
{
    size_t bytes = ((size_t)heap.used_blocks << MM_BLOCK_SHIFT) / IMAGES_PREPARE_SHARE;

    if (bytes > IMAGES_KEEP_LEAST)
        bytes = IMAGES_KEEP_LEAST;
    if (mm_barrier_on || page_state.warm >= bytes >> MM_PAGE_SHIFT)
        return;
    page_state.ahead = (uint32_t)(bytes >> MM_PAGE_SHIFT);
    images_fetch();
}

/* so often it is asked whether there is memory for as many */
enum { LOOK_EACH_IMAGES = (64 << 10) >> MM_PAGE_SHIFT };

/* image_get: the index of a free image; 0: no memory. */
static uint32_t
image_get(void)
{
    uint32_t i = page_state.free_head;

    if (fault_point(FAULT_mm_image))
        return 0;
    if (i != 0) {
        page_state.free_head = page_state.next[i];
        return i;
    }
    if (limit_bytes != 0 && mm_cut_memory().grown_bytes > limit_bytes) {
        page_state.over_limit |= !mm_cut_is_broken();
        return 0;
    }
    i = page_state.bump;
    if (i % LOOK_EACH_IMAGES == 0 && unlikely(!room_for(LOOK_EACH_IMAGES << MM_PAGE_SHIFT)))
        return 0; /* RM2 */
    if (unlikely(i >= page_state.lent_from))
        (void)heap.recall(); /* TD1 */
    if (i >= page_state.committed && !images_grow())
        return 0;
    page_state.bump = i + 1;
    if (unlikely(i >= page_state.fetch_at))
        images_fetch();
    debug_check(i != 0 && i < page_state.lent_from); /* P4, TD1 */
    return i;
}

void
page_images_free_chain(uint32_t head)
{
    uint32_t last = head, n = 1;

    if (head == 0)
        return;
    for (; page_state.next[last] != 0; last = page_state.next[last])
        n++;
    page_state.next[last] = page_state.free_head;
    page_state.free_head = head;
    must(page_state.in_use >= n);
    page_state.in_use -= n;
}

void
pages_reset(void)
{
    debug_check(!mm_barrier_on); /* P2: with a cut open somebody may read them */
    page_state.free_head = 0;
    page_state.value_head = 0;
    page_state.in_use = 0;
    if (page_state.warm < page_state.bump)
        page_state.warm = page_state.bump;
    if (page_state.touched < page_state.warm)
        page_state.touched = page_state.warm;
    page_state.bump = 1;
    page_state.fetch_at = 0;
}

static uint32_t
images_to_keep(void)
{
    size_t bytes = ((size_t)heap.used_blocks << MM_BLOCK_SHIFT) / IMAGES_KEEP_SHARE;

    if (bytes > IMAGES_KEEP_BYTES)
        bytes = IMAGES_KEEP_BYTES;
    if (bytes < IMAGES_KEEP_LEAST)
        bytes = IMAGES_KEEP_LEAST;
    return (uint32_t)(bytes & ~(size_t)0xffff) >> MM_PAGE_SHIFT;
}

void
pages_open(void)
{
    must(!mm_barrier_on && page_state.in_use == 0);
    page_state.preserved_total = 0;
    page_state.over_limit = false;
    /* in an arena without a block there is no page that could be preserved */
    page_state.ahead = heap.used_blocks == 0 ? 0 : images_to_keep();
    if (page_state.ahead > IMAGES_AHEAD_BYTES >> MM_PAGE_SHIFT)
        page_state.ahead = IMAGES_AHEAD_BYTES >> MM_PAGE_SHIFT;
    images_fetch();
    /* before the start message: O-4 */
    atomic_store_explicit(&page_state.broken, false, memory_order_relaxed);
}

bool
page_images_are_due(void)
{
    return !mm_barrier_on && page_state.touched > images_to_keep();
}

bool
page_images_lend(struct os_range *ret)
{
    const uint32_t keep = images_to_keep(), step = IMAGES_TRIM_BYTES >> MM_PAGE_SHIFT;
    uint32_t from;

    if (!page_images_are_due())
        return false;
    warmer_withdraw(WARM_IMAGES); /* W2: nobody is to begin with it now */
    from = page_state.touched > keep + step ? (page_state.touched - 1) / step * step : keep;
    *ret = (struct os_range){page_state.images + ((size_t)from << MM_PAGE_SHIFT),
                             (size_t)(page_state.touched - from) << MM_PAGE_SHIFT};
    debug_check(page_state.touched <= page_state.lent_from); /* downwards, each image once */
    page_state.touched = page_state.lent_from = from;
    if (page_state.warm > from)
        page_state.warm = from;
    return true;
}

void
page_images_take_back(void)
{
    page_state.lent_from = UINT32_MAX;
}

void
mm_sweep_warm(void)
{
    warmer_work(WARM_IMAGES);
}

/* note_words: the words of block b are about to get memory. */
static void
note_words(uint32_t b)
{
    enum { WORDS = 4096 / sizeof(uint64_t), GROUP = WORDS >> (MM_BLOCK_SHIFT - MM_PAGE_SHIFT) };
    struct block *first = &heap.blocks[b / GROUP * GROUP];

    if (first->words_touched)
        return;
    first->words_touched = true;
    page_state.words_bytes += WORDS * sizeof(uint64_t);
}

/* page_preserve: set the image of page i aside for the open cut.  b: its block. */
static void
page_preserve(size_t i, uint32_t b, bool record)
{
    uint32_t image = image_get();
    uint32_t *chain = record ? &heap.blocks[b].images : &page_state.value_head;

    debug_check(page_word_epoch(page_state.words[i]) != heap.epoch); /* P1 */
    if (image == 0) {
        atomic_store_explicit(&page_state.broken, true,
                              memory_order_release); /* C2, O-6: before the write goes on */
        return;
    }
    STEP("preserve: copy");
    memcpy(page_state.images + ((size_t)image << MM_PAGE_SHIFT),
           page_state.base + (i << MM_PAGE_SHIFT), MM_PAGE_BYTES); /* P2 */
    note_words(b);
    STEP("preserve: publish");
    atomic_store_explicit(&page_state.words[i], (uint64_t)heap.epoch << 32 | image,
                          memory_order_release); /* O-1 writer */
    page_state.next[image] = *chain;
    *chain = image;
    page_state.in_use++;
    page_state.preserved_total++;
}

/* last_of_cut: of a write from block b of a run on, up to page `last`, the last page that may hold
 * something of the cut: what the run has grown into since does not (V3).  Page 0 is never used. */
static size_t
last_of_cut(uint32_t b, size_t last)
{
    for (uint32_t i = b; page_index(block_base(i)) <= last; i++) {
        if (state_birth(block_state(i)) == heap.epoch)
            return page_index(block_base(i)) - 1;
        if (heap.blocks[i].grown_in == heap.epoch) {
            size_t end = page_index(block_base(i) + heap.blocks[i].grown_from - 1);

            return end < last ? end : last;
        }
    }
    return last;
}

void
mm_barrier(const void *p, size_t len)
{
    uint32_t b = block_of(p);
    uint64_t state = block_state(b);
    bool record = state_kind(state) == BLOCK_SLAB_RECORD;
    size_t first = page_index(p), last;

    must(mm_barrier_on);
    debug_check(mm_is_allocated(p, len));
    if (state_birth(state) == heap.epoch || (record && block_is_swept(b)) ||
        slot_is_born(b, state, p)) {
        barrier_open(p, len);
        return;
    }
    last = page_index((const char *)p + len - 1);
    if (!kind_is_slab(state_kind(state)))
        last = last_of_cut(b, last);
    for (size_t i = first; i <= last; i++)
        if (page_word_epoch(atomic_load_explicit(&page_state.words[i], memory_order_relaxed)) !=
            heap.epoch) /* P1, P3 */
            page_preserve(i, b, record);
    heap_note_peak();
    atomic_thread_fence(memory_order_release); /* O-2 writer, O-6 writer */
    STEP("preserve: write");
    barrier_open(p, len);
}

bool
mm_block_is_frozen(const void *p)
{
    uint32_t b = block_of(p);
    uint64_t state = block_state(b);

    return state_birth(state) != heap.epoch && !block_is_swept(b) && !slot_is_born(b, state, p);
}

bool
mm_cut_is_over_limit(void)
{
    return page_state.over_limit;
}

bool
mm_cut_is_broken(void)
{
    /* O-6: the reader fences before */
    return atomic_load_explicit(&page_state.broken, memory_order_relaxed);
}
