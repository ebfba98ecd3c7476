/* tool/salvage/salvage.h - stillframe-rdb salvage: from a damaged file all that is whole.
 * Threads: one. */
#ifndef TOOL_SALVAGE_SALVAGE_H
#define TOOL_SALVAGE_SALVAGE_H

#include "tool/base/options.h"

/* 0: nothing was lost; 1: something was, and the rest is written; 3: nothing could be written,
 * which was then reported. */
enum { SALVAGE_NOTHING = 3 };

/* tool_salvage: files[0] into files[1]. */
int tool_salvage(int count, char **files, const struct tool_options *o);

#endif
