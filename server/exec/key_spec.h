/* server/exec/key_spec.h - where a command's keys are, as data.
 *
 * A spec says where to begin (at an argument, behind a keyword) and what to take from there (a
 * range, as many as an argument says).  COMMAND INFO gives the specs to clients as they are;
 * key_spec_find() finds the keys of a call by them.  [Redis documentation: "Key specifications"]
 *
 *   KS1 The specs of a command name all its keys, or its finder does: a spec that cannot
 *       (KEYS_UNKNOWN), or whose flags depend on the arguments (KEY_VARIABLE), or that names only
 *       some (KEY_INCOMPLETE), needs a finder.
 *   KS2 The old first/last/step of COMMAND INFO and the flag movablekeys follow from the specs.
 *
 * Threads: mutator. */
#ifndef SERVER_EXEC_KEY_SPEC_H
#define SERVER_EXEC_KEY_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/base/slice.h"

struct cmd;

/* What a command does to the keys that one spec names. */
enum key_flag {
    KEY_RO = 1 << 0,
    KEY_RW = 1 << 1,
    KEY_OW = 1 << 2,
    KEY_RM = 1 << 3,
    KEY_ACCESS = 1 << 4,
    KEY_UPDATE = 1 << 5,
    KEY_INSERT = 1 << 6,
    KEY_DELETE = 1 << 7,
    KEY_VARIABLE = 1 << 8,
    KEY_NOT_KEY = 1 << 9, /* looks like a key to a cluster, and is none: a shard channel */
    KEY_INCOMPLETE = 1 << 10
};

enum key_begin { KEYS_NONE, KEYS_INDEX, KEYS_KEYWORD, KEYS_UNKNOWN };
enum key_find { KEYS_RANGE, KEYS_KEYNUM };
enum { KEY_SPECS_MAX = 3 };

struct key_spec {
    uint16_t flags;
    uint8_t begin, find;
    /* INDEX: the argument.  KEYWORD: where the search starts; negative: from the end */
    int16_t at;
    /* RANGE: from the first key on, 0 the same; negative: from the end of the arguments. KEYNUM:
     * from the number to the first key */
    int16_t last;
    int16_t step, limit; /* limit 2: the first half of what is left (XREAD) */
    const char *keyword; /* KEYWORD, upper case */
};

/* The column "keys" of the command table, explained in commands.def. */
#define K(flag) KEY_##flag
#define KEYS_AT(first, last_, step_, how)                                                          \
    {                                                                                              \
        .flags = how, .begin = KEYS_INDEX, .at = first, .step = step_,                             \
        .last = (last_) < 0 ? (last_) : (last_) - (first)                                          \
    }
#define KEY_AT(at_, how) KEYS_AT(at_, at_, 1, how)
#define NUMKEYS_STEP(at_, step_, how)                                                              \
    {                                                                                              \
        .flags = how, .begin = KEYS_INDEX, .find = KEYS_KEYNUM, .at = at_, .last = 1,              \
        .step = step_                                                                              \
    }
#define NUMKEYS_AT(at_, how) NUMKEYS_STEP(at_, 1, how)
#define BEHIND(word, from, last_, step_, limit_, how)                                              \
    {                                                                                              \
        .flags = how, .begin = KEYS_KEYWORD, .at = from, .last = last_, .step = step_,             \
        .limit = limit_, .keyword = word                                                           \
    }
#define KEYS_HIDDEN(how)                                                                           \
    {                                                                                              \
        .flags = how, .begin = KEYS_UNKNOWN                                                        \
    }

#define NO_KEYS                      .specs = {{.begin = KEYS_NONE}}
#define SPECS(...)                   .specs = {__VA_ARGS__}
#define FOUND_BY(finder_, ...)       .specs = {__VA_ARGS__}, .finder = finder_
#define KEYS(first, last, step, how) SPECS(KEYS_AT(first, last, step, how))
#define ONE_KEY(how)                 SPECS(KEY_AT(1, how))
#define KEY_PAIR(how, second)        SPECS(KEY_AT(1, how), KEY_AT(2, second))
#define NUMKEYS(at, how)             SPECS(NUMKEYS_AT(at, how))
#define KEYWORD(word, from, how)     SPECS(BEHIND(word, from, -1, 1, 2, how))

/* key_visit: argv[at] is a key. */
typedef void (*key_visit)(void *ctx, int at, uint32_t flags);

/* A finder: the keys of a call that the specs cannot name.  Visits each and returns their
 * number. */
typedef int (*key_finder)(const struct slice *argv, int argc, key_visit visit, void *ctx);

/* key_spec_plain_end: of a command with plain_keys: its keys are arguments specs[0].at, each
 * specs[0].step, below this one. */
static inline int
key_spec_plain_end(const struct key_spec *s, int argc)
{
    return (s->last < 0 ? argc + s->last : s->at + s->last) + 1;
}
/* key_spec_find: visit the keys of a call (argv[0] is the name; the arity fits) in the order of the
 * specs; visit NULL: only count.  Returns their number; 0 where the arguments are not such that
 * keys can be found: nothing was visited.  O(argc) */
int key_spec_find(const struct cmd *cmd, const struct slice *argv, int argc, key_visit visit,
                  void *ctx);
/* key_spec_has_keys: can a call of it have keys? */
bool key_spec_has_keys(const struct cmd *cmd);
/* key_spec_init: derive first_key, last_key, key_step, hint_key, plain_keys, movablekeys (KS2). */
void key_spec_init(struct cmd *cmd);
/* key_spec_all_good: do they name all keys, or is there a finder (KS1)?  Of no use otherwise. */
bool key_spec_all_good(const struct cmd *cmd);
/* key_spec_count: specs that a command has. */
int key_spec_count(const struct cmd *cmd);

/* Finders. */
int keys_of_set(const struct slice *argv, int argc, key_visit visit, void *ctx);
int keys_of_delex(const struct slice *argv, int argc, key_visit visit, void *ctx);
int keys_of_migrate(const struct slice *argv, int argc, key_visit visit, void *ctx);
int keys_of_bitfield(const struct slice *argv, int argc, key_visit visit, void *ctx);
int keys_of_sort(const struct slice *argv, int argc, key_visit visit, void *ctx);
int keys_of_sort_ro(const struct slice *argv, int argc, key_visit visit, void *ctx);
int keys_of_georadius(const struct slice *argv, int argc, key_visit visit, void *ctx);

#endif
