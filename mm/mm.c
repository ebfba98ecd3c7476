/* mm/mm.c - the arena's life cycle: reserve, forget, release. */
#include "mm/mm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/os.h"
#include "mm/discarder.h"
#include "mm/heap_impl.h"
#include "mm/page.h"
#include "mm/warmer.h"

enum { GIB_SHIFT = 30 };
static const size_t ARENA_MIN_BYTES = (size_t)64 << 20;
static size_t blocks_bytes;

/* default_arena: sixteen times the machine's memory, for strings that are given room to grow;
 * within RLIMIT_AS. */
static size_t
default_arena(void)
{
    size_t bytes = (size_t)64 << GIB_SHIFT, want = os_memory_bytes() * 16,
           limit = os_address_limit();

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__) || defined(STILLFRAME_BARRIER)
    want = 0; /* shadow memory is mapped in proportion */
#endif
    while (bytes < want && bytes < (size_t)16384 << GIB_SHIFT)
        bytes *= 2;
    while (limit != SIZE_MAX && bytes > limit / 4 && bytes > ARENA_MIN_BYTES)
        bytes /= 2;
    return bytes;
}

/* images_limit: copies need memory, so address space for twice the machine's is enough. */
static size_t
images_limit(size_t arena_bytes)
{
    size_t twice = os_memory_bytes() * 2;

    return twice == 0 || twice > arena_bytes ? arena_bytes : twice & ~(size_t)0xffff;
}

static int
reserve(size_t bytes)
{
#ifdef STILLFRAME_BARRIER
    void *base, *alias;

    if (os_reserve_twice(bytes, &base, &alias) < 0)
        return -ENOMEM;
    heap.base = base;
    mm_alias_offset = (char *)alias - (char *)base;
#else
    if ((heap.base = os_reserve(bytes)) == NULL)
        return -ENOMEM;
#endif
    heap.arena_bytes = bytes;
    heap.block_count = (uint32_t)(bytes >> MM_BLOCK_SHIFT);
    blocks_bytes = (size_t)heap.block_count * sizeof *heap.blocks;
    if ((heap.blocks = os_reserve(blocks_bytes)) == NULL)
        goto release_arena;
    if (pages_init(bytes, images_limit(bytes)) < 0)
        goto release_blocks;
    return 0;
release_blocks:
    os_release(heap.blocks, blocks_bytes);
release_arena:
    os_release(heap.base, bytes);
    heap.base = NULL;
    return -ENOMEM;
}

int
mm_init(const struct mm_options *opt)
{
    size_t bytes = opt->arena_bytes != 0 ? opt->arena_bytes : default_arena();

    must(heap.base == NULL); /* once, or after mm_fini() */
    if (bytes > (size_t)1 << 46)
        return -EINVAL;
    bytes = (bytes + MM_BLOCK_BYTES - 1) & ~(size_t)(MM_BLOCK_BYTES - 1);
    size_class_init();
    heap = (struct heap){.block_top = 1, .tidy_next = 1, .recall = tidy_recall};
    heap.epoch = opt->first_epoch != 0 ? opt->first_epoch : 1;
    while (reserve(bytes) < 0) {
        if (bytes / 2 < ARENA_MIN_BYTES)
            return -ENOMEM;
        bytes = bytes / 2 & ~(size_t)(MM_BLOCK_BYTES - 1);
    }
    return 0;
}

static void
free_bitmaps(void)
{
    for (uint32_t b = 1; b < heap.block_top; b++)
        if (kind_is_slab(state_kind(block_state(b))))
            free(heap.blocks[b].bits);
}

void
mm_fini(void)
{
    must(!mm_barrier_on);
    if (heap.base == NULL)
        return;
    (void)tidy_recall();
    discarder_stop();
    for (enum warm_kind k = 0; k < WARM_KINDS; k++)
        warmer_withdraw(k);
    free_bitmaps();
    pages_fini();
    os_release(heap.blocks, blocks_bytes);
    os_release(heap.base, heap.arena_bytes);
#ifdef STILLFRAME_BARRIER
    os_release(heap.base + mm_alias_offset, heap.arena_bytes);
#endif
    heap = (struct heap){0};
}

void
mm_clear(void)
{
    struct heap kept;

    must(!mm_barrier_on);
    (void)tidy_recall();
    kept = heap;
    free_bitmaps();
    memset(heap.blocks, 0, (size_t)heap.block_top * sizeof *heap.blocks);
    pages_clear((size_t)heap.block_top << MM_BLOCK_SHIFT);
    heap = (struct heap){.block_top = 1, .tidy_next = 1, .recall = tidy_recall, .epoch = 1};
    heap.base = kept.base;
    heap.arena_bytes = kept.arena_bytes;
    heap.block_count = kept.block_count;
    heap.blocks = kept.blocks;
    heap.committed_top = kept.committed_top;
}
