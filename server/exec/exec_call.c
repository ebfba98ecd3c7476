/* server/exec/exec_call.c - the call of a handler: who runs, how long it took, who hears of
 * that. */
#include <stdlib.h>

#include "mm/base/clock.h"
#include "mm/base/histogram.h"
#include "mm/base/must.h"
#include "mm/base/ticks.h"
#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/exec/auth.h"
#include "server/exec/block.h"
#include "server/exec/cmd.h"
#include "server/exec/effect.h"
#include "server/exec/exec.h"
#include "server/exec/exec_impl.h"
#include "server/exec/monitor.h"
#include "server/exec/tracking.h"
#include "server/figures/latency.h"
#include "server/figures/slowlog.h"
#include "server/figures/stats.h"
#include "server/net/client.h"
#include "server/net/loop.h"
#include "server/net/reply_check.h"

enum {
    CLOCK_NS = 1000000 /* so long may a command take before the clock is read again */
};

/* The end of the command before, or the begin of the batch, in ticks: one look at the clock a
 * command. */
static uint64_t clock_at;

const struct client *
exec_client(void)
{
    return exec_state.running;
}

struct client *
exec_running(void)
{
    return exec_state.running;
}

void
exec_go_on(struct client *c)
{
    exec_state.running = c;
    must(c != NULL);
    c->db = db_select(c->db_index); /* what was executed may have exchanged databases */
    db_keep_clocks(c->no_touch);
}

bool exec_others_run;

void
exec_let_others(void (*turn)(void))
{
    struct client *c = exec_state.running;
    uint64_t begin = clock_at;

    must(c != NULL && !exec_others_run);
    exec_others_run = true;
    turn();
    exec_others_run = false;
    clock_at = begin;
    exec_go_on(c);
}

void
exec_forget(const struct client *c)
{
    if (exec_state.running == c)
        exec_state.running = NULL;
}

void
exec_begin(void)
{
    clock_at = ticks_now();
}

static bool
is_secret(const void *client, int i)
{
    return auth_is_secret(client, i);
}

static void
note_slow(const struct client *c, uint64_t ns)
{
    const struct slowlog_call call = {.ns = ns,
                                      .peer = c->addr,
                                      .name = c->name,
                                      .argc = c->argc,
                                      .argv = c->argv,
                                      .is_secret = is_secret,
                                      .ctx = c};

    slowlog_add(&call, config.slowlog_max_len);
}

/* Longer than what anybody wants to hear of?  What follows a command that took long sees another
 * time (L3). */
static void
note_duration(const struct client *c, const struct cmd *cmd, uint64_t ns)
{
    uint64_t ms = ns / 1000000;

    if (ns >= CLOCK_NS && client_has_socket(c) && !c->in_exec)
        clock_refresh();
    latency_add((cmd->flags & CMD_FAST) != 0 ? "fast-command" : "command", ms);
    if (config.slowlog_log_slower_than >= 0 && (cmd->flags & CMD_SKIP_SLOWLOG) == 0 &&
        ns / 1000 >= (uint64_t)config.slowlog_log_slower_than)
        note_slow(c, ns);
}

/* Below this nobody wants to hear of it. */
static inline uint64_t
noteworthy_ns(void)
{
    uint64_t us = (uint64_t)config.slowlog_log_slower_than; /* -1: never */

    return us < CLOCK_NS / 1000 ? us * 1000 : CLOCK_NS;
}

/* The histogram is made at the first call; without memory it is tried again at the next. */
static inline void
count_duration(struct cmd *cmd, uint64_t ns)
{
    if (unlikely(cmd->histogram == NULL) &&
        (cmd->histogram = calloc(1, sizeof *cmd->histogram)) == NULL)
        return;
    histogram_add(cmd->histogram, ns);
}

static inline void
count(struct client *c, struct cmd *cmd, uint64_t ns)
{
    cmd->calls++;
    cmd->nsec += ns;
    stats.commands++;
    if (unlikely(c->is_error))
        cmd->failed++;
    if (likely(config.latency_tracking))
        count_duration(cmd, ns);
    if (unlikely(ns >= noteworthy_ns()))
        note_duration(c, cmd, ns);
}

void
exec_count(struct client *c, struct cmd *cmd, uint64_t ns)
{
    count(c, cmd, ns);
}

/* run_heard: run cmd's handler while somebody wants to hear of effects. */
static __attribute__((noinline)) void
run_heard(struct client *c, struct cmd *cmd)
{
    struct effect_scope scope;

    effect_begin(c, &scope);
    cmd->handler(c);
    effect_end(&scope);
}

/* has_replied: what cmd.h asks of a handler: one reply, or none and the client waits.  Commands of
 * subscriptions tell one thing for each channel.  Nothing is replied while CLIENT REPLY says so,
 * nor by a SHUTDOWN that is carried out; and what was queued may do all of that within EXEC, so
 * there the queued commands alone are looked at. */
static bool
has_replied(struct client *c, const struct cmd *cmd, const struct reply_mark *before)
{
    int n;

    if (!reply_is_kept(c, before) || c->reply_off || c->reply_skip || loop_state.stopping ||
        (cmd->flags & CMD_RUNS_QUEUE) != 0)
        return true;
    n = reply_count(c, before);
    if (c->block != NULL)
        return n == 0;
    return n == 1 || (n == 0 && (cmd->flags & CMD_MAY_BE_SILENT) != 0) ||
           (n > 1 && (cmd->flags & CMD_PUBSUB) != 0);
}

/* may_change: is a change of this command's asked about before it (memory, MISCONF, CLIENT PAUSE)?
 * Those of PFCOUNT are what CMD_MAY_REPLICATE is for; DEBUG may do all, and BGSAVE CANCEL makes
 * changes count again. */
static bool
may_change(const struct cmd *cmd)
{
    return (cmd->flags &
            (CMD_WRITE | CMD_MAY_REPLICATE | CMD_RUNS_QUEUE | CMD_RUNS_SCRIPT | CMD_ADMIN)) != 0;
}

static __attribute__((noinline)) void
look_on(struct client *c, const struct cmd *cmd)
{
    if ((exec_state.onlookers & ONLOOKER_TRACKING) != 0)
        tracking_look(c, cmd);
    if ((exec_state.onlookers & ONLOOKER_MONITOR) != 0 &&
        (cmd->flags & (CMD_SKIP_MONITOR | CMD_ADMIN)) == 0)
        monitor_feed(c);
}

void
exec_call(struct client *c, struct cmd *cmd)
{
    uint64_t begin = clock_at, ns;
    debug_only struct reply_mark before = reply_mark(c);
    debug_only uint64_t dirty = db_state.dirty;

    debug_check(c->block == NULL && cmd_arity_is_good(cmd, c->argc));
    exec_state.running = c;
    c->cmd = cmd;
    c->is_error = false;
    c->db = db_select(c->db_index);
    db_keep_clocks(c->no_touch);
    if (unlikely(effects_are_wanted))
        run_heard(c, cmd);
    else
        cmd->handler(c);
    debug_check(has_replied(c, cmd, &before));
    debug_check(may_change(cmd) || db_state.dirty <= dirty);
    clock_at = ticks_now();
    if (unlikely(exec_state.onlookers != 0))
        look_on(c, cmd);
    ns = ticks_to_ns(clock_at - begin);
    if (unlikely(c->block != NULL) && !c->block->is_counted)
        c->block->spent_ns = ns; /* it is counted when it is answered */
    else
        count(c, cmd, ns);
}
