/* mm/base/clock.c - the time of a turn. */
#include "mm/base/clock.h"

#include <time.h>

#include "mm/base/os.h"

struct clock_now clock_now;

void
clock_refresh(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    clock_now.us = (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
    clock_now.ms = clock_now.us / 1000;
    clock_now.s = (uint32_t)ts.tv_sec & 0xffffff;
    clock_now.turn_ns = os_monotonic_ns();
}
