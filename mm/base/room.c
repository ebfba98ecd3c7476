/* mm/base/room.c - what is kept for the system, and what is left. */
#include "mm/base/room.h"

#include <stdatomic.h>

#include "mm/base/os.h"

/* A thirty-second part of what is free at start; it need not be more than a few thousand
 * connections have in their buffers, nor less than a busy network stack and file system take. */
enum { KEPT_PART = 32 };
static const size_t KEPT_LEAST_BYTES = (size_t)12 << 20, KEPT_MOST_BYTES = (size_t)32 << 20;

struct room room;
static _Atomic bool lends;

void
room_init(void)
{
    size_t start, kept;

    if (!os_is_unikernel() || (start = os_free_bytes()) == 0)
        return;
    kept = start / KEPT_PART;
    if (kept < KEPT_LEAST_BYTES)
        kept = KEPT_LEAST_BYTES;
    if (kept > KEPT_MOST_BYTES)
        kept = KEPT_MOST_BYTES;
    room =
        (struct room){.total_bytes = os_memory_bytes(), .start_bytes = start, .kept_bytes = kept};
}

void
room_lend(bool on)
{
    atomic_store_explicit(&lends, on, memory_order_relaxed);
}

static bool
is_left(size_t bytes, size_t kept)
{
    size_t now = os_free_bytes();

    return now > kept && bytes <= now - kept;
}

bool
room_look(size_t bytes)
{
    return is_left(bytes, atomic_load_explicit(&lends, memory_order_relaxed) ? room.kept_bytes / 2
                                                                             : room.kept_bytes);
}

bool
room_look_small(size_t bytes)
{
    return is_left(bytes, room.kept_bytes / 2);
}

size_t
room_short_bytes(void)
{
    return 2 * room.kept_bytes;
}

bool
room_is_short(void)
{
    return unlikely(room.kept_bytes != 0) && os_free_bytes() < room_short_bytes();
}

bool
room_is_nearly_out(void)
{
    return unlikely(room.kept_bytes != 0) && os_free_bytes() < room_short_bytes() / 4 * 3;
}
