/* server/pause.c - CLIENT PAUSE. */
#include "server/pause.h"

int64_t pause_until_ms;

bool
pause_holds(const struct client *c, uint32_t flags)
{
    (void)c;
    (void)flags;
    return false;
}

bool
pause_refresh(void)
{
    return true;
}
