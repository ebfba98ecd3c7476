/* tool/look/look.h - stillframe-rdb info, keys, get, head: what is in a file.
 * Threads: one. */
#ifndef TOOL_LOOK_LOOK_H
#define TOOL_LOOK_LOOK_H

#include "tool/keys/walk.h"

/* Each: an exit status.  tool_info: what is in each file, and in all of them.  tool_keys: the names
 * of the keys.  tool_get: the value of one; its first argument is the name.  tool_head: the first
 * keys and what of their values fits on a screen. */
int tool_info(int count, char **files, const struct tool_options *o);
int tool_keys(int count, char **files, const struct tool_options *o);
int tool_get(int count, char **arguments, const struct tool_options *o);
int tool_head(int count, char **files, const struct tool_options *o);

/* For these.  look_is_seen: the output goes to a terminal.
 * look_refuses_csv: it was asked for, but the command has none, which was reported.
 * look_tell_unknown: how much --skip-unknown has left out.
 * look_seconds: "3d 4h", its two largest units.  look_ttl: what is left of a key's time, so, or
 * "past", or "-". */
bool look_is_seen(const struct tool_options *o);
bool look_refuses_csv(const struct tool_options *o, const char *command);
void look_tell_unknown(const struct walk *w, const struct tool_options *o);
void look_seconds(char *ret, size_t room, int64_t s);
void look_ttl(char *ret, size_t room, int64_t expire_at_ms, int64_t from_ms);

#endif
