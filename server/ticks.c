/* server/ticks.c - the counter's rate. */
#include "server/ticks.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif

enum { CALIBRATION_NS = 2000000 };

struct ticks ticks = {.ns_per_tick = 1ULL << 32};

static uint64_t first_ticks;
static int64_t first_ns;

/* CPUID 80000007h EDX bit 8: the counter runs at one rate in all states. */
static bool
counter_is_constant(void)
{
#ifdef __x86_64__
    unsigned a, b, c, d;

    return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & 1U << 8) != 0;
#else
    return false;
#endif
}

void
ticks_refresh(void)
{
#ifdef __x86_64__
    uint64_t passed = __rdtsc() - first_ticks;
    int64_t ns = server_monotonic_ns() - first_ns;

    if (ticks.is_counter && ns >= CALIBRATION_NS && passed > 0)
        ticks.ns_per_tick = (uint64_t)(((unsigned __int128)ns << 32) / passed);
#endif
}

void
ticks_init(void)
{
    if (!counter_is_constant())
        return;
#ifdef __x86_64__
    ticks.is_counter = true;
    first_ticks = __rdtsc();
    first_ns = server_monotonic_ns();
    while (server_monotonic_ns() - first_ns < CALIBRATION_NS)
        ;
    ticks_refresh();
#endif
}
