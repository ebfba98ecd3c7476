/* mm/discarder.c - the thread that gives memory back. */
#include "mm/discarder.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <string.h>

#include "mm/base/fault.h"
#include "mm/base/must.h"

/* A call to the system takes so much at a time: whoever maps or protects memory meanwhile waits for
 * it. */
static const size_t CALL_BYTES = (size_t)2 << 20;

static struct {
    bool runs;
    pthread_t thread;
    sem_t posted, done; /* both ways a hand-over: O-9 */
    bool stop;
    bool is_out; /* [mutator] a job was posted and not taken back */
    unsigned count;
    struct os_range ranges[DISCARDER_RANGES];
} discarder;

static void
wait_for(sem_t *s)
{
    while (sem_wait(s) < 0)
        must(errno == EINTR);
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
    }
}

static void *
discarder_main(void *arg)
{
    (void)arg;
    (void)pthread_setschedparam(pthread_self(), SCHED_BATCH,
                                &(struct sched_param){.sched_priority = 0});
    for (;;) {
        wait_for(&discarder.posted); /* O-9 discarder */
        if (discarder.stop)
            return NULL;
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
    discarder.stop = false;
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
    must(sem_post(&discarder.posted) == 0); /* O-9 mutator */
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
