/* tool/check/loads.h - would that server take the file?  (check --loads-in=NAME)
 *
 * What the server's documents and formats say (server.def) against what is in the file: the first
 * thing that it would refuse, and what it would pass over without a word.  Of a server as it comes:
 * no module is loaded, and it has 16 databases.
 * Threads: one. */
#ifndef TOOL_CHECK_LOADS_H
#define TOOL_CHECK_LOADS_H

#include <stdbool.h>

#include "snapshot/rdb/rdb_dec.h"
#include "tool/base/options.h"
#include "tool/base/server.h"

/* A server that is asked for, and the first thing that it would refuse. */
struct loads_target {
    const struct server *server;
    char why[320]; /* empty: nothing so far */
};

struct loads {
    struct loads_target *targets; /* [owned] */
    unsigned count;
    int version;
    bool types[256];     /* that were looked at */
    uint64_t highest_db; /* that was */
    struct slice name;   /* the key in hand: as in struct rdb_key */
    uint64_t offset, now_ms;
    uint64_t past, scripts, members; /* keys whose time is over; what some pass over */
};

/* loads_init: of --loads-in.  TOOL_OK; or TOOL_USAGE, or TOOL_INVALID (no memory): it was
 * told. */
int loads_init(struct loads *l, const struct tool_options *o);
void loads_fini(struct loads *l);
/* loads_begin: another file.  The others: what is in it; form: tool_input_form(). */
void loads_begin(struct loads *l);
void loads_form(struct loads *l, const char *form);
void loads_version(struct loads *l, int version);
void loads_key(struct loads *l, const struct rdb_key *k);
void loads_function(struct loads *l, struct slice code);
void loads_aux(struct loads *l, struct slice name);
void loads_unknown(struct loads *l, const struct rdb_key *key, const char *what);
/* loads_verdict: of the i-th server; form: as above; is_whole: the file was read to its end.
 * loads_all: is it yes for all? */
struct loads_verdict {
    const char *server, *word; /* "yes", "no", "not known" */
    bool is_yes;
    char why[400]; /* of yes: what it leaves out; perhaps empty */
};
struct loads_verdict loads_verdict(const struct loads *l, unsigned i, const char *form,
                                   bool is_whole);
bool loads_all(const struct loads *l, bool is_whole);

/* loads_wants_strings: has a key that is a string, the most frequent kind, something new? */
static inline bool
loads_wants_strings(const struct loads *l, const struct rdb_key *k)
{
    return l->count > 0 && (k->expire_at_ms != -1 || k->db > l->highest_db || !l->types[k->type]);
}

#endif
