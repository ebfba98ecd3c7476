/* tool/look/escape.h - bytes of any kind as a line that a person can read, and back.
 *
 * UTF-8 stands as it is; a backslash is \\, what a line or a terminal would be troubled by is \n,
 * \r, \t or \xNN, and so is each byte that is no UTF-8.
 * Threads: one at a time. */
#ifndef TOOL_LOOK_ESCAPE_H
#define TOOL_LOOK_ESCAPE_H

#include "mm/base/slice.h"
#include "tool/base/out.h"

/* escape_put: s as part of a line.
 * escape_quoted: in quotes, \" for those within; no more than `most` bytes of it, then "...";
 * most 0: all.  */
void escape_put(struct tool_out *out, struct slice s);
void escape_quoted(struct tool_out *out, struct slice s, size_t most);
/* escape_seen: s on a terminal: lines, tabs, backslashes and quotes stand as they are. */
void escape_seen(struct tool_out *out, struct slice s);
/* escape_parse: text back into bytes: [owned] by the caller; NULL: it has a backslash that begins
 * none of the above; *ret_at: which. */
char *escape_parse(const char *text, size_t *ret_len, size_t *ret_at);

#endif
