/* tool/keys/walk.h - a file's selected keys, one after the other.
 *
 *     input --> decoder --> walk --> the command's events
 *                            |
 *                            +-- is the key selected?  measured: its facts
 *
 * What is known only behind a value (size, elements, encoding) can be told to who wants facts
 * alone; who wants values, too, gets two passes: the first one measures, and keeps a few bytes a
 * key, in a temporary file without a name where they are many.
 * Threads: one. */
#ifndef TOOL_KEYS_WALK_H
#define TOOL_KEYS_WALK_H

#include "tool/base/tool.h"
#include "tool/keys/facts.h"
#include "tool/keys/selection.h"

/* What a command brings.  Its ctx begins with a struct walk. */
struct walk_events {
    /* Of the selected keys; `key` and `plain_string` are asked after the selection.  Without any
     * event of values each value is only read over.  `progress`, `any_version`, `skip_unknown` are
     * set by the walk.  A command without `plain_string` hears of such strings by the other
     * events. */
    struct rdb_events rdb;
    /* Of each selected key, after its value_end; NULL: not wanted.  Together with events of values
     * it takes two passes. */
    int (*facts)(void *ctx, const struct key_facts *f);
    /* a pass before has measured: walk_facts() is good from `key` on */
    bool facts_first;
};

struct walk {
    struct tool_run run; /* first */
    const struct walk_events *events;
    struct selection *selection;
    bool no_progress; /* a command sets it: its output goes to a terminal meanwhile */
    int version;
    /* expiry times are counted from then: AUX ctime, when the file was written; else now */
    int64_t counted_from_ms;
    bool has_ctime;
    bool skip_unknown;        /* as in struct tool_options */
    uint64_t unknown;         /* what was read over for it, in all files */
    struct walk_state *state; /* [owned] its own */
};

/* walk_file: one file.  TOOL_OK, or TOOL_INVALID, which was then reported; what an event returned
 * ends it, too, WALK_ENOUGH well.  So does --limit: no `end`
 * comes then, nobody knows whether the checksum is right, and further files are TOOL_OK unread.
 * walk is zeroed before the first file; walk_fini() after the last. */
enum { WALK_ENOUGH = 1 << 21 };
int walk_file(struct walk *w, const char *path, const struct walk_events *events,
              struct selection *selection, const struct tool_options *o);
/* walk_input: the same of one that is open, for reading again and again; it stays the caller's. */
struct tool_input;
int walk_input(struct walk *w, struct tool_input *in, const char *path,
               const struct walk_events *events, struct selection *selection,
               const struct tool_options *o);
void walk_fini(struct walk *w);
/* walk_is_over: --limit was reached: nothing is taken any more. */
bool walk_is_over(const struct walk *w);
/* walk_offset: of the RDB, behind what was told last. */
uint64_t walk_offset(const struct walk *w);
/* walk_facts: with facts_first, of the key in hand (but for its `key`). */
const struct key_facts *walk_facts(const struct walk *w);

#endif
