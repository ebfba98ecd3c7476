/* mm/base/fault.h - fault injection, in the way of SQLite's test harness ("the n-th call fails").
 * Compiled in when STILLFRAME_FAULTS is defined (debug, asan, tsan, barrier flavours); otherwise
 * fault_point() is the constant false and costs nothing.
 * Threads: fault_point [any]; the others: one thread, the test's or that of DEBUG FAULT; what runs
 * meanwhile sees a fault or does not. */
#ifndef MM_BASE_FAULT_H
#define MM_BASE_FAULT_H

#include <stdbool.h>

enum fault {
#define FAULT(name, what) FAULT_##name,
#include "mm/base/fault.def"
#undef FAULT
    FAULT_COUNT
};

/* What fault_arm() may be told beside one fault's number: any point counts. */
#define FAULT_ANY FAULT_COUNT

#ifdef STILLFRAME_FAULTS
/* fault_point(f): true if the caller must behave as if the operation had failed.  [any] */
bool fault_point(enum fault f);
#else
#define fault_point(f) (false)
#endif

/* fault_arm(f, n, forever): the n-th call (1 = next) of point f fails; with forever, every later
 * one too. Without STILLFRAME_FAULTS: does nothing. */
void fault_arm(unsigned f, unsigned long n, bool forever);

/* fault_arm_crash(n): the n-th call of any point ends the process at once with
 * FAULT_CRASH_STATUS. */
enum { FAULT_CRASH_STATUS = 99 };
void fault_arm_crash(unsigned long n);

/* fault_disarm(): no point fails any more.  Returns how often a fault was delivered since
 * fault_arm(). */
unsigned long fault_disarm(void);

const char *fault_name(enum fault f);

#endif
