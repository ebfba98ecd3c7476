/* server/cron.c - what is done now and then. */
#include "server/cron.h"

#include "mm/base/ticks.h"
#include "server/figures/stats.h"
#include "server/memory/defrag.h"
#include "server/memory/usage.h"
#include "server/net/client.h"
#include "server/net/net.h"

void
cron(void)
{
    stats_sample();
    memory_watch();
    client_check_some();
    net_retry_accept();
    ticks_refresh();
    defrag_cron();
}
