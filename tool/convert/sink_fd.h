/* tool/convert/sink_fd.h - a descriptor as a sink.
 * Threads: one at a time. */
#ifndef TOOL_CONVERT_SINK_FD_H
#define TOOL_CONVERT_SINK_FD_H

#include "snapshot/rdb/sink.h"

/* sink_fd_open: 0 or -ENOMEM.  The descriptor stays the caller's.  is_file: its bytes go to the
 * disk while more are written, and a commit waits until they are there. */
int sink_fd_open(int fd, bool is_file, struct sink **ret);

#endif
