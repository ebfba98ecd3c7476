/* tool/export/resp.h - stillframe-rdb resp, aof: a dump as the commands that make it.
 * Threads: one. */
#ifndef TOOL_EXPORT_RESP_H
#define TOOL_EXPORT_RESP_H

#include "tool/base/options.h"

/* Both write the same commands: resp for a server that runs (redis-cli --pipe), aof for one that
 * starts (an append-only file). */
int tool_resp(int count, char **files, const struct tool_options *o);
int tool_aof(int count, char **files, const struct tool_options *o);

#endif
