/* mm/heap.h - the arena's inside, shared by the files of mm/ only (and by snapshot/view.c through mm/page.h).
 *
 * The arena is an array of blocks of 64 KiB.  A block is free, a slab (slots of one size class, of one heap),
 * or part of a run (one large object).  All that is known of a block stands in a side table entry, struct
 * block: neither allocation nor free ever touches user pages.
 *
 *     FREE --slab_new/run_new--> SLAB or RUN --block_release--> FREE
 *
 * Lists are linked by block number through the side table; 0 ends a list, so block 0 is never used.
 * Threads: mutator, but for the two atomic fields. */
#ifndef MM_HEAP_H
#define MM_HEAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "mm/mm.h"

enum block_kind {
    BLOCK_FREE,
    BLOCK_SLAB_RECORD,
    BLOCK_SLAB_VALUE,
    BLOCK_RUN_RECORD, /* the first block of a run */
    BLOCK_RUN_VALUE,
    BLOCK_CONT_RECORD, /* the other blocks of a run: same birth as the first */
    BLOCK_CONT_VALUE,
    BLOCK_LENT /* free, but on loan to the discarder (tidy.c) */
};

struct block {
    _Atomic uint64_t state; /* birth epoch << 32 | class << 8 | kind  [mutator writes, sweep reads] O-7, S2 */
    _Atomic uint32_t swept; /* epoch in which the sweep has passed here  [sweep writes, mutator reads] O-3 */
    uint32_t run_blocks;    /* first block of a run; first and last of a free run: its length */
    uint32_t prev, next;    /* links: list of slabs with room, free bin, or list of retired */
    uint32_t retired_next;  /* link of the list of value blocks with something retired */
    uint32_t used_slots;    /* slab: set bits of used[], the retired ones among them */
    uint32_t retired_slots; /* slab: set bits of retired[]; run: 1 when the run is retired */
    uint32_t images;        /* record slab: chain of the page copies of the open cut */
    bool dirty;             /* memory may be behind it; free blocks: for mm_tidy() */
    bool listed;            /* on its class's list of slabs with room */
    uint8_t pad[6];
    union {
        uint64_t *bits;   /* slab: used[words], then retired[words] */
        size_t run_bytes; /* run: bytes in use, rounded up to 4 KiB */
    };
};

struct block_list {
    uint32_t head, tail;
};

struct slab_class {
    uint32_t cur;           /* the slab that allocation takes from; off every list; 0: none */
    uint32_t word;          /* index of the bitmap word that free_mask mirrors */
    uint64_t free_mask;     /* free slots of that word */
    struct block_list room; /* slabs with free slots that may be allocated from */
    struct block_list held; /* slabs with free slots that the open cut has closed */
};

enum { CLASS_MAX = 80, RUN_BINS = 128 };

struct heap {
    char *base;
    size_t arena_bytes;
    uint32_t block_count;                    /* of the whole reservation */
    uint32_t block_top;                      /* blocks [1, block_top) have been in use at some time */
    uint32_t committed_top;                  /* blocks below it are committed */
    struct block *blocks;                    /* side table, reserved; committed with block_top */
    struct slab_class classes[2][CLASS_MAX]; /* [mm_kind][size class] */
    uint32_t bins[RUN_BINS];                 /* free runs by length */
    uint64_t bins_used[2];                   /* which bins are not empty */
    /* the cut */
    epoch_t epoch;                    /* of the newest cut; blocks are born in it */
    bool settling;                    /* the cut has ended, its leftovers have not */
    bool values_pending;              /* settling: the lists of value blocks are not empty yet */
    uint32_t settle_next, settle_end; /* record blocks still to be settled */
    struct block_list retired;        /* value slabs with retired bits, value runs retired */
    /* free memory */
    uint32_t tidy_next, tidy_at; /* where the walk over free runs goes on: a block at which one begins, or
                                  * something else does; and the place in it */
    uint32_t lent_blocks;
    uint32_t dirty_free_blocks;
    uint32_t used_blocks;
    /* figures */
    size_t live_bytes, record_bytes, retired_bytes, newborn_bytes, peak_bytes, bitmap_bytes;
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

/* block_set_state: publish kind, class and birth in one word, after everything that a reader of it may look
 * at (O-7). */
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

/* run_charged: blocks of the run at b that are in use. */
static inline uint32_t
run_charged(uint32_t b)
{
    return (uint32_t)((heap.blocks[b].run_bytes + MM_BLOCK_BYTES - 1) >> MM_BLOCK_SHIFT);
}

static inline bool
block_is_swept(uint32_t b)
{
    return atomic_load_explicit(&heap.blocks[b].swept, memory_order_acquire) == heap.epoch; /* O-3 mutator */
}

/* blocks.c: runs of blocks, the first `charged` of which are in use: the rest is address space to grow into.
 * run_take: 0 if there is no memory. */
uint32_t run_take(uint32_t blocks, uint32_t charged);
void run_give(uint32_t first, uint32_t blocks, uint32_t charged);
/* run_split: blocks [b, b + n) of the free run at first leave it and the bins; the rest of it stays. */
void run_split(uint32_t first, uint32_t blocks, uint32_t b, uint32_t n);
void list_push(struct block_list *l, uint32_t b);
void list_remove(struct block_list *l, uint32_t b);
void list_splice(struct block_list *to, struct block_list *from); /* from becomes empty */

/* tidy.c: tidy_recall: wait for what is on loan to the discarder, and take it back.  False: nothing was. */
bool tidy_recall(void);

/* slab.c */
void slab_apply_retired(uint32_t b); /* used &= ~retired */
void slab_settled(uint32_t b);       /* offer its room again, or release it when empty */
void run_release(uint32_t b);        /* the run that starts at b */

/* size classes: size_class.c */
extern uint32_t class_bytes[CLASS_MAX];
extern uint32_t class_slots[CLASS_MAX];
extern uint64_t class_reciprocal[CLASS_MAX];
extern unsigned class_count;
void size_class_init(void);
unsigned size_class_of(size_t bytes); /* bytes <= MM_SLOT_MAX_BYTES */

static inline unsigned
class_words(unsigned class)
{
    return (class_slots[class] + 63) / 64;
}

static inline uint32_t
slot_index(unsigned class, const void *p)
{
    uint64_t offset = (size_t)((const char *)p - heap.base) & (MM_BLOCK_BYTES - 1);

    return (uint32_t)(offset * class_reciprocal[class] >> 32);
}

/* heap_note_peak: after any of preserved, retired, newborn has grown. */
void heap_note_peak(void);

#ifdef STILLFRAME_BARRIER
/* barrier_open: the sanitizer's pages at p become writable (guard.c). */
void barrier_open(const void *p, size_t len);
void barrier_close_all(void);
void barrier_open_all(void);
#else
#define barrier_open(p, len) ((void)0)
#define barrier_close_all()  ((void)0)
#define barrier_open_all()   ((void)0)
#endif

#endif
