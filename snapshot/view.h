/* snapshot/view.h - read the arena as it was at the cut.
 *
 * Every read is one copy into staging memory; encoders see staging memory only.  Neither side waits
 * for the other.
 * Threads: [sweep] for view_read; view_init by whoever starts the sweep. */
#ifndef SNAPSHOT_VIEW_H
#define SNAPSHOT_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/mm.h"

enum { VIEW_CHUNK_BYTES = 65536 }; /* how much of a huge value is staged at a time */

struct view {
    epoch_t epoch;
    bool is_live;         /* what the mutator itself sees now: no cut, nothing can fail */
    uint64_t read_bytes;  /* figures, [sweep] */
    uint64_t image_pages; /* pages read from their preserved copy */
    uint64_t retries;     /* pages copied live and then again from a copy published meanwhile */
    /* cancel: looked at before each piece is read from the arena (C1); set: the read ends with
     * -ECANCELED. May be NULL. */
    const _Atomic bool *cancel;
    /* poll: called from time to time while a long value is read, and after each read of a live
     * view; non-zero ends the read with that error (cancel, a full disk), and nothing more may be
     * read.  It is also where a sweeper passes its quiescent state.  May be NULL. */
    int (*poll)(void *ctx);
    void *poll_ctx;
};

void view_init(struct view *v, epoch_t epoch);
/* view_init_live: [mutator] for its own reading of what it has just now: DUMP encodes as the sweep
 * does. */
void view_init_live(struct view *v);

/* view_read: copy [src, src + len) as it was at the cut to dst.  0; -ENOMEM: the view is broken
 * (C2) and dst is undefined; or what poll said.  src must lie in one block that was allocated at
 * the cut. Order O-1, O-2 (reader side). */
int view_read(struct view *v, void *dst, const void *src, size_t len);

#endif
