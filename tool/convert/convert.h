/* tool/convert/convert.h - `convert`: dumps of another version, compression, number of files.
 * Threads: one, beside those that write. */
#ifndef TOOL_CONVERT_CONVERT_H
#define TOOL_CONVERT_CONVERT_H

#include "tool/base/options.h"

/* tool_convert: an exit status. */
int tool_convert(int count, char **files, const struct tool_options *o);

#endif
