/* server/data/db/save.h - what a snapshot writes: the server's side of snapshot/snapshot.h.
 *
 * A save_cut is all that the sweep needs to know beyond the arena: which physical database was
 * which logical one at the cut, how large each was, which kind of use is written, and the fields of
 * the file's head.
 * Threads: save_cut_new, save_cut_free mutator; save_snapshot_ops [sweep]. */
#ifndef SERVER_DATA_DB_SAVE_H
#define SERVER_DATA_DB_SAVE_H

#include "snapshot/snapshot.h"

struct save_cut;
struct save_filter;

/* save_cut_new: taken in the same turn as the cut, right before it.  O(databases).  NULL: no
 * memory. */
struct save_cut *save_cut_new(void);
/* save_cut_free: after snapshot_poll() has reported the end.  NULL is welcome. */
void save_cut_free(struct save_cut *cut);

/* save_version: the RDB version in which the data as it is can be written: `wanted`, or a higher
 * one where there are hashes with fields that expire: without their times they would be other data.
 * In the same turn as the cut. */
int save_version(int wanted);
/* save_cut_lost: what the RDB version had no place for (enum save_lost of save_value.h), after the
 * end. */
unsigned save_cut_lost(const struct save_cut *cut);
/* save_cut_choose: only what the filter takes is written [borrowed, as long as the cut lives].
 * Before the sweep begins. */
void save_cut_choose(struct save_cut *cut, const struct save_filter *filter);

/* save_without_keys: a whole file, of which only the head is there and, with_libraries, the
 * function libraries that are kept; not compressed: the mutator makes it.  O(bytes of libraries).
 * 0 or -errno; the sink is not committed. */
int save_without_keys(struct sink *out, int rdb_version, bool with_libraries);

/* The calls that turn records into RDB; their `cut` is a struct save_cut. */
extern const struct snapshot_ops save_snapshot_ops;

#endif
