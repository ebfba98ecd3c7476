/* mm/base/room.c - what is kept for the system, and what is left. */
#include "mm/base/room.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>

#include "mm/base/os.h"

/* A sixteenth of what is free at start; it need not be more than a thousand connections have in the
 * system's buffers (40 to 80 KB each, when they do not read), nor less than a few hundred have. */
enum { KEPT_PART = 16 };
static const size_t KEPT_LEAST_BYTES = (size_t)16 << 20, KEPT_MOST_BYTES = (size_t)64 << 20;

struct room_sizes room_sizes;
static _Atomic bool lends;

/* share_arena: of glibc's malloc() each thread wants an arena of its own, 64 MiB of addresses.  One
 * that is refused it gets each block from the system, which refuses that, too, though the common
 * arena has free blocks: the threads of a save would have none.  Looked up: not every system has
 * it. */
static void
share_arena(void)
{
#ifdef M_ARENA_MAX
    typedef int (*mallopt_fn)(int what, int value);
    mallopt_fn set = (mallopt_fn)dlsym(RTLD_DEFAULT, "mallopt");

    if (set != NULL)
        (void)set(M_ARENA_MAX, 1); /* a wish */
#endif
}

void
room_init(void)
{
    size_t start, kept;

    if (os_address_limit() != SIZE_MAX)
        share_arena();
    if (!os_is_unikernel() || (start = os_free_bytes()) == 0)
        return;
    kept = start / KEPT_PART;
    if (kept < KEPT_LEAST_BYTES)
        kept = KEPT_LEAST_BYTES;
    if (kept > KEPT_MOST_BYTES)
        kept = KEPT_MOST_BYTES;
    room_sizes = (struct room_sizes){
        .total_bytes = os_memory_bytes(), .start_bytes = start, .kept_bytes = kept};
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
    return is_left(bytes, atomic_load_explicit(&lends, memory_order_relaxed)
                              ? room_sizes.kept_bytes / 2
                              : room_sizes.kept_bytes);
}

bool
room_look_small(size_t bytes)
{
    return is_left(bytes, room_sizes.kept_bytes / 2);
}

size_t
room_short_bytes(void)
{
    return 2 * room_sizes.kept_bytes;
}

/* is_below: fewer than so many bytes are free. */
static bool
is_below(size_t bytes, size_t beside)
{
    return beside < bytes && os_free_bytes() < bytes - beside;
}

bool
room_is_short(size_t beside)
{
    return unlikely(room_sizes.kept_bytes != 0) && is_below(room_short_bytes(), beside);
}

bool
room_is_nearly_out(size_t beside)
{
    return unlikely(room_sizes.kept_bytes != 0) && is_below(room_short_bytes() / 4 * 3, beside);
}
