/* tool/check/check.h - stillframe-rdb check.
 * Threads: one. */
#ifndef TOOL_CHECK_CHECK_H
#define TOOL_CHECK_CHECK_H

#include "tool/base/options.h"

/* tool_check: is each file whole and sound?  An exit status. */
int tool_check(int count, char **files, const struct tool_options *o);

#endif
