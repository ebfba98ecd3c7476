/* tool/input/ahead_impl.h - a stage, read ahead of the decoder by a thread of its own.
 *
 *     thread: stage_read() -> [piece][piece][piece][piece] -> the decoder's next()
 *
 * Threads: one opens, asks and closes; the one that reads is the ring's own. */
#ifndef TOOL_INPUT_AHEAD_IMPL_H
#define TOOL_INPUT_AHEAD_IMPL_H

#include "snapshot/rdb/rdb_dec.h"
#include "tool/input/stage_impl.h"

struct ahead;

/* ahead_open: top is the ring's from then on, and is closed with it; waits: those of its
 * file; NULL: it is no stream.  with_thread false: each piece is read when it is asked for.  0 or
 * -errno, with which top is closed, too. */
int ahead_open(struct stage *top, struct stage_waits *waits, bool with_thread, struct ahead **ret);
/* ahead_reader: for rdb_source_reader(), with the ring as ctx. */
extern const struct rdb_reader ahead_reader;

#endif
