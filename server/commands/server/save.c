/* server/commands/server/save.c - commands about dumps: SAVE BGSAVE LASTSAVE. */
#include "server/exec/args.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"
#include "server/persist/persist.h"

#include "server/commands/server/server.def"

/* SAVE -> OK, when it is done. */
void
cmd_save(struct client *c)
{
    if (persist_is_saving())
        reply_error(c, "ERR Background save already in progress");
    else if (persist_save_now() == 0)
        reply_ok(c);
    else
        reply_errorf(c, "ERR the save failed: %s", persist_cause());
}

static void
cancel(struct client *c)
{
    switch (persist_cancel()) {
    case PERSIST_RUNNING:
        reply_status(c, "Background saving cancelled");
        break;
    case PERSIST_SCHEDULED:
        reply_status(c, "Scheduled background saving cancelled");
        break;
    case PERSIST_NONE:
        reply_error(c, "ERR Background saving is currently not in progress or scheduled");
        break;
    }
}

/* BGSAVE [SCHEDULE | CANCEL] -> what happens in the background. */
void
cmd_bgsave(struct client *c)
{
    bool schedule = c->argc == 2 && arg_is(c, 1, "schedule"),
         is_cancel = c->argc == 2 && arg_is(c, 1, "cancel");

    if (c->argc > 2 || (c->argc == 2 && !schedule && !is_cancel)) {
        reply_syntax(c);
    } else if (is_cancel) {
        cancel(c);
    } else if (persist_is_saving()) {
        reply_error(c, "ERR Background save already in progress");
    } else if (persist_bgsave() == 0) {
        reply_status(c, "Background saving started");
    } else {
        reply_errorf(c, "ERR Can't save in background: %s", persist_cause());
    }
}

/* LASTSAVE -> unix time. */
void
cmd_lastsave(struct client *c)
{
    reply_int(c, persist_last_save_s());
}
