/* server/exec/auth.h - who may talk to the server: one user, "default", and the password of
 * requirepass.
 *
 * A connection that came while there was no password stays welcome when one is set later.
 * Threads: mutator. */
#ifndef SERVER_EXEC_AUTH_H
#define SERVER_EXEC_AUTH_H

#include <stdbool.h>

#include "mm/base/slice.h"

struct client;

/* auth_init: after the configuration was read and before the first client: net is told whether
 * clients have to show a password, now and when that changes; until then all have to. */
void auth_init(void);
/* auth_is_needed: is a password set? */
bool auth_is_needed(void);
/* auth_log_in: the client with this name and password; false: they are wrong.  Takes as long for
 * any wrong password of a length. */
bool auth_log_in(struct client *c, struct slice user, struct slice password);
/* auth_is_secret: argument i of the client's command must not be shown (SLOWLOG, MONITOR). */
bool auth_is_secret(const struct client *c, int i);

#endif
