/* mm/base/clock.c - the time of a turn. */
#include "mm/base/clock.h"

#include "mm/base/os.h"

struct clock_now clock_now;

void
clock_refresh(void)
{
    clock_now.us = os_unix_ns() / 1000;
    clock_now.ms = clock_now.us / 1000;
    clock_now.s = (uint32_t)(clock_now.ms / 1000) & 0xffffff;
    clock_now.turn_ns = os_monotonic_ns();
}
