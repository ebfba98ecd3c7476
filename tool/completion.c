/* tool/completion.c - stillframe-rdb completion: what a shell completes, from the tables. */
#include <stdio.h>
#include <string.h>

#include "tool/base/tool.h"
#include "tool/help.h"

/* print_words: the choices "a|b|c" with blanks between. */
static void
print_words(const char *choices)
{
    for (; *choices != '\0'; choices++)
        putchar(*choices == '|' ? ' ' : *choices);
}

/* print_quoted: in single quotes for any shell; a text of ours has no line's end. */
static void
print_quoted(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*text);
}

/* takes: does the command take the option? */
static bool
takes(const struct tool_command *c, const struct tool_option *t)
{
    return (t->group & c->groups) != 0;
}

static void
print_bash(void)
{
    puts(
        "# bash completion of stillframe-rdb.  Made by: stillframe-rdb completion bash\n"
        "_stillframe_rdb() {\n"
        "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command= i\n"
        "    [ \"$word\" != = ] || word=\n"
        "    [ \"$before\" != = ] || before=${COMP_WORDS[COMP_CWORD - 2]}\n"
        "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "        case ${COMP_WORDS[i]} in -* | =) ;; *) command=${COMP_WORDS[i]}; break ;; esac\n"
        "    done\n"
        "    COMPREPLY=()\n"
        "    case $before in");
    for (unsigned i = 0; i < tool_option_count; i++) {
        if (tool_options[i].kind != TOOL_CHOICE || tool_options[i].argument == NULL)
            continue;
        printf("    --%s) COMPREPLY=($(compgen -W '", tool_options[i].name);
        print_words(tool_options[i].argument);
        puts("' -- \"$word\")); return ;;");
    }
    puts("    esac\n    case $command in\n    '')");
    fputs("        COMPREPLY=($(compgen -W '", stdout);
    for (unsigned i = 0; i < tool_command_count; i++)
        printf("%s ", tool_commands[i].name);
    puts("help --help --version' -- \"$word\"))\n        return ;;");
    puts("    esac\n    case $command:$word in");
    for (unsigned i = 0; i < tool_command_count; i++) {
        printf("    %s:-*) COMPREPLY=($(compgen -W '", tool_commands[i].name);
        for (unsigned k = 0; k < tool_option_count; k++)
            if (takes(&tool_commands[i], &tool_options[k]))
                printf("--%s%s ", tool_options[k].name,
                       tool_options[k].argument == NULL ? "" : "=");
        puts("--help' -- \"$word\")) ;;");
    }
    puts("    completion:*) COMPREPLY=($(compgen -W 'bash zsh fish' -- \"$word\")) ;;");
    puts("    *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n    esac\n"
         "    case ${COMPREPLY[0]-} in *=) compopt -o nospace ;; esac\n"
         "}\n"
         "complete -o filenames -F _stillframe_rdb stillframe-rdb");
}

/* print_zsh_text: a description in a specification, between brackets. */
static void
print_zsh_text(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '[' || *text == ']' || *text == ':' || *text == '\\')
            putchar('\\');
        if (*text == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*text);
    }
}

static void
print_zsh_option(const struct tool_option *t)
{
    fputs("            '", stdout);
    if (t->kind == TOOL_TEXTS)
        putchar('*');
    printf("--%s%s[", t->name, t->argument == NULL ? "" : "=");
    print_zsh_text(t->about);
    putchar(']');
    if (t->kind == TOOL_CHOICE && t->argument != NULL) {
        printf(":%s:(", t->name);
        print_words(t->argument);
        putchar(')');
    } else if (t->argument != NULL) {
        putchar(':');
        print_zsh_text(t->argument);
        printf(":%s", strcmp(t->argument, "FILE") == 0 ? "_files" : "");
    }
    puts("' \\");
}

static void
print_zsh(void)
{
    puts("#compdef stillframe-rdb\n"
         "# zsh completion of stillframe-rdb.  Made by: stillframe-rdb completion zsh\n"
         "_stillframe-rdb() {\n"
         "    local -a commands\n"
         "    commands=(");
    for (unsigned i = 0; i < tool_command_count; i++) {
        printf("        '%s:", tool_commands[i].name);
        print_zsh_text(tool_commands[i].about);
        puts("'");
    }
    puts("    )\n"
         "    if ((CURRENT == 2)); then\n"
         "        _describe command commands\n"
         "        return\n"
         "    fi\n"
         "    local command=$words[2]\n"
         "    shift words\n"
         "    ((CURRENT--))\n"
         "    case $command in");
    for (unsigned i = 0; i < tool_command_count; i++) {
        printf("    %s)\n        _arguments \\\n", tool_commands[i].name);
        for (unsigned k = 0; k < tool_option_count; k++)
            if (takes(&tool_commands[i], &tool_options[k]))
                print_zsh_option(&tool_options[k]);
        printf("            '--help[print its help]' \\\n            '*:file:%s'\n        ;;\n",
               strcmp(tool_commands[i].name, "completion") == 0 ? "(bash zsh fish)" : "_files");
    }
    puts("    esac\n}\n_stillframe-rdb \"$@\"");
}

static void
print_fish_option(const struct tool_option *t)
{
    printf("complete -c stillframe-rdb -n '__fish_seen_subcommand_from");
    for (unsigned i = 0; i < tool_command_count; i++)
        if (takes(&tool_commands[i], t))
            printf(" %s", tool_commands[i].name);
    printf("' -l %s", t->name);
    if (t->brief != 0)
        printf(" -s %c", t->brief);
    if (t->kind == TOOL_CHOICE && t->argument != NULL) {
        fputs(" -x -a '", stdout);
        print_words(t->argument);
        putchar('\'');
    } else if (t->argument != NULL) {
        fputs(strcmp(t->argument, "FILE") == 0 ? " -r" : " -x", stdout);
    }
    fputs(" -d '", stdout);
    print_quoted(t->about);
    puts("'");
}

static void
print_fish(void)
{
    puts("# fish completion of stillframe-rdb.  Made by: stillframe-rdb completion fish");
    for (unsigned i = 0; i < tool_command_count; i++) {
        printf("complete -c stillframe-rdb -f -n __fish_use_subcommand -a %s -d '",
               tool_commands[i].name);
        print_quoted(tool_commands[i].about);
        puts("'");
    }
    puts("complete -c stillframe-rdb -f -n '__fish_seen_subcommand_from completion' "
         "-a 'bash zsh fish'");
    for (unsigned i = 0; i < tool_option_count; i++)
        print_fish_option(&tool_options[i]);
}

int
tool_completion(int count, char **files, const struct tool_options *o)
{
    (void)count;
    (void)o;
    if (strcmp(files[0], "bash") == 0) {
        print_bash();
    } else if (strcmp(files[0], "zsh") == 0) {
        print_zsh();
    } else if (strcmp(files[0], "fish") == 0) {
        print_fish();
    } else {
        fprintf(stderr, "stillframe-rdb: completion: not bash, zsh or fish\n"
                        "Try: stillframe-rdb completion --help\n");
        return TOOL_USAGE;
    }
    return TOOL_OK;
}
