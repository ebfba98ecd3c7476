/* snapshot/sweeper.h - the threads of a snapshot: sweepers, which read the record heap and encode,
 * and the writer, which makes one file of what they encode.
 *
 * A job belongs to the mutator; while it runs the sweepers read its request and write the fields
 * marked [sweep], the writer those marked [writer].
 *
 *     mutator                              sweepers                 writer
 *     snapshot_begin: cut, post  --O-4-->  claim, sweep, hand over  open, take over, write
 *                                          the last one: SWEPT
 *     snapshot_poll              <--O-5--  eventfd at SWEPT         fsync, rename; DONE: eventfd
 *     call_rcu at SWEPT or cancel ------>  quiescent between slabs, offline where they wait
 *     grace over: mm_cut_end, settle
 *
 * Threads: mutator, but for sweep_run(), the fields marked, and where a line says [any]. */
#ifndef SNAPSHOT_SWEEPER_H
#define SNAPSHOT_SWEEPER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <urcu-qsbr.h>

#include "mm/cut.h"
#include "snapshot/joiner.h"
#include "snapshot/snapshot.h"

enum job_phase { JOB_SWEEPING, JOB_SWEPT, JOB_DONE };

/* Of a sweep, by all its sweepers. */
struct sweep_progress {
    _Atomic uint64_t keys, left_out; /* relaxed.  keys: all that were seen, also those left out */
    _Atomic uint64_t read_bytes;     /* of the arena, by all views */
    _Atomic uint64_t image_pages, retries;
};

struct job {
    struct snapshot_request rq; /* [const while it runs] */
    char *path;                 /* [owned] as it was given: for messages */
    /* [owned] absolute: where `dir` was at the cut */
    char *file;
    struct mm_sweep_area area;      /* [sweep] */
    _Atomic bool cancel;            /* [mutator] C1 */
    _Atomic bool failed;            /* [sweep, writer] the others need not go on */
    _Atomic int phase;              /* [sweep, then writer] O-5 */
    _Atomic unsigned sweepers_left; /* [sweep] O-10 */
    struct sweep_progress progress; /* [sweep] */
    _Atomic uint64_t file_bytes;    /* [writer] relaxed */
    _Atomic bool verifying;         /* [writer] relaxed */
    uint64_t bytes_total;           /* of data at the cut */
    uint32_t blocks_total;
    unsigned threads; /* sweepers */
    /* the first error of a sweeper: by who takes `failed` from false to true */
    int sweep_error;
    /* [writer], read by the mutator after JOB_DONE */
    int error;
    char text[256];
    int64_t done_us;
    enum snapshot_verified verified;
    int64_t verify_us;
    struct retained retained;
    int64_t swept_us; /* [sweep] by the last one, before JOB_SWEPT */
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

/* sweeper_start: one sweeper and the writer exist and wait.  0 or -errno.
 * sweeper_stop: no job may be running. */
int sweeper_start(int event_fd);
void sweeper_stop(void);
/* sweeper_threads: that there be so many sweepers, if they can be made.  No job may be running.
 * Returns how many there are. */
unsigned sweeper_threads(unsigned wanted);
/* sweeper_rate: bytes a second that the writer keeps to from now on; 0: none.  [any] */
void sweeper_rate(uint64_t bytes_s);
/* sweeper_post: hand a job to the threads (O-4). */
void sweeper_post(struct job *j, unsigned sweepers);
/* sweeper_raw_bytes: of RDB, by the running job so far.  [any] */
uint64_t sweeper_raw_bytes(void);
/* sweeper_quiescent: how often sweepers were quiescent; the load orders their reads before it
 * (O-8). [any] */
uint64_t sweeper_quiescent(void);
/* sweeper_wake_mutator: [any] */
void sweeper_wake_mutator(void);

/* sweep_run: read the record heap at the cut through a view into an encoder: one sweeper of a
 * sweep, or the only one.  0 or -errno.  [sweep] */
struct sweep_options {
    const struct snapshot_request *rq;
    struct mm_sweep *sweep;     /* where it begins */
    struct mm_sweep_area *area; /* where it goes on; NULL: nowhere */
    bool is_first;              /* it writes the file's head */
    void *worker;               /* of rq->ops */
    struct view *view;
    struct rdb_enc *enc;
    struct lane *lane;          /* that enc writes to; NULL: another sink */
    const _Atomic bool *failed; /* set: no use in going on; NULL: as false */
    uint8_t *staging;           /* VIEW_CHUNK_BYTES */
    struct sweep_progress *progress;
    void (*between)(void *ctx); /* after each block; may be NULL: where the thread is quiescent */
    void *between_ctx;
};
int sweep_run(const struct sweep_options *o);

/* sweep_check: when all sweepers are done: -EBADMSG: they did not find the keys of the cut. */
int sweep_check(const struct snapshot_request *rq, const struct sweep_progress *p);

#endif
