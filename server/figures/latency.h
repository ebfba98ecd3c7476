/* server/figures/latency.h - LATENCY: what took longer than latency-monitor-threshold, by kind of
 * event; and how long each command takes, as a histogram.
 * Threads: mutator. */
#ifndef SERVER_FIGURES_LATENCY_H
#define SERVER_FIGURES_LATENCY_H

#include <stdint.h>

struct cmd;
struct text;

/* latency_add: an event ("command", "fast-command", "expire-cycle", "eviction-cycle",
 * "snapshot-cut", ...) took ms; kept if the threshold (not 0) says so. */
void latency_add(const char *event, uint64_t ms);
/* latency_of_command: one execution, for LATENCY HISTOGRAM and INFO latencystats; only called while
 * latency-tracking is on. cmd->histogram is made at the first call. */
void latency_of_command(struct cmd *cmd, uint64_t ns);
/* latency_reset_commands: CONFIG RESETSTAT. */
void latency_reset_commands(void);

/* info_latencystats: latency_percentiles_usec_COMMAND lines. */
void info_latencystats(struct text *out);

#endif
