/* mm/base/ticks.h - a cheap clock for durations of a command: the processor's time stamp counter
 * where it is constant, the monotonic clock elsewhere.
 * Threads: [any], but for ticks_refresh(): mutator. */
#ifndef MM_BASE_TICKS_H
#define MM_BASE_TICKS_H

#include <stdbool.h>
#include <stdint.h>
#ifdef __x86_64__
#include <x86intrin.h>
#endif

#include "mm/base/must.h"
#include "mm/base/os.h"

struct ticks {
    bool is_counter;
    uint64_t ns_per_tick; /* in units of 2^-32 ns */
};
extern struct ticks ticks;

static inline uint64_t
ticks_now(void)
{
#ifdef __x86_64__
    if (likely(ticks.is_counter))
        return __rdtsc();
#endif
    return (uint64_t)os_monotonic_ns();
}

/* ticks_to_ns: of a duration below an hour or so. */
static inline uint64_t
ticks_to_ns(uint64_t duration)
{
    return (uint64_t)((unsigned __int128)duration * ticks.ns_per_tick >> 32);
}

/* ticks_init: finds out which clock it is;
 * ticks_refresh: measures the counter against the monotonic clock, now and then. */
void ticks_init(void);
void ticks_refresh(void);

#endif
