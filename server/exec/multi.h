/* server/exec/multi.h - a transaction: commands queued by MULTI until EXEC or DISCARD.
 * Threads: mutator. */
#ifndef SERVER_EXEC_MULTI_H
#define SERVER_EXEC_MULTI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;
struct cmd;
struct slice;

/* multi_begin: from now on the client's commands are queued; it has no transaction yet.  false: no
 * memory, and it has none. */
bool multi_begin(struct client *c);
/* multi_init: what a transaction keeps is the client's, and goes with it. */
void multi_init(void);
/* multi_queue: keep a copy of the client's command; replies QUEUED, or an error without memory. */
void multi_queue(struct client *c, struct cmd *cmd);
/* multi_abort: reply EXECABORT with the reason (an error reply, code included) and forget the
 * transaction. */
void multi_abort(struct client *c, const char *error);
/* multi_discard: forget the transaction, if there is one. */
void multi_discard(struct client *c);

/* multi_run: execute what is queued, and forget the transaction, which nothing has made impossible
 * (c->multi_dirty, watch_is_broken): an array of as many replies as commands. */
void multi_run(struct client *c);

/* multi_any: does fn say yes of any of the queued commands?  O(commands) */
bool multi_any(const struct client *c, bool (*fn)(const struct client *c, const struct cmd *cmd,
                                                  const struct slice *argv, int argc));
/* multi_flags: the flags of all queued commands together. */
uint32_t multi_flags(const struct client *c);
/* multi_count: commands queued; -1: no transaction. */
int multi_count(const struct client *c);
size_t multi_memory(const struct client *c);

#endif
