/* snapshot/snapshot.h - a snapshot as a job: begin, sweep in the background, swept, durable.
 *
 *   IDLE --begin--> SWEEPING --all read--> WRITING --renamed--> (done)
 *                      |  cancel / error       |
 *                      +-----> ENDING <--------+      grace period, settle, then IDLE again
 *
 * Two helper threads exist from snapshot_start() on: a sweeper and the writer; more sweepers are
 * made when they are asked for.  The mutator is told through an eventfd and calls snapshot_poll().
 * RCU (liburcu, QSBR flavour): sweepers are the readers, quiescent between slabs, offline where
 * they wait; the mutator is registered too and goes offline with snapshot_offline() around
 * epoll_wait.
 * Threads: mutator, unless a line says otherwise. */
#ifndef SNAPSHOT_SNAPSHOT_H
#define SNAPSHOT_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/cut.h"
#include "snapshot/joiner.h"
#include "snapshot/rdb/rdb_enc.h"
#include "snapshot/rdb/retained.h"
#include "snapshot/view.h"

/* What the server brings: how its records become RDB.  All [sweep]; `cut` is the caller's state of
 * the cut (map of databases, sizes, aux fields), const until snapshot_poll() reports the end.  A
 * sweep has one sweeper or several, each with a worker of its own: what it alone knows (the
 * database that it wrote last, buffers). */
struct snapshot_ops {
    /* worker_new: NULL: no memory.  worker_free: the sweeper is done.  Without these two the worker
     * is `cut` itself, and there is one sweeper. */
    void *(*worker_new)(void *cut);
    void (*worker_free)(void *worker);
    /* worker_break: what this worker writes next does not follow what it wrote last: another's
     * records stand between.  May be NULL, as worker_new. */
    void (*worker_break)(void *worker);
    /* save_begin: AUX fields and the like, after the magic; by one of the sweepers. 0 or -errno. */
    int (*save_begin)(void *cut, struct rdb_enc *e);
    /* save_record: one record.  staged: its first staged_bytes bytes as they were at the cut (the
     * whole slot, or the first 64 KiB of a run); live: its address, to view_read() the rest of a
     * long key and the values it points to. Returns a save_record_result, or -errno. */
    int (*save_record)(void *worker, struct view *v, struct rdb_enc *e, const void *live,
                       const uint8_t *staged, size_t staged_bytes);
};

enum save_record_result {
    SAVE_NO_KEY,  /* of a database that is gone */
    SAVE_WRITTEN, /* a key */
    SAVE_LEFT_OUT /* a key that this file is not to have */
};

struct snapshot_request {
    const struct snapshot_ops *ops;
    void *cut;        /* stays valid until snapshot_poll() reports the end */
    const char *path; /* final name of the dump; copied.  With `open`, a name for messages */
    /* open: where the bytes go, if not into a file at `path`: 0 and *ret, or -errno.  Called once,
     * by the writer thread, which may block there; the sink is closed by it, too.  [writer] */
    int (*open)(void *ctx, struct sink **ret);
    void *open_ctx;
    int rdb_version;
    enum rdb_compression compression;
    int compression_level; /* of RDB_LZ4 */
    bool checksum;
    unsigned threads;      /* sweepers; 0: 1.  Fewer if there are not so many threads */
    uint64_t keys_total;   /* keys at the cut: for progress, and checked against what was swept */
    size_t writeout_bytes; /* see sink_file_options */
    bool keeps_cache;      /* see sink_file_options */
    /* of the file, by what is known before: see sink_file_options; 0: nothing is */
    uint64_t expected_bytes;
    bool verify;     /* the file is read back before it has its name (verify.h) */
    unsigned retain; /* see sink_file_options */
};

enum { SNAPSHOT_THREADS_MAX = JOINER_LANES_MAX };

enum snapshot_state { SNAPSHOT_IDLE, SNAPSHOT_SWEEPING, SNAPSHOT_WRITING, SNAPSHOT_ENDING };

struct snapshot_status {
    enum snapshot_state state;
    bool cancelled;
    bool verifying;                   /* WRITING: the file is durable, and is read back */
    uint64_t keys_done, keys_total;   /* processed by the sweep so far */
    uint64_t bytes_read, bytes_total; /* of the arena, by the sweep so far; of data at the cut */
    uint64_t raw_bytes;               /* of RDB, handed to the writer so far */
    uint64_t bytes_out;               /* put to the sink so far: compressed, as it may be */
    uint64_t blocks_done, blocks_total;
    unsigned threads;       /* sweepers */
    int64_t begin_us;       /* monotonic */
    uint64_t begin_cost_ns; /* how long snapshot_begin() took: the stall */
};

enum snapshot_verified { SNAPSHOT_NOT_VERIFIED, SNAPSHOT_IS_GOOD, SNAPSHOT_IS_DAMAGED };

/* What snapshot_poll() reports once per snapshot. */
struct snapshot_end {
    int error;                      /* 0, -ECANCELED, -ENOMEM (broken view), or the sink's -errno */
    char text[256];                 /* for the log when error: what failed, with path and reason */
    uint64_t keys, left_out;        /* written; seen, but not to be in this file */
    uint64_t raw_bytes, file_bytes; /* of RDB; as it stands in the file */
    int64_t sweep_us, total_us;
    uint64_t image_pages, retries;
    /* what became of `verify`; it was given up: NOT_VERIFIED */
    enum snapshot_verified verified;
    int64_t verify_us;
    struct retained retained; /* what became of `retain`, once the file has its name */
};

/* snapshot_start: create the threads and their eventfd; register the mutator with RCU.  0 or
 * -errno. */
int snapshot_start(void);
/* snapshot_stop: cancel what runs, wait for it, join the threads. */
void snapshot_stop(void);
int snapshot_event_fd(void);

/* snapshot_is_ready: snapshot_begin() would not answer -EBUSY. */
bool snapshot_is_ready(void);
/* snapshot_begin: take the cut now and hand it to the threads.  O(1) in the data.  0 or -errno
 * (-EBUSY). */
int snapshot_begin(const struct snapshot_request *rq);
/* snapshot_cancel: only sets a flag (C1); the end is reported by snapshot_poll(). */
void snapshot_cancel(void);
/* snapshot_poll: take in what the threads and grace periods handed back; do up to max_blocks of
 * settling. True once per snapshot, with *ret filled: it is durable (or failed, or cancelled)
 * and everything is settled. */
bool snapshot_poll(unsigned max_blocks, struct snapshot_end *ret);
/* snapshot_wants_poll: settling is left: call snapshot_poll() again without waiting for the
 * eventfd. */
bool snapshot_wants_poll(void);
void snapshot_status(struct snapshot_status *ret);
/* snapshot_part_swept: of the data, 0 to 1: by keys, or, since one key may be most of it, by bytes,
 * whichever is more. */
double snapshot_part_swept(const struct snapshot_status *s);
/* snapshot_threads: that there be so many sweepers before a snapshot asks for them; making one
 * takes some ten microseconds.  How many of them there are; 0 while a snapshot runs: ask again. */
unsigned snapshot_threads(unsigned wanted);
/* snapshot_rate: the file is written at so many bytes a second, at most; 0: no limit.  At once,
 * also for the one that runs. */
void snapshot_rate(uint64_t bytes_s);

/* Around a blocking call of the mutator; and one quiescent state per turn of the loop. */
void snapshot_offline(void);
void snapshot_online(void);
void snapshot_quiescent(void);

/* snapshot_wait: block until a thread or a grace period has something for snapshot_poll(); for
 * SAVE and SHUTDOWN, which are meant to block. */
void snapshot_wait(void);

/* snapshot_run_here: sweep in the calling thread, without threads or files: for tests and the step
 * scheduler. Between mm_cut_begin() and mm_cut_end().  0 or -errno. */
int snapshot_run_here(const struct snapshot_request *rq, struct mm_sweep *sw, struct sink *out,
                      uint64_t *ret_keys);

#endif
