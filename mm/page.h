/* mm/page.h - pages, the unit of the write barrier, and the copies ("images") that preserve them.
 *
 * Each page of the arena has one 64-bit word: epoch << 32 | index of the image.  A word whose epoch
 * is the open cut's says: the page has changed, or may, since the cut, and its bytes at the cut are
 * in that image.
 *
 *   P1  A page is preserved at most once per cut.
 *   P2  An image is complete before its index is published (O-1), and never written again while it
 *       is.
 *   P3  Words are compared for equality with an epoch (C3): what older cuts left in them means
 *       nothing.
 *   P4  Index 0 means "no image"; a chain of images ends with it.
 *
 * Threads: page_word(), page_image(), page_index() [any]; the others, and what is not marked
 * otherwise, mutator. */
#ifndef MM_PAGE_H
#define MM_PAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "mm/base/os.h"
#include "mm/mm.h"

/* The page size was chosen by tests/bench/bench_sweep (make bench BENCH=page-size);
 * docs/decisions/001-page-size.md has the table. */
#ifndef MM_PAGE_SHIFT
#define MM_PAGE_SHIFT 9
#endif
enum { MM_PAGE_BYTES = 1 << MM_PAGE_SHIFT };

struct page_state {
    const char *base;        /* of the arena  [const after mm_init] */
    _Atomic uint64_t *words; /* one a page  [mutator writes, sweep reads] O-1, O-2 */
    /* image i stands at images + i * MM_PAGE_BYTES  [const after mm_init] */
    char *images;
    uint32_t *next;      /* [mutator] chains of images */
    uint32_t capacity;   /* images that fit the reservation */
    uint32_t committed;  /* images that may be touched */
    uint32_t bump;       /* images below it have been handed out since the pool was reset */
    uint32_t touched;    /* images below it may have memory; page_images_lend() works it down */
    uint32_t lent_from;  /* images from here on are on loan to the discarder; UINT32_MAX: none */
    uint32_t warm;       /* images below it have memory already, or are being fetched (W1) */
    uint32_t ahead;      /* so many images ahead of bump are to have memory */
    uint32_t fetch_at;   /* when bump has come so far, more is fetched */
    uint32_t free_head;  /* chain of images that came back during the cut */
    uint32_t value_head; /* chain of the images that live until the cut ends (V1) */
    uint32_t in_use;
    /* memory of the words: they get it as pages are preserved, and keep it */
    size_t words_bytes;
    uint64_t preserved_total; /* since the cut began */
    _Atomic bool broken;      /* [mutator writes, sweep reads] O-6, C2 */
    bool over_limit;          /* the limit alone has broken it */
};
extern struct page_state page_state;

static inline size_t
page_index(const void *p)
{
    return (size_t)((const char *)p - page_state.base) >> MM_PAGE_SHIFT;
}

static inline const char *
page_image(uint64_t word)
{
    return page_state.images + ((size_t)(uint32_t)word << MM_PAGE_SHIFT);
}

static inline epoch_t
page_word_epoch(uint64_t word)
{
    return (epoch_t)(word >> 32);
}

int pages_init(size_t arena_bytes, size_t images_bytes);
void pages_fini(void);
/* pages_commit: the side table of words covers the arena's first bytes.  0 or -ENOMEM. */
int pages_commit(size_t arena_bytes);
/* pages_reset: the cut is over and nobody reads images any more: all of them are free again.
 * O(1) */
void pages_reset(void);
/* pages_open: a cut is about to begin. */
void pages_open(void);
/* pages_clear: forget all words of the arena's first bytes, and all images (mm_clear()). */
void pages_clear(size_t arena_bytes);
/* pages_limit: when the open cut has made memory grow by more than this (mm_cut_memory()), no copy
 * is made that needs more, and the view is broken instead (C2); 0: no limit. */
void pages_limit(size_t bytes);
/* page_images_free_chain: a swept slab's images; its pages will not be read again in this cut. */
void page_images_free_chain(uint32_t head);
/* page_images_prepare: have some memory fetched for images of a cut that may come.  O(1) */
void page_images_prepare(void);
/* page_images_lend: with no cut open, the next 2 MiB of memory that images hold beyond what is kept
 * warm: the caller gives them back to the system, and then calls page_images_take_back(); an image
 * that is needed sooner waits (tidy_recall()).  False: there is none. */
bool page_images_lend(struct os_range *ret);
bool page_images_are_due(void); /* would it find any? */
void page_images_take_back(void);

#endif
