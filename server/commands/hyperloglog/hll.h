/* server/commands/hyperloglog/hll.h - what the commands on HyperLogLogs share.
 * Threads: mutator. */
#ifndef SERVER_COMMANDS_HYPERLOGLOG_HLL_H
#define SERVER_COMMANDS_HYPERLOGLOG_HLL_H

#include <stdbool.h>

#include "server/data/db/db.h"

struct client;

/* hll_find: the sketch at the client's argument i: its bytes in *ret, if there is one.  False, and
 * an error was replied: it is something else. */
bool hll_find(struct client *c, int i, unsigned flags, struct db_ref *ref, struct slice *ret);
/* hll_make_raw: whatever a command on sketches touches is raw to OBJECT ENCODING; the bytes stay
 * the same, but may move.  Without memory it stays as it is. */
void hll_make_raw(struct db_ref *ref, struct slice *s);
/* hll_reply_corrupt: registers are missing, or there are too many. */
void hll_reply_corrupt(struct client *c);

#endif
