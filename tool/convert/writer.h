/* tool/convert/writer.h - the way of an output's bytes to its medium: gathered in blocks, packed if
 * wanted, written; by threads beside the caller.
 *
 *     caller: put --> block --+--> pack --+
 *                     block --+--> pack --+--> write, in order
 *
 * A caller who finds no free block helps until there is one.  Where there are many outputs each has
 * one block and no thread.
 * Threads: the sink is one's at a time. */
#ifndef TOOL_CONVERT_WRITER_H
#define TOOL_CONVERT_WRITER_H

#include <pthread.h>

#include "snapshot/rdb/lz4_frame.h"
#include "snapshot/rdb/sink.h"

enum { WRITER_SLOTS = 8, WRITER_THREADS_MOST = 4 };

enum slot_state { SLOT_FREE, SLOT_FULL, SLOT_TAKEN, SLOT_PACKED };

struct writer_slot {
    enum slot_state state;
    uint8_t *raw, *packed; /* [owned] packed: with lz4 only */
    size_t len, packed_len;
};

struct writer_options {
    struct sink *medium; /* [borrowed] */
    bool lz4;
    int level;
    unsigned threads;   /* 0: the caller does it all */
    size_t block_bytes; /* up to LZ4_FRAME_BLOCK_BYTES */
};

struct writer {
    struct sink sink; /* first: a writer is one */
    struct writer_options o;
    struct lz4_frame_sum sum; /* of all that was written; whoever writes */
    unsigned slots;
    struct writer_slot slot[WRITER_SLOTS];
    void *states[WRITER_THREADS_MOST + 1]; /* [owned] that pack; the last is the caller's */
    pthread_t thread[WRITER_THREADS_MOST];
    unsigned started;
    pthread_mutex_t lock; /* of what follows, and the slots' states */
    pthread_cond_t changed;
    uint64_t filled, packing, written; /* slots so far, in their order: modulo `slots` */
    bool is_writing, is_over;
    int error;
};

/* writer_open: 0 or -errno. */
int writer_open(struct writer *w, const struct writer_options *o);
/* writer_end: all that was put is in the medium, which is to be committed then.  0 or -errno. */
int writer_end(struct writer *w);
/* writer_close: after writer_end() or without it. */
void writer_close(struct writer *w);

#endif
