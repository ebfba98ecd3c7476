/* tool/help.h - the help, from the tables of commands and options.
 * Threads: one. */
#ifndef TOOL_HELP_H
#define TOOL_HELP_H

#include "tool/commands.h"

void tool_help(void);
void tool_help_command(const struct tool_command *c);

#endif
