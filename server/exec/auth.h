/* server/exec/auth.h - who may talk to the server: one user, "default", and the password of
 * requirepass.
 *
 * A connection that came while there was no password stays welcome when one is set later.
 * Threads: mutator. */
#ifndef SERVER_EXEC_AUTH_H
#define SERVER_EXEC_AUTH_H

#include <stdbool.h>

#include "mm/base/must.h"
#include "mm/base/slice.h"
#include "server/net/client.h"

/* auth_is_needed: is a password set? */
bool auth_is_needed(void);
/* auth_is_stranger: has the client still to show the password?  What it may send and leave unread
 * is little.
 */
static inline bool
auth_is_stranger(const struct client *c)
{
    return unlikely(!c->authenticated) && auth_is_needed();
}

/* auth_log_in: the client with this name and password; false: they are wrong.  Takes as long for
 * any wrong password of a length. */
bool auth_log_in(struct client *c, struct slice user, struct slice password);
/* auth_is_secret: argument i of the client's command must not be shown (SLOWLOG, MONITOR). */
bool auth_is_secret(const struct client *c, int i);

#endif
