/* tool/keys/selection_impl.h - what a selection holds: selection_new.c fills it, selection.c asks.
 * Threads: one. */
#ifndef TOOL_KEYS_SELECTION_IMPL_H
#define TOOL_KEYS_SELECTION_IMPL_H

#include <regex.h>

#include "tool/keys/selection.h"

struct selection_globs {
    struct slice *at; /* [owned]; the texts are argv's */
    unsigned count;
};

struct selection_range {
    uint64_t from, until; /* both are in it */
};

enum selection_ttl {
    SELECTION_TTL_ALL,
    SELECTION_TTL_NONE,
    SELECTION_TTL_ANY,
    SELECTION_TTL_PAST,
    SELECTION_TTL_RANGE
};

struct selection {
    bool is_all; /* nothing is asked of what is known before the value */
    struct selection_globs match, exclude;
    struct re_pattern_buffer *regex; /* [owned] */
    unsigned regex_count;
    unsigned kinds;     /* a bit for each enum rdb_value_kind; 0: all */
    unsigned encodings; /* a bit for each enum key_encoding; 0: all */
    uint64_t *db;       /* [owned] */
    unsigned db_count;
    enum selection_ttl ttl_kind;
    struct selection_range ttl, idle; /* s */
    struct selection_range size;      /* bytes */
    struct selection_range elements, freq;
    bool has_idle, has_size, has_elements, has_freq;
    uint64_t limit, taken; /* limit 0: none */
    uint64_t seed, sampled_below;
    double share; /* 1: all */
};

#endif
