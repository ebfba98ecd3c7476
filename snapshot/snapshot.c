/* snapshot/snapshot.c - the mutator's side of a snapshot: begin, cancel, take in what comes
 * back. */
#include "snapshot/snapshot.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "mm/base/fault.h"
#include "mm/base/must.h"
#include "mm/base/os.h"
#include "mm/base/spare.h"
#include "snapshot/sweeper.h"

static struct job *job; /* the running one, or NULL */
static int event_fd = -1;
static struct call_rcu_data *grace_thread;

static void *
return_at_once(void *arg)
{
    return arg;
}

/* can_create_thread: liburcu ends the process when it cannot make its thread; ask before. */
static int
can_create_thread(void)
{
    pthread_t t;
    int r =
        fault_point(FAULT_thread_create) ? EAGAIN : pthread_create(&t, NULL, return_at_once, NULL);

    if (r == 0)
        (void)pthread_join(t, NULL);
    return -r;
}

int
snapshot_start(void)
{
    int r;

    must(event_fd < 0); /* once, or after snapshot_stop() */
    event_fd = fault_point(FAULT_eventfd_create) ? (errno = EMFILE, -1)
                                                 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event_fd < 0)
        return -errno;
    if ((r = spare_open()) < 0)
        goto close_fd;
    if ((r = sweeper_start(event_fd)) < 0)
        goto close_spare;
    if ((r = can_create_thread()) < 0) /* the last one before liburcu's */
        goto stop_sweeper;
    rcu_register_thread();
    grace_thread = create_call_rcu_data(0, -1);
    set_thread_call_rcu_data(grace_thread);
    return 0;
stop_sweeper:
    sweeper_stop();
close_spare:
    spare_close();
close_fd:
    (void)close(event_fd);
    event_fd = -1;
    return r;
}

void
snapshot_stop(void)
{
    struct snapshot_end end;

    if (event_fd < 0)
        return;
    snapshot_cancel();
    while (job != NULL) {
        snapshot_wait();
        (void)snapshot_poll(UINT32_MAX, &end);
    }
    sweeper_stop();
    set_thread_call_rcu_data(NULL);
    rcu_thread_offline(); /* it waits for the grace thread, which may wait for us */
    call_rcu_data_free(grace_thread);
    rcu_unregister_thread();
    spare_close();
    (void)close(event_fd);
    event_fd = -1;
}

int
snapshot_event_fd(void)
{
    return event_fd;
}

bool
snapshot_is_ready(void)
{
    return job == NULL && mm_cut_is_ready();
}

static void
job_free(struct job *j)
{
    if (j != NULL) {
        free(j->path);
        free(j->file);
    }
    free(j);
}

/* absolute: the path from here, or as it is if "here" has no name; NULL: no memory. */
static char *
absolute(const char *path)
{
    char here[PATH_MAX], *joined;

    if (path[0] == '/' || getcwd(here, sizeof here) == NULL)
        return strdup(path);
    return asprintf(&joined, "%s/%s", here, path) < 0 ? NULL : joined;
}

static struct job *
job_new(const struct snapshot_request *rq)
{
    struct job *j = fault_point(FAULT_job_alloc) ? NULL : calloc(1, sizeof *j);

    if (j == NULL || (j->path = strdup(rq->path)) == NULL ||
        (j->file = absolute(rq->path)) == NULL) {
        job_free(j);
        return NULL;
    }
    j->rq = *rq;
    j->rq.path = j->path;
    return j;
}

int
snapshot_begin(const struct snapshot_request *rq)
{
    /* What knows one worker only is swept by one thread. */
    bool alone = rq->ops->worker_new == NULL || rq->threads == 0;
    unsigned threads = sweeper_threads(alone ? 1 : rq->threads);
    int64_t start_ns = os_monotonic_ns();
    epoch_t epoch;
    struct job *j;
    int r;

    must(event_fd >= 0); /* snapshot_start() was called */
    must(rq->ops != NULL && rq->ops->save_record != NULL && rq->path != NULL);
    must((rq->ops->worker_new == NULL) == (rq->ops->worker_free == NULL));
    if (!snapshot_is_ready())
        return -EBUSY;
    if ((j = job_new(rq)) == NULL)
        return -ENOMEM;
    if ((r = mm_cut_begin(&epoch)) < 0) {
        job_free(j);
        return r;
    }
    mm_sweep_area_init(&j->area);
    j->blocks_total = j->area.end_block;
    j->bytes_total = mm_live_bytes();
    j->begin_us = start_ns / 1000;
    j->threads = threads;
    sweeper_post(j, threads);
    job = j;
    j->begin_cost_ns = (uint64_t)(os_monotonic_ns() - start_ns);
    return 0;
}

/* Thread: call_rcu. */
static void
note_grace_over(struct rcu_head *head)
{
    struct job *j = caa_container_of(head, struct job, rcu);

    must(atomic_load_explicit(&j->handed_over, memory_order_acquire));
    atomic_store_explicit(&j->grace_over, true, memory_order_release);
    sweeper_wake_mutator();
}

/* ask_grace: everything that the sweep could still read is free to change once this grace period is
 * over. */
static void
ask_grace(struct job *j)
{
    if (j->grace_asked)
        return;
    j->grace_asked = true;
    atomic_store_explicit(&j->handed_over, true, memory_order_release);
    call_rcu(&j->rcu, note_grace_over);
}

void
snapshot_cancel(void)
{
    if (job == NULL || atomic_load_explicit(&job->phase, memory_order_acquire) == JOB_DONE)
        return;
    /* C1: only the flag; then a grace period */
    atomic_store_explicit(&job->cancel, true, memory_order_release);
    ask_grace(job);
}

static void
drain_event_fd(void)
{
    uint64_t n;

    while (read(event_fd, &n, sizeof n) > 0)
        ;
}

static void
report(struct job *j, struct snapshot_end *ret)
{
    *ret = (struct snapshot_end){
        .error = j->error,
        .keys = j->progress.keys - j->progress.left_out,
        .left_out = j->progress.left_out,
        .raw_bytes = sweeper_raw_bytes(),
        .file_bytes = j->file_bytes,
        .sweep_us = j->swept_us - j->begin_us,
        .total_us = j->done_us - j->begin_us,
        .image_pages = j->progress.image_pages,
        .retries = j->progress.retries,
        .verified = j->verified,
        .verify_us = j->verify_us,
        .retained = j->retained,
    };
    memcpy(ret->text, j->text, sizeof ret->text);
}

bool
snapshot_poll(unsigned max_blocks, struct snapshot_end *ret)
{
    int phase;

    if (job == NULL)
        return false;
    drain_event_fd();
    phase = atomic_load_explicit(&job->phase, memory_order_acquire); /* O-5 */
    if (phase >= JOB_SWEPT)
        ask_grace(job);
    if (!job->ended && job->grace_asked &&
        atomic_load_explicit(&job->grace_over, memory_order_acquire)) {
        (void)sweeper_quiescent(); /* O-8: the sweep's reads are over */
        mm_cut_end();
        job->ended = true;
    }
    (void)mm_settle(max_blocks);
    if (phase != JOB_DONE || !job->ended || !mm_cut_is_ready())
        return false;
    must(job->error != 0 || job->progress.keys == job->rq.keys_total); /* N6, seen from this side */
    report(job, ret);
    job_free(job);
    job = NULL;
    return true;
}

bool
snapshot_wants_poll(void)
{
    return job != NULL && job->ended && !mm_cut_is_ready();
}

void
snapshot_wait(void)
{
    struct pollfd p = {.fd = event_fd, .events = POLLIN};

    if (job == NULL || snapshot_wants_poll())
        return;
    snapshot_offline();
    (void)poll(&p, 1, 100);
    snapshot_online();
}

void
snapshot_status(struct snapshot_status *ret)
{
    *ret = (struct snapshot_status){.state = SNAPSHOT_IDLE};
    if (job == NULL)
        return;
    switch (atomic_load_explicit(&job->phase, memory_order_acquire)) {
    case JOB_SWEEPING:
        ret->state = SNAPSHOT_SWEEPING;
        break;
    case JOB_SWEPT:
        ret->state = SNAPSHOT_WRITING;
        break;
    default:
        ret->state = SNAPSHOT_ENDING;
    }
    ret->cancelled = atomic_load_explicit(&job->cancel, memory_order_relaxed);
    ret->verifying = atomic_load_explicit(&job->verifying, memory_order_relaxed);
    ret->keys_done = atomic_load_explicit(&job->progress.keys, memory_order_relaxed);
    ret->keys_total = job->rq.keys_total;
    ret->bytes_read = atomic_load_explicit(&job->progress.read_bytes, memory_order_relaxed);
    ret->bytes_total = job->bytes_total;
    ret->raw_bytes = sweeper_raw_bytes();
    ret->bytes_out = atomic_load_explicit(&job->file_bytes, memory_order_relaxed);
    ret->blocks_done = atomic_load_explicit(&job->area.next_block, memory_order_relaxed);
    if (ret->blocks_done > job->blocks_total)
        ret->blocks_done = job->blocks_total;
    ret->threads = job->threads;
    ret->blocks_total = job->blocks_total;
    ret->begin_us = job->begin_us;
    ret->begin_cost_ns = job->begin_cost_ns;
}

static double
part(uint64_t done, uint64_t total)
{
    return done >= total ? total > 0 : (double)done / (double)total;
}

double
snapshot_part_swept(const struct snapshot_status *s)
{
    double keys = part(s->keys_done, s->keys_total), bytes = part(s->bytes_read, s->bytes_total);

    return keys > bytes ? keys : bytes;
}

unsigned
snapshot_threads(unsigned wanted)
{
    return job != NULL ? 0 : sweeper_threads(wanted);
}

void
snapshot_rate(uint64_t bytes_s)
{
    sweeper_rate(bytes_s);
}

void
snapshot_offline(void)
{
    rcu_thread_offline();
}

void
snapshot_online(void)
{
    rcu_thread_online();
}

void
snapshot_quiescent(void)
{
    rcu_quiescent_state();
}
