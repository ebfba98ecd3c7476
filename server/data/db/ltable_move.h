/* server/data/db/ltable_move.h - the blocks of a linear hash table in the arena move: its segments,
 * the buckets in no segment, the entries.  One for all tables there: entries are moved by their
 * addresses, whatever they are.
 * Threads: mutator. */
#ifndef SERVER_DATA_DB_LTABLE_MOVE_H
#define SERVER_DATA_DB_LTABLE_MOVE_H

#include "server/data/db/ltable.h"
#include "server/data/db/move.h"

/* What is looked at of a table: LT_DEFINE() gives all of them the same fields. */
struct lt_moved {
    uint64_t buckets;
    const struct lt_bucket *const *segment;
    bool with_entries; /* false: somebody else moves them */
};
#define LT_MOVED(t, entries)                                                                       \
    {                                                                                              \
        .buckets = (t)->buckets, .segment = (t)->segment, .with_entries = (entries)                \
    }

/* ltable_move: from bucket next[0], path next[1] on (ltable_walk.inc.h); both begin as 0; at least
 * one chain.  True: that was the last one. */
bool ltable_move(struct mover *m, const struct lt_moved *t, uint64_t next[2]);
/* ltable_entry_moved: this entry, which is in the table under this hash, stands at `to` now.
 * Neither address is read. */
void ltable_entry_moved(const struct lt_moved *t, uint64_t hash, const void *entry, const void *to);

#endif
