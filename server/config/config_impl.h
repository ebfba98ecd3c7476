/* server/config/config_impl.h - inside the configuration: what a parameter and its type are.
 * Threads: mutator. */
#ifndef SERVER_CONFIG_CONFIG_IMPL_H
#define SERVER_CONFIG_CONFIG_IMPL_H

#include <stddef.h>
#include <stdint.h>

#include "server/config/config.h"

struct option;

/* The names of an ENUM parameter's values; a list ends with a NULL name. */
struct config_name {
    const char *name;
    int64_t value;
};

struct option_type {
    /* Put the words' value into *into.  append: an earlier line of this start gave a value already.
     * False: *why says what is wrong, and *into is as before. */
    bool (*parse)(const struct option *o, struct config *into, const struct slice *words, int count,
                  bool append, const char **why);
    void (*show)(const struct option *o, const struct config *from, struct text *out);
    /* Make the copy's memory its own; false: no memory.  NULL: nothing to own. */
    bool (*copy)(const struct option *o, struct config *copy);
    void (*drop)(const struct option *o, struct config *from);
};

enum option_flag {
    OPTION_IMMUTABLE = 1,
    OPTION_PROTECTED = 2,
    OPTION_MULTI = 4,
    OPTION_HIDDEN = 8,    /* CONFIG GET shows it by its name alone */
    OPTION_DIRECTIVE = 16 /* of files and the command line: unknown to CONFIG GET and SET */
};

struct option {
    const char *name, *alias;
    const struct option_type *type;
    size_t offset;       /* of the field in struct config */
    const char *initial; /* the default, as text */
    int64_t min, max;
    unsigned flags;
    const void *extra;     /* see config.def */
    const char *no_effect; /* why not; NULL: it has one */
    /* set by config_on_change() */
    bool (*apply)(const struct config *next, const char **why);
};

/* OPTION_FIELD: the address of the field of c, a struct config, that o is about. */
#define OPTION_FIELD(type, o, c) ((type *)(void *)((char *)(c) + (o)->offset))

extern const struct option_type option_bool, option_int, option_clipped, option_memory,
    option_memory_or_percent, option_enum, option_text, option_filename, option_words,
    option_limits, option_directory, option_save, option_fixed, option_mode, option_events,
    option_checked;

/* config_options: the table. */
struct option *config_options(unsigned *ret_count);
/* config_find_written: the directive of this name that CONFIG REWRITE writes; NULL: there is none.
 * config_each_written: all of those. */
const struct config_directive *config_find_written(struct slice name);
void config_each_written(void (*fn)(void *ctx, const struct config_directive *d), void *ctx);
/* option_find: by name or alias, any case; NULL: there is none. */
struct option *option_find(struct slice name);
/* option_set: words to value, with the number of words checked.  False: *why. */
bool option_set(const struct option *o, struct config *into, const struct slice *words, int count,
                bool append, const char **why);
/* config_copy: a deep copy that config_drop() frees.  False: no memory. */
bool config_copy(const struct config *from, struct config *ret);
void config_drop(struct config *c);
/* config_make_defaults: to be dropped.  False: no memory. */
bool config_make_defaults(struct config *ret);
/* config_try_text: what the next start, in the same directory, would make of a file and all that it
 * includes: into *into, which has the defaults.  0 or -EINVAL: *why says in one line why it would
 * not start. */
int config_try_text(const char *name, const char *bytes, size_t len, struct config *into,
                    struct text *why);
/* config_too_long: a refusal with its reason; good until the next one. */
const char *config_too_long(const char *what, size_t most_bytes);

#endif
