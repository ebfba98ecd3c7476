/* mm/check.c - assert what the rules say of the side tables.  O(blocks); for tests. */
#include "mm/heap_impl.h"
#include "mm/page.h"

struct tally {
    size_t live, records, retired, newborn;
    uint32_t used_blocks, dirty_free, lent;
};

/* waits_for_cursor: a record slab of before the cut that settling has not come to. */
static bool
waits_for_cursor(uint32_t b, uint64_t state)
{
    return (mm_barrier_on || heap.settling) && state_kind(state) == BLOCK_SLAB_RECORD &&
           state_birth(state) != heap.epoch && b >= heap.settle_next;
}

/* check_band: a slab with room stands on the list that its use says, a full one on none; no slab is
 * empty but one that allocation takes from, or that has to wait. */
static void
check_band(uint32_t b, uint64_t state)
{
    const struct block *blk = &heap.blocks[b];
    const struct slab_class *sc = slab_class_of(state);
    uint32_t slots = size_class_slots[state_class(state)];

    if (sc->cur == b) {
        must(blk->band == BAND_NONE);
        must(sc->mark ==
             blk->bits + (slab_takes_births(b, state) ? size_class_words(state_class(state)) : 0));
    } else if (blk->band == BAND_LEAVING) { /* CP1 */
        must(heap.compacting && blk->used_slots != 0 && blk->band_floor == 1);
    } else if (blk->used_slots == slots) {
        must(blk->band == BAND_NONE && blk->band_floor == slots);
    } else {
        must(blk->band == blk->used_slots * BANDS / slots);
        must(blk->used_slots != 0 || blk->pending || waits_for_cursor(b, state));
    }
}

static void
check_slab(uint32_t b, uint64_t state, struct tally *t)
{
    const struct block *blk = &heap.blocks[b];
    unsigned class = state_class(state), words = size_class_words(class);
    const uint64_t *used = blk->bits, *changed = blk->bits + words;
    size_t bytes = size_class_bytes[class];
    uint32_t retired = 0, in_use = 0;

    for (unsigned w = 0; w < words; w++) {
        retired += (uint32_t)__builtin_popcountll(used[w] & changed[w]);
        in_use += (uint32_t)__builtin_popcountll(used[w] | changed[w]);
        must(changed[w] == 0 || blk->pending);
        must(w >= blk->hint || slab_class_of(state)->cur == b ||
             (~(used[w] | changed[w]) & valid_mask(class, w)) == 0);
    }
    must(in_use == blk->used_slots && in_use <= size_class_slots[class] &&
         retired == blk->retired_slots);
    must(!blk->pending || mm_barrier_on || heap.settling); /* S1 */
    check_band(b, state);
    t->live += (blk->used_slots - blk->retired_slots) * bytes;
    t->retired += blk->retired_slots * bytes;
    if (state_kind(state) == BLOCK_SLAB_RECORD)
        t->records += (blk->used_slots - blk->retired_slots) * bytes;
    t->used_blocks++;
    if (mm_barrier_on && state_birth(state) == heap.epoch) {
        must(!blk->pending && blk->images == 0); /* S3 */
        t->newborn += MM_BLOCK_BYTES;
    }
}

static void
check_run(uint32_t b, uint64_t state, struct tally *t)
{
    const struct block *blk = &heap.blocks[b];
    enum block_kind cont =
        state_kind(state) == BLOCK_RUN_RECORD ? BLOCK_CONT_RECORD : BLOCK_CONT_VALUE;

    for (uint32_t i = b + 1; i < b + block_run_charged(b); i++)
        must(state_kind(block_state(i)) == cont && /* V3 */
             state_birth(block_state(i)) >= state_birth(block_state(i - 1)));
    for (uint32_t i = b + block_run_charged(b); i < b + blk->run_blocks; i++)
        must(state_kind(block_state(i)) == (i == b + blk->run_blocks - 1 ? cont : BLOCK_FREE));
    if (blk->retired_slots != 0)
        t->retired += run_charge(blk->run_bytes);
    else
        t->live += run_charge(blk->run_bytes);
    if (blk->retired_slots == 0 && cont == BLOCK_CONT_RECORD)
        t->records += run_charge(blk->run_bytes);
    t->used_blocks += block_run_charged(b);
    if (mm_barrier_on && state_birth(state) == heap.epoch)
        t->newborn += run_charge(blk->run_bytes);
}

/* check_free: a free run carries its length at both ends, and no free run follows another. Returns
 * its length. */
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
check_room(enum mm_kind kind, unsigned class, unsigned band)
{
    const struct slab_class *sc = &heap.classes[kind][class];
    const struct block_list *l = &sc->room[band];
    uint32_t prev = 0, n = 0;

    must((l->head != 0) == (sc->bands >> band & 1));
    for (uint32_t b = l->head; b != 0; prev = b, b = heap.blocks[b].next, n++) {
        must(heap.blocks[b].band == band && heap.blocks[b].prev == prev);
        must(state_class(block_state(b)) == class);
        must(state_kind(block_state(b)) ==
             (kind == MM_RECORD ? BLOCK_SLAB_RECORD : BLOCK_SLAB_VALUE));
        must(heap.blocks[b].used_slots < size_class_slots[class]);
    }
    must(l->tail == prev && n == sc->room_count[band]);
}

/* check_leaving: each class knows how many of its slabs leave, and nothing leaves without a
 * pass. */
static void
check_leaving(void)
{
    uint32_t prev = 0, of_class[2][SIZE_CLASS_MAX] = {{0}};

    for (uint32_t b = heap.leaving.head; b != 0; prev = b, b = heap.blocks[b].next) {
        must(heap.blocks[b].band == BAND_LEAVING && heap.blocks[b].prev == prev);
        of_class[state_heap(block_state(b))][state_class(block_state(b))]++;
    }
    must(heap.leaving.tail == prev);
    for (unsigned i = 0; i < 2 * size_class_count; i++)
        must(of_class[i % 2][i / 2] == heap.classes[i % 2][i / 2].leaving);
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
        } else if (state_kind(state) == BLOCK_LENT) { /* TD1 */
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
    must(t.live == heap.live_bytes && t.records == heap.record_bytes &&
         t.retired == heap.retired_bytes);
    must(!mm_barrier_on || t.newborn == heap.newborn_bytes);
    must(t.used_blocks == heap.used_blocks && t.dirty_free == heap.dirty_free_blocks);
    must(t.lent == heap.lent_blocks);
    for (unsigned c = 0; c < size_class_count; c++)
        for (unsigned band = 0; band < BANDS; band++) {
            check_room(MM_RECORD, c, band);
            check_room(MM_VALUE, c, band);
        }
    check_leaving();
}
