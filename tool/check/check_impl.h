/* tool/check/check_impl.h - what is known of a file when it was checked, and how that is said.
 * Threads: one. */
#ifndef TOOL_CHECK_CHECK_IMPL_H
#define TOOL_CHECK_CHECK_IMPL_H

#include "tool/base/unknown.h"
#include "tool/check/loads.h"
#include "tool/check/twice.h"
#include "tool/input/run.h"

enum check_result {
    CHECK_SOUND,
    CHECK_FOUND, /* can be loaded, but something was found */
    CHECK_DAMAGED,
    CHECK_UNREADABLE, /* cannot be opened */
    CHECK_RESULTS
};

struct check {
    struct tool_run run; /* first: the decoder's events get it */
    const struct tool_options *options;
    struct tool_input *in; /* open while events come */
    enum check_result result;
    int version;   /* 0: not known yet */
    uint64_t keys; /* that are whole */
    uint64_t findings;
    struct tool_unknown unknown;
    uint64_t group; /* of a stream: the number of the group in hand, from 1 */
    enum rdb_crc crc;
    struct twice twice;
    bool was_twice;      /* the second pass has found one */
    uint64_t key_offset; /* of the key in hand */
    struct loads loads;
};

/* All files together. */
struct check_sum {
    uint64_t files, keys, of[CHECK_RESULTS];
};

/* A form of what is said on standard output; begin, end: NULL: nothing. */
struct say {
    void (*begin)(void);
    void (*file)(const struct check *c, bool is_first);
    void (*end)(const struct check_sum *sum, const struct tool_options *o);
};
extern const struct say say_text, say_csv, say_json;

/* check_say_errors: on standard error, whatever the form: what is wrong, what was read over. */
void check_say_errors(struct check *c);

#endif
