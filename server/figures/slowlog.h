/* server/figures/slowlog.h - SLOWLOG: the commands that took long.
 * Threads: mutator. */
#ifndef SERVER_FIGURES_SLOWLOG_H
#define SERVER_FIGURES_SLOWLOG_H

#include <stdint.h>

struct client;

/* slowlog_add: c's command (argv) took ns; it is kept if slowlog-log-slower-than says so. */
void slowlog_add(const struct client *c, uint64_t ns);

#endif
