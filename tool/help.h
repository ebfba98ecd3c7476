/* tool/help.h - help, man page and completions, all from the tables of commands and options.
 * Threads: one. */
#ifndef TOOL_HELP_H
#define TOOL_HELP_H

#include "tool/commands.h"

/* Lines "question   command that answers it", which the man page has, too. */
extern const char tool_questions[];
/* The exit statuses of most commands. */
extern const char tool_status[];

/* What `--help` prints: of all, and of one command. */
void tool_help(void);
void tool_help_command(const struct tool_command *c);

/* What an option is without being given, " (default: x)"; "": nothing to tell.  Good until the next
 * call. */
const char *tool_help_standard(const struct tool_option *t);

/* Groups that more than one command takes; the man page tells of them once. */
enum { TOOL_G_SHARED = TOOL_G_ALL | TOOL_G_READ | TOOL_G_SELECT | TOOL_G_OUT | TOOL_G_TABLE };
/* Groups of options in the order of the help, under their headings: first those of one command. */
struct tool_heading {
    unsigned groups;  /* of enum tool_group */
    const char *text; /* "Which keys" */
};
extern const struct tool_heading tool_headings[];
extern const unsigned tool_heading_count;

/* The commands `manual` (a man page, for `man -l -`) and `completion bash|zsh|fish`: an exit
 * status. */
int tool_manual(int count, char **files, const struct tool_options *o);
int tool_completion(int count, char **files, const struct tool_options *o);

#endif
