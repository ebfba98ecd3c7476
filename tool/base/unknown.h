/* tool/base/unknown.h - what --skip-unknown has read over, counted by what it is.
 * Threads: one. */
#ifndef TOOL_BASE_UNKNOWN_H
#define TOOL_BASE_UNKNOWN_H

#include "tool/base/tool.h"

enum { TOOL_UNKNOWN_KINDS = 32 }; /* more are counted together */

struct tool_unknown {
    uint64_t total;
    unsigned kinds;
    struct tool_unknown_kind {
        uint64_t count, offset; /* offset: of the first, if it is a key's */
        bool has_key;
        char what[160], key[128];
    } kind[TOOL_UNKNOWN_KINDS];
};

/* tool_unknown_add: one more: as the decoder tells of it (struct rdb_events). */
void tool_unknown_add(struct tool_unknown *u, const struct rdb_key *key, const char *what);
/* tool_unknown_report: a line of each on stderr. */
void tool_unknown_report(const struct tool_unknown *u, const struct tool_run *run);

#endif
