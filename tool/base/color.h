/* tool/base/color.h - should what is printed have colours?
 * Threads: one. */
#ifndef TOOL_BASE_COLOR_H
#define TOOL_BASE_COLOR_H

#include <stdbool.h>
#include <stdio.h>

#include "tool/base/options.h"

/* tool_color: --color says so, or it says nothing, `stream` is a terminal that knows colours, and
 * NO_COLOR is not in the environment. */
bool tool_color(const struct tool_options *o, FILE *stream);

#endif
