/* snapshot/writer.h - the writer's part of a job: open the file, write what the sweepers hand over,
 * make it durable, say how it ended.
 *
 * The writer reads nothing of the arena, and is no reader of RCU: it may block wherever the disk or
 * a peer makes it wait.
 * Threads: writer. */
#ifndef SNAPSHOT_WRITER_H
#define SNAPSHOT_WRITER_H

#include "snapshot/sweeper.h"

/* writer_run: the whole of it; the mutator may free j when this returns.  rate: see
 * joiner_write(). */
void writer_run(struct job *j, struct joiner *joiner, const _Atomic uint64_t *rate);

/* job_post_phase: tell the mutator (sweeper.c).  [sweep, writer] */
void job_post_phase(struct job *j, enum job_phase phase);

#endif
