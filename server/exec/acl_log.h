/* server/exec/acl_log.h - what was refused for want of rights, and wrong passwords: ACL LOG.
 *
 * The same thing refused again within a minute is counted with the entry that there is, which then
 * is the newest.  acllog-max-len entries are kept.
 * Threads: mutator. */
#ifndef SERVER_EXEC_ACL_LOG_H
#define SERVER_EXEC_ACL_LOG_H

#include <stdint.h>

#include "mm/base/slice.h"
#include "server/exec/acl.h"

enum acl_context { ACL_FROM_CLIENT, ACL_FROM_MULTI, ACL_FROM_SCRIPT };

struct acl_log_entry {
    struct acl_log_entry *next; /* the one before it in time */
    uint64_t id;                /* counted from 0 */
    int64_t count, created_ms, updated_ms;
    enum acl_verdict reason;
    enum acl_context context;
    struct slice object, user, client; /* [owned] client: its line in CLIENT LIST */
};

/* acl_log_denied: c's command was refused.  object: the command, key or channel.  user: of a wrong
 * password, for whom it was given.  It is counted (INFO) whether or not there is memory for an
 * entry. */
void acl_log_denied(const struct client *c, enum acl_verdict reason, enum acl_context context,
                    struct slice object, struct slice user);
/* acl_log_newest: then ->next; NULL: there is none. */
const struct acl_log_entry *acl_log_newest(void);
unsigned acl_log_count(void);
void acl_log_clear(void);

#endif
