/* tool/look/look.h - stillframe-rdb info: what is in a file.
 * Threads: one. */
#ifndef TOOL_LOOK_LOOK_H
#define TOOL_LOOK_LOOK_H

#include "tool/base/options.h"

/* Each: an exit status.  tool_info: what is in each file, and in all of them. */
int tool_info(int count, char **files, const struct tool_options *o);

#endif
