/* tool/manual.c - stillframe-rdb manual: the man page, from the tables. */
#include <stdio.h>
#include <string.h>

#include "mm/base/version.h"
#include "tool/base/tool.h"
#include "tool/help.h"

/* print_roff: a text, in which nothing means anything to roff. */
static void
print_roff(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text == '-')
            fputs("\\-", stdout);
        else if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '\'')
            fputs("\\(aq", stdout);
        else if (*text == '~')
            fputs("\\(ti", stdout);
        else if (*text == '^')
            fputs("\\(ha", stdout);
        else
            putchar(*text);
}

/* print_lines: each line as it is. */
static void
print_lines(const char *text)
{
    puts(".nf\n.RS");
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        char line[512];

        snprintf(line, sizeof line, "%.*s", (int)len, text);
        fputs("\\&", stdout);
        print_roff(line);
        putchar('\n');
        text += len + (text[len] == '\n');
    }
    puts(".RE\n.fi");
}

static void
print_option(const struct tool_option *t)
{
    puts(".TP");
    if (t->brief != 0)
        printf("\\fB\\-%c\\fR, ", t->brief);
    fputs("\\fB\\-\\-", stdout);
    print_roff(t->name);
    fputs("\\fR", stdout);
    if (t->argument != NULL) {
        fputs("=\\fI", stdout);
        print_roff(t->argument);
        fputs("\\fR", stdout);
    }
    putchar('\n');
    print_roff(t->about);
    print_roff(tool_help_standard(t));
    puts(".");
}

/* print_options: of those groups. */
static void
print_options(unsigned groups)
{
    for (unsigned i = 0; i < tool_option_count; i++)
        if ((tool_options[i].group & groups) != 0)
            print_option(&tool_options[i]);
}

/* print_shared: where the other options of a command are told. */
static void
print_shared(unsigned groups)
{
    const char *between = "Takes the options under ";

    for (unsigned h = 1; h < tool_heading_count; h++)
        if ((tool_headings[h].groups & groups) != 0) {
            printf("%s\\fI%s\\fR", between, tool_headings[h].text);
            between = ", ";
        }
    puts(".");
}

static void
print_command(const struct tool_command *c)
{
    printf(".SS \"");
    print_roff(c->name);
    fputs(c->arguments[0] == '\0' ? "" : " ", stdout);
    print_roff(c->arguments);
    puts("\"");
    print_roff(c->about);
    puts(".");
    print_shared(c->groups);
    print_options(c->groups & ~(unsigned)TOOL_G_SHARED);
    if (c->examples[0] != '\0') {
        puts(".PP");
        print_lines(c->examples);
    }
    if (c->status != NULL) {
        puts(".PP\nExit status");
        print_roff(c->status);
        puts(".");
    }
}

int
tool_manual(int count, char **files, const struct tool_options *o)
{
    (void)count;
    (void)files;
    (void)o;
    puts(".TH STILLFRAME\\-RDB 1 \"\" \"Stillframe " STILLFRAME_VERSION
         "\" \"User Commands\"\n.ad l\n"
         ".SH NAME\nstillframe\\-rdb \\- read, check and convert RDB files\n"
         ".SH SYNOPSIS\n.B stillframe\\-rdb\n\\fICOMMAND\\fR [\\fIOPTION\\fR...] "
         "\\fIFILE\\fR...\n"
         ".SH DESCRIPTION\nReads RDB files, dumps of Stillframe, Redis or Valkey, without a "
         "server.\n\\fIFILE\\fR is a dump, plain or packed (LZ4, gzip, Zstd), or \\- for standard "
         "input.\nMemory does not grow with the file, nor with a key in it.\nInput is never "
         "changed.\n.PP\nWhat people ask:\n.PP");
    print_lines(tool_questions);
    puts(".SH COMMANDS");
    for (unsigned i = 0; i < tool_command_count; i++)
        print_command(&tool_commands[i]);
    puts(".SH OPTIONS");
    for (unsigned h = 1; h < tool_heading_count; h++) {
        printf(".SS \"%s\"\n", tool_headings[h].text);
        print_options(tool_headings[h].groups);
    }
    puts(".SH ENVIRONMENT\n.TP\n.B TMPDIR\nWhere temporary files are made (/var/tmp if it is not "
         "set).\nThey have no name, and vanish with the program.\n.TP\n.B NO_COLOR\nNo "
         "colours.\n"
         ".SH EXIT STATUS");
    print_roff(tool_status);
    puts(".\nWhere a command has others, it says so.\n.SH SEE ALSO\n.BR redis\\-cli (1)");
    return TOOL_OK;
}
