/* server/commands/server/latency.h - how long commands take, for INFO.
 * Threads: mutator. */
#ifndef SERVER_COMMANDS_SERVER_LATENCY_H
#define SERVER_COMMANDS_SERVER_LATENCY_H

struct text;

/* latency_info: latency_percentiles_usec_COMMAND lines. */
void latency_info(struct text *out);

#endif
