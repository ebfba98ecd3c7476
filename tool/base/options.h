/* tool/base/options.h - what the command line said.  The options themselves are a table,
 * options.def, from which the parser, the help, the man page and the completions come.
 * Threads: one writes, before any other reads. */
#ifndef TOOL_BASE_OPTIONS_H
#define TOOL_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What belongs together: a command takes whole groups (commands.def). */
enum tool_group {
    TOOL_G_ALL = 1 << 0,    /* of every command */
    TOOL_G_READ = 1 << 1,   /* reads dumps */
    TOOL_G_SELECT = 1 << 2, /* may look at some of the keys only */
    TOOL_G_OUT = 1 << 3,    /* has an output that can go into a file */
    TOOL_G_TABLE = 1 << 4,  /* prints tables, which can be had as CSV or JSON */
    TOOL_G_CHECK = 1 << 5,
    TOOL_G_SALVAGE = 1 << 6,
    TOOL_G_LOOK = 1 << 8, /* keys */
    TOOL_G_TEXT = 1 << 9, /* json, ndjson, csv */
    TOOL_G_RESP = 1 << 10,
    TOOL_G_MEMORY = 1 << 11,
    TOOL_G_TOP = 1 << 12, /* info, memory: names what is largest */
    TOOL_G_DIFF = 1 << 13,
    TOOL_G_CONVERT = 1 << 14,
    TOOL_G_MOVE = 1 << 15, /* may put keys elsewhere */
    TOOL_G_GET = 1 << 16,
    TOOL_G_SURVEY = 1 << 17 /* memory, report: how keys are measured and put together */
};

/* The texts given for an option that may come again, in their order; they are argv's. */
struct tool_texts {
    const char **at; /* [owned] */
    unsigned count;
};

enum tool_option_kind {
    TOOL_FLAG,   /* bool: given or not */
    TOOL_NUMBER, /* uint64_t */
    TOOL_BYTES,  /* uint64_t: 100, 4k, 1.5mb, 2gb; units of 1024 */
    TOOL_TEXT,   /* const char *, argv's; NULL: not given */
    TOOL_CHOICE, /* const char *: one of the words "a|b|c" that stand for its argument */
    TOOL_TEXTS   /* struct tool_texts */
};

struct tool_options {
#define TOOL_FIELD_FLAG(name)                                              bool name;
#define TOOL_FIELD_NUMBER(name)                                            uint64_t name;
#define TOOL_FIELD_BYTES(name)                                             uint64_t name;
#define TOOL_FIELD_TEXT(name)                                              const char *name;
#define TOOL_FIELD_CHOICE(name)                                            const char *name;
#define TOOL_FIELD_TEXTS(name)                                             struct tool_texts name;
#define OPTION(group, name, brief, kind, standard, field, argument, about) TOOL_FIELD_##kind(field)
#include "tool/base/options.def"
#undef OPTION
#undef TOOL_FIELD_FLAG
#undef TOOL_FIELD_NUMBER
#undef TOOL_FIELD_BYTES
#undef TOOL_FIELD_TEXT
#undef TOOL_FIELD_CHOICE
#undef TOOL_FIELD_TEXTS
};

/* A row of options.def, as data. */
struct tool_option {
    enum tool_group group;
    const char *name;
    char brief; /* 0: none */
    enum tool_option_kind kind;
    const char *standard; /* as it would be given; NULL: nothing */
    size_t at;            /* in struct tool_options */
    const char *argument; /* what stands for it in the help: "N"; NULL: a flag */
    const char *about;
};
extern const struct tool_option tool_options[];
extern const unsigned tool_option_count;

/* tool_options_init: what is not given.  tool_options_set: as if `--name=text` stood there; true,
 * or false: it is none of what the option takes. */
void tool_options_init(struct tool_options *o);
void tool_options_fini(struct tool_options *o);
bool tool_options_set(struct tool_options *o, const struct tool_option *option, const char *text);
/* tool_parse_bytes: "1.5mb" -> 1572864.  tool_parse_range: "10-20", "10-", "-20", "10": both ends
 * are in it, in numbers with the units of tool_parse_bytes().  False: it is none. */
bool tool_parse_bytes(const char *text, uint64_t *ret);
bool tool_parse_range(const char *text, uint64_t *ret_from, uint64_t *ret_until);

#endif
