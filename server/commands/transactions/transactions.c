/* server/commands/transactions/transactions.c - MULTI EXEC DISCARD WATCH UNWATCH. */
#include "server/exec/handlers.h"
#include "server/exec/multi.h"
#include "server/exec/watch.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/transactions/transactions.def"

static void
give_up(struct client *c)
{
    multi_discard(c);
    watch_forget(c);
}

/* MULTI -> OK. */
void
cmd_multi(struct client *c)
{
    if (c->multi != NULL)
        reply_error(c, "ERR MULTI calls can not be nested");
    else if (!multi_begin(c))
        reply_error(c, "OOM no memory for a transaction");
    else
        reply_ok(c);
}

/* DISCARD -> OK. */
void
cmd_discard(struct client *c)
{
    if (c->multi == NULL) {
        reply_error(c, "ERR DISCARD without MULTI");
        return;
    }
    give_up(c);
    reply_ok(c);
}

/* EXEC -> the replies of the queued commands; null: a watched key has changed. */
void
cmd_exec(struct client *c)
{
    if (c->multi == NULL) {
        reply_error(c, "ERR EXEC without MULTI");
        return;
    }
    if (c->multi_dirty || watch_is_broken(c)) {
        if (c->multi_dirty)
            reply_error(c, "EXECABORT Transaction discarded because of previous errors.");
        else
            reply_null_array(c);
        give_up(c);
        return;
    }
    watch_forget(c); /* what it changes itself is its own affair */
    multi_run(c);
}

/* WATCH key ... -> OK. */
void
cmd_watch(struct client *c)
{
    if (c->multi != NULL) {
        reply_error(c, "ERR WATCH inside MULTI is not allowed");
        return;
    }
    for (int i = 1; i < c->argc; i++)
        if (!watch_add(c, c->argv[i])) {
            reply_error(c,
                        c->watch == NULL
                            ? "OOM no memory to watch keys"
                            : "OOM no memory to watch keys: the transaction will not be executed");
            return;
        }
    reply_ok(c);
}

/* UNWATCH -> OK. */
void
cmd_unwatch(struct client *c)
{
    watch_forget(c);
    reply_ok(c);
}
