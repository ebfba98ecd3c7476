/* mm/warmer.h - memory that is fetched from the system before somebody needs it: the jobs.
 *
 * The first touch of fresh memory takes microseconds, on a virtual machine ten of them and more.
 * The mutator says what it will touch next, and goes on; whoever has time (the discarder's thread;
 * the sweep, for page copies) fetches it.
 *
 *   W1  Fetching changes no byte, so it may run beside whoever uses the memory already.  A job that
 *       is late, or is dropped, costs page faults and nothing else.
 *   W2  What has gone on loan is in no job that is posted later, and the discarder's thread works
 *       off jobs before it begins with a loan: so nothing is fetched that has just been given back.
 *       The sweep fetches page copies alone, and those are lent when it is over (O-8).
 *
 *     IDLE --warmer_post--> POSTED --warmer_work--> TAKEN --it is done--> IDLE
 *                             | warmer_withdraw: IDLE
 *
 * Threads: mutator, but for warmer_work() [any].  Order: O-12. */
#ifndef MM_WARMER_H
#define MM_WARMER_H

#include <stdbool.h>

#include "mm/base/os.h"

/* One job of each kind at a time. */
enum warm_kind { WARM_BLOCKS, WARM_IMAGES, WARM_KINDS };
enum { WARM_RANGES = 32 };

/* warmer_is_idle: no job of this kind is posted or worked on. */
bool warmer_is_idle(enum warm_kind k);
/* warmer_post: up to WARM_RANGES ranges of usable memory; the kind is idle.  Nobody is woken:
 * discarder_wake(). */
void warmer_post(enum warm_kind k, const struct os_range *r, unsigned count);
/* warmer_withdraw: a job that nobody has begun is dropped. */
void warmer_withdraw(enum warm_kind k);
/* warmer_work: fetch what is posted, unless somebody else does.  One load if nothing is.  [any] */
void warmer_work(enum warm_kind k);

#endif
