/* tool/commands.h - the commands of stillframe-rdb.
 * Threads: [any]. */
#ifndef TOOL_COMMANDS_H
#define TOOL_COMMANDS_H

#include "tool/base/options.h"

struct tool_command {
    const char *name;
    /* NULL: of main.c */
    int (*run)(int count, char **files, const struct tool_options *o);
    unsigned groups; /* of enum tool_group */
    int least, most; /* how many arguments; most 0: any number */
    const char *arguments, *about, *examples;
    const char *status; /* what the exit statuses say; NULL: as of most */
};
extern const struct tool_command tool_commands[];
extern const unsigned tool_command_count;

#endif
