/* tool/input/run.h - one input through the decoder, and what is wrong with it on stderr.
 * Threads: one. */
#ifndef TOOL_INPUT_RUN_H
#define TOOL_INPUT_RUN_H

#include "tool/base/tool.h"
#include "tool/input/input.h"

/* tool_run_open: the caller closes what he gets; `again`: as tool_input_open().
 * tool_run_decode: once through the decoder with the checksum.  run is filled and is the events'
 * ctx; ev.progress is set here.  Both report what is wrong on stderr: TOOL_OK or TOOL_INVALID. */
int tool_run_open(const char *path, bool again, struct tool_run *run, struct tool_input **ret);
int tool_run_decode(struct tool_input *in, struct rdb_events ev, struct tool_run *run);
/* tool_run_report: one line on stderr: what is wrong with the file, run->error or an -errno;
 * nothing if run->is_told_later.  TOOL_INVALID. */
int tool_run_report(struct tool_run *run, int error);

#endif
