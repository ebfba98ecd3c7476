/* mm/guard.c - the barrier sanitizer: while a cut is open the arena's pages are really read-only,
 * and only what went through mm_modify() or was born in the cut is opened.  A write without a
 * barrier is a fault at the culprit. Built with 4 KiB pages, so that the software page is the
 * hardware's. */
#include "mm/base/os.h"
#include "mm/heap_impl.h"
#include "mm/page.h"

#ifdef STILLFRAME_BARRIER

_Static_assert(MM_PAGE_BYTES == 4096, "the sanitizer protects hardware pages");
ptrdiff_t mm_alias_offset;

static void
set_writable(size_t first, size_t end, bool writable)
{
    /* Too many mappings for the system: open everything; the sanitizer sees less, nothing
     * breaks. */
    if (os_protect(heap.base + first, end - first, writable) < 0)
        must(os_protect(heap.base, heap.arena_bytes, true) == 0);
}

void
barrier_open(const void *p, size_t len)
{
    size_t first = (size_t)((const char *)p - heap.base), end = first + len;

    if (mm_barrier_on)
        set_writable(first & ~(size_t)4095, (end + 4095) & ~(size_t)4095, true);
}

void
barrier_close_all(void)
{
    set_writable(0, (size_t)heap.block_top << MM_BLOCK_SHIFT, false);
}

void
barrier_open_all(void)
{
    set_writable(0, (size_t)heap.block_top << MM_BLOCK_SHIFT, true);
}

/* page_is_empty: no slot that was used at the cut lies on page i of the slab, not even in part. */
static bool
page_is_empty(const struct block *blk, unsigned class, uint32_t i)
{
    uint32_t first = i * MM_PAGE_BYTES / size_class_bytes[class];
    uint32_t last = ((i + 1) * MM_PAGE_BYTES - 1) / size_class_bytes[class];

    for (uint32_t s = first; s <= last && s < size_class_slots[class]; s++)
        if (slab_used(blk)[s / 64] >> (s % 64) & 1)
            return false;
    return true;
}

uint64_t
guard_births(uint32_t b, unsigned class, uint32_t w)
{
    const struct block *blk = &heap.blocks[b];
    bool empty[MM_BLOCK_BYTES / MM_PAGE_BYTES];
    uint64_t mask = 0;

    for (uint32_t i = 0; i < MM_BLOCK_BYTES / MM_PAGE_BYTES; i++)
        empty[i] = page_is_empty(blk, class, i);
    for (uint32_t s = w * 64; s < w * 64 + 64 && s < size_class_slots[class]; s++) {
        uint32_t first = s * size_class_bytes[class], last = first + size_class_bytes[class] - 1;
        bool alone = true;

        for (uint32_t i = first / MM_PAGE_BYTES; i <= last / MM_PAGE_BYTES; i++)
            alone = alone && empty[i];
        mask |= (uint64_t)alone << (s % 64);
    }
    return mask;
}

bool
guard_has_births(uint32_t b, unsigned class)
{
    const struct block *blk = &heap.blocks[b];

    if (!slab_takes_births(b, block_state(b)))
        return true;
    for (uint32_t w = 0; w < size_class_words(class); w++)
        if ((guard_births(b, class, w) & ~(slab_used(blk)[w] | slab_changed(blk, class)[w])) != 0)
            return true;
    return false;
}

#endif

#ifdef STILLFRAME_SITES
#include <stdlib.h>
#include <string.h>

static const char *skipped_site;
static bool skipped_site_known;
void (*mm_site_reached)(const char *site);

/* mm_modify_site: the build in which one call site, named by STILLFRAME_SKIP_SITE=file:line, has no
 * barrier, to prove that a test notices (make check-hard). */
void *
mm_modify_site(const void *p, size_t len, const char *site)
{
    if (!skipped_site_known) {
        skipped_site = getenv("STILLFRAME_SKIP_SITE");
        skipped_site_known = true;
    }
    if (!mm_barrier_on)
        return mm_unconst(p);
    if (mm_site_reached != NULL)
        mm_site_reached(site);
    if (skipped_site != NULL && strcmp(site, skipped_site) == 0)
        return mm_unconst(p);
    mm_barrier(p, len);
    return mm_unconst(p);
}
#endif
