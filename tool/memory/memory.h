/* tool/memory/memory.h - stillframe-rdb memory: what takes the memory.
 * Threads: one. */
#ifndef TOOL_MEMORY_MEMORY_H
#define TOOL_MEMORY_MEMORY_H

#include "tool/base/out.h"
#include "tool/memory/survey.h"

int tool_memory(int count, char **files, const struct tool_options *o);

/* print.c: for people: everything at a glance; top: of what.
 * print_prefixes.c: the tree of prefixes: some_only: the largest ones, without sizes.
 * json.c: the same for programs. */
void memory_print(struct tool_out *out, const struct memory_survey *s, enum memory_measure top);
void memory_print_prefixes(struct tool_out *out, const struct memory_survey *s, bool some_only);
void memory_csv_prefixes(struct tool_out *out, const struct memory_survey *s);
void memory_json(struct tool_out *out, const struct memory_survey *s, enum memory_measure top);
void memory_json_prefixes(struct tool_out *out, const struct memory_survey *s);
/* Parts of it, which `report` has in its page, too.  memory_json_sums: members of an object that is
 * open.  memory_json_breakdowns: the members databases, encodings, sizes and ttls, a comma before
 * each. */
void memory_json_sums(struct tool_out *out, const struct memory_survey *s,
                      const struct memory_sums *sums);
void memory_json_breakdowns(struct tool_out *out, const struct memory_survey *s);

#endif
