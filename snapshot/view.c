/* snapshot/view.c - read bytes as they were at the cut, beside a mutator that does not wait. */
#include "snapshot/view.h"

#include <errno.h>
#include <string.h>

#include "mm/base/must.h"
#include "mm/base/step.h"
#include "mm/cut.h"
#include "mm/page.h"

void
view_init(struct view *v, epoch_t epoch)
{
    must(epoch > 1); /* a cut's: the first one is 2 */
    *v = (struct view){.epoch = epoch};
}

void
view_init_live(struct view *v)
{
    *v = (struct view){.is_live = true};
}

/* copy_racing: copy bytes that the mutator may be changing at this moment.  What comes out is used
 * only if the page word, read again afterwards, says that no change had begun (O-2).  Word by word
 * with relaxed atomic loads, not memcpy(): the sanitizers intercept that, and this race is the
 * design; the model and the step scheduler check it. */
__attribute__((noinline, no_sanitize("thread", "address"),
               optimize("no-tree-loop-distribute-patterns"))) static void
copy_racing(uint8_t *dst, const uint8_t *src, size_t len)
{
    size_t i = 0;

    for (; i < len && ((uintptr_t)(src + i) & 7) != 0; i++)
        dst[i] = __atomic_load_n(src + i, __ATOMIC_RELAXED);
    for (; i + 8 <= len; i += 8) {
        typedef uint64_t __attribute__((may_alias)) word;
        typedef uint64_t __attribute__((may_alias, aligned(1))) unaligned_word;

        *(unaligned_word *)(dst + i) =
            __atomic_load_n((const word *)(const void *)(src + i), __ATOMIC_RELAXED);
    }
    for (; i < len; i++)
        dst[i] = __atomic_load_n(src + i, __ATOMIC_RELAXED);
}

/* read_in_page: [src, src + len) lies in one page. */
static void
read_in_page(struct view *v, uint8_t *dst, const uint8_t *src, size_t len)
{
    _Atomic uint64_t *word = &page_state.words[page_index(src)];
    size_t offset = (size_t)((const char *)src - page_state.base) & (MM_PAGE_BYTES - 1);
    uint64_t w;

    debug_check(len > 0 && offset + len <= MM_PAGE_BYTES);
    STEP("view: look");
    w = atomic_load_explicit(word, memory_order_acquire); /* O-1 reader */
    if (page_word_epoch(w) != v->epoch) {
        STEP("view: copy live");
        copy_racing(dst, src, len);
        atomic_thread_fence(memory_order_acquire); /* O-2 reader */
        STEP("view: look again");
        w = atomic_load_explicit(word, memory_order_acquire);
        if (page_word_epoch(w) != v->epoch)
            return;
        v->retries++;
    }
    must((uint32_t)w != 0); /* P4: a word of this epoch has an image */
    STEP("view: copy image");
    memcpy(dst, page_image(w) + offset, len);
    v->image_pages++;
}

static int
read_chunk(struct view *v, uint8_t *dst, const uint8_t *src, size_t len)
{
    while (len > 0) {
        size_t offset = (size_t)((const char *)src - page_state.base) & (MM_PAGE_BYTES - 1);
        size_t n = MM_PAGE_BYTES - offset < len ? MM_PAGE_BYTES - offset : len;

        read_in_page(v, dst, src, n);
        dst += n;
        src += n;
        len -= n;
    }
    atomic_thread_fence(memory_order_acquire); /* O-6 reader: the mark, after the bytes */
    return mm_cut_is_broken() ? -ENOMEM : 0;
}

int
view_read(struct view *v, void *dst, const void *src, size_t len)
{
    uint8_t *to = dst;
    const uint8_t *from = src;
    int r;

    debug_check(v->is_live || v->epoch != 0); /* view_init() was called */
    v->read_bytes += len;
    if (v->is_live) {
        memcpy(dst, src, len);
        return v->poll != NULL ? v->poll(v->poll_ctx) : 0;
    }
    for (;;) {
        size_t n = len < VIEW_CHUNK_BYTES ? len : VIEW_CHUNK_BYTES;

        if (v->cancel != NULL && atomic_load_explicit(v->cancel, memory_order_acquire)) /* C1 */
            return -ECANCELED;
        if ((r = read_chunk(v, to, from, n)) < 0)
            return r;
        to += n;
        from += n;
        len -= n;
        if (len == 0)
            return 0;
        if (v->poll != NULL && (r = v->poll(v->poll_ctx)) != 0)
            return r;
    }
}
