/* mm/compact.c - which slabs are to be emptied, and moving what is in them. */
#include "mm/compact.h"

#include <string.h>

#include "mm/heap_impl.h"

/* For class i / 2 of kind i % 2: from the emptiest slabs on, as many as there is room for in the
 * others.  What a slab of band k has in use is taken for its middle: of sixteen parts 2 k + 1. */
static uint32_t
plan(unsigned i, uint32_t to_leave[BANDS])
{
    const struct slab_class *sc = &heap.classes[i % 2][i / 2];
    uint64_t room =
        sc->cur == 0 ? 0 : 16 - 16 * heap.blocks[sc->cur].used_slots / size_class_slots[i / 2];
    uint64_t moved = 0;
    uint32_t leaving = 0;

    for (unsigned k = 0; k < BANDS; k++) {
        room += (uint64_t)sc->room_count[k] * (15 - 2 * k);
        to_leave[k] = 0;
    }
    /* Slabs of the fullest band stay: there is little to gain, and they are what is filled. */
    for (unsigned k = 0; k < BANDS - 1; k++) {
        uint64_t each = 2 * k + 1, n = sc->room_count[k];

        /* n slabs leave: moved + n * each <= room - n * (16 - each) */
        if (moved + n * 16 > room)
            n = room > moved ? (room - moved) / 16 : 0;
        to_leave[k] = (uint32_t)n;
        leaving += (uint32_t)n;
        moved += n * each;
        room -= n * (16 - each);
        if (n < sc->room_count[k])
            break;
    }
    return leaving;
}

size_t
mm_compact_gain(void)
{
    uint64_t slabs = 0;
    uint32_t unused[BANDS];

    for (unsigned i = 0; i < 2 * size_class_count; i++) {
        uint32_t cur = heap.classes[i % 2][i / 2].cur;

        slabs += plan(i, unused);
        slabs += cur != 0 && heap.blocks[cur].used_slots == 0;
    }
    return (size_t)slabs << MM_BLOCK_SHIFT;
}

bool
mm_compact_begin(void)
{
    uint64_t slabs = 0;

    if (heap.compacting)
        return false;
    slabs_drop_empty();
    for (unsigned i = 0; i < 2 * size_class_count; i++)
        slabs += plan(i, heap.classes[i % 2][i / 2].to_leave);
    heap.compacting = slabs > 0;
    heap.compact_next = 0;
    return heap.compacting;
}

/* mark_class: false: `slabs` was not enough. */
static bool
mark_class(struct slab_class *sc, unsigned *slabs)
{
    for (unsigned k = 0; k < BANDS; k++)
        for (; sc->to_leave[k] > 0 && sc->room_count[k] > 0; sc->to_leave[k]--) {
            uint32_t b = sc->room[k].head;

            if (*slabs == 0)
                return false;
            --*slabs;
            slab_unlist(sc, b);
            if (heap.blocks[b].used_slots == 0) { /* it waits for a cut, and goes by itself */
                slab_offer(b, block_state(b));
                break;
            }
            block_list_push(&heap.leaving, b);
            sc->leaving++;
            heap.blocks[b].band = BAND_LEAVING;
            heap.blocks[b].band_floor = 1; /* CP1: when nothing is in it */
        }
    return true;
}

bool
mm_compact_mark(unsigned slabs)
{
    must(heap.compacting);
    for (; heap.compact_next < 2 * size_class_count; heap.compact_next++)
        if (!mark_class(&heap.classes[heap.compact_next % 2][heap.compact_next / 2], &slabs))
            return true;
    return false;
}

/* stay: something is still in it. */
static void
stay(uint32_t b)
{
    uint64_t state = block_state(b);
    uint32_t slots = size_class_slots[state_class(state)];

    if (heap.blocks[b].used_slots < slots) {
        slab_offer(b, state);
        return;
    }
    slab_unlist(slab_class_of(state), b); /* a full one, of a pass over all */
    heap.blocks[b].band_floor = (uint16_t)slots;
}

bool
mm_compact_leave(unsigned slabs)
{
    for (; slabs > 0 && heap.leaving.head != 0; slabs--)
        stay(heap.leaving.head);
    heap.compacting = heap.leaving.head != 0;
    if (!heap.compacting)
        heap.compact_all = false;
    return heap.compacting;
}

void
mm_compact_end(void)
{
    while (mm_compact_leave(UINT32_MAX))
        ;
}

bool
mm_compact_is_open(void)
{
    return heap.compacting;
}

size_t
mm_compact_left(void)
{
    size_t slabs = 0;

    for (unsigned i = 0; i < 2 * size_class_count; i++)
        slabs += heap.classes[i % 2][i / 2].leaving;
    return slabs << MM_BLOCK_SHIFT;
}

size_t
mm_used_bytes(void)
{
    return (size_t)heap.used_blocks << MM_BLOCK_SHIFT;
}

/* leave: a slab on whatever list, or none. */
static void
leave(struct slab_class *sc, uint32_t b)
{
    slab_unlist(sc, b);
    if (sc->cur == b) {
        sc->cur = 0;
        sc->free_mask = 0;
    }
    block_list_push(&heap.leaving, b);
    sc->leaving++;
    heap.blocks[b].band = BAND_LEAVING;
    heap.blocks[b].band_floor = 1; /* CP1 */
    heap.blocks[b].hint = 0;
}

void
mm_compact_begin_all(size_t least, size_t most)
{
    must(!heap.compacting);
    heap.compacting = heap.compact_all = true;
    heap.compact_next = 2 * size_class_count;
    for (uint32_t b = 1; b < heap.block_top; b++) {
        uint64_t state = block_state(b);
        uint32_t bytes = size_class_bytes[state_class(state)];

        if (kind_is_slab(state_kind(state)) && heap.blocks[b].used_slots > 0 && bytes >= least &&
            bytes <= most)
            leave(slab_class_of(state), b);
    }
}

bool
mm_wants_move(const void *p)
{
    uint32_t b = block_of(p);

    return heap.blocks[b].band == BAND_LEAVING && kind_is_slab(state_kind(block_state(b)));
}

const void *
mm_move(const void *p)
{
    uint32_t b = block_of(p);
    uint64_t state = block_state(b);
    unsigned class = state_class(state);
    struct slab_class *sc;
    void *to;

    if (!mm_wants_move(p))
        return p;
    debug_check(
        mm_is_allocated(p, size_class_bytes[class])); /* from the slot's begin, to its end */
    sc = slab_class_of(state);
    /* What was chosen may hold more than was reckoned.  Then a new slab takes the rest, or none of
     * the old ones would run dry; but one for one is nothing. */
    if (!heap.compact_all && sc->leaving < 2 && sc->bands == 0 &&
        (sc->cur == 0 || heap.blocks[sc->cur].used_slots == size_class_slots[class]))
        return p;
    if ((to = slab_alloc(state_heap(state), class)) == NULL)
        return p;
    debug_check(!mm_wants_move(to)); /* CP1 */
    memcpy(to, p, size_class_bytes[class]);
    mm_free(p);
    return to;
}
