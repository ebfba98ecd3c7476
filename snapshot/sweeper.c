/* snapshot/sweeper.c - the threads of a snapshot: each waits for a job and does its part of it.
 * The contract is in sweeper.h. */
#include "snapshot/sweeper.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "mm/base/fault.h"
#include "mm/base/must.h"
#include "mm/base/os.h"
#include "snapshot/writer.h"

/* A thread and what it needs for a sweep: there before it is asked for. */
struct sweeper {
    pthread_t thread;
    unsigned index;
    uint8_t *staging; /* [owned] */
    uint64_t seen;    /* posts that were before it */
};

static struct {
    pthread_mutex_t lock; /* no other lock is taken inside */
    pthread_cond_t wanted;
    struct job
        *posted;    /* [lock: lock] the newest, for as many sweepers as its lanes, and the writer */
    uint64_t posts; /* [lock: lock] how many there were */
    unsigned sweepers; /* [lock: lock] that the newest is for */
    bool stop;         /* [lock: lock] */
    int event_fd;      /* [const after sweeper_start] */
    /* [mutator] */
    struct sweeper *of[JOINER_LANES_MAX];
    unsigned count;
    pthread_t writer;
    _Atomic uint64_t quiescent; /* [sweep] O-8 */
    _Atomic uint64_t rate;
    struct joiner joiner;
} sweepers = {.lock = PTHREAD_MUTEX_INITIALIZER,
              .wanted = PTHREAD_COND_INITIALIZER,
              .joiner = {.lock = PTHREAD_MUTEX_INITIALIZER,
                         .chunk_queued = PTHREAD_COND_INITIALIZER,
                         .chunk_free = PTHREAD_COND_INITIALIZER,
                         .turn_free = PTHREAD_COND_INITIALIZER}};

void
sweeper_wake_mutator(void)
{
    uint64_t one = 1;
    ssize_t n;

    do
        n = write(sweepers.event_fd, &one, sizeof one);
    while (n < 0 && errno == EINTR);
}

void
sweeper_rate(uint64_t bytes_s)
{
    atomic_store_explicit(&sweepers.rate, bytes_s, memory_order_relaxed);
}

uint64_t
sweeper_raw_bytes(void)
{
    return atomic_load_explicit(&sweepers.joiner.raw_bytes, memory_order_relaxed);
}

/* pass_quiescent: before each quiescent state: what was read of the arena is over.  liburcu orders
 * that before the end of the grace period already; the counter says it in a way that
 * ThreadSanitizer can see (O-8). */
static void
pass_quiescent(void)
{
    atomic_fetch_add_explicit(&sweepers.quiescent, 1, memory_order_release);
}

uint64_t
sweeper_quiescent(void)
{
    return atomic_load_explicit(&sweepers.quiescent, memory_order_acquire);
}

static void
before_wait(void)
{
    pass_quiescent();
    rcu_thread_offline();
}

static void
after_wait(void)
{
    rcu_thread_online(); /* C1: what touches the arena next looks at the cancel flag first */
}

/* What the calls between blocks and within a long value know. */
struct reading {
    struct job *j;
    const struct view *view;
    uint64_t told_bytes; /* of view->read_bytes, that others know of */
};

/* look_up: where the sweeper is quiescent: others learn how far it is. */
static void
look_up(void *ctx)
{
    struct reading *r = ctx;

    atomic_fetch_add_explicit(&r->j->progress.read_bytes, r->view->read_bytes - r->told_bytes,
                              memory_order_relaxed);
    r->told_bytes = r->view->read_bytes;
    pass_quiescent();
    rcu_quiescent_state();
    os_thread_give_way();
}

static int
poll_long_value(void *ctx)
{
    const struct reading *r = ctx;

    look_up(ctx);
    return atomic_load_explicit(&r->j->cancel, memory_order_acquire) ||
                   atomic_load_explicit(&r->j->failed, memory_order_relaxed)
               ? -ECANCELED
               : 0;
}

/* ---- a sweeper's part of a job ---- */

static int
sweep_lane(struct job *j, const struct sweeper *s, struct lane *lane, void *worker)
{
    struct mm_sweep stretch = {.epoch = j->area.epoch};
    struct rdb_enc enc;
    struct view view;
    struct reading reading = {.j = j, .view = &view};
    int r = rdb_enc_init(&enc, &lane->sink, j->rq.rdb_version, j->rq.compression == RDB_LZF);

    if (r < 0)
        return r;
    view_init(&view, j->area.epoch);
    view.cancel = &j->cancel;
    view.poll = poll_long_value;
    view.poll_ctx = &reading;
    r = sweep_run(&(struct sweep_options){.rq = &j->rq,
                                          .sweep = &stretch,
                                          .area = &j->area,
                                          .is_first = s->index == 0,
                                          .worker = worker,
                                          .view = &view,
                                          .enc = &enc,
                                          .lane = lane,
                                          .failed = &j->failed,
                                          .staging = s->staging,
                                          .progress = &j->progress,
                                          .between = look_up,
                                          .between_ctx = &reading});
    atomic_fetch_add_explicit(&j->progress.image_pages, view.image_pages, memory_order_relaxed);
    atomic_fetch_add_explicit(&j->progress.retries, view.retries, memory_order_relaxed);
    rdb_enc_fini(&enc);
    return r;
}

static int
sweep_with_worker(struct job *j, const struct sweeper *s, struct lane *lane)
{
    const struct snapshot_ops *ops = j->rq.ops;
    void *worker = j->rq.cut;
    int r;

    if (ops->worker_new != NULL && (worker = ops->worker_new(j->rq.cut)) == NULL)
        return -ENOMEM;
    r = sweep_lane(j, s, lane, worker);
    if (ops->worker_free != NULL)
        ops->worker_free(worker);
    return r;
}

/* note_failure: the first one counts; the others give up because of it. */
static void
note_failure(struct job *j, int error)
{
    bool first = false;

    if (atomic_compare_exchange_strong_explicit(&j->failed, &first, true, memory_order_relaxed,
                                                memory_order_relaxed))
        j->sweep_error = error; /* read by the writer when all lanes are closed (O-11) */
}

void
job_post_phase(struct job *j, enum job_phase phase)
{
    must((int)phase > atomic_load_explicit(&j->phase, memory_order_relaxed)); /* each once */
    atomic_store_explicit(&j->phase, phase, memory_order_release);            /* O-5 */
    sweeper_wake_mutator();
}

/* end_reading: this sweeper will not look at the arena again; the last one says so for all. */
static void
end_reading(struct job *j)
{
    pass_quiescent();
    rcu_quiescent_state();
    if (atomic_fetch_sub_explicit(&j->sweepers_left, 1, memory_order_acq_rel) != 1) /* O-10 */
        return;
    j->swept_us = os_monotonic_us();
    job_post_phase(j, JOB_SWEPT); /* memory comes back while the file becomes durable */
}

/* run_sweeper: when its lane is closed the job may be gone. */
static void
run_sweeper(struct job *j, const struct sweeper *s)
{
    struct lane lane;
    int r = lane_open(&lane, &sweepers.joiner, s->index);

    if (r == 0)
        r = sweep_with_worker(j, s, &lane);
    if (r < 0) {
        note_failure(j, r);
        joiner_fail(&sweepers.joiner, r);
    }
    end_reading(j);
    (void)lane_close(&lane); /* its error is the writer's own */
}

/* ---- the threads ---- */

/* next_job: wait for one that is for this thread, the index-th sweeper or, with `any`, the writer.
 * seen: the posts that it knows.  NULL: stop. */
static struct job *
next_job(uint64_t *seen, bool any, unsigned index)
{
    struct job *j = NULL;

    pthread_mutex_lock(&sweepers.lock);
    while (j == NULL && !sweepers.stop) {
        if (sweepers.posts != *seen) {
            *seen = sweepers.posts;
            if (any || index < sweepers.sweepers)
                j = sweepers.posted; /* O-4 */
        } else {
            pthread_cond_wait(&sweepers.wanted, &sweepers.lock);
        }
    }
    pthread_mutex_unlock(&sweepers.lock);
    return j;
}

static void *
sweeper_main(void *arg)
{
    const struct sweeper *s = arg;
    uint64_t seen = s->seen;
    struct job *j;

    os_thread_name("sweeper");
    os_thread_background();
    rcu_register_thread();
    rcu_thread_offline();
    while ((j = next_job(&seen, false, s->index)) != NULL) {
        os_thread_woken();
        rcu_thread_online();
        run_sweeper(j, s);
        rcu_thread_offline();
    }
    rcu_unregister_thread();
    return NULL;
}

static void *
writer_main(void *arg)
{
    uint64_t seen = 0;
    struct job *j;

    (void)arg;
    os_thread_name("writer");
    os_thread_background();
    while ((j = next_job(&seen, true, 0)) != NULL) {
        os_thread_woken();
        writer_run(j, &sweepers.joiner, &sweepers.rate);
    }
    return NULL;
}

static int
create_thread(pthread_t *ret, void *(*run)(void *), void *arg)
{
    return fault_point(FAULT_thread_create) ? EAGAIN : pthread_create(ret, NULL, run, arg);
}

/* add_sweeper: 0 or -errno. */
static int
add_sweeper(void)
{
    struct sweeper *s = calloc(1, sizeof *s);
    int r = ENOMEM;

    if (s != NULL && !fault_point(FAULT_sink_buffer))
        s->staging = malloc(VIEW_CHUNK_BYTES);
    if (s != NULL && s->staging != NULL) {
        s->index = sweepers.count;
        s->seen = sweepers.posts; /* the mutator's to read: it alone posts */
        r = create_thread(&s->thread, sweeper_main, s);
    }
    if (r != 0) {
        free(s != NULL ? s->staging : NULL);
        free(s);
        return -r;
    }
    sweepers.of[sweepers.count++] = s;
    return 0;
}

unsigned
sweeper_threads(unsigned wanted)
{
    if (wanted > JOINER_LANES_MAX)
        wanted = JOINER_LANES_MAX;
    while (sweepers.count < wanted && add_sweeper() == 0)
        ;
    return sweepers.count < wanted ? sweepers.count : wanted;
}

int
sweeper_start(int event_fd)
{
    int r;

    must(event_fd >= 0 && sweepers.count == 0);
    sweepers.event_fd = event_fd;
    sweepers.stop = false;
    sweepers.posts = 0;
    if ((r = -create_thread(&sweepers.writer, writer_main, NULL)) < 0)
        return r;
    if ((r = add_sweeper()) < 0)
        sweeper_stop();
    return r;
}

void
sweeper_stop(void)
{
    pthread_mutex_lock(&sweepers.lock);
    sweepers.stop = true;
    pthread_cond_broadcast(&sweepers.wanted);
    pthread_mutex_unlock(&sweepers.lock);
    (void)pthread_join(sweepers.writer, NULL);
    while (sweepers.count > 0) {
        struct sweeper *s = sweepers.of[--sweepers.count];

        (void)pthread_join(s->thread, NULL);
        free(s->staging);
        free(s);
    }
}

void
sweeper_post(struct job *j, unsigned count)
{
    must(count >= 1 && count <= sweepers.count && j->area.epoch != 0); /* threads, and a cut */
    atomic_store_explicit(&j->sweepers_left, count, memory_order_relaxed);
    joiner_begin(&sweepers.joiner, &(struct joiner_options){.lanes = count,
                                                            .compression = j->rq.compression,
                                                            .level = j->rq.compression_level,
                                                            .checksum = j->rq.checksum,
                                                            .before_wait = before_wait,
                                                            .after_wait = after_wait});
    pthread_mutex_lock(&sweepers.lock);
    must(!sweepers.stop);
    sweepers.posted = j; /* O-4: the mutex publishes the cut and the job */
    sweepers.sweepers = count;
    sweepers.posts++;
    pthread_cond_broadcast(&sweepers.wanted);
    pthread_mutex_unlock(&sweepers.lock);
}
