/* server/monitor.c - MONITOR. */
#include "server/monitor.h"

unsigned monitor_count;

void
monitor_feed(const struct client *c)
{
    (void)c;
}

void
monitor_forget(struct client *c)
{
    (void)c;
}
