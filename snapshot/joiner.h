/* snapshot/joiner.h - from several encoders to one stream: each fills chunks of its own, which are
 * joined in the order in which they were handed over.
 *
 * An encoder writes into its *lane*, a sink.  A full chunk is compressed or checksummed by its
 * encoder, then queued; the writer thread takes it from the queue, joins the checksums, and hands
 * it to the medium.  Where a chunk ends with a record, the next may be anybody's; where it ends
 * within one, its lane keeps the *turn* until the record has ended, and the others' chunks wait.
 *
 *     sweeper 0: encode, pack --+
 *     sweeper 1: encode, pack --+--> queue --> writer: order, checksum, rate, write
 *
 *   J1  A record's bytes stand together: between its first and its last no other lane's chunk.
 *   J2  The head of the file is the first: lane 0 has the turn from the beginning on.
 *   J3  Each lane holds one chunk at most that is not queued, and there are more chunks than lanes:
 *       so some chunk is always with the writer, or free, and nobody waits for ever.
 *
 * Order O-11: docs/ordering.md.
 * Threads: as each line says; [sweep] is the one sweeper whose lane it is. */
#ifndef SNAPSHOT_JOINER_H
#define SNAPSHOT_JOINER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "snapshot/rdb/lz4_frame.h"
#include "snapshot/rdb/rdb_enc.h"
#include "snapshot/rdb/sink.h"

enum { JOINER_CHUNK_BYTES = SINK_BUFFER_BYTES, JOINER_LANES_MAX = 16 };

struct chunk;

struct joiner_options {
    unsigned lanes; /* 1 .. JOINER_LANES_MAX */
    enum rdb_compression compression;
    int level;
    bool checksum;
    /* around each wait of a sweeper: it leaves RCU meanwhile.  [sweep] */
    void (*before_wait)(void), (*after_wait)(void);
};

struct joiner {
    struct joiner_options o; /* [const while lanes are open] */
    pthread_mutex_t lock;    /* no other lock is taken inside */
    pthread_cond_t chunk_queued, chunk_free, turn_free;
    struct chunk *queue, **queue_end, *free_chunks; /* [lock: lock] */
    unsigned chunks;                                /* there are.  [lock: lock] */
    unsigned open_lanes;                            /* [lock: lock] */
    int turn;                                       /* the lane that has it; -1.  [lock: lock] */
    int error; /* 0, or the medium's: whatever is written is dropped.  [lock: lock] */
    _Atomic uint64_t raw_bytes; /* of RDB so far, relaxed */
    /* [writer] */
    uint64_t crc;                 /* of the RDB bytes so far */
    struct lz4_frame_sum content; /* of RDB_LZ4 with checksums: of the same */
    void *pack_state;             /* [owned] of RDB_LZ4 */
};

struct lane {
    struct sink sink; /* first: a lane is one */
    struct joiner *joiner;
    struct chunk *chunk; /* in hand: sink.buf is its memory; NULL after an error */
    void *pack_state;    /* [owned] of RDB_LZ4 */
    unsigned index;
    bool has_turn;
    size_t boundary_fill; /* lane_boundary() has something to do from this fill on */
};

/* joiner_begin: a new stream with so many lanes open.  [mutator], while nobody uses it */
void joiner_begin(struct joiner *j, const struct joiner_options *o);
/* joiner_fail: from here on everything is dropped, and lanes report this error.  [any] */
void joiner_fail(struct joiner *j, int error);

/* lane_open: lane `index` of the stream.  0 or -ENOMEM; lane_close() is due in either case.
 * [sweep] */
int lane_open(struct lane *l, struct joiner *j, unsigned index);
/* lane_boundary: a record has ended.  True: the chunk was handed over, and what is put next need
 * not follow in the file.  Call it when sink.fill >= boundary_fill.  [sweep] */
bool lane_boundary(struct lane *l);
/* lane_close: hand over what is left; the lane is not touched any more, nor is the joiner through
 * it: when all lanes are closed the writer goes on alone.  Returns the lane's error. [sweep] */
int lane_close(struct lane *l);

/* joiner_write: write what lanes hand over to `out` until all are closed; out: NULL after a
 * joiner_fail() only.  rate: bytes a second, 0: as fast as it goes; looked at again and again.
 * cancel: set: no more waiting for its sake.  done: bytes given to out so far.  0 or -errno.
 * [writer] */
int joiner_write(struct joiner *j, struct sink *out, const _Atomic uint64_t *rate,
                 const _Atomic bool *cancel, _Atomic uint64_t *done);
/* joiner_finish: the end of the RDB: EOF, checksum, and the end of the frame.  0 or -errno.
 * [writer] */
int joiner_finish(struct joiner *j, struct sink *out);
/* joiner_end: give the chunks back.  [writer] */
void joiner_end(struct joiner *j);

#endif
