/* mm/heap_impl.h - the arena's inside: for the files of mm/ and their tests only.
 *
 * The arena is an array of blocks of 64 KiB.  A block is free, a slab (slots of one size class, of
 * one heap), or part of a run (one large object).  All that is known of a block stands in a side
 * table entry, struct block: neither allocation nor free ever touches user pages.
 *
 *     FREE --slab_new/run_new--> SLAB or RUN --block_release--> FREE
 *
 * Lists are linked by block number through the side table; 0 ends a list, so block 0 is never used.
 * Threads: mutator, but for the two atomic fields. */
#ifndef MM_HEAP_IMPL_H
#define MM_HEAP_IMPL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "mm/mm.h"

/* Of what is in use, the odd kinds are the records': state_heap(). */
enum block_kind {
    BLOCK_FREE,
    BLOCK_SLAB_RECORD,
    BLOCK_SLAB_VALUE,
    BLOCK_RUN_RECORD, /* the first block of a run */
    BLOCK_RUN_VALUE,
    /* the other blocks of a run that are in use, born when it came so far (V3) */
    BLOCK_CONT_RECORD,
    BLOCK_CONT_VALUE,
    BLOCK_LENT /* free, but on loan to the discarder (tidy.c) */
};

struct block {
    /* birth epoch << 32 | class << 8 | kind  [mutator writes, sweep reads] O-7, S2 */
    _Atomic uint64_t state;
    /* epoch in which the sweep has passed here  [sweep writes, mutator reads] O-3 */
    _Atomic uint32_t swept;
    uint32_t run_blocks;   /* first block of a run; first and last of a free run: its length */
    uint32_t prev, next;   /* links: list of slabs with room, or free bin */
    uint32_t pending_next; /* link of the list of value blocks that wait for the cut's end */
    union {
        uint32_t used_slots; /* slab: slots that are not free: used, retired, born */
        epoch_t grown_in;    /* of a run: the cut since which grown_from is right; V3 */
    };
    uint32_t retired_slots; /* slab: the retired ones among them; run: 1 when the run is retired */
    union {
        uint32_t images;     /* record slab: chain of the page copies of the open cut */
        uint32_t grown_from; /* of a run: bytes of this block that were in use at that cut */
    };
    bool dirty;   /* memory may be behind it; free blocks: for mm_tidy() */
    bool pending; /* slab: changed[] may have bits; values: it stands on heap.pending */
    /* slab: which list of its class it stands on; or heap.leaving; or none */
    uint8_t band;
    bool roomy;          /* run: from mm_alloc_roomy(), so that mm_grow() says how far it is used */
    uint16_t band_floor; /* with fewer slots in use it belongs to another band, or goes */
    /* slab: no bitmap word below it has room; that of cur: below it and cur's word */
    uint8_t hint;
    bool words_touched; /* the page words of this block and its group have memory (page.c) */
    union {
        uint64_t *bits;   /* slab: used[words], then changed[words] (S2, S3) */
        size_t run_bytes; /* run: bytes that are or were in use; accounts: run_charge() */
    };
};

struct block_list {
    uint32_t head, tail;
};

/* Slabs with room stand in bands by how full they are; the fullest are filled first, so that those
 * with little in them run dry and go. */
enum { BANDS = 8, BAND_LEAVING = 254, BAND_NONE = 255 };

struct slab_class {
    uint32_t cur;       /* the slab that allocation takes from; off every list; 0: none */
    uint32_t word;      /* index of the bitmap word that free_mask mirrors */
    uint64_t free_mask; /* free slots of that word */
    /* the bitmap of cur in which a new slot is noted: used[], or changed[] (S3) */
    uint64_t *mark;
    uint32_t bands;                /* which of room[] have slabs: bit k for room[k] */
    struct block_list room[BANDS]; /* [BANDS - 1]: the fullest */
    uint32_t room_count[BANDS];
    uint32_t to_leave[BANDS]; /* compact.c: how many of each are still to be chosen */
    uint32_t leaving;         /* compact.c: of its slabs on heap.leaving */
};

/* so many free blocks, at most, are fetched before they are needed (blocks.c) */
enum { AHEAD_BLOCKS = 32 };

enum { SIZE_CLASS_MAX = 80, RUN_BINS = 128 };

struct heap {
    char *base;
    size_t arena_bytes;
    uint32_t block_count; /* of the whole reservation */
    /* blocks [1, block_top) have been in use at some time */
    uint32_t block_top;
    uint32_t committed_top; /* blocks below it are committed */
    struct block *blocks;   /* side table, reserved; committed with block_top */
    struct slab_class classes[2][SIZE_CLASS_MAX]; /* [mm_kind][size class] */
    uint32_t bins[RUN_BINS];                      /* free runs by length */
    uint64_t bins_used[2];                        /* which bins are not empty */
    /* the cut */
    epoch_t epoch;                    /* of the newest cut; blocks are born in it */
    bool settling;                    /* the cut has ended, its leftovers have not */
    uint32_t settle_next, settle_end; /* record blocks still to be settled */
    struct block_list pending;        /* value slabs with changed bits, value runs retired */
    /* compact.c */
    bool compacting;
    bool compact_all;          /* for tests: room for what moves need not be there */
    struct block_list leaving; /* slabs that are to be emptied */
    unsigned compact_next;     /* kind and class whose slabs are chosen next */
    /* free memory */
    /* where the walk over free runs goes on: a block at which one begins, or something else does;
     * and the place in it */
    uint32_t tidy_next, tidy_at;
    uint32_t lent_blocks;
    /* [const after mm_init] tidy_recall(): tidying stands above those who may miss what is lent */
    bool (*recall)(void);
    uint32_t dirty_free_blocks;
    uint32_t until_look;     /* when so many more have been taken, it is looked what comes next */
    uint32_t idle_blocks;    /* the least that dirty_free_blocks was in this period (tidy.c) */
    uint32_t surplus_blocks; /* of them may go, since nobody needed them in the last one */
    uint32_t used_blocks;
    /* figures */
    size_t live_bytes, record_bytes, retired_bytes, newborn_bytes, peak_bytes, bitmap_bytes;
    /* as they were when the cut began */
    size_t cut_live_bytes, cut_words_bytes;
    uint32_t cut_blocks;
};
extern struct heap heap;

static inline uint32_t
block_of(const void *p)
{
    return (uint32_t)((size_t)((const char *)p - heap.base) >> MM_BLOCK_SHIFT);
}

static inline char *
block_base(uint32_t b)
{
    return heap.base + ((size_t)b << MM_BLOCK_SHIFT);
}

static inline uint64_t
block_state(uint32_t b)
{
    return atomic_load_explicit(&heap.blocks[b].state, memory_order_relaxed);
}

static inline enum block_kind
state_kind(uint64_t s)
{
    return (enum block_kind)(s & 0xff);
}

/* state_heap: of a slab or run, whichever block of it. */
static inline enum mm_kind
state_heap(uint64_t s)
{
    return state_kind(s) % 2 != 0 ? MM_RECORD : MM_VALUE;
}

static inline unsigned
state_class(uint64_t s)
{
    return (unsigned)(s >> 8) & 0xff;
}

static inline epoch_t
state_birth(uint64_t s)
{
    return (epoch_t)(s >> 32);
}

/* block_set_state: publish kind, class and birth in one word, after everything that a reader of it
 * may look at (O-7). */
static inline void
block_set_state(uint32_t b, enum block_kind kind, unsigned class, epoch_t birth)
{
    atomic_store_explicit(&heap.blocks[b].state, (uint64_t)birth << 32 | class << 8 | kind,
                          memory_order_release);
}

static inline bool
kind_is_slab(enum block_kind k)
{
    return k == BLOCK_SLAB_RECORD || k == BLOCK_SLAB_VALUE;
}

static inline bool
kind_is_run(enum block_kind k)
{
    return k == BLOCK_RUN_RECORD || k == BLOCK_RUN_VALUE;
}

/* run_charge: what a run with so many bytes in use counts. */
static inline size_t
run_charge(size_t bytes)
{
    return (bytes + 4095) & ~(size_t)4095;
}

/* block_run_charged: blocks of the run at b that are in use. */
static inline uint32_t
block_run_charged(uint32_t b)
{
    return (uint32_t)((heap.blocks[b].run_bytes + MM_BLOCK_BYTES - 1) >> MM_BLOCK_SHIFT);
}

static inline bool
block_is_swept(uint32_t b)
{
    /* O-3 mutator */
    return atomic_load_explicit(&heap.blocks[b].swept, memory_order_acquire) == heap.epoch;
}

/* blocks.c: runs of blocks, the first `charged` of which are in use: the rest is address space to
 * grow into.
 * blocks_take: 0 if there is no memory. */
uint32_t blocks_take(uint32_t blocks, uint32_t charged);
void blocks_give(uint32_t first, uint32_t blocks, uint32_t charged);
/* blocks_split: blocks [b, b + n) of the free run at first leave it and the bins; the rest of it
 * stays. */
void blocks_split(uint32_t first, uint32_t blocks, uint32_t b, uint32_t n);
void block_list_push(struct block_list *l, uint32_t b);
void block_list_remove(struct block_list *l, uint32_t b);

/* tidy_recall (tidy.c): wait for what is on loan to the discarder, and take it back.  False:
 * nothing was. */
bool tidy_recall(void);

/* slab.c.  slab_alloc: NULL: no memory. */
void *slab_alloc(enum mm_kind kind, unsigned class);
struct slab_class *slab_class_of(uint64_t state);
/* slab_unlist: it leaves the list on which it stands, if any.
 * slab_offer: one that is not cur: to the list where it belongs now, or back when it is empty. */
void slab_unlist(struct slab_class *sc, uint32_t b);
void slab_offer(uint32_t b, uint64_t state);
/* slab_settle: what was retired is free, what was born is used (S3). */
void slab_settle(uint32_t b);
/* slabs_choose_bitmaps: a cut has begun or ended: S3 for the slabs that allocation takes from. */
void slabs_choose_bitmaps(void);
/* slabs_drop_empty: slabs that allocation takes from, and nothing is in them, are given back. */
void slabs_drop_empty(void);
/* block_run_release: the run that starts at b is free. */
void block_run_release(uint32_t b);

/* size classes: size_class.c */
extern uint32_t size_class_bytes[SIZE_CLASS_MAX];
extern uint32_t size_class_slots[SIZE_CLASS_MAX];
extern uint64_t size_class_reciprocal[SIZE_CLASS_MAX];
extern unsigned size_class_count;
void size_class_init(void);
unsigned size_class_of(size_t bytes); /* bytes <= MM_SLOT_MAX_BYTES */

static inline unsigned
size_class_words(unsigned class)
{
    return (size_class_slots[class] + 63) / 64;
}

static inline uint32_t
slot_index(unsigned class, const void *p)
{
    uint64_t offset = (size_t)((const char *)p - heap.base) & (MM_BLOCK_BYTES - 1);

    return (uint32_t)(offset * size_class_reciprocal[class] >> 32);
}

/* valid_mask: the slots that bitmap word w of a slab really has. */
static inline uint64_t
valid_mask(unsigned class, uint32_t w)
{
    uint32_t left = size_class_slots[class] - w * 64;

    return left >= 64 ? ~0ULL : (1ULL << left) - 1;
}

static inline uint64_t *
slab_used(const struct block *b)
{
    return b->bits;
}

static inline uint64_t *
slab_changed(const struct block *b, unsigned class)
{
    return b->bits + size_class_words(class);
}

/* slab_takes_births: S3: a slab of before the cut that is not settled yet, so that what is
 * allocated in it stands in changed[] alone. */
static inline bool
slab_takes_births(uint32_t b, uint64_t state)
{
    return mm_barrier_on && state_birth(state) != heap.epoch &&
           !(state_kind(state) == BLOCK_SLAB_RECORD && b < heap.settle_next);
}

/* slot_is_born: S3: p lies in a slot that was free at the open cut and was allocated since. */
static inline bool
slot_is_born(uint32_t b, uint64_t state, const void *p)
{
    const struct block *blk = &heap.blocks[b];
    unsigned class = state_class(state);
    uint32_t slot;

    if (!blk->pending || !kind_is_slab(state_kind(state)))
        return false;
    slot = slot_index(class, p);
    return (slab_changed(blk, class)[slot / 64] & ~slab_used(blk)[slot / 64]) >> (slot % 64) & 1;
}

/* slot_in_use: neither free nor retired. */
static inline bool
slot_in_use(uint32_t b, uint64_t state, uint32_t slot)
{
    const struct block *blk = &heap.blocks[b];

    return ((slab_used(blk)[slot / 64] ^ slab_changed(blk, state_class(state))[slot / 64]) >>
            (slot % 64)) &
           1;
}

/* heap_note_peak: after any of preserved, retired, newborn has grown. */
void heap_note_peak(void);
/* heap_note_cut: what mm_cut_memory() counts from. */
void heap_note_cut(void);

#ifdef STILLFRAME_BARRIER
/* barrier_open: the sanitizer's pages at p become writable (guard.c). */
void barrier_open(const void *p, size_t len);
void barrier_close_all(void);
void barrier_open_all(void);
/* guard_births: the slots of bitmap word w on pages that hold nothing of the cut, so that a birth
 * opens no page whose other slots are to be watched;
 * guard_has_births: has the slab any? */
uint64_t guard_births(uint32_t b, unsigned class, uint32_t w);
bool guard_has_births(uint32_t b, unsigned class);
#else
#define barrier_open(p, len) ((void)0)
#define barrier_close_all()  ((void)0)
#define barrier_open_all()   ((void)0)
#endif

#endif
