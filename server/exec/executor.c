/* server/exec/executor.c - what net asks of this folder, and is told of it at start. */
#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/exec/block.h"
#include "server/exec/cmd.h"
#include "server/exec/exec.h"
#include "server/exec/keyhold.h"
#include "server/exec/keywait.h"
#include "server/exec/monitor.h"
#include "server/exec/multi.h"
#include "server/exec/pause.h"
#include "server/exec/pubsub.h"
#include "server/exec/tracking.h"
#include "server/exec/watch.h"
#include "server/figures/latency.h"
#include "server/net/attachment.h"
#include "server/net/client.h"
#include "server/net/net.h"

/* The keys of what comes next are on their way from memory while the first command runs. */
static void
look_ahead(const struct client *c, const struct net_request *at, int count,
           const struct slice *words)
{
    struct slice keys[NET_BATCH_MAX];
    int n = 0;

    debug_check(count <= NET_BATCH_MAX);
    for (int i = 0; i < count; i++) {
        const struct cmd *cmd = at[i].cmd;
        if (cmd != NULL && cmd->hint_key > 0 && cmd->hint_key < at[i].argc)
            keys[n++] = words[at[i].first + cmd->hint_key];
    }
    if (n > 1)
        db_prefetch(db_select(c->db_index), keys, n);
}

static void
on_free(struct client *c)
{
    exec_forget(c);
}

static void
describe(const struct client *c, struct client_facts *facts)
{
    facts->command = c->last_cmd != NULL ? c->last_cmd->full_name : NULL;
}

void
exec_verify(void)
{
    block_verify();
    keyhold_verify();
    keywait_verify();
    pubsub_verify();
    tracking_verify();
    watch_verify();
}

void
exec_init(void)
{
    static const struct net_executor executor = {
        .find = cmd_find, .look_ahead = look_ahead, .begin = exec_begin, .execute = exec_command};
    static const struct client_attachment attachment = {.describe = describe, .on_free = on_free};

    net_set_executor(&executor);
    client_attach(&attachment);
    latency_init(&config.latency_monitor_threshold);
    block_init();
    keyhold_init();
    keywait_init();
    monitor_init();
    multi_init();
    pause_init();
    pubsub_init();
    tracking_init();
    watch_init();
}
