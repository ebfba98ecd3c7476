/* snapshot/sweeper.c - the sweep thread: waits for a job, sweeps, writes, makes it durable. */
#include "snapshot/sweeper.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mm/base/fault.h"
#include "mm/base/must.h"
#include "mm/base/os.h"

static struct {
    pthread_t thread;
    pthread_mutex_t lock; /* protects posted and stop; no other lock is taken inside */
    pthread_cond_t wanted;
    struct job *posted;         /* [lock: lock] */
    bool stop;                  /* [lock: lock] */
    int event_fd;               /* [const after sweeper_start] */
    uint8_t *staging;           /* [sweep] */
    _Atomic uint64_t quiescent; /* [sweep] O-8 */
} sweeper = {.lock = PTHREAD_MUTEX_INITIALIZER, .wanted = PTHREAD_COND_INITIALIZER};

void
sweeper_wake_mutator(void)
{
    uint64_t one = 1;
    ssize_t n;

    do
        n = write(sweeper.event_fd, &one, sizeof one);
    while (n < 0 && errno == EINTR);
}

/* pass_quiescent: before each quiescent state: what was read of the arena is over.  liburcu orders
 * that before the end of the grace period already; the counter says it in a way that
 * ThreadSanitizer can see (O-8). */
static void
pass_quiescent(void)
{
    atomic_fetch_add_explicit(&sweeper.quiescent, 1, memory_order_release);
}

uint64_t
sweeper_quiescent(void)
{
    return atomic_load_explicit(&sweeper.quiescent, memory_order_acquire);
}

static void
enter_blocking(void *ctx)
{
    (void)ctx;
    pass_quiescent();
    rcu_thread_offline();
}

static void
leave_blocking(void *ctx)
{
    (void)ctx;
    rcu_thread_online(); /* C1: what touches the arena next looks at the cancel flag first */
}

static void
between_blocks(void *ctx)
{
    (void)ctx;
    pass_quiescent();
    rcu_quiescent_state();
}

static int
poll_long_value(void *ctx)
{
    struct job *j = ctx;

    pass_quiescent();
    rcu_quiescent_state();
    return atomic_load_explicit(&j->cancel, memory_order_acquire) ? -ECANCELED : 0;
}

static void
describe(struct job *j, int error, const struct sink *out)
{
    j->error = error;
    if (error == -ECANCELED)
        snprintf(j->text, sizeof j->text, "cancelled");
    else if (error == -EBADMSG)
        snprintf(j->text, sizeof j->text,
                 "the sweep found %llu keys where the cut had %llu; the dump was dropped",
                 (unsigned long long)j->keys, (unsigned long long)j->rq.keys_total);
    else if (out != NULL && sink_error(out) < 0)
        snprintf(j->text, sizeof j->text, "%s of %.120s: %s",
                 out->failed_step != NULL ? out->failed_step : "write", j->path, strerror(-error));
    else if (mm_cut_is_broken())
        snprintf(j->text, sizeof j->text,
                 "no memory for the copy of a page that a client was changing");
    else
        snprintf(j->text, sizeof j->text, "%.200s", strerror(-error));
}

/* sweep_heap: the part that reads the arena. */
static int
sweep_heap(struct job *j, struct rdb_enc *enc)
{
    struct view view;
    int r;

    view_init(&view, j->sweep.epoch);
    view.cancel = &j->cancel;
    view.poll = poll_long_value;
    view.poll_ctx = j;
    r = sweep_run(&(struct sweep_options){.rq = &j->rq,
                                          .sweep = &j->sweep,
                                          .view = &view,
                                          .enc = enc,
                                          .staging = sweeper.staging,
                                          .keys = &j->keys,
                                          .bytes_out = &j->bytes_out,
                                          .blocks_done = &j->blocks_done,
                                          .between = between_blocks});
    j->image_pages = view.image_pages;
    j->retries = view.retries;
    return r;
}

static void
post_phase(struct job *j, enum job_phase phase)
{
    must((int)phase > atomic_load_explicit(&j->phase, memory_order_relaxed)); /* each once */
    atomic_store_explicit(&j->phase, phase, memory_order_release);            /* O-5 */
    sweeper_wake_mutator();
}

/* run_job: whatever fails, both phases are posted, in order. */
static void
run_job(struct job *j)
{
    struct sink_file_options file = {.path = j->file, .writeout_bytes = j->rq.writeout_bytes};
    struct sink *out = NULL;
    struct rdb_enc enc;
    int r;

    enter_blocking(NULL);
    r = sink_file_open(&file, &out);
    leave_blocking(NULL);
    if (r < 0) {
        snprintf(j->text, sizeof j->text, "open of a temporary file beside %.120s: %s", j->path,
                 strerror(-r));
        j->error = r;
        j->swept_us = os_monotonic_us();
        goto swept;
    }
    out->with_crc = j->rq.checksum;
    out->before_block = enter_blocking;
    out->after_block = leave_blocking;
    if ((r = rdb_enc_init(&enc, out, j->rq.rdb_version, j->rq.compress)) == 0) {
        r = sweep_heap(j, &enc);
        j->swept_us = os_monotonic_us();
        if (r == 0) {
            pass_quiescent();
            post_phase(j, JOB_SWEPT); /* memory comes back while the file becomes durable */
            rdb_put_eof(&enc);
            r = atomic_load_explicit(&j->cancel, memory_order_acquire) ? -ECANCELED
                                                                       : sink_commit(out);
        }
        rdb_enc_fini(&enc);
    }
    j->file_bytes = out->put_bytes;
    if (r < 0)
        describe(j, r, out);
    sink_close(out);
swept:
    if (atomic_load_explicit(&j->phase, memory_order_relaxed) == JOB_SWEEPING)
        post_phase(j, JOB_SWEPT);
    j->done_us = os_monotonic_us();
    post_phase(j, JOB_DONE); /* the mutator may free j from here on */
}

/* next_job: wait, offline, for a job; NULL: stop. */
static struct job *
next_job(void)
{
    struct job *j;

    rcu_thread_offline();
    pthread_mutex_lock(&sweeper.lock);
    while (sweeper.posted == NULL && !sweeper.stop)
        pthread_cond_wait(&sweeper.wanted, &sweeper.lock);
    j = sweeper.posted;
    sweeper.posted = NULL;
    pthread_mutex_unlock(&sweeper.lock);
    rcu_thread_online();
    return j;
}

static void *
sweeper_main(void *arg)
{
    struct job *j;

    (void)arg;
#ifdef SCHED_BATCH
    /* Waking up must not push the event loop off its processor: the start of a save would stall for
     * our time slice. */
    (void)pthread_setschedparam(pthread_self(), SCHED_BATCH,
                                &(struct sched_param){.sched_priority = 0});
#endif
    rcu_register_thread();
    while ((j = next_job()) != NULL)
        run_job(j);
    rcu_unregister_thread();
    return NULL;
}

int
sweeper_start(int event_fd)
{
    int r;

    must(event_fd >= 0 && sweeper.staging == NULL); /* one thread */
    sweeper.event_fd = event_fd;
    sweeper.stop = false;
    if (fault_point(FAULT_sink_buffer) || (sweeper.staging = malloc(VIEW_CHUNK_BYTES)) == NULL)
        return -ENOMEM;
    r = fault_point(FAULT_thread_create)
            ? EAGAIN
            : pthread_create(&sweeper.thread, NULL, sweeper_main, NULL);
    if (r != 0) {
        free(sweeper.staging);
        sweeper.staging = NULL;
    }
    return -r;
}

void
sweeper_stop(void)
{
    pthread_mutex_lock(&sweeper.lock);
    must(sweeper.posted == NULL);
    sweeper.stop = true;
    pthread_cond_signal(&sweeper.wanted);
    pthread_mutex_unlock(&sweeper.lock);
    (void)pthread_join(sweeper.thread, NULL);
    free(sweeper.staging);
    sweeper.staging = NULL;
}

void
sweeper_post(struct job *j)
{
    must(sweeper.staging != NULL && j->sweep.epoch != 0); /* a thread, and a cut */
    pthread_mutex_lock(&sweeper.lock);
    must(sweeper.posted == NULL && !sweeper.stop);
    sweeper.posted = j; /* O-4: the mutex publishes the cut and the job */
    pthread_cond_signal(&sweeper.wanted);
    pthread_mutex_unlock(&sweeper.lock);
}
