/* mm/slab.c - slots of one size, and runs: allocate, free, retire.
 *
 * A slab's bitmaps stand beside the arena: used[] is what the sweep sees, frozen from the cut until
 * it has passed (S2); changed[] is the mutator's own note of what became of a slot meanwhile:
 *
 *     used changed
 *      0      0      free
 *      1      0      in use, as at the cut
 *      1      1      retired: freed since; the sweep may still read it
 *      0      1      born: it was free at the cut, and is in use
 *
 * Settling is used ^= changed, changed = 0.  Why it is so: S3 in docs/design.md. */
#include <stdlib.h>
#include <string.h>

#include "mm/base/fault.h"
#include "mm/heap_impl.h"
#include "mm/page.h"

/* open_mask: the slots of bitmap word w that may be allocated. */
static uint64_t
open_mask(uint32_t b, unsigned class, uint32_t w)
{
    const struct block *blk = &heap.blocks[b];
    uint64_t mask = ~slab_used(blk)[w] & valid_mask(class, w);

    if (unlikely(blk->pending))
        mask &= ~slab_changed(blk, class)[w];
#ifdef STILLFRAME_BARRIER
    if (slab_takes_births(b, block_state(b)))
        mask &= guard_births(b, class, w);
#endif
    return mask;
}

/* slab_new: a fresh slab, born in this epoch.  0: no memory. */
static uint32_t
slab_new(enum mm_kind kind, unsigned class)
{
    uint64_t *bits;
    uint32_t b;

    if (fault_point(FAULT_mm_bitmap))
        return 0;
    if ((bits = calloc(2 * size_class_words(class), sizeof *bits)) == NULL)
        return 0;
    if ((b = blocks_take(1, 1)) == 0) {
        free(bits);
        return 0;
    }
    heap.blocks[b].bits = bits;
    heap.blocks[b].used_slots = heap.blocks[b].retired_slots = 0;
    heap.blocks[b].images = 0;
    heap.blocks[b].pending = false;
    heap.blocks[b].hint = 0;
    heap.blocks[b].band = BAND_NONE;
    heap.blocks[b].band_floor = (uint16_t)size_class_slots[class];
    heap.bitmap_bytes += 2 * size_class_words(class) * sizeof *bits;
    /* O-7 */
    block_set_state(b, kind == MM_RECORD ? BLOCK_SLAB_RECORD : BLOCK_SLAB_VALUE, class, heap.epoch);
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

    must(heap.blocks[b].used_slots == 0 && !heap.blocks[b].pending);
    must(heap.blocks[b].band == BAND_NONE); /* or a list would go on through a free block */
    must(!slab_takes_births(b, state)); /* S2: kind and extent stay until the sweep has passed */
    heap.blocks[b].images = 0;
    if (mm_barrier_on && state_birth(state) == heap.epoch)
        heap.newborn_bytes -= MM_BLOCK_BYTES;
    heap.bitmap_bytes -= 2 * size_class_words(state_class(state)) * sizeof *heap.blocks[b].bits;
    free(heap.blocks[b].bits);
    heap.blocks[b].bits = NULL;
    blocks_give(b, 1, 1);
}

struct slab_class *
slab_class_of(uint64_t state)
{
    return &heap.classes[state_heap(state)][state_class(state)];
}

void
slab_unlist(struct slab_class *sc, uint32_t b)
{
    unsigned band = heap.blocks[b].band;

    if (band == BAND_NONE)
        return;
    heap.blocks[b].band = BAND_NONE;
    if (band == BAND_LEAVING) {
        block_list_remove(&heap.leaving, b);
        sc->leaving--;
        return;
    }
    block_list_remove(&sc->room[band], b);
    if (--sc->room_count[band] == 0)
        sc->bands &= ~(1U << band);
}

void
slab_offer(uint32_t b, uint64_t state)
{
    struct block *blk = &heap.blocks[b];
    struct slab_class *sc = slab_class_of(state);
    uint32_t slots = size_class_slots[state_class(state)];
    unsigned band = blk->used_slots * BANDS / slots;

    debug_check(sc->cur != b && blk->used_slots < slots);
    slab_unlist(sc, b);
    if (blk->used_slots == 0 && !blk->pending && !slab_takes_births(b, state)) {
        slab_release(b);
        return;
    }
    block_list_push(&sc->room[band], b);
    sc->room_count[band]++;
    sc->bands |= 1U << band;
    blk->band = (uint8_t)band;
    /* The least that this band holds: with one less, the next one; with none, the system.  One that
     * may not go yet is looked at when it is settled. */
    blk->band_floor = (uint16_t)((band * slots + BANDS - 1) / BANDS);
    if (band == 0)
        blk->band_floor = blk->used_slots != 0;
}

/* note_pending: before a bit of changed[] is set. */
static void
note_pending(uint32_t b, bool value)
{
    heap.blocks[b].pending = true;
    if (!value)
        return;
    heap.blocks[b].pending_next = 0;
    if (heap.pending.tail != 0)
        heap.blocks[heap.pending.tail].pending_next = b;
    else
        heap.pending.head = b;
    heap.pending.tail = b;
}

/* choose_bitmap: where cur notes what is allocated in it (S3). */
static void
choose_bitmap(struct slab_class *sc, unsigned class)
{
    struct block *blk = &heap.blocks[sc->cur];
    uint64_t state = block_state(sc->cur);

    if (!slab_takes_births(sc->cur, state)) {
        sc->mark = slab_used(blk);
        return;
    }
    sc->mark = slab_changed(blk, class);
    if (!blk->pending)
        note_pending(sc->cur, state_kind(state) == BLOCK_SLAB_VALUE);
}

/* next_word: make free_mask show the next word of cur with room.  false: cur has none behind this
 * point. */
static bool
next_word(struct slab_class *sc, unsigned class)
{
    if (heap.blocks[sc->cur].used_slots == size_class_slots[class])
        return false;
    for (uint32_t w = sc->word + 1; w < size_class_words(class); w++) {
        uint64_t mask = open_mask(sc->cur, class, w);

        if (mask != 0) {
            sc->word = w;
            sc->free_mask = mask;
            return true;
        }
    }
    return false;
}

/* drop_current: cur goes back to a list, if frees have made room behind the allocation point. */
static void
drop_current(struct slab_class *sc, unsigned class)
{
    uint32_t b = sc->cur;

    sc->cur = 0;
    sc->free_mask = 0;
    if (b == 0)
        return;
#ifdef STILLFRAME_BARRIER
    heap.blocks[b].hint = 0; /* what is closed to births now is room later */
#endif
    heap.blocks[b].band_floor = (uint16_t)size_class_slots[class];
    if (heap.blocks[b].used_slots < size_class_slots[class])
        slab_offer(b, block_state(b));
}

/* fullest: the slab to fill next; 0: none has room. */
static uint32_t
fullest(struct slab_class *sc, unsigned class)
{
    uint32_t b;

    for (uint32_t bands = sc->bands; bands != 0; bands &= ~(1U << (31 - __builtin_clz(bands))))
        for (b = sc->room[31 - __builtin_clz(bands)].head; b != 0; b = heap.blocks[b].next)
#ifdef STILLFRAME_BARRIER
            if (guard_has_births(b, class))
#endif
                return b;
    (void)class;
    return 0;
}

/* refill: find a slab with room for the class, or make one.  false: no memory. */
static bool
refill(enum mm_kind kind, unsigned class)
{
    struct slab_class *sc = &heap.classes[kind][class];
    uint32_t b;

    if (sc->cur != 0 && next_word(sc, class))
        return true;
    drop_current(sc, class);
    if ((b = fullest(sc, class)) != 0)
        slab_unlist(sc, b);
    else if ((b = slab_new(kind, class)) == 0)
        return false;
    sc->cur = b;
    sc->word = (uint32_t)heap.blocks[b].hint - 1;
    heap.blocks[b].hint = UINT8_MAX;
    choose_bitmap(sc, class);
    must(next_word(sc, class)); /* a slab on a list has room */
    return true;
}

void *
slab_alloc(enum mm_kind kind, unsigned class)
{
    struct slab_class *sc = &heap.classes[kind][class];
    unsigned bit;
    char *p;

    if (unlikely(sc->free_mask == 0) && !refill(kind, class))
        return NULL;
    bit = (unsigned)__builtin_ctzll(sc->free_mask);
    sc->free_mask &= sc->free_mask - 1;
    debug_check(heap.blocks[sc->cur].band == BAND_NONE); /* CP1 */
    debug_check(((slab_used(&heap.blocks[sc->cur])[sc->word] |
                  slab_changed(&heap.blocks[sc->cur], class)[sc->word]) >>
                     bit &
                 1) == 0);
    sc->mark[sc->word] |= 1ULL << bit;
    heap.blocks[sc->cur].used_slots++;
    heap.live_bytes += size_class_bytes[class];
    if (kind == MM_RECORD)
        heap.record_bytes += size_class_bytes[class];
    p = block_base(sc->cur) + (size_t)(sc->word * 64 + bit) * size_class_bytes[class];
    barrier_open(p, size_class_bytes[class]);
    return p;
}

static void
slot_free(uint32_t b, uint64_t state, uint32_t slot)
{
    struct block *blk = &heap.blocks[b];
    struct slab_class *sc = slab_class_of(state);
    uint64_t bit = 1ULL << (slot % 64), *used = &slab_used(blk)[slot / 64];

    if (unlikely(blk->pending)) {
        uint64_t *changed = &slab_changed(blk, state_class(state))[slot / 64];

        must(((*used ^ *changed) & bit) != 0); /* in use, and not retired */
        /* S3: a born one goes as if it had never been; used[] is the sweep's to read meanwhile
         * (S2), so that not even the same value is written to it.  The other kind is swept. */
        if ((*changed & bit) != 0)
            *changed &= ~bit;
        else
            *used &= ~bit;
    } else {
        must((*used & bit) != 0);
        *used &= ~bit;
    }
    blk->used_slots--;
    if (slot / 64 < blk->hint)
        blk->hint = (uint8_t)(slot / 64);
    if (sc->cur == b) {
        if (sc->word == slot / 64)
            sc->free_mask |= bit;
        return;
    }
    if (blk->used_slots < blk->band_floor)
        slab_offer(b, state);
}

static void
slot_retire(uint32_t b, uint64_t state, uint32_t slot)
{
    struct block *blk = &heap.blocks[b];
    unsigned class = state_class(state);
    uint64_t bit = 1ULL << (slot % 64);

    must((slab_used(blk)[slot / 64] & bit) != 0);
    must((slab_changed(blk, class)[slot / 64] & bit) == 0);
    if (!blk->pending)
        note_pending(b, state_kind(state) == BLOCK_SLAB_VALUE);
    slab_changed(blk, class)[slot / 64] |= bit;
    blk->retired_slots++;
    heap.retired_bytes += size_class_bytes[class];
    heap_note_peak();
}

void
slab_settle(uint32_t b)
{
    struct block *blk = &heap.blocks[b];
    uint64_t state = block_state(b);
    unsigned class = state_class(state);
    struct slab_class *sc = slab_class_of(state);

    debug_check(!slab_takes_births(b, state)); /* S2: the sweep has passed, or the cut has ended */
    if (blk->pending) {
        uint64_t *used = slab_used(blk), *changed = slab_changed(blk, class);

        for (unsigned w = 0; w < size_class_words(class); w++) {
            used[w] ^= changed[w]; /* S3 */
            changed[w] = 0;
        }
        blk->used_slots -= blk->retired_slots;
        heap.retired_bytes -= (size_t)blk->retired_slots * size_class_bytes[class];
        blk->retired_slots = 0;
        blk->pending = false;
        blk->hint = 0;
    }
    barrier_open(block_base(b), MM_BLOCK_BYTES);
    if (sc->cur == b) {
        choose_bitmap(sc, class);
        sc->free_mask = open_mask(b, class, sc->word);
    } else if (blk->used_slots < blk->band_floor || blk->used_slots == 0) {
        slab_offer(b, state);
    }
}

void
slabs_drop_empty(void)
{
    for (unsigned i = 0; i < 2 * size_class_count; i++) {
        struct slab_class *sc = &heap.classes[i % 2][i / 2];

        if (sc->cur != 0 && heap.blocks[sc->cur].used_slots == 0)
            drop_current(sc, i / 2);
    }
}

void
slabs_choose_bitmaps(void)
{
    for (unsigned i = 0; i < 2 * size_class_count; i++) {
        struct slab_class *sc = &heap.classes[i % 2][i / 2];

        if (sc->cur == 0)
            continue;
        choose_bitmap(sc, i / 2);
        sc->free_mask = open_mask(sc->cur, i / 2, sc->word);
    }
}

/* mark_run: blocks [from, end) of a run are born now.  Its room is marked as it grows (V3), but for
 * the last block, at which its neighbour sees that it is not free. */
static void
mark_run(enum mm_kind kind, uint32_t from, uint32_t end)
{
    for (uint32_t i = from; i < end; i++)
        block_set_state(i, kind == MM_RECORD ? BLOCK_CONT_RECORD : BLOCK_CONT_VALUE, 0, heap.epoch);
}

static void *
run_alloc(enum mm_kind kind, size_t bytes, size_t room_bytes)
{
    uint32_t n = (uint32_t)((room_bytes + MM_BLOCK_BYTES - 1) >> MM_BLOCK_SHIFT);
    uint32_t charged = (uint32_t)((bytes + MM_BLOCK_BYTES - 1) >> MM_BLOCK_SHIFT);
    uint32_t b = blocks_take(n, charged);
    size_t charge = run_charge(bytes);

    if (b == 0)
        return NULL;
    heap.blocks[b].run_blocks = n;
    heap.blocks[b].run_bytes = bytes;
    heap.blocks[b].roomy = room_bytes > bytes;
    heap.blocks[b].retired_slots = 0;
    mark_run(kind, b + 1, b + charged);
    mark_run(kind, b + (n > charged ? n - 1 : n), b + n);
    /* O-7 */
    block_set_state(b, kind == MM_RECORD ? BLOCK_RUN_RECORD : BLOCK_RUN_VALUE, 0, heap.epoch);
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
block_run_release(uint32_t b)
{
    if (mm_barrier_on && state_birth(block_state(b)) == heap.epoch)
        heap.newborn_bytes -= run_charge(heap.blocks[b].run_bytes);
    if (heap.blocks[b].retired_slots != 0)
        heap.retired_bytes -= run_charge(heap.blocks[b].run_bytes);
    heap.blocks[b].retired_slots = 0;
    for (uint32_t i = b; i < b + block_run_charged(b); i++)
        heap.blocks[i].dirty = true;
    blocks_give(b, heap.blocks[b].run_blocks, block_run_charged(b));
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

size_t
mm_spare_room(void)
{
    uint32_t kept = heap.block_count / 2, spare = heap.block_count - heap.block_top;

    return spare > kept ? (size_t)(spare - kept) << MM_BLOCK_SHIFT : 0;
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

/* note_end: block b was the last one of its run, with so many bytes in use, before it grew; the
 * first note of a cut is the one of its instant (V3). */
static void
note_end(uint32_t b, size_t bytes)
{
    struct block *blk = &heap.blocks[b];

    if (state_birth(block_state(b)) == heap.epoch || blk->grown_in == heap.epoch)
        return;
    blk->grown_in = heap.epoch;
    blk->grown_from = (uint32_t)bytes;
}

void
mm_grow(const void *p, size_t bytes)
{
    uint32_t b = block_of(p);
    uint64_t state = block_state(b);
    size_t more;
    uint32_t had;

    debug_check(mm_is_allocated(p, 1));
    debug_check(bytes <= mm_usable(p));
    if (!kind_is_run(state_kind(state)) || bytes <= heap.blocks[b].run_bytes)
        return;
    must(bytes <= (size_t)heap.blocks[b].run_blocks << MM_BLOCK_SHIFT);
    more = run_charge(bytes) - run_charge(heap.blocks[b].run_bytes);
    had = block_run_charged(b);
    if (mm_barrier_on && heap.blocks[b].roomy)
        note_end(b + had - 1, heap.blocks[b].run_bytes - ((size_t)(had - 1) << MM_BLOCK_SHIFT));
    heap.blocks[b].run_bytes = bytes;
    heap.used_blocks += block_run_charged(b) - had;
    mark_run(state_heap(state), b + had, b + block_run_charged(b)); /* V3 */
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
    bool record = state_heap(state) == MM_RECORD, frozen;
    size_t bytes = kind_is_slab(kind) ? size_class_bytes[state_class(state)]
                                      : run_charge(heap.blocks[b].run_bytes);

    must(kind_is_slab(kind) || (kind_is_run(kind) && p == block_base(b)));
    heap.live_bytes -= bytes;
    if (record)
        heap.record_bytes -= bytes;
    /* V1: values wait for the whole sweep; records until their slab is swept (S2). */
    frozen = mm_barrier_on && state_birth(state) != heap.epoch && !(record && block_is_swept(b));
    if (kind_is_slab(kind)) {
        uint32_t slot = slot_index(state_class(state), p);

        debug_check(p == block_base(b) + (size_t)slot * size_class_bytes[state_class(state)]);
        if (frozen && !slot_is_born(b, state, p))
            slot_retire(b, state, slot);
        else
            slot_free(b, state, slot);
        return;
    }
    must(heap.blocks[b].retired_slots == 0);
    /* A record run that is swept but not settled yet is retired too: settling looks at each block
     * once. */
    if (!frozen && !(mm_barrier_on && state_birth(state) != heap.epoch && b >= heap.settle_next)) {
        block_run_release(b);
        return;
    }
    heap.blocks[b].retired_slots = 1;
    heap.retired_bytes += bytes;
    if (!record)
        note_pending(b, true);
    heap_note_peak();
}

size_t
mm_usable(const void *p)
{
    uint32_t b = block_of(p);
    uint64_t state = block_state(b);

    if (kind_is_slab(state_kind(state)))
        return size_class_bytes[state_class(state)];
    debug_check(kind_is_run(state_kind(state)) && p == block_base(b)); /* as mm_alloc returned it */
    return (size_t)heap.blocks[b].run_blocks << MM_BLOCK_SHIFT;
}
