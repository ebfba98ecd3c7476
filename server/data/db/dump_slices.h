/* server/data/db/dump_slices.h - the dump of a large value, made in slices, so that the loop can do
 * other things between two of them.
 *
 * The encoder runs in a thread of its own, and only while dump_slices_go_on() waits for it: the two
 * never run at the same time, and nothing of what the encoder reads needs a lock.
 *
 *   DS1 Between two slices nobody may have changed the value: who makes the dump sees to that, and
 *       gives the dump up when it has happened, before it lets it go on.
 *   DS2 While any such dump is open, no value is moved in memory (memory/defrag.h).
 *
 * Threads: mutator. */
#ifndef SERVER_DATA_DB_DUMP_SLICES_H
#define SERVER_DATA_DB_DUMP_SLICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct record;
struct dump_slices;

enum { DUMP_SLICES_MAX = 16 /* open at the same time */ };

/* dump_is_long: may it take longer than a slice?  O(1) */
bool dump_is_long(const struct record *r);
/* dump_slices_begin: 0 and *ret; -ENOMEM, no memory or no thread; -EAGAIN: too many are open. */
int dump_slices_begin(const struct record *r, struct dump_slices **ret);
/* dump_slices_go_on: for about so long.  1: it is not ready; 0: it is; -errno: it failed. */
int dump_slices_go_on(struct dump_slices *d, unsigned budget_us);
/* dump_slices_take: of one that is ready: the payload, to be freed with free(). */
uint8_t *dump_slices_take(struct dump_slices *d, size_t *ret_len);
/* dump_slices_end: ready or not; NULL is fine. */
void dump_slices_end(struct dump_slices *d);

#endif
