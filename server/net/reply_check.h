/* server/net/reply_check.h - is what a command replied a reply?  For asserts: a header that
 * announces more, or fewer, than follow puts every later reply of the connection into the wrong
 * place, and nothing on this side would notice.
 * Threads: mutator. */
#ifndef SERVER_NET_REPLY_CHECK_H
#define SERVER_NET_REPLY_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "server/figures/stats.h"
#include "server/net/client.h"

/* What was pending before a command replied, and what had been sent. */
struct reply_mark {
    size_t pending;
    uint64_t sent_bytes;
};

static inline struct reply_mark
reply_mark(const struct client *c)
{
    return (struct reply_mark){client_pending_out(c), stats.net_out_bytes};
}

/* reply_is_kept: does all that was replied since then stand in the client's output?  Not of one
 * that is muted or doomed, and not where a part of it is on its way already (net_send_direct()). */
bool reply_is_kept(const struct client *c, const struct reply_mark *since);
/* reply_count: how many replies (or pushes) were written since then, and are kept; -1: what was
 * written does not end with one, or is none.  O(what was written), but that the bytes of bulks are
 * passed over. */
int reply_count(struct client *c, const struct reply_mark *since);

#endif
