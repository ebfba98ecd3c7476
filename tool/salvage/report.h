/* tool/salvage/report.h - what was lost: for people, and for programs.
 * Threads: one. */
#ifndef TOOL_SALVAGE_REPORT_H
#define TOOL_SALVAGE_REPORT_H

#include "tool/base/out.h"
#include "tool/salvage/scan.h"

/* report_list: all losses, as lines of JSON.  report_text: a few of them, on stderr.  0 or
 * -errno. */
int report_list(struct scan *s, struct tool_out *out);
int report_text(struct scan *s, const char *path, uint64_t written);

#endif
