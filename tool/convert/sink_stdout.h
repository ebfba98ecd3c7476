/* tool/convert/sink_stdout.h - standard output as a sink.
 * Threads: one at a time. */
#ifndef TOOL_CONVERT_SINK_STDOUT_H
#define TOOL_CONVERT_SINK_STDOUT_H

#include "snapshot/rdb/sink.h"

/* sink_stdout_open: 0 or -ENOMEM. */
int sink_stdout_open(struct sink **ret);

#endif
