/* mm/base/room.h - is there memory left?
 *
 * Most systems say no in time, or kill one program of many.  On a unikernel nobody says no:
 * malloc() never answers NULL, and the touch of memory that is not there ends the machine.  So
 * there a part of the memory is kept for the system (network buffers, files, stacks), and what
 * would take from it is refused here, in the way that a refusal of the system looks elsewhere:
 *
 *   RM1 malloc(), calloc(), realloc() and aligned_alloc() answer NULL (room_malloc.c; the linker
 *       leads all calls of ours there).  Below ROOM_SMALL_BYTES they may have half of what is kept:
 *       for requests and replies of those who look after a full machine, and for what a save needs
 *       beside the pages that it holds.
 *   RM2 The arena gives no block that has no memory yet, and none for a page's copy.
 *
 * Everywhere else room_sizes.kept_bytes is 0, and asking costs a compare.
 * Threads: [any]; room_init: before other threads. */
#ifndef MM_BASE_ROOM_H
#define MM_BASE_ROOM_H

#include <stdbool.h>
#include <stddef.h>

#include "mm/base/must.h"

enum { ROOM_SMALL_BYTES = 1 << 20 };

/* All 0 where the system itself says no.  [const after room_init] */
struct room_sizes {
    size_t total_bytes; /* the machine's memory */
    size_t start_bytes; /* of it, what was free when the program started */
    size_t kept_bytes;  /* of that, what is kept for the system */
};
extern struct room_sizes room_sizes;

/* room_init: look at the machine; at the start of the program, before it takes much.  Under
 * RLIMIT_AS all threads share one arena of malloc(). */
void room_init(void);
/* room_look: may so many bytes be taken?  room_look_small: and fewer than ROOM_SMALL_BYTES? */
bool room_look(size_t bytes);
bool room_look_small(size_t bytes);
/* room_lend: while a dump is loaded, half of what is kept may be used: what fitted before a restart
 * fits again, although the loader needs buffers. */
void room_lend(bool on);
/* room_is_short: less than twice of what is kept, room_short_bytes(), is free: nothing new should
 * begin to take memory, or something has to make room for it.
 * room_is_nearly_out: half of what is beyond the reserve then is used as well.
 * beside: bytes that the system calls taken, and that who asks can use as well. */
size_t room_short_bytes(void);
bool room_is_short(size_t beside);
bool room_is_nearly_out(size_t beside);

/* room_for: may so many bytes be taken? */
static inline bool
room_for(size_t bytes)
{
    return likely(room_sizes.kept_bytes == 0) || room_look(bytes);
}

/* room_for_small: the same of what is small, or urgent. */
static inline bool
room_for_small(size_t bytes)
{
    return likely(room_sizes.kept_bytes == 0) || room_look_small(bytes);
}

#endif
