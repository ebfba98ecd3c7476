/* server/commands/server/databases.c - commands on whole databases: DBSIZE SWAPDB FLUSHDB
 * FLUSHALL. */
#include <limits.h>

#include "mm/base/num.h"
#include "server/data/db/db.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"
#include "server/persist/persist.h"

#include "server/commands/server/server.def"

void
cmd_dbsize(struct client *c)
{
    reply_int(c, (int64_t)db_size(c->db));
}

static bool
arg_db_index(struct client *c, int i, const char *error, int64_t *ret)
{
    if (num_parse(c->argv[i].ptr, c->argv[i].len, ret) && *ret >= INT_MIN && *ret <= INT_MAX)
        return true;
    reply_error(c, error);
    return false;
}

void
cmd_swapdb(struct client *c)
{
    int64_t a, b;

    if (!arg_db_index(c, 1, "ERR invalid first DB index", &a) ||
        !arg_db_index(c, 2, "ERR invalid second DB index", &b))
        return;
    if (db_select((int)a) == NULL || db_select((int)b) == NULL) {
        reply_error(c, "ERR DB index is out of range");
        return;
    }
    changed_swap((int)a, (int)b);
    reply_ok(c);
}

/* flush_options_are_good: SYNC and ASYNC mean the same here: nobody waits. */
static bool
flush_options_are_good(struct client *c)
{
    if (c->argc == 1 || (c->argc == 2 && (arg_is(c, 1, "sync") || arg_is(c, 1, "async"))))
        return true;
    reply_syntax(c);
    return false;
}

void
cmd_flushdb(struct client *c)
{
    if (!flush_options_are_good(c))
        return;
    changed_flush(c->db_index);
    reply_ok(c);
}

void
cmd_flushall(struct client *c)
{
    if (!flush_options_are_good(c))
        return;
    changed_flush_all();
    persist_flushed();
    reply_ok(c);
}
