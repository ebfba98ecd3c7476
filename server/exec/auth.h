/* server/exec/auth.h - a client and its user: how it logs in, what it may execute, and what must
 * not be shown of commands that hold a password.  The users: acl.h.
 *
 * A connection that came while default needed no password stays welcome when one is set later.
 * Threads: mutator. */
#ifndef SERVER_EXEC_AUTH_H
#define SERVER_EXEC_AUTH_H

#include <stdbool.h>

#include "mm/base/slice.h"

struct client;
struct cmd;

/* auth_init: after the configuration was read and before the first client: there is the user
 * default, with the password of requirepass; net is told whether clients have to show it, now and
 * when that changes. Until then all have to.  0 or -ENOMEM. */
int auth_init(void);
/* auth_is_open: does default need no password, though it may be off? */
bool auth_is_open(void);
/* auth_begin: the client is as it was when it came: it acts for default. */
void auth_begin(struct client *c);
/* auth_log_in: the client with this name and password; false: they are wrong, and this was noted.
 * Takes as long for any wrong password of a length. */
bool auth_log_in(struct client *c, struct slice user, struct slice password);

/* auth_objection: why the client's user may not execute the client's words, a call of cmd, as a
 * reply; it was noted, too.  NULL: it may.  Good until the next one.
 * auth_objection_at_exec: the same of words that were queued. */
const char *auth_objection(struct client *c, const struct cmd *cmd);
const char *auth_objection_at_exec(struct client *c, const struct cmd *cmd);

/* auth_script_objection: auth_objection() of words that the client's script executes.
 * auth_script_may: the same question, but nothing is noted. */
const char *auth_script_objection(struct client *caller, const struct cmd *cmd,
                                  const struct slice *argv, int argc);
bool auth_script_may(const struct client *caller, const struct cmd *cmd, const struct slice *argv,
                     int argc);

/* auth_is_secret: argument i of the client's command must not be shown (SLOWLOG, MONITOR). */
bool auth_is_secret(const struct client *c, int i);

#endif
