/* mm/base/ticks.c - the counter's rate. */
#include "mm/base/ticks.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif

enum { CALIBRATION_NS = 2000000 };

struct ticks ticks = {.ns_per_tick = 1ULL << 32};

#ifdef __x86_64__
static uint64_t first_ticks;
static int64_t first_ns;
#endif

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

#ifdef __x86_64__
/* Both clocks at one moment: the best of some tries, since another process may run between the two
 * looks. */
static void
read_both(uint64_t *ret_ticks, int64_t *ret_ns)
{
    uint64_t best = UINT64_MAX;

    for (int i = 0; i < 8; i++) {
        uint64_t before = __rdtsc(), after;
        int64_t ns = os_monotonic_ns();
        after = __rdtsc();
        if (after - before >= best)
            continue;
        best = after - before;
        *ret_ticks = before + best / 2;
        *ret_ns = ns;
    }
}
#endif

void
ticks_refresh(void)
{
#ifdef __x86_64__
    uint64_t passed = first_ticks;
    int64_t ns = first_ns;

    if (!ticks.is_counter)
        return;
    read_both(&passed, &ns);
    passed -= first_ticks;
    ns -= first_ns;
    if (ns >= CALIBRATION_NS && passed > 0)
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
    read_both(&first_ticks, &first_ns);
    while (os_monotonic_ns() - first_ns < CALIBRATION_NS)
        ;
    ticks_refresh();
#endif
}
