/* tool/help.c - the help, from the tables. */
#include "tool/help.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 84, TEXT_AT = 28, COMMAND_TEXT_AT = 14 };

const struct tool_heading tool_headings[] = {
    {~(unsigned)(TOOL_G_SHARED), "Options"},
    {TOOL_G_SELECT, "Which keys"},
    {TOOL_G_TABLE | TOOL_G_OUT, "Output"},
    {TOOL_G_READ, "Reading"},
    {TOOL_G_ALL, "Common"},
};
const unsigned tool_heading_count = sizeof tool_headings / sizeof *tool_headings;

const char tool_questions[] =
    "is it whole?                  stillframe-rdb check dump.rdb\n"
    "will that server load it?     stillframe-rdb check --loads-in=redis-7.0 dump.rdb\n"
    "what is in it?                stillframe-rdb info dump.rdb\n"
    "what takes the memory?        stillframe-rdb memory dump.rdb\n"
    "... to look at and to share   stillframe-rdb report dump.rdb -o report.html\n"
    "what changed since yesterday? stillframe-rdb diff yesterday.rdb today.rdb\n"
    "what is this key?             stillframe-rdb get user:17 dump.rdb\n"
    "keys into another server      stillframe-rdb resp -m 'user:*' dump.rdb | redis-cli --pipe\n"
    "a dump for an older server    stillframe-rdb convert --for=redis-6.2 dump.rdb -o old.rdb\n"
    "save what can be saved        stillframe-rdb salvage broken.rdb saved.rdb\n";

const char tool_status[] =
    "0: all is well; 1: a file is damaged or cannot be read; 2: the arguments are wrong";

/* print_wrapped: a text from column `from` on, where the cursor stands at column `at`. */
static void
print_wrapped(const char *text, unsigned at, unsigned from)
{
    if (at > 0 && at + 1 >= from) {
        putchar('\n');
        at = 0;
    }
    printf("%*s", (int)(from - at), "");
    at = from;
    while (*text != '\0') {
        unsigned len = (unsigned)strcspn(text, " ");

        if (at > from && at + 1 + len > WIDTH) {
            printf("\n%*s", (int)from, "");
            at = from;
        } else if (at > from) {
            putchar(' ');
            at++;
        }
        printf("%.*s", (int)len, text);
        at += len;
        text += len + (text[len] == ' ');
    }
    putchar('\n');
}

/* "0" needs no words: it is none of a number, which the text explains. */
const char *
tool_help_standard(const struct tool_option *t)
{
    static char text[64];

    text[0] = '\0';
    if (t->standard != NULL && strcmp(t->standard, "0") != 0)
        snprintf(text, sizeof text, " (default: %s)", t->standard);
    return text;
}

static void
print_option(const struct tool_option *t)
{
    char text[512];
    int n = printf(t->brief != 0 ? "  -%c, --%s%s%s" : "  %c   --%s%s%s",
                   t->brief != 0 ? t->brief : ' ', t->name, t->argument == NULL ? "" : "=",
                   t->argument == NULL ? "" : t->argument);

    snprintf(text, sizeof text, "%s%s", t->about, tool_help_standard(t));
    print_wrapped(text, (unsigned)n, TEXT_AT);
}

/* print_options: those that c takes, under their headings. */
static void
print_options(const struct tool_command *c)
{
    for (unsigned h = 0; h < tool_heading_count; h++) {
        unsigned groups = tool_headings[h].groups & c->groups;
        bool has_come = false;

        for (unsigned i = 0; i < tool_option_count; i++) {
            if ((tool_options[i].group & groups) == 0)
                continue;
            if (!has_come)
                printf("\n%s:\n", tool_headings[h].text);
            has_come = true;
            print_option(&tool_options[i]);
        }
    }
    fputs("  -h, --help", stdout);
    print_wrapped("print this", 12, TEXT_AT);
}

/* print_lines: each line of text, indented. */
static void
print_lines(const char *text)
{
    while (*text != '\0') {
        int len = (int)strcspn(text, "\n");

        printf("  %.*s\n", len, text);
        text += len + (text[len] == '\n');
    }
}

void
tool_help(void)
{
    puts("Usage: stillframe-rdb COMMAND [OPTION...] FILE...\n\n"
         "Read RDB files, dumps of Stillframe, Redis or Valkey, without a server.  FILE is a\n"
         "dump, plain or packed (LZ4, gzip, Zstd), or - for standard input.\n\nCommands:");
    for (unsigned i = 0; i < tool_command_count; i++) {
        int n = printf("  %s", tool_commands[i].name);

        print_wrapped(tool_commands[i].about, (unsigned)n, COMMAND_TEXT_AT);
    }
    puts("\nWhat people ask:");
    print_lines(tool_questions);
    puts("\nstillframe-rdb COMMAND --help tells each one's options, with examples.\n");
    puts("Exit status:");
    print_wrapped(tool_status, 0, 2);
}

void
tool_help_command(const struct tool_command *c)
{
    printf("Usage: stillframe-rdb %s [OPTION...]%s%s\n\n", c->name,
           c->arguments[0] == '\0' ? "" : " ", c->arguments);
    print_wrapped(c->about, 0, 0);
    print_options(c);
    puts("\nExamples:");
    print_lines(c->examples);
    puts("\nExit status:");
    print_wrapped(c->status != NULL ? c->status : tool_status, 0, 2);
}
