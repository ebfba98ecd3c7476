/* server/data/db/blob_alloc.c - blocks for the bytes of one value. */
#include "mm/mm.h"
#include "server/data/db/blob.h"

/* How much room a block gets.  What describes a run costs a thousandth of its address space:
 * nothing for a string of megabytes, a lot for one that is small and never appended to. */
enum {
    ROOM_BYTES = 512 << 20, /* the longest string by default: never moves again */
    /* a value that was never appended to gets so many times its size, ... */
    FRESH_ROOM_FACTOR = 16,
    FRESH_ROOMY_BYTES = 8 << 20, /* ... from this size on all the room */
    SHARE = 4,                   /* short of address space, a block gets one part of what is left */
    GROWTH_PART = 8              /* without any, one that grows gets a part of its length */
};

/* room_of: the address space for len bytes that would like so much; for doubling once, if they have
 * outgrown that.  len: none beyond them, since it would not do for doubling once. */
static size_t
room_of(size_t len, size_t wanted)
{
    size_t share = mm_spare_room() / SHARE;

    if (wanted <= len)
        wanted = len * 2;
    if (wanted <= share)
        return wanted;
    return share >= len * 2 ? share : len;
}

char *
blob_alloc(size_t len)
{
    if (len == 0)
        len = 1;
    if (len < BLOB_ROOMY_BYTES)
        return mm_alloc(MM_VALUE, len);
    return mm_alloc_roomy(
        len, room_of(len, len >= FRESH_ROOMY_BYTES ? ROOM_BYTES : len * FRESH_ROOM_FACTOR));
}

char *
blob_alloc_growing(size_t len)
{
    size_t room = len * 2 < BLOB_ROOMY_BYTES ? len * 2 : BLOB_ROOMY_BYTES;
    char *block;

    if (len >= BLOB_ROOMY_BYTES) {
        if ((room = room_of(len, ROOM_BYTES)) > len)
            return mm_alloc_roomy(len, room);
        /* Growth by little still has to be growth by a part: else each step would copy
         * everything. */
        block = mm_alloc(MM_VALUE, len + len / GROWTH_PART);
        return block != NULL ? block : mm_alloc(MM_VALUE, len);
    }
    return len > MM_SLOT_MAX_BYTES ? mm_alloc_roomy(len, room) : mm_alloc(MM_VALUE, room);
}
