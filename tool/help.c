/* tool/help.c - the help, from the tables. */
#include "tool/help.h"

#include <stdio.h>

static const char status_text[] =
    "Exit status: 0 if all is well, 1 if a file is damaged or cannot be read, 2 if the arguments are wrong.\n";

void
tool_help(void)
{
    puts(
        "Usage: stillframe-rdb COMMAND [OPTION...] FILE...\n\nLook at RDB files, dumps of Stillframe, Redis or Valkey, without a server.\n\nCommands:");
    for (unsigned i = 0; i < tool_command_count; i++)
        printf("  %-8s %s\n", tool_commands[i].name, tool_commands[i].about);
    printf("\nstillframe-rdb COMMAND --help has each one's options and examples.\n%s", status_text);
}

void
tool_help_command(const struct tool_command *c)
{
    printf("Usage: stillframe-rdb %s [OPTION...] %s\n\n%s.\n\nOptions:\n", c->name, c->arguments,
           c->about);
    for (unsigned i = 0; i < tool_option_count; i++) {
        const struct tool_option *t = &tool_options[i];
        char left[96];

        if ((t->group & c->groups) == 0)
            continue;
        snprintf(left, sizeof left, "%c%c%s --%s%s%s", t->brief ? '-' : ' ',
                 t->brief ? t->brief : ' ', t->brief ? "," : " ", t->name,
                 t->argument == NULL ? "" : "=", t->argument == NULL ? "" : t->argument);
        printf("  %-26s %s\n", left, t->about);
    }
    printf("  -h, --help                 print this\n\nExamples:\n%s\n%s", c->examples,
           status_text);
}
