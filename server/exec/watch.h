/* server/exec/watch.h - WATCH: a transaction that gives up when a key has changed.
 *
 * Redis's rules: any change touches, whatever it left behind; a key that has expired since counts
 * as changed at EXEC, one that had expired at WATCH already and was only then deleted does not.
 * Threads: mutator. */
#ifndef SERVER_EXEC_WATCH_H
#define SERVER_EXEC_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "mm/base/slice.h"

struct client;
struct db;

/* watch_add: the client watches this key of its database too; a key that it watches already, or
 * that anything once its transaction is lost, changes nothing.  O(keys that it watches, or clients
 * that watch this one: the fewer).  false: no memory; a watch that might miss a change is worse
 * than none: its transaction is lost, if it watches anything. */
bool watch_add(struct client *c, struct slice key);
/* watch_init: what a client watches is its own, and goes with it. */
void watch_init(void);
/* watch_forget: the client watches nothing any more (UNWATCH, EXEC, DISCARD, RESET, its end). */
void watch_forget(struct client *c);
/* watch_is_broken: EXEC's question: has a key changed, or expired, since? */
bool watch_is_broken(const struct client *c);
/* watch_touch: the key has changed. */
void watch_touch(struct db *db, struct slice key);
/* watch_flushed, watch_swapped: before a logical database is emptied, or exchanged with another. */
void watch_flushed(int index);
void watch_swapped(int a, int b);
/* watch_clients, watch_keys: how many clients watch, how many keys are watched: INFO. */
unsigned watch_clients(void);
unsigned watch_keys(void);
/* watch_verify: assert that keys, their watchers and their clients' lists agree; slow, for
 * tests. */
void watch_verify(void);

#endif
