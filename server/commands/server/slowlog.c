/* server/commands/server/slowlog.c - SLOWLOG GET LEN RESET. */
#include "server/figures/slowlog.h"

#include "server/exec/args.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/server/server.def"

enum { GET_DEFAULT = 10 };

static void
reply_entry(struct client *c, const struct slowlog_entry *e)
{
    reply_array(c, 6);
    reply_int(c, e->id);
    reply_int(c, e->time_s);
    reply_int(c, e->us);
    reply_array(c, (size_t)e->argc);
    for (int i = 0; i < e->argc; i++)
        reply_bulk(c, e->argv[i], e->len[i]);
    reply_bulk_text(c, e->peer);
    reply_bulk_text(c, e->name);
}

/* SLOWLOG GET [count] -> the newest; -1: all. */
void
cmd_slowlog_get(struct client *c)
{
    int64_t wanted = GET_DEFAULT;

    if (c->argc > 3) {
        reply_subcommand_syntax(c);
        return;
    }
    if (c->argc == 3 &&
        !arg_int_from(c, 2, -1, "ERR count should be greater than or equal to -1", &wanted))
        return;
    if (wanted == -1 || wanted > slowlog_count())
        wanted = slowlog_count();
    reply_array(c, (size_t)wanted);
    for (const struct slowlog_entry *e = slowlog_newest(); e != NULL && wanted > 0;
         e = e->next, wanted--)
        reply_entry(c, e);
}

/* SLOWLOG LEN -> how many are kept. */
void
cmd_slowlog_len(struct client *c)
{
    reply_int(c, slowlog_count());
}

/* SLOWLOG RESET -> OK. */
void
cmd_slowlog_reset(struct client *c)
{
    slowlog_clear();
    reply_ok(c);
}
