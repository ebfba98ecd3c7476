/* server/exec/pause.c - CLIENT PAUSE: the latest end and the strictest kind of those asked for
 * hold. */
#include "server/exec/pause.h"

#include "mm/base/clock.h"
#include "server/data/db/listener.h"
#include "server/exec/cmd.h"
#include "server/net/client.h"
#include "server/net/net.h"

int64_t pause_until_ms;
static bool pause_all;

bool
pause_holds(const struct client *c, uint32_t flags)
{
    (void)c;
    if (pause_refresh())
        return false;
    return pause_all || (flags & (CMD_WRITE | CMD_MAY_REPLICATE)) != 0;
}

bool
pause_refresh(void)
{
    debug_check(db_held_until_ms == pause_until_ms); /* or a key might go that has to stay */
    if (clock_now.ms < pause_until_ms)
        return false;
    pause_end();
    return true;
}

void
pause_begin(int64_t until_ms, bool all)
{
    must(until_ms > 0);
    pause_refresh();
    pause_all |= all;
    if (until_ms > pause_until_ms)
        pause_until_ms = until_ms;
    db_held_until_ms = pause_until_ms;
}

void
pause_end(void)
{
    pause_until_ms = db_held_until_ms = 0;
    pause_all = false;
}

const char *
pause_kind(void)
{
    return !pause_is_on() ? "none" : pause_all ? "all" : "write";
}

static bool
is_closed(void)
{
    return pause_is_on();
}

void
pause_init(void)
{
    /* A held client is read on: CLIENT UNPAUSE may come from it. */
    static struct net_gate gate = {.is_closed = is_closed};

    net_gate_add(&gate);
}
