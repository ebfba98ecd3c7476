/* tool/look/look.h - stillframe-rdb info, keys, get, head: what is in a file.
 * Threads: one. */
#ifndef TOOL_LOOK_LOOK_H
#define TOOL_LOOK_LOOK_H

#include <stddef.h>
#include <stdint.h>

#include "tool/base/options.h"

/* Each: an exit status.  tool_info: what is in each file, and in all of them.  tool_keys: the names
 * of the keys.  tool_get: the value of one; its first argument is the name.  tool_head: the first
 * keys and what of their values fits on a screen. */
int tool_info(int count, char **files, const struct tool_options *o);
int tool_keys(int count, char **files, const struct tool_options *o);
int tool_get(int count, char **arguments, const struct tool_options *o);
int tool_head(int count, char **files, const struct tool_options *o);

/* For these.  look_options: no progress where the output goes to a terminal meanwhile.
 * look_refuses_csv: it was asked for, but the command has none, which was reported.
 * look_seconds: "3d 4h", its two largest units.  look_ttl: what is left of a key's time, so, or
 * "past", or "-". */
struct tool_options look_options(const struct tool_options *o);
bool look_refuses_csv(const struct tool_options *o, const char *command);
void look_seconds(char *ret, size_t room, int64_t s);
void look_ttl(char *ret, size_t room, int64_t expire_at_ms, int64_t from_ms);

#endif
