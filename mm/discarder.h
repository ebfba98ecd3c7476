/* mm/discarder.h - a thread that gives memory back to the system, a job of many ranges at a time,
 * and before and between these fetches what is wanted next (mm/warmer.h).
 *
 * What the system takes for that depends on what was touched before, not on how much goes:
 * milliseconds were seen for 2 MiB.  Whoever posts a job has seen to it that nobody touches its
 * ranges before it is taken back (TD1, tidy.c).  Order: O-9.
 * Threads: mutator, but for the thread itself. */
#ifndef MM_DISCARDER_H
#define MM_DISCARDER_H

#include <stdbool.h>

#include "mm/base/os.h"

enum { DISCARDER_RANGES = 128 };

/* discarder_start: true: there is a thread, since now or before.  False: none can be made. */
bool discarder_start(void);
/* discarder_stop: the thread ends; no job is out. */
void discarder_stop(void);
/* discarder_post: up to DISCARDER_RANGES; no other job is out. */
void discarder_post(const struct os_range *r, unsigned count);
/* discarder_wake: a warmer's job was posted; nothing without a thread. */
void discarder_wake(void);
/* discarder_take: is the job done?  True once, and then it is no longer out. */
bool discarder_take(void);
/* discarder_wait: the same, when it is done. */
void discarder_wait(void);

#endif
