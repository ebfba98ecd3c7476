/* tool/main.c - stillframe-rdb: look at RDB files without a server. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mm/base/must.h"
#include "mm/base/version.h"
#include "tool/base/out.h"
#include "tool/base/tool.h"
#include "tool/commands.h"
#include "tool/help.h"

enum { OPTIONS_MOST = 128, VERSION = 1000, OPTIONS_FROM };

static char program[] = "stillframe-rdb";

static const struct tool_command *
find_command(const char *name)
{
    for (unsigned i = 0; i < tool_command_count; i++)
        if (strcmp(tool_commands[i].name, name) == 0)
            return &tool_commands[i];
    return NULL;
}

/* distance: so many letters are to be put in, left out or exchanged; names are short. */
static unsigned
distance(const char *a, const char *b)
{
    enum { MOST = 16 };
    unsigned row[MOST + 1], len = (unsigned)strlen(b);

    if (len > MOST)
        return len;
    for (unsigned j = 0; j <= len; j++)
        row[j] = j;
    for (unsigned i = 1; a[i - 1] != '\0'; i++) {
        unsigned corner = row[0];

        row[0] = i;
        for (unsigned j = 1; j <= len; j++) {
            unsigned here = corner + (a[i - 1] != b[j - 1]);

            corner = row[j];
            here = row[j] + 1 < here ? row[j] + 1 : here;
            row[j] = row[j - 1] + 1 < here ? row[j - 1] + 1 : here;
        }
    }
    return row[len];
}

/* no_command: of that name; the nearest one, or that it is a file, which wants one. */
static int
no_command(const char *name)
{
    const char *nearest = NULL;
    unsigned least = 3; /* beyond it nothing is alike */

    for (unsigned i = 0; i < tool_command_count; i++) {
        unsigned d = distance(name, tool_commands[i].name);

        if (d < least && d < strlen(name)) {
            least = d;
            nearest = tool_commands[i].name;
        }
    }
    fprintf(stderr, "stillframe-rdb: there is no command %s\n", name);
    if (nearest != NULL)
        fprintf(stderr, "Did you mean: stillframe-rdb %s\n", nearest);
    else if (access(name, F_OK) == 0)
        fprintf(stderr,
                "Try: stillframe-rdb check %s, or another command of stillframe-rdb --help\n",
                name);
    else
        fputs("Try: stillframe-rdb --help\n", stderr);
    return TOOL_USAGE;
}

/* usage: what is wrong with the arguments of a command ("": of none). */
static int usage(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static int
usage(const char *command, const char *format, ...)
{
    va_list args;

    fputs("stillframe-rdb: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nTry: stillframe-rdb %s%s--help\n", command, *command == '\0' ? "" : " ");
    return TOOL_USAGE;
}

/* What was given, in its order, until it is known for which command. */
struct given {
    unsigned option; /* of the table */
    const char *text;
};

/* take_option: one that was given for c. */
static int
take_option(const struct tool_command *c, struct tool_options *o, const struct given *g)
{
    const struct tool_option *option = &tool_options[g->option];

    if ((option->group & c->groups) == 0)
        return usage(c->name, "%s takes no option --%s", c->name, option->name);
    if (tool_options_set(o, option, g->text))
        return 0;
    return usage(c->name, "--%s=%.100s: not %s", option->name, g->text,
                 option->kind == TOOL_NUMBER  ? "a number"
                 : option->kind == TOOL_BYTES ? "a number of bytes"
                                              : option->argument);
}

/* make_tables: what getopt_long() reads: options of the table are OPTIONS_FROM and their number. */
static void
make_tables(struct option *longs, char *shorts)
{
    unsigned n = 0;

    must(tool_option_count + 3 <= OPTIONS_MOST);
    for (; n < tool_option_count; n++) {
        const struct tool_option *t = &tool_options[n];

        longs[n] = (struct option){t->name, t->argument == NULL ? no_argument : required_argument,
                                   NULL, OPTIONS_FROM + (int)n};
        if (t->brief == 0)
            continue;
        *shorts++ = t->brief;
        if (t->argument != NULL)
            *shorts++ = ':';
    }
    longs[n++] = (struct option){"help", no_argument, NULL, 'h'};
    longs[n++] = (struct option){"version", no_argument, NULL, VERSION};
    longs[n] = (struct option){NULL, 0, NULL, 0};
    memcpy(shorts, "h", sizeof "h");
}

static unsigned
by_brief(int c)
{
    for (unsigned i = 0; i < tool_option_count; i++)
        if (tool_options[i].brief == c)
            return i;
    never("a brief option that is in no table");
}

/* finish: what was printed must have arrived. */
static int
finish(int status)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return status;
    fprintf(stderr, "stillframe-rdb: standard output: cannot be written: %s\n", strerror(errno));
    return status == TOOL_OK ? TOOL_INVALID : status;
}

/* help: of a command, or of all; name NULL: nobody named one. */
static int
help(const char *name)
{
    const struct tool_command *c = name == NULL ? NULL : find_command(name);

    if (c == NULL && name != NULL)
        return no_command(name);
    if (c != NULL)
        tool_help_command(c);
    else
        tool_help();
    return finish(TOOL_OK);
}

/* run_of: what a command does; of those about the table itself, which it cannot name. */
static int (*run_of(const struct tool_command *c))(int, char **, const struct tool_options *)
{
    return c->run != NULL ? c->run : strcmp(c->name, "manual") == 0 ? tool_manual : tool_completion;
}

/* inputs: those of the arguments that are files to be read. */
static char **
inputs(const struct tool_command *c, int count, char **arguments, int *ret_count)
{
    bool has_key = strncmp(c->arguments, "KEY ", 4) == 0;

    *ret_count = count < 1                             ? 0
                 : has_key                             ? count - 1
                 : strcmp(c->arguments, "IN OUT") == 0 ? 1
                                                       : count;
    return arguments + (count > 0 && has_key);
}

/* check_arguments: so many as it takes; standard input can be read once. */
static int
check_arguments(const struct tool_command *c, int count, char **arguments)
{
    int dashes = 0, files;
    char **file = inputs(c, count, arguments, &files);

    if (count < c->least)
        return usage(c->name, "%s needs %s", c->name, c->arguments);
    if ((c->most > 0 && count > c->most) || (c->arguments[0] == '\0' && count > 0))
        return usage(c->name, "%s: too many arguments: it takes %s", c->name,
                     c->arguments[0] == '\0' ? "none" : c->arguments);
    for (int i = 0; i < files; i++)
        dashes += strcmp(file[i], "-") == 0;
    return dashes < 2 ? TOOL_OK
                      : usage(c->name, "%s: standard input (-) can be read once", c->name);
}

static int
run(const struct tool_command *c, int count, char **files, const struct given *given,
    unsigned given_count)
{
    struct tool_options o;
    int status = TOOL_OK, input_count;
    char **input = inputs(c, count, files, &input_count);

    tool_options_init(&o);
    tool_out_inputs(input_count, input);
    for (unsigned i = 0; i < given_count && status == TOOL_OK; i++)
        status = take_option(c, &o, &given[i]);
    if (status == TOOL_OK)
        status = check_arguments(c, count, files);
    if (status == TOOL_OK)
        status = finish(run_of(c)(count, files, &o));
    tool_options_fini(&o);
    return status;
}

/* command_among: the first argument that is the name of one; "": none.  After an error of
 * getopt_long(), which may stand before it. */
static const char *
command_among(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (find_command(argv[i]) != NULL)
            return argv[i];
    return "";
}

/* parse: all options, wherever they stand; *ret_help: one asked for help.  How many were given, or
 * -1: reported, or answered with *ret_status. */
static int
parse(int argc, char **argv, struct given *given, bool *ret_help, int *ret_status)
{
    struct option longs[OPTIONS_MOST];
    char shorts[2 * OPTIONS_MOST];
    int got, n = 0;

    make_tables(longs, shorts);
    while ((got = getopt_long(argc, argv, shorts, longs, NULL)) >= 0) {
        if (got == '?') {
            const char *command = command_among(argc, argv);

            fprintf(stderr, "Try: stillframe-rdb %s%s--help\n", command,
                    *command == '\0' ? "" : " ");
            *ret_status = TOOL_USAGE;
            return -1;
        }
        if (got == VERSION) {
            puts("stillframe-rdb " STILLFRAME_VERSION);
            *ret_status = finish(TOOL_OK);
            return -1;
        }
        if (got == 'h')
            *ret_help = true;
        else
            given[n++] =
                (struct given){got >= OPTIONS_FROM ? (unsigned)(got - OPTIONS_FROM) : by_brief(got),
                               optarg == NULL ? "" : optarg};
    }
    return n;
}

/* dispatch: options are parsed, and what is left begins with the command. */
static int
dispatch(int count, char **left, const struct given *given, unsigned given_count, bool wants_help)
{
    const struct tool_command *c;

    if (wants_help || (count > 0 && strcmp(left[0], "help") == 0))
        return help(wants_help ? left[0] : left[1]);
    if (count == 0)
        return usage("", "%s", "no command");
    if ((c = find_command(left[0])) == NULL)
        return no_command(left[0]);
    return run(c, count - 1, left + 1, given, given_count);
}

int
main(int argc, char **argv)
{
    /* no argument gives more options than it has letters */
    size_t room = 1;
    struct given *given;
    bool wants_help = false;
    int status = TOOL_USAGE, n;

    for (int i = 1; i < argc; i++)
        room += strlen(argv[i]);
    if ((given = calloc(room, sizeof *given)) == NULL) {
        fprintf(stderr, "stillframe-rdb: %s\n", strerror(ENOMEM));
        return TOOL_INVALID;
    }
    signal(SIGXFSZ, SIG_IGN); /* a limit of files' sizes is an error, as a full disk is */
    argv[0] = program;        /* what getopt_long() names in its complaints */
    if ((n = parse(argc, argv, given, &wants_help, &status)) >= 0)
        status = dispatch(argc - optind, argv + optind, given, (unsigned)n, wants_help);
    free(given);
    return status;
}
