/* mm/discarder.c - the thread that gives memory back, and fetches some ahead. */
#include "mm/discarder.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

#include "mm/base/fault.h"
#include "mm/base/must.h"
#include "mm/warmer.h"

/* A call to the system takes so much at a time: whoever maps or protects memory meanwhile waits for
 * it. */
static const size_t CALL_BYTES = (size_t)2 << 20;

static struct {
    bool runs;
    pthread_t thread;
    sem_t posted, done; /* both ways a hand-over: O-9; posted also wakes for a warmer's job */
    _Atomic bool stop;
    _Atomic bool has_job; /* [mutator sets, thread clears] what posted was raised for */
    bool is_out;          /* [mutator] a job was posted and not taken back */
    unsigned count;
    struct os_range ranges[DISCARDER_RANGES];
} discarder;

static void
wait_for(sem_t *s)
{
    while (sem_wait(s) < 0)
        must(errno == EINTR);
}

/* fetch_all: between any two calls that give memory back: who waits for memory waits longer than
 * who gives some back. */
static void
fetch_all(void)
{
    for (enum warm_kind k = 0; k < WARM_KINDS; k++)
        warmer_work(k);
}

static void
discard_all(const struct os_range *r, unsigned count)
{
    static unsigned ranges_a_call = OS_RANGES_MAX;

    for (unsigned n; count > 0; r += n, count -= n) {
        size_t bytes = r[0].bytes;

        for (n = 1; n < count && n < ranges_a_call && bytes < CALL_BYTES; n++)
            bytes += r[n].bytes;
        ranges_a_call = os_discard_ranges(r, n);
        fetch_all();
    }
}

static void *
discarder_main(void *arg)
{
    (void)arg;
    os_thread_name("discarder");
    (void)pthread_setschedparam(pthread_self(), SCHED_OTHER,
                                &(struct sched_param){.sched_priority = 0});
    for (;;) {
        bool has_job;

        wait_for(&discarder.posted);
        os_thread_woken();
        if (atomic_load_explicit(&discarder.stop, memory_order_relaxed))
            return NULL;
        has_job = atomic_exchange_explicit(&discarder.has_job, false,
                                           memory_order_acquire); /* O-9 discarder */
        fetch_all(); /* W2: what was posted before the job is seen now, and comes before it */
        if (!has_job)
            continue;
        discard_all(discarder.ranges, discarder.count);
        must(sem_post(&discarder.done) == 0); /* O-9 discarder */
    }
}

bool
discarder_start(void)
{
    if (discarder.runs)
        return true;
    if (fault_point(FAULT_thread_create))
        return false;
    discarder.stop = discarder.has_job = false;
    if (sem_init(&discarder.posted, 0, 0) < 0 || sem_init(&discarder.done, 0, 0) < 0)
        return false;
    discarder.runs = pthread_create(&discarder.thread, NULL, discarder_main, NULL) == 0;
    return discarder.runs;
}

void
discarder_stop(void)
{
    if (!discarder.runs)
        return;
    must(!discarder.is_out);
    discarder.stop = true;
    must(sem_post(&discarder.posted) == 0);
    must(pthread_join(discarder.thread, NULL) == 0);
    (void)sem_destroy(&discarder.posted);
    (void)sem_destroy(&discarder.done);
    discarder.runs = false;
}

void
discarder_post(const struct os_range *r, unsigned count)
{
    must(discarder.runs && !discarder.is_out && count > 0 && count <= DISCARDER_RANGES);
    memcpy(discarder.ranges, r, count * sizeof *r);
    discarder.count = count;
    discarder.is_out = true;
    atomic_store_explicit(&discarder.has_job, true, memory_order_release); /* O-9 mutator */
    must(sem_post(&discarder.posted) == 0);
}

void
discarder_wake(void)
{
    if (discarder.runs)
        must(sem_post(&discarder.posted) == 0);
}

bool
discarder_take(void)
{
    must(discarder.is_out);
    if (sem_trywait(&discarder.done) < 0) /* O-9 mutator */
        return false;
    discarder.is_out = false;
    return true;
}

void
discarder_wait(void)
{
    must(discarder.is_out);
    wait_for(&discarder.done); /* O-9 mutator */
    discarder.is_out = false;
}
