/* mm/check.c - assert what the rules say of the side tables.  O(blocks); for tests. */
#include "mm/heap.h"
#include "mm/page.h"

static uint32_t
bits_set(const uint64_t *bits, unsigned words)
{
    uint32_t n = 0;

    for (unsigned w = 0; w < words; w++)
        n += (uint32_t)__builtin_popcountll(bits[w]);
    return n;
}

struct tally {
    size_t live, records, retired, newborn;
    uint32_t used_blocks, dirty_free, lent;
};

static void
check_slab(uint32_t b, uint64_t state, struct tally *t)
{
    const struct block *blk = &heap.blocks[b];
    unsigned class = state_class(state), words = class_words(class);
    const uint64_t *used = blk->bits, *retired = blk->bits + words;
    size_t bytes = class_bytes[class];

    must(bits_set(used, words) == blk->used_slots && blk->used_slots <= class_slots[class]);
    must(bits_set(retired, words) == blk->retired_slots);
    for (unsigned w = 0; w < words; w++)
        must((retired[w] & ~used[w]) == 0); /* S2: what is retired is still in the sweep's bitmap */
    must(blk->retired_slots == 0 || mm_barrier_on || heap.settling); /* S1 */
    t->live += (blk->used_slots - blk->retired_slots) * bytes;
    t->retired += blk->retired_slots * bytes;
    if (state_kind(state) == BLOCK_SLAB_RECORD)
        t->records += (blk->used_slots - blk->retired_slots) * bytes;
    t->used_blocks++;
    if (mm_barrier_on && state_birth(state) == heap.epoch) {
        must(blk->retired_slots == 0 && blk->images == 0);
        t->newborn += MM_BLOCK_BYTES;
    }
}

static void
check_run(uint32_t b, uint64_t state, struct tally *t)
{
    const struct block *blk = &heap.blocks[b];
    enum block_kind cont = state_kind(state) == BLOCK_RUN_RECORD ? BLOCK_CONT_RECORD : BLOCK_CONT_VALUE;

    for (uint32_t i = b + 1; i < b + blk->run_blocks; i++)
        must(state_kind(block_state(i)) == cont && state_birth(block_state(i)) == state_birth(state));
    if (blk->retired_slots != 0)
        t->retired += blk->run_bytes;
    else
        t->live += blk->run_bytes;
    if (blk->retired_slots == 0 && cont == BLOCK_CONT_RECORD)
        t->records += blk->run_bytes;
    t->used_blocks += run_charged(b);
    if (mm_barrier_on && state_birth(state) == heap.epoch)
        t->newborn += blk->run_bytes;
}

/* check_free: a free run carries its length at both ends, and no free run follows another. Returns its
 * length. */
static uint32_t
check_free(uint32_t b, struct tally *t)
{
    uint32_t n = heap.blocks[b].run_blocks;

    must(n > 0 && b + n <= heap.block_top && heap.blocks[b + n - 1].run_blocks == n);
    for (uint32_t i = b; i < b + n; i++) {
        must(state_kind(block_state(i)) == BLOCK_FREE);
        t->dirty_free += heap.blocks[i].dirty;
    }
    must(b + n == heap.block_top || state_kind(block_state(b + n)) != BLOCK_FREE);
    return n;
}

static void
check_room(enum mm_kind kind, unsigned class, const struct block_list *l, bool held)
{
    uint32_t prev = 0;

    for (uint32_t b = l->head; b != 0; prev = b, b = heap.blocks[b].next) {
        must(heap.blocks[b].listed && heap.blocks[b].prev == prev);
        must(state_class(block_state(b)) == class);
        must(state_kind(block_state(b)) == (kind == MM_RECORD ? BLOCK_SLAB_RECORD : BLOCK_SLAB_VALUE));
        must(heap.blocks[b].used_slots < class_slots[class]);
        if (mm_barrier_on && !held) /* S2: allocation takes from newborn or settled slabs only */
            must(state_birth(block_state(b)) == heap.epoch || (kind == MM_RECORD && b < heap.settle_next));
    }
    must(l->tail == prev);
}

void
mm_check(void)
{
    struct tally t = {0};
    uint32_t b = 1;

    while (b < heap.block_top) {
        uint64_t state = block_state(b);

        if (state_kind(state) == BLOCK_FREE) {
            b += check_free(b, &t);
        } else if (state_kind(state) == BLOCK_LENT) { /* T1 */
            for (uint32_t i = b; i < b + heap.blocks[b].run_blocks; i++)
                must(state_kind(block_state(i)) == BLOCK_LENT && !heap.blocks[i].dirty);
            t.lent += heap.blocks[b].run_blocks;
            b += heap.blocks[b].run_blocks;
        } else if (kind_is_slab(state_kind(state))) {
            check_slab(b++, state, &t);
        } else {
            must(kind_is_run(state_kind(state)));
            check_run(b, state, &t);
            b += heap.blocks[b].run_blocks;
        }
    }
    must(t.live == heap.live_bytes && t.records == heap.record_bytes && t.retired == heap.retired_bytes);
    must(!mm_barrier_on || t.newborn == heap.newborn_bytes);
    must(t.used_blocks == heap.used_blocks && t.dirty_free == heap.dirty_free_blocks);
    must(t.lent == heap.lent_blocks);
    for (unsigned c = 0; c < class_count; c++)
        for (unsigned k = 0; k < 2; k++) {
            check_room(k, c, &heap.classes[k][c].room, false);
            check_room(k, c, &heap.classes[k][c].held, true);
        }
}
