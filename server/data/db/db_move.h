/* server/data/db/db_move.h - one walk through all keys, a bounded amount in a step, in which every
 * block of the arena that a key has is asked to move (move.h).  Begins again when it has come to
 * its end.
 *
 * Dead databases and values that wait to be freed are not walked through: they go anyway.
 * Threads: mutator. */
#ifndef SERVER_DATA_DB_DB_MOVE_H
#define SERVER_DATA_DB_DB_MOVE_H

#include <stdbool.h>
#include <stdint.h>

/* Since the start, or the last db_move_reset_figures(): blocks that moved and that did not; keys of
 * which something did, and others. */
struct db_move_figures {
    uint64_t moved, stayed, keys_moved, keys_stayed;
};
extern struct db_move_figures db_move_figures;

/* db_move: go on.  work: about so many pointers are looked at; what moves counts for more (move.h);
 * beyond it goes no more than the last thing, which may be the records of one chain (LT5) and a
 * block for each.  False: that was the last key. */
bool db_move(int64_t work);
/* db_move_is_at_begin: the next step begins with the first key. */
bool db_move_is_at_begin(void);
/* db_move_rewind: begin with the first key again. */
void db_move_rewind(void);
void db_move_reset_figures(void);

#endif
