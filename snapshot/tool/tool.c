/* snapshot/tool/tool.c - stillframe-rdb: look at RDB files without a server. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/version.h"
#include "snapshot/tool/tool.h"

static const struct command {
    const char *name, *about;
    int (*run)(const char *path, const struct tool_options *o);
} commands[] = {
    {"check", "is each file whole and sound?  Says where and why if not", tool_check},
    {"info", "what is in each file: databases, types, sizes, expiry times", tool_info},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void
print_help(FILE *out)
{
    fputs(
        "Usage: stillframe-rdb COMMAND [OPTION...] FILE...\n\nLook at RDB files, dumps of Stillframe, Redis or Valkey, without a server.\n\nCommands:\n",
        out);
    for (int i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-7s %s\n", commands[i].name, commands[i].about);
    fputs(
        "\nOptions:\n"
        "  -q, --quiet      check: print nothing about files that are sound\n"
        "      --relaxed    try files of versions that are not known, too\n"
        "      --biggest=N  info: name the N biggest values (10; at most 1000)\n"
        "  -h, --help       print this\n"
        "      --version    print the version\n"
        "\nExit status: 0 if all is well, 1 if a file is damaged or cannot be read, 2 if the arguments are wrong.\n",
        out);
}

static int
usage(const char *format, const char *what)
{
    fputs("stillframe-rdb: ", stderr);
    fprintf(stderr, format, what);
    fputs("\nTry: stillframe-rdb --help\n", stderr);
    return TOOL_USAGE;
}

/* parse_biggest: a number of 0 to 1000. */
static bool
parse_biggest(const char *text, struct tool_options *o)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0' || n > 1000)
        return false;
    o->biggest = (unsigned)n;
    return true;
}

/* parse_option: 0; or TOOL_USAGE, which was then reported. */
static int
parse_option(const char *arg, struct tool_options *o)
{
    if (strcmp(arg, "-q") == 0 || strcmp(arg, "--quiet") == 0)
        o->quiet = true;
    else if (strcmp(arg, "--relaxed") == 0)
        o->relaxed = true;
    else if (strncmp(arg, "--biggest=", 10) != 0)
        return usage("there is no option %s", arg);
    else if (!parse_biggest(arg + 10, o))
        return usage("%s: not a number from 0 to 1000", arg);
    return 0;
}

static const struct command *
find_command(const char *name)
{
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* sort_out: options into *o; what is left, command and files, to the front of argv.  How many those
 * are, or -1. */
static int
sort_out(int argc, char **argv, struct tool_options *o)
{
    bool options_end = false;
    int left = 0;

    for (int i = 1; i < argc; i++) {
        if (!options_end && strcmp(argv[i], "--") == 0)
            options_end = true;
        else if (options_end || argv[i][0] != '-')
            argv[left++] = argv[i];
        else if (parse_option(argv[i], o) != 0)
            return -1;
    }
    return left;
}

static bool
has_option(int argc, char **argv, const char *brief, const char *option)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], option) == 0 || (brief != NULL && strcmp(argv[i], brief) == 0))
            return true;
    return false;
}

/* finish: what was printed must have arrived. */
static int
finish(int status)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return status;
    fprintf(stderr, "stillframe-rdb: cannot write the output: %s\n", strerror(errno));
    return TOOL_INVALID;
}

int
main(int argc, char **argv)
{
    struct tool_options o = {.biggest = 10};
    const struct command *c;
    int status = TOOL_OK, left;

    if (has_option(argc, argv, "-h", "--help")) {
        print_help(stdout);
        return finish(TOOL_OK);
    }
    if (has_option(argc, argv, NULL, "--version")) {
        puts("stillframe-rdb " STILLFRAME_VERSION);
        return finish(TOOL_OK);
    }
    if ((left = sort_out(argc, argv, &o)) < 0)
        return TOOL_USAGE;
    if (left == 0)
        return usage("no command%s", "");
    if ((c = find_command(argv[0])) == NULL)
        return usage("there is no command %s", argv[0]);
    if (left == 1)
        return usage("%s: no files", argv[0]);
    for (int i = 1; i < left; i++)
        if (c->run(argv[i], &o) != TOOL_OK)
            status = TOOL_INVALID;
    return finish(status);
}
