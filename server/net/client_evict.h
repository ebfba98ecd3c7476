/* server/net/client_evict.h - a limit on the memory of all clients together (maxmemory-clients):
 * who has to go.
 *
 * While there is a limit, each client stands in a bucket by the power of two of the memory that it
 * holds, so that one of the largest is found in O(1), however many there are; redis.conf tells
 * users of the same rule. A client is weighed when a batch of its commands is done, when its output
 * grows and when it was written to. It is closed at the end of the turn, a running one as soon as
 * its command is done.  CLIENT NO-EVICT keeps one from being chosen; what it holds counts all the
 * same.
 * Threads: mutator. */
#ifndef SERVER_NET_CLIENT_EVICT_H
#define SERVER_NET_CLIENT_EVICT_H

#include <stdbool.h>

#include "mm/base/must.h"
#include "server/net/client.h"

/* client_evict_init: hook CONFIG SET maxmemory-clients, and take the configured value over. */
void client_evict_init(void);
/* client_evict_run: close clients until the others are within the limit; in every turn. */
void client_evict_run(void);
/* client_evict_forget: the client is about to be closed. */
void client_evict_forget(struct client *c);

extern bool client_evict_is_on;
void client_evict_weigh_slowly(struct client *c);

/* client_evict_weigh: the client may hold more or less than before.  It, or others, may be doomed
 * for it. */
static inline void
client_evict_weigh(struct client *c)
{
    if (unlikely(client_evict_is_on))
        client_evict_weigh_slowly(c);
}

#endif
