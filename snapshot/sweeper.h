/* snapshot/sweeper.h - one sweep over the record heap, and the thread that runs it.
 *
 * A job belongs to the mutator; while it runs the sweep thread reads its request and writes the
 * fields marked [sweep].
 *
 *     mutator                                  sweep thread
 *     snapshot_begin: cut, post      --O-4-->  sweep, phase SWEPT, EOF, fsync, rename, phase DONE
 *     snapshot_poll                  <--O-5--  eventfd at SWEPT and at DONE
 *     call_rcu at SWEPT or cancel    ------->  quiescent between slabs, offline around blocking
 *                                              calls
 *     grace over: mm_cut_end, settle
 *
 * Threads: mutator, but for sweep_run(), the fields marked [sweep], and where a line says [any]. */
#ifndef SNAPSHOT_SWEEPER_H
#define SNAPSHOT_SWEEPER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <urcu-qsbr.h>

#include "mm/cut.h"
#include "snapshot/snapshot.h"

enum job_phase { JOB_SWEEPING, JOB_SWEPT, JOB_DONE };

struct job {
    struct snapshot_request rq; /* [const while it runs] */
    char *path;                 /* [owned] as it was given: for messages */
    /* [owned] absolute: where `dir` was at the cut */
    char *file;
    struct mm_sweep sweep;                         /* [sweep] */
    _Atomic bool cancel;                           /* [mutator] C1 */
    _Atomic int phase;                             /* [sweep] O-5 */
    _Atomic uint64_t keys, bytes_out, blocks_done; /* [sweep] progress, relaxed */
    uint32_t blocks_total;
    /* [sweep], read by the mutator after JOB_DONE */
    int error;
    char text[256];
    uint64_t file_bytes, image_pages, retries;
    int64_t swept_us, done_us;
    /* [mutator] */
    int64_t begin_us;
    uint64_t begin_cost_ns;
    /* set before call_rcu(), read by the callback: liburcu orders the two already, in a way that
     * ThreadSanitizer cannot see */
    _Atomic bool handed_over;
    bool grace_asked, ended; /* call_rcu was called; mm_cut_end was called */
    _Atomic bool grace_over; /* [call_rcu thread] */
    struct rcu_head rcu;
};

/* sweeper_start: the thread exists and waits.  0 or -errno.
 * sweeper_stop: no job may be running. */
int sweeper_start(int event_fd);
void sweeper_stop(void);
/* sweeper_post: hand a job to the thread (O-4). */
void sweeper_post(struct job *j);
/* sweeper_quiescent: how often the sweep thread was quiescent; the load orders its reads before it
 * (O-8). [any] */
uint64_t sweeper_quiescent(void);
/* sweeper_wake_mutator: [any] */
void sweeper_wake_mutator(void);

/* sweep_run: read the whole record heap at the cut through view v into e.  [sweep]  0 or -errno. */
struct sweep_options {
    const struct snapshot_request *rq;
    struct mm_sweep *sweep;
    struct view *view;
    struct rdb_enc *enc;
    uint8_t *staging;                                 /* VIEW_CHUNK_BYTES */
    _Atomic uint64_t *keys, *bytes_out, *blocks_done; /* progress */
    void (*between)(void *ctx); /* after each block; may be NULL: where the thread is quiescent */
    void *between_ctx;
};
int sweep_run(const struct sweep_options *o);

#endif
