/* tool/export/text.h - stillframe-rdb json, ndjson, csv: a dump as text for other programs.
 * Threads: one. */
#ifndef TOOL_EXPORT_TEXT_H
#define TOOL_EXPORT_TEXT_H

#include "tool/base/options.h"

/* json: one document: an array with an object for each file, which has its keys.  ndjson: a key a
 * line.  csv: an element a row. */
int tool_json(int count, char **files, const struct tool_options *o);
int tool_ndjson(int count, char **files, const struct tool_options *o);
int tool_csv(int count, char **files, const struct tool_options *o);

#endif
