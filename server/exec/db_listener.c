/* server/exec/db_listener.c - who hears what databases tell. */
#include "server/exec/db_listener.h"

#include "server/exec/cmd.h"
#include "server/exec/exec.h"
#include "server/exec/keyevent.h"
#include "server/exec/keywait.h"
#include "server/net/client.h"

/* is_writing: a command that writes while CLIENT PAUSE holds writers is part of the transaction
 * that began the pause: a key that has expired goes, for it to find a place for its own. */
static bool
is_writing(void)
{
    const struct client *c = exec_client();

    return c != NULL && c->cmd != NULL && (c->cmd->flags & CMD_WRITE) != 0;
}

void
db_listener_init(void)
{
    static const struct db_listener listener = {.event = key_event_heard,
                                                .changed = key_changed_heard,
                                                .field_gone = key_field_gone_heard,
                                                .ready = keywait_ready_heard,
                                                .gone = keywait_gone_heard,
                                                .is_writing = is_writing};

    db_listen(&listener);
}
