/* server/exec/tracking_pool.c - memory of tracked keys: a million small blocks, which come and go
 * together, cut from pieces of 32 KiB by their sizes.
 *
 * With malloc() each would be a chunk of its own, and what is free among them is walked through by
 * mallinfo2() each second, and put together in one go by some later free(): stalls of hundreds of
 * milliseconds after a FLUSHALL.  Under AddressSanitizer, which is to see each block, and has no
 * such stalls, it is malloc(). */
#include <stdint.h>
#include <stdlib.h>

#include "mm/base/must.h"
#include "server/exec/tracking_impl.h"

#ifdef __SANITIZE_ADDRESS__
enum { POOL_CLASSES = 0 };
#else
enum { POOL_CLASSES = 64 };
#endif

enum {
    PIECE_BYTES = 32 * 1024, /* and that is how it is aligned: a block's address leads to it */
    /* What glibc keeps before a chunk stays free, so that one piece begins where another ends. */
    PIECE_ROOM_BYTES = PIECE_BYTES - 16,
    UNIT_BYTES = 16 /* sizes are rounded up to that */
};

struct free_block {
    struct free_block *next;
};

struct piece {
    struct free_block *free;    /* blocks that were given back */
    struct piece *next, **link; /* among those of its class that have room; link NULL: it is full */
    uint32_t class, used;       /* blocks in use */
    uint32_t cut;               /* bytes that were ever blocks, with this head */
};

static struct piece *with_room[POOL_CLASSES + 1];
static size_t held_bytes;

static uint32_t
class_of(size_t bytes)
{
    return (uint32_t)((bytes + UNIT_BYTES - 1) / UNIT_BYTES);
}

static bool
is_large(size_t bytes)
{
    return bytes > (size_t)POOL_CLASSES * UNIT_BYTES;
}

static bool
is_full(const struct piece *p)
{
    return p->free == NULL && p->cut + p->class * UNIT_BYTES > PIECE_ROOM_BYTES;
}

static void
link_piece(struct piece *p)
{
    struct piece **first = &with_room[p->class];

    p->next = *first;
    p->link = first;
    if (p->next != NULL)
        p->next->link = &p->next;
    *first = p;
}

static void
unlink_piece(struct piece *p)
{
    *p->link = p->next;
    if (p->next != NULL)
        p->next->link = p->link;
    p->link = NULL;
}

/* make_piece: NULL: no memory. */
static struct piece *
make_piece(uint32_t class)
{
    struct piece *p = aligned_alloc(PIECE_BYTES, PIECE_ROOM_BYTES);

    if (p == NULL)
        return NULL;
    *p = (struct piece){.class = class, .cut = class_of(sizeof *p) * UNIT_BYTES};
    held_bytes += PIECE_BYTES;
    link_piece(p);
    return p;
}

static void *
take_large(size_t bytes)
{
    void *block = malloc(bytes);

    if (block != NULL)
        held_bytes += bytes;
    return block;
}

void *
tracking_pool_take(size_t bytes)
{
    uint32_t class;
    struct piece *p;
    void *block;

    if (is_large(bytes))
        return take_large(bytes);
    class = class_of(bytes);
    if ((p = with_room[class]) == NULL && (p = make_piece(class)) == NULL)
        return NULL;
    block = p->free;
    if (block != NULL) {
        p->free = p->free->next;
    } else {
        block = (char *)p + p->cut;
        p->cut += class * UNIT_BYTES;
    }
    p->used++;
    if (is_full(p))
        unlink_piece(p);
    return block;
}

void
tracking_pool_give(void *block, size_t bytes)
{
    struct piece *p;
    struct free_block *f = block;

    if (is_large(bytes)) {
        held_bytes -= bytes;
        free(block);
        return;
    }
    p = (struct piece *)(void *)((char *)block - (uintptr_t)block % PIECE_BYTES);
    must(p->class == class_of(bytes) && p->used > 0);
    f->next = p->free;
    p->free = f;
    if (p->link == NULL)
        link_piece(p);
    if (--p->used > 0)
        return;
    unlink_piece(p);
    held_bytes -= PIECE_BYTES;
    free(p);
}

size_t
tracking_pool_bytes(void)
{
    return held_bytes;
}
