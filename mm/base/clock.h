/* mm/base/clock.h - the time of a turn: read once, so that all commands of one turn, and all of one
 * transaction, see the same.  Durations are os_monotonic_ns() (os.h), or cheaper ticks (ticks.h).
 * Threads: mutator. */
#ifndef MM_BASE_CLOCK_H
#define MM_BASE_CLOCK_H

#include <stdint.h>

struct clock_now {
    int64_t ms, us;  /* unix */
    uint32_t s;      /* of it, 24 bits: the access clock of keys */
    int64_t turn_ns; /* monotonic, when these were read */
};
extern struct clock_now clock_now;

/* clock_refresh: look at the system's clocks. */
void clock_refresh(void);

#endif
