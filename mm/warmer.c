/* mm/warmer.c - memory that is fetched ahead: the hand-over. */
#include "mm/warmer.h"

#include <stdatomic.h>
#include <string.h>

#include "mm/base/must.h"

/* Whoever maps or protects memory waits for a call to the system: so much at a time. */
static const size_t CALL_BYTES = (size_t)64 << 10;

enum job_state { IDLE, POSTED, TAKEN };
static struct job {
    _Atomic int state;                   /* O-12 */
    unsigned count;                      /* [mutator while IDLE] */
    struct os_range ranges[WARM_RANGES]; /* [as count] */
} jobs[WARM_KINDS];

bool
warmer_is_idle(enum warm_kind k)
{
    return atomic_load_explicit(&jobs[k].state, memory_order_acquire) == IDLE; /* O-12 mutator */
}

void
warmer_post(enum warm_kind k, const struct os_range *r, unsigned count)
{
    must(count > 0 && count <= WARM_RANGES && warmer_is_idle(k));
    memcpy(jobs[k].ranges, r, count * sizeof *r);
    jobs[k].count = count;
    atomic_store_explicit(&jobs[k].state, POSTED, memory_order_release); /* O-12 mutator */
}

void
warmer_withdraw(enum warm_kind k)
{
    int posted = POSTED;

    (void)atomic_compare_exchange_strong_explicit(&jobs[k].state, &posted, IDLE,
                                                  memory_order_relaxed, memory_order_relaxed);
}

void
warmer_work(enum warm_kind k)
{
    struct job *j = &jobs[k];
    int posted = POSTED;

    if (atomic_load_explicit(&j->state, memory_order_relaxed) != POSTED ||
        !atomic_compare_exchange_strong_explicit(&j->state, &posted, TAKEN, memory_order_acquire,
                                                 memory_order_relaxed)) /* O-12 worker */
        return;
    for (unsigned i = 0; i < j->count; i++)
        for (size_t at = 0, n; at < j->ranges[i].bytes; at += n) {
            n = j->ranges[i].bytes - at < CALL_BYTES ? j->ranges[i].bytes - at : CALL_BYTES;
            os_populate((char *)j->ranges[i].at + at, n);
            os_thread_give_way();
        }
    atomic_store_explicit(&j->state, IDLE, memory_order_release); /* O-12 worker */
}
