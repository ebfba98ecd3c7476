/* mm/mm.h - the tracked arena: allocate, modify, free.  Everything of the keyspace lives here.
 *
 * Data in the arena is read through pointers to const.  The two ways to a writable pointer are a
 * fresh mm_alloc() and mm_modify(); such a pointer dies at the end of the command and before any
 * cut (mm/cut.h).  The build has -Wcast-qual -Werror: a write that skips the barrier does not
 * compile.
 *
 * Threads: mutator (the event loop) only, unless a line says [any].
 * Rules S, V and C: docs/design.md.  Orderings: docs/ordering.md. */
#ifndef MM_MM_H
#define MM_MM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/base/must.h"

typedef uint32_t epoch_t;

enum mm_kind {
    MM_RECORD, /* a key, its header and, when small, its value: the sweep visits these */
    MM_VALUE   /* whatever a record points to: reached through its record only */
};

enum {
    MM_BLOCK_SHIFT = 16, /* a slab is one block; larger objects are runs of blocks */
    MM_BLOCK_BYTES = 1 << MM_BLOCK_SHIFT,
    MM_SLOT_MAX_BYTES = 32768 /* the largest size class; above it an object is a run */
};

struct mm_options {
    size_t arena_bytes;  /* address space to reserve; 0: chosen from memory size and RLIMIT_AS */
    epoch_t first_epoch; /* 0 or 1: the usual start; tests start near the wrap */
};

/* mm_init: reserve the arena and its side tables.  0, or -ENOMEM (the reservation was refused even
 * after halving it down to 64 MiB), -EINVAL (arena_bytes above 2^46).  Once per process, or after
 * mm_fini(). */
int mm_init(const struct mm_options *opt);
/* mm_fini: unmap everything.  No cut may be open.  Pointers into the arena die. */
void mm_fini(void);
/* mm_clear: as mm_fini() and mm_init() with the same reservation, without the cost of new mappings:
 * for tests that make thousands of small heaps. */
void mm_clear(void);

/* mm_alloc: a block of at least bytes (1 .. 2^40) for the caller to fill, aligned to 8; to 64 from
 * 64 bytes on when the size class is a multiple of 64.  NULL: no memory; nothing has changed.  The
 * content is undefined.
 * Cost    O(1).
 * Owner   the caller, until mm_free(). */
void *mm_alloc(enum mm_kind kind, size_t bytes);

/* mm_alloc_roomy: a value run of bytes now whose block may grow in place up to room_bytes: address
 * space for room_bytes is set aside, memory only as it is written.  Falls back to bytes when
 * address space is short: ask mm_usable().  For strings that grow: with mm_grow(), before what is
 * behind the first bytes is written (V3).
 * Cost    O(blocks of the room) reads, O(blocks of bytes) writes, of the side table. */
void *mm_alloc_roomy(size_t bytes, size_t room_bytes);

/* mm_spare_room: how much address space may be set aside for what may never come: what was never
 * used, but for half of the arena, so that rooms cannot keep out what is there.  O(1) */
size_t mm_spare_room(void);

/* mm_grow: from now on the first bytes of the block at p are in use; bytes <= mm_usable(p).  What a
 * block from mm_alloc_roomy() grows into while a cut is open is no part of the cut: mm_modify()
 * makes no copies of it (V3).  Never shrinks. */
void mm_grow(const void *p, size_t bytes);

/* mm_free: give a block back; while a cut is open that can still see it, it is retired instead and
 * its bytes stay as they are until the sweep has passed (S2, V1).  Never fails.
 * Cost    O(1). */
void mm_free(const void *p);

/* mm_usable: how many bytes the block at p has (its size class or run).  p: as mm_alloc returned
 * it.  O(1) */
size_t mm_usable(const void *p);

/* mm_size_class: what mm_usable would say of a fresh block of bytes.  [any] */
size_t mm_size_class(size_t bytes);

/* mm_is_frozen: true if a cut is open that has not yet swept the block at p: a small record in this
 * state is replaced (allocate, fill, mm_free the old one) instead of changed in place.
 * Cost    one branch without a cut. */
#define mm_is_frozen(p) (unlikely(mm_barrier_on) && mm_block_is_frozen(p))

/* mm_modify(p, len): make [p, p + len) writable in this epoch and return p without const.  The
 * bytes must lie in one allocated block.  Never fails: without memory for a page's copy the open
 * snapshot is marked broken (C2) and the write goes on.
 * Cost    one predictable branch without a cut; with one, a copy of each page not yet preserved.
 * Order   O-1, O-2 (writer side). */
#ifdef STILLFRAME_SITES
#define MM_STR2(x) #x
#define MM_STR(x)  MM_STR2(x)
#define mm_modify(p, len)                                                                          \
    ({                                                                                             \
        static const char *const mm_site __attribute__((section("mm_sites"), used)) =              \
            __FILE__ ":" MM_STR(__LINE__);                                                         \
        mm_modify_site(p, len, mm_site);                                                           \
    })
/* called at each while a cut is open, if not NULL */
extern void (*mm_site_reached)(const char *site);
#else
#define mm_modify(p, len) mm_modify_plain(p, len)
#endif

/* mm_clock_word: the address through which the access clock, the one field without a barrier, is
 * written (relaxed atomic; the barrier sanitizer has a second mapping for it). */
static inline _Atomic uint32_t *mm_clock_word(const uint32_t *p);

struct mm_figures {
    size_t arena_bytes;       /* reserved address space */
    size_t live_bytes;        /* allocated and not freed, in size classes; without retired */
    size_t record_bytes;      /* of these, records */
    size_t resident_bytes;    /* blocks in use or dirty: what the system sees of the arena */
    size_t images_bytes;      /* memory that the pool of page copies holds, free ones included */
    size_t preserved_bytes;   /* page copies in use */
    size_t retired_bytes;     /* freed blocks that wait for the sweep */
    size_t newborn_bytes;     /* slabs and runs born in the open epoch */
    size_t peak_bytes;        /* highest preserved + retired + newborn since the last cut began */
    uint64_t preserved_pages; /* pages preserved since the last cut began */
    uint64_t side_bytes;      /* tables beside the arena, as far as they have memory */
    uint64_t bitmap_bytes;    /* of slabs; from malloc() */
    epoch_t epoch;
    bool cut_open;
};
void mm_figures(struct mm_figures *ret);
/* mm_live_bytes: as in mm_figures.  O(1) */
size_t mm_live_bytes(void);
/* mm_free_bytes: of the free blocks that still have memory: the data that comes next takes them,
 * and mm_tidy() gives them back.  O(1) */
size_t mm_free_bytes(void);
/* mm_snapshot_bytes: preserved + retired + newborn.  O(1) */
size_t mm_snapshot_bytes(void);
/* What the open cut costs, for a limit on it; without one all is 0. */
struct mm_cut_memory {
    /* What could go now if the cut ended: copies, tables, and of what was retired as much as was
     * born instead, which is where the process has become larger.  What was only deleted is memory
     * that it had anyway. */
    size_t held_bytes;
    /* By how much the memory of arena, copies and tables has grown since the cut began, without
     * what the data itself has grown by, and an eighth of that.  Copies that came back are still in
     * it: their memory is only used again.  What the sweep fetches ahead, 2 MiB at most, is not. */
    size_t grown_bytes;
};
/* mm_cut_memory: O(1) */
struct mm_cut_memory mm_cut_memory(void);

/* mm_tidy: give free memory back to the system: choose what goes, for at most about budget_us
 * microseconds, and leave the rest to a thread.  DONE: nothing is left to do; WAITS: call again
 * when the thread is done, in a millisecond, say; MORE: call again. */
enum mm_tidy { MM_TIDY_DONE, MM_TIDY_WAITS, MM_TIDY_MORE };
enum mm_tidy mm_tidy(unsigned budget_us);
/* mm_is_allocated: [p, p + len) lies in one block that is allocated.  For asserts.  O(1), but for
 * runs: O(their blocks). */
bool mm_is_allocated(const void *p, size_t len);
/* mm_check: assert every numbered rule that can be seen from here; slow, for tests. */
void mm_check(void);

/* ---- inline bodies ---- */

extern bool mm_barrier_on; /* [mutator] a cut is open */

void mm_barrier(const void *p, size_t len);
bool mm_block_is_frozen(const void *p);
void *mm_modify_site(const void *p, size_t len, const char *site);

static inline void *
mm_unconst(const void *p)
{
    union {
        const void *c;
        void *m;
    } u = {.c = p};
    return u.m; /* the one place where const ends; callers: mm_modify and the access clock */
}

static inline void *
mm_modify_plain(const void *p, size_t len)
{
    debug_check(mm_is_allocated(p, len));
    if (unlikely(mm_barrier_on))
        mm_barrier(p, len);
    return mm_unconst(p);
}

#ifdef STILLFRAME_BARRIER
extern ptrdiff_t mm_alias_offset; /* second, always writable mapping of the arena */
static inline _Atomic uint32_t *
mm_clock_word(const uint32_t *p)
{
    return (_Atomic uint32_t *)mm_unconst((const char *)p + mm_alias_offset);
}
#else
static inline _Atomic uint32_t *
mm_clock_word(const uint32_t *p)
{
    return (_Atomic uint32_t *)mm_unconst(p);
}
#endif

#endif
