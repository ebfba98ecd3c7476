/* tool/diff/diff.h - stillframe-rdb diff: what changed from one file to another.
 * Threads: one calls; each file is read by one of its own. */
#ifndef TOOL_DIFF_DIFF_H
#define TOOL_DIFF_DIFF_H

#include "tool/base/options.h"

/* Beside TOOL_OK: nothing differs: as of diff(1): */
enum { DIFF_DIFFERENT = 1, DIFF_TROUBLE = 2 };
int tool_diff(int count, char **files, const struct tool_options *o);

#endif
