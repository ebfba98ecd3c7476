/* server/commands/server/server.c - commands about the server: CONFIG ROLE TIME MONITOR
 * SHUTDOWN. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/log.h"
#include "mm/base/os.h"
#include "mm/base/text.h"
#include "server/commands/server/debug.h"
#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/exec/args.h"
#include "server/exec/cmd.h"
#include "server/exec/exec.h"
#include "server/exec/handlers.h"
#include "server/exec/monitor.h"
#include "server/figures/errorstats.h"
#include "server/figures/stats.h"
#include "server/memory/defrag.h"
#include "server/memory/evict.h"
#include "server/net/client.h"
#include "server/net/reply.h"
#include "server/persist/persist.h"
#include "server/process/shutdown.h"
#include "server/scripts/script.h"
#include "snapshot/snapshot.h"

#include "server/commands/server/server.def"

/* ---- CONFIG ---- */

static void
count_pair(void *ctx, const char *name, struct slice value)
{
    size_t *count = ctx;

    (void)name;
    (void)value;
    ++*count;
}

static void
reply_config_pair(void *ctx, const char *name, struct slice value)
{
    struct client *c = ctx;

    reply_bulk_text(c, name);
    reply_bulk(c, value.ptr, value.len);
}

/* CONFIG GET pattern ... -> names and values. */
void
cmd_config_get(struct client *c)
{
    size_t count = 0;

    config_each_match(c->argv + 2, c->argc - 2, count_pair, &count);
    reply_map(c, count);
    config_each_match(c->argv + 2, c->argc - 2, reply_config_pair, c);
}

/* CONFIG SET name value ... -> OK; all or nothing. */
void
cmd_config_set(struct client *c)
{
    struct text why = {0};

    if (c->argc % 2 != 0) {
        reply_syntax(c);
        return;
    }
    if (config_set(c->argv + 2, (c->argc - 2) / 2,
                   client_is_permitted(c, config.enable_protected_configs), &why) == 0)
        reply_ok(c);
    else
        reply_why(c, "", &why);
    text_free(&why);
}

static void
reset_stats(void)
{
    stats_reset();
    errorstats_reset();
    cmd_table_reset_stats();
    db_reset_freed_values();
    evict_figures.keys = evict_figures.exceeded_us = 0;
    defrag_reset_figures();
    persist_reset_stats();
}

/* CONFIG RESETSTAT -> OK. */
void
cmd_config_resetstat(struct client *c)
{
    reset_stats();
    reply_ok(c);
}

void
server_rewrite_config(struct client *c, bool all)
{
    struct text why = {0};

    if (config_file()[0] == '\0') {
        reply_error(c, "ERR The server is running without a config file");
        return;
    }
    if (config_rewrite(all, &why) == 0) {
        reply_ok(c);
        log_line(LOG_NOTICE, "CONFIG REWRITE executed with success.");
    } else {
        reply_why(c, "ERR Rewriting config file: ", &why);
        log_line(LOG_WARNING, "CONFIG REWRITE failed: %s", text_why(&why));
    }
    text_free(&why);
}

/* CONFIG REWRITE -> OK: the file says what holds. */
void
cmd_config_rewrite(struct client *c)
{
    server_rewrite_config(c, false);
}

/* ROLE -> master, and no replicas. */
void
cmd_role(struct client *c)
{
    reply_array(c, 3);
    reply_bulk_text(c, "master");
    reply_int(c, 0);
    reply_array(c, 0);
}

/* TIME -> seconds and microseconds, as text. */
void
cmd_time(struct client *c)
{
    int64_t us = os_unix_ns() / 1000; /* the time itself, not that of the turn */

    reply_array(c, 2);
    reply_bulk_int(c, us / 1000000);
    reply_bulk_int(c, us % 1000000);
}

/* MONITOR -> OK, and from then on a line for each command. */
void
cmd_monitor(struct client *c)
{
    if (!client_may_wait(c)) {
        reply_error(c, "ERR MONITOR isn't allowed for DENY BLOCKING client");
        return;
    }
    monitor_add(c);
    reply_ok(c);
}

/* ---- SHUTDOWN ---- */

static bool
parse_shutdown(const struct client *c, struct shutdown_request *rq, bool *ret_abort)
{
    for (int i = 1; i < c->argc; i++) {
        if (arg_is(c, i, "NOSAVE"))
            rq->nosave = true;
        else if (arg_is(c, i, "SAVE"))
            rq->save = true;
        else if (arg_is(c, i, "FORCE"))
            rq->force = true;
        else if (arg_is(c, i, "ABORT"))
            *ret_abort = true;
        else if (!arg_is(c, i, "NOW")) /* there are no replicas to wait for: it is always now */
            return false;
    }
    return !(rq->save && rq->nosave) && !(*ret_abort && c->argc > 2);
}

/* SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT] -> no reply, but the end; or an error. */
void
cmd_shutdown(struct client *c)
{
    struct shutdown_request rq = {.save = false};
    bool abort = false;

    if (!parse_shutdown(c, &rq, &abort)) {
        reply_syntax(c);
        return;
    }
    if (abort) {
        reply_error(c, "ERR No shutdown in progress.");
        return;
    }
    if (script_is_busy() && !rq.nosave) { /* what it has done so far is no whole */
        reply_error(c, exec_gates.busy);
        return;
    }
    if (db_state.loading) { /* what is loaded so far must not replace the file that it comes from */
        rq.save = false;
        rq.nosave = true;
    }
    if (shutdown_begin(&rq) < 0)
        reply_error(c, "ERR Errors trying to SHUTDOWN. Check logs.");
    else
        c->close_after_reply = true;
}
