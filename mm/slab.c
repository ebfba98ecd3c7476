/* mm/slab.c - slots of one size, and runs: allocate, free, retire.
 *
 * A slab's bitmaps stand beside the arena: used[] is what the sweep sees, frozen from the cut until it has
 * passed (S2); retired[] is the mutator's own note of what was freed meanwhile. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/fault.h"
#include "mm/heap.h"
#include "mm/page.h"

static inline uint64_t *
slab_used(const struct block *b)
{
    return b->bits;
}

static inline uint64_t *
slab_retired(const struct block *b, unsigned class)
{
    return b->bits + class_words(class);
}

static inline enum mm_kind
heap_of_kind(enum block_kind k)
{
    return k == BLOCK_SLAB_RECORD || k == BLOCK_RUN_RECORD || k == BLOCK_CONT_RECORD ? MM_RECORD : MM_VALUE;
}

/* valid_mask: the slots that bitmap word w of a slab really has. */
static uint64_t
valid_mask(unsigned class, uint32_t w)
{
    uint32_t left = class_slots[class] - w * 64;

    return left >= 64 ? ~0ULL : (1ULL << left) - 1;
}

/* slab_new: a fresh slab, born in this epoch.  0: no memory. */
static uint32_t
slab_new(enum mm_kind kind, unsigned class)
{
    uint64_t *bits;
    uint32_t b;

    if (fault_point(FAULT_mm_bitmap))
        return 0;
    if ((bits = calloc(2 * class_words(class), sizeof *bits)) == NULL)
        return 0;
    if ((b = run_take(1, 1)) == 0) {
        free(bits);
        return 0;
    }
    heap.blocks[b].bits = bits;
    heap.blocks[b].used_slots = heap.blocks[b].retired_slots = 0;
    heap.blocks[b].images = 0;
    heap.blocks[b].listed = false;
    heap.bitmap_bytes += 2 * class_words(class) * sizeof *bits;
    block_set_state(b, kind == MM_RECORD ? BLOCK_SLAB_RECORD : BLOCK_SLAB_VALUE, class, heap.epoch); /* O-7 */
    if (mm_barrier_on) {
        heap.newborn_bytes += MM_BLOCK_BYTES;
        heap_note_peak();
        barrier_open(block_base(b), MM_BLOCK_BYTES);
    }
    return b;
}

static void
slab_release(uint32_t b)
{
    uint64_t state = block_state(b);

    must(heap.blocks[b].retired_slots == 0);
    heap.blocks[b].images = 0;
    if (mm_barrier_on && state_birth(state) == heap.epoch)
        heap.newborn_bytes -= MM_BLOCK_BYTES;
    heap.bitmap_bytes -= 2 * class_words(state_class(state)) * sizeof *heap.blocks[b].bits;
    free(heap.blocks[b].bits);
    heap.blocks[b].bits = NULL;
    run_give(b, 1, 1);
}

/* next_word: make free_mask show the next word of cur with room.  false: cur has none behind this point. */
static bool
next_word(struct slab_class *sc, unsigned class)
{
    const uint64_t *used = slab_used(&heap.blocks[sc->cur]);

    for (uint32_t w = sc->word + 1; w < class_words(class); w++) {
        uint64_t mask = ~used[w] & valid_mask(class, w);

        if (mask != 0) {
            sc->word = w;
            sc->free_mask = mask;
            return true;
        }
    }
    return false;
}

/* drop_current: cur goes back to the list, if frees have made room behind the allocation point. */
static void
drop_current(struct slab_class *sc, unsigned class, struct block_list *list)
{
    uint32_t b = sc->cur;

    sc->cur = 0;
    sc->free_mask = 0;
    if (b == 0 || heap.blocks[b].used_slots == class_slots[class])
        return;
    list_push(list, b);
    heap.blocks[b].listed = true;
}

/* refill: find a slab with room for the class, or make one.  false: no memory. */
static bool
refill(enum mm_kind kind, unsigned class)
{
    struct slab_class *sc = &heap.classes[kind][class];
    uint32_t b;

    if (sc->cur != 0 && next_word(sc, class))
        return true;
    drop_current(sc, class, &sc->room);
    if ((b = sc->room.head) != 0) {
        list_remove(&sc->room, b);
        heap.blocks[b].listed = false;
    } else if ((b = slab_new(kind, class)) == 0) {
        return false;
    }
    sc->cur = b;
    sc->word = (uint32_t)-1;
    must(next_word(sc, class)); /* a slab on the list has room */
    return true;
}

static void *
slab_alloc(enum mm_kind kind, unsigned class)
{
    struct slab_class *sc = &heap.classes[kind][class];
    struct block *b;
    unsigned bit;

    if (unlikely(sc->free_mask == 0) && !refill(kind, class))
        return NULL;
    bit = (unsigned)__builtin_ctzll(sc->free_mask);
    sc->free_mask &= sc->free_mask - 1;
    b = &heap.blocks[sc->cur];
    slab_used(b)[sc->word] |= 1ULL << bit;
    b->used_slots++;
    heap.live_bytes += class_bytes[class];
    if (kind == MM_RECORD)
        heap.record_bytes += class_bytes[class];
    return block_base(sc->cur) + (size_t)(sc->word * 64 + bit) * class_bytes[class];
}

/* offer_room: a slab that has free slots again joins its class's list, or is given back when empty. */
static void
offer_room(uint32_t b, uint64_t state)
{
    unsigned class = state_class(state);
    struct slab_class *sc = &heap.classes[heap_of_kind(state_kind(state))][class];

    if (sc->cur == b)
        return;
    if (heap.blocks[b].used_slots == 0) {
        if (heap.blocks[b].listed)
            list_remove(&sc->room, b);
        heap.blocks[b].listed = false;
        slab_release(b);
    } else if (!heap.blocks[b].listed) {
        list_push(&sc->room, b);
        heap.blocks[b].listed = true;
    }
}

static void
slot_free(uint32_t b, uint64_t state, uint32_t slot)
{
    struct block *blk = &heap.blocks[b];
    struct slab_class *sc = &heap.classes[heap_of_kind(state_kind(state))][state_class(state)];
    uint64_t bit = 1ULL << (slot % 64);

    must((slab_used(blk)[slot / 64] & bit) != 0);
    slab_used(blk)[slot / 64] &= ~bit;
    blk->used_slots--;
    if (sc->cur == b) {
        if (sc->word == slot / 64)
            sc->free_mask |= bit;
        return;
    }
    /* While a cut is open an old, unswept slab is never here: its slots are retired.  A slab that the cut has
     * swept but that is not settled yet stays out of the lists; slab_settled() will offer it. */
    if (mm_barrier_on && state_birth(state) != heap.epoch && b >= heap.settle_next)
        return;
    offer_room(b, state);
}

static void
note_retired(uint32_t b, bool value)
{
    if (!value)
        return;
    heap.blocks[b].retired_next = 0;
    if (heap.retired.tail != 0)
        heap.blocks[heap.retired.tail].retired_next = b;
    else
        heap.retired.head = b;
    heap.retired.tail = b;
}

static void
slot_retire(uint32_t b, uint64_t state, uint32_t slot)
{
    struct block *blk = &heap.blocks[b];
    unsigned class = state_class(state);
    uint64_t bit = 1ULL << (slot % 64);

    must((slab_used(blk)[slot / 64] & bit) != 0);
    must((slab_retired(blk, class)[slot / 64] & bit) == 0);
    slab_retired(blk, class)[slot / 64] |= bit;
    if (blk->retired_slots++ == 0)
        note_retired(b, state_kind(state) == BLOCK_SLAB_VALUE);
    heap.retired_bytes += class_bytes[class];
    heap_note_peak();
}

void
slab_apply_retired(uint32_t b)
{
    struct block *blk = &heap.blocks[b];
    unsigned class = state_class(block_state(b));
    uint64_t *used = slab_used(blk), *retired = slab_retired(blk, class);

    if (blk->retired_slots == 0)
        return;
    for (unsigned w = 0; w < class_words(class); w++) {
        used[w] &= ~retired[w];
        retired[w] = 0;
    }
    blk->used_slots -= blk->retired_slots;
    heap.retired_bytes -= (size_t)blk->retired_slots * class_bytes[class];
    blk->retired_slots = 0;
}

void
slab_settled(uint32_t b)
{
    uint64_t state = block_state(b);
    unsigned class = state_class(state);
    struct slab_class *sc = &heap.classes[heap_of_kind(state_kind(state))][class];

    if (mm_barrier_on &&
        heap.blocks[b].listed) { /* it waits on the held list; while a cut is open that one is meant */
        list_remove(&sc->held, b);
        heap.blocks[b].listed = false;
    }
    barrier_open(block_base(b), MM_BLOCK_BYTES);
    if (heap.blocks[b].used_slots < class_slots[class])
        offer_room(b, state);
}

static void *
run_alloc(enum mm_kind kind, size_t bytes, size_t room_bytes)
{
    uint32_t n = (uint32_t)((room_bytes + MM_BLOCK_BYTES - 1) >> MM_BLOCK_SHIFT);
    uint32_t b = run_take(n, (uint32_t)((bytes + MM_BLOCK_BYTES - 1) >> MM_BLOCK_SHIFT));
    size_t charge = (bytes + 4095) & ~(size_t)4095;

    if (b == 0)
        return NULL;
    heap.blocks[b].run_blocks = n;
    heap.blocks[b].run_bytes = charge;
    heap.blocks[b].retired_slots = 0;
    for (uint32_t i = b + 1; i < b + n; i++)
        block_set_state(i, kind == MM_RECORD ? BLOCK_CONT_RECORD : BLOCK_CONT_VALUE, 0, heap.epoch);
    block_set_state(b, kind == MM_RECORD ? BLOCK_RUN_RECORD : BLOCK_RUN_VALUE, 0, heap.epoch); /* O-7 */
    heap.live_bytes += charge;
    if (kind == MM_RECORD)
        heap.record_bytes += charge;
    if (mm_barrier_on) {
        heap.newborn_bytes += charge;
        heap_note_peak();
        barrier_open(block_base(b), (size_t)n << MM_BLOCK_SHIFT);
    }
    return block_base(b);
}

void
run_release(uint32_t b)
{
    if (mm_barrier_on && state_birth(block_state(b)) == heap.epoch)
        heap.newborn_bytes -= heap.blocks[b].run_bytes;
    if (heap.blocks[b].retired_slots != 0)
        heap.retired_bytes -= heap.blocks[b].run_bytes;
    heap.blocks[b].retired_slots = 0;
    for (uint32_t i = b; i < b + run_charged(b); i++)
        heap.blocks[i].dirty = true;
    run_give(b, heap.blocks[b].run_blocks, run_charged(b));
}

void *
mm_alloc(enum mm_kind kind, size_t bytes)
{
    must(bytes > 0);
    if (fault_point(FAULT_mm_alloc))
        return NULL;
    if (likely(bytes <= MM_SLOT_MAX_BYTES))
        return slab_alloc(kind, size_class_of(bytes));
    if (bytes > (size_t)heap.block_count << MM_BLOCK_SHIFT)
        return NULL;
    return run_alloc(kind, bytes, bytes);
}

void *
mm_alloc_roomy(size_t bytes, size_t room_bytes)
{
    size_t spare = (size_t)(heap.block_count - heap.block_top) << MM_BLOCK_SHIFT;

    if (room_bytes > bytes && room_bytes < spare / 2 && bytes > MM_SLOT_MAX_BYTES &&
        !fault_point(FAULT_mm_alloc)) {
        void *p = run_alloc(MM_VALUE, bytes, room_bytes);

        if (p != NULL)
            return p;
    }
    return mm_alloc(MM_VALUE, bytes);
}

void
mm_grow(const void *p, size_t bytes)
{
    uint32_t b = block_of(p);
    uint64_t state = block_state(b);
    size_t charge = (bytes + 4095) & ~(size_t)4095, more;

    if (!kind_is_run(state_kind(state)) || charge <= heap.blocks[b].run_bytes)
        return;
    must(charge <= (size_t)heap.blocks[b].run_blocks << MM_BLOCK_SHIFT);
    more = charge - heap.blocks[b].run_bytes;
    heap.used_blocks -= run_charged(b);
    heap.blocks[b].run_bytes = charge;
    heap.used_blocks += run_charged(b);
    heap.live_bytes += more;
    if (state_kind(state) == BLOCK_RUN_RECORD)
        heap.record_bytes += more;
    if (mm_barrier_on && state_birth(state) == heap.epoch) {
        heap.newborn_bytes += more;
        heap_note_peak();
    }
}

void
mm_free(const void *p)
{
    uint32_t b = block_of(p);
    uint64_t state = block_state(b);
    enum block_kind kind = state_kind(state);
    bool record = heap_of_kind(kind) == MM_RECORD, frozen;
    size_t bytes = kind_is_slab(kind) ? class_bytes[state_class(state)] : heap.blocks[b].run_bytes;

    must(kind_is_slab(kind) || (kind_is_run(kind) && p == block_base(b)));
    heap.live_bytes -= bytes;
    if (record)
        heap.record_bytes -= bytes;
    /* V1: values wait for the whole sweep; records until their slab is swept (S2). */
    frozen = mm_barrier_on && state_birth(state) != heap.epoch && !(record && block_is_swept(b));
    if (kind_is_slab(kind)) {
        uint32_t slot = slot_index(state_class(state), p);

        debug_check(p == block_base(b) + (size_t)slot * class_bytes[state_class(state)]);
        if (frozen)
            slot_retire(b, state, slot);
        else
            slot_free(b, state, slot);
        return;
    }
    must(heap.blocks[b].retired_slots == 0);
    /* A record run that is swept but not settled yet is retired too: settling looks at each block once. */
    if (!frozen && !(mm_barrier_on && state_birth(state) != heap.epoch && b >= heap.settle_next)) {
        run_release(b);
        return;
    }
    heap.blocks[b].retired_slots = 1;
    heap.retired_bytes += bytes;
    note_retired(b, !record);
    heap_note_peak();
}

size_t
mm_usable(const void *p)
{
    uint32_t b = block_of(p);
    uint64_t state = block_state(b);

    if (kind_is_slab(state_kind(state)))
        return class_bytes[state_class(state)];
    return (size_t)heap.blocks[b].run_blocks << MM_BLOCK_SHIFT;
}
