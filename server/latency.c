/* server/latency.c - LATENCY. */
#include "server/latency.h"

void
latency_add(const char *event, uint64_t ms)
{
    (void)event;
    (void)ms;
}

void
latency_of_command(struct cmd *cmd, uint64_t ns)
{
    (void)cmd;
    (void)ns;
}

void
latency_reset_commands(void)
{
}
