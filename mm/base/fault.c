/* mm/base/fault.c - fault injection.  The contract is in fault.h. */
#include "mm/base/fault.h"

#include <stdatomic.h>
#include <unistd.h>

static const char *const names[FAULT_COUNT] = {
#define FAULT(name, what) #name,
#include "mm/base/fault.def"
#undef FAULT
};

static atomic_uint armed_point = FAULT_COUNT + 1; /* [test writes, any reads] */
static atomic_long countdown;
static atomic_bool armed_forever, armed_crash;
static atomic_ulong delivered;

#ifdef STILLFRAME_FAULTS
bool
fault_point(enum fault f)
{
    unsigned armed = atomic_load_explicit(&armed_point, memory_order_relaxed);
    long left;

    if (armed != f && armed != FAULT_ANY)
        return false;
    left = atomic_fetch_sub_explicit(&countdown, 1, memory_order_relaxed);
    if (left > 1 || (left < 1 && !atomic_load_explicit(&armed_forever, memory_order_relaxed)))
        return false;
    if (atomic_load_explicit(&armed_crash, memory_order_relaxed))
        _exit(FAULT_CRASH_STATUS);
    atomic_fetch_add_explicit(&delivered, 1, memory_order_relaxed);
    return true;
}
#endif

void
fault_arm(unsigned f, unsigned long n, bool forever)
{
    atomic_store(&delivered, 0);
    atomic_store(&armed_crash, false);
    atomic_store(&countdown, (long)n);
    atomic_store(&armed_forever, forever);
    atomic_store(&armed_point, f);
}

void
fault_arm_crash(unsigned long n)
{
    fault_arm(FAULT_ANY, n, false);
    atomic_store(&armed_crash, true);
}

unsigned long
fault_disarm(void)
{
    atomic_store(&armed_point, FAULT_COUNT + 1);
    return atomic_load(&delivered);
}

const char *
fault_name(enum fault f)
{
    return names[f];
}
