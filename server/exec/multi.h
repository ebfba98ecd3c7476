/* server/exec/multi.h - a transaction: commands queued by MULTI until EXEC or DISCARD.
 * Threads: mutator. */
#ifndef SERVER_EXEC_MULTI_H
#define SERVER_EXEC_MULTI_H

#include <stddef.h>
#include <stdint.h>

struct client;
struct cmd;

/* multi_queue: keep a copy of the client's command; replies QUEUED, or an error without memory. */
void multi_queue(struct client *c, struct cmd *cmd);
/* multi_abort: reply EXECABORT with the reason (an error reply, code included) and forget the
 * transaction. */
void multi_abort(struct client *c, const char *error);
/* multi_discard: forget the transaction, if there is one. */
void multi_discard(struct client *c);

/* multi_flags: the flags of all queued commands together. */
uint32_t multi_flags(const struct client *c);
/* multi_count: commands queued; -1: no transaction. */
int multi_count(const struct client *c);
size_t multi_memory(const struct client *c);

#endif
