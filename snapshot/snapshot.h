/* snapshot/snapshot.h - a snapshot as a job: begin, sweep in the background, swept, durable.
 *
 *   IDLE --begin--> SWEEPING --all read--> WRITING --renamed--> (done)
 *                      |  cancel / error       |
 *                      +-----> ENDING <--------+      grace period, settle, then IDLE again
 *
 * One helper thread (the sweep) exists from snapshot_start() on.  The mutator is told through an
 * eventfd and calls snapshot_poll().  RCU (liburcu, QSBR flavour): the sweep thread is the reader,
 * quiescent between slabs, offline around blocking calls; the mutator is registered too and goes
 * offline with snapshot_offline() around epoll_wait.
 * Threads: mutator, unless a line says otherwise. */
#ifndef SNAPSHOT_SNAPSHOT_H
#define SNAPSHOT_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/cut.h"
#include "snapshot/rdb/rdb_enc.h"
#include "snapshot/view.h"

/* What the server brings: how its records become RDB.  All [sweep]; `cut` is the caller's state of
 * the cut (map of databases, sizes, aux fields), const until snapshot_ops.finish. */
struct snapshot_ops {
    /* save_begin: AUX fields and the like, after the magic. 0 or -errno. */
    int (*save_begin)(void *cut, struct rdb_enc *e);
    /* save_record: one record.  staged: its first staged_bytes bytes as they were at the cut (the
     * whole slot, or the first 64 KiB of a run); live: its address, to view_read() the rest of a
     * long key and the values it points to. Returns 1 if it was a key that was written, 0 if
     * skipped, or -errno. */
    int (*save_record)(void *cut, struct view *v, struct rdb_enc *e, const void *live,
                       const uint8_t *staged, size_t staged_bytes);
};

struct snapshot_request {
    const struct snapshot_ops *ops;
    void *cut;        /* stays valid until snapshot_poll() reports the end */
    const char *path; /* final name of the dump; copied */
    int rdb_version;
    bool compress, checksum;
    uint64_t keys_total;   /* keys at the cut: for progress, and checked against what was written */
    size_t writeout_bytes; /* see sink_file_options */
};

enum snapshot_state { SNAPSHOT_IDLE, SNAPSHOT_SWEEPING, SNAPSHOT_WRITING, SNAPSHOT_ENDING };

struct snapshot_status {
    enum snapshot_state state;
    bool cancelled;
    uint64_t keys_done, keys_total; /* processed by the sweep so far */
    uint64_t bytes_out;             /* put to the sink so far */
    uint64_t blocks_done, blocks_total;
    int64_t begin_us;       /* monotonic */
    uint64_t begin_cost_ns; /* how long snapshot_begin() took: the stall */
};

/* What snapshot_poll() reports once per snapshot. */
struct snapshot_end {
    int error;      /* 0, -ECANCELED, -ENOMEM (broken view), or the sink's -errno */
    char text[256]; /* for the log when error: what failed, with path and reason */
    uint64_t keys, file_bytes;
    int64_t sweep_us, total_us;
    uint64_t image_pages, retries;
};

/* snapshot_start: create the sweep thread and its eventfd; register the mutator with RCU.  0 or
 * -errno. */
int snapshot_start(void);
/* snapshot_stop: cancel what runs, wait for it, join the thread. */
void snapshot_stop(void);
int snapshot_event_fd(void);

/* snapshot_is_ready: snapshot_begin() would not answer -EBUSY. */
bool snapshot_is_ready(void);
/* snapshot_begin: take the cut now and hand it to the sweep thread.  O(1) in the data.  0 or -errno
 * (-EBUSY). */
int snapshot_begin(const struct snapshot_request *rq);
/* snapshot_cancel: only sets a flag (C1); the end is reported by snapshot_poll(). */
void snapshot_cancel(void);
/* snapshot_poll: take in what the sweep thread and grace periods handed back; do up to max_blocks
 * of settling. True once per snapshot, with *ret filled: it is durable (or failed, or cancelled)
 * and everything is settled. */
bool snapshot_poll(unsigned max_blocks, struct snapshot_end *ret);
/* snapshot_wants_poll: settling is left: call snapshot_poll() again without waiting for the
 * eventfd. */
bool snapshot_wants_poll(void);
void snapshot_status(struct snapshot_status *ret);

/* Around a blocking call of the mutator; and one quiescent state per turn of the loop. */
void snapshot_offline(void);
void snapshot_online(void);
void snapshot_quiescent(void);

/* snapshot_wait: block until the sweep thread or a grace period has something for snapshot_poll();
 * for SAVE and SHUTDOWN, which are meant to block. */
void snapshot_wait(void);

/* snapshot_run_here: sweep in the calling thread, without threads or files: for tests and the step
 * scheduler. Between mm_cut_begin() and mm_cut_end().  0 or -errno. */
int snapshot_run_here(const struct snapshot_request *rq, struct mm_sweep *sw, struct sink *out,
                      uint64_t *ret_keys);

#endif
