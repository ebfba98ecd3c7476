/* server/figures/slowlog.h - the commands that took long, the newest first.
 *
 * Of each as much is kept as is worth reading: 32 arguments, 128 bytes of each; what is left out is
 * counted in words.
 * Threads: mutator. */
#ifndef SERVER_FIGURES_SLOWLOG_H
#define SERVER_FIGURES_SLOWLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/base/slice.h"

enum { SLOWLOG_ARGS_MAX = 32, SLOWLOG_ARG_BYTES = 128 };

/* A call, as it is told. */
struct slowlog_call {
    uint64_t ns;             /* that it took */
    const char *peer, *name; /* of the client; name NULL: it has none */
    int argc;
    const struct slice *argv;
    /* must argument i not be shown? */
    bool (*is_secret)(const void *ctx, int i);
    const void *ctx;
};

/* A call, as it is kept. */
struct slowlog_entry {
    struct slowlog_entry *next, *prev; /* next: older */
    int64_t id, time_s, us;
    char *peer, *name; /* [owned] */
    int argc;
    char *argv[SLOWLOG_ARGS_MAX]; /* [owned] */
    size_t len[SLOWLOG_ARGS_MAX];
};

/* slowlog_add: keep the call, and of all that are kept the newest `most`.  Without memory it is not
 * kept. */
void slowlog_add(const struct slowlog_call *call, int64_t most);
/* slowlog_newest: then ->next; NULL: none is kept.  Good until the next call here. */
const struct slowlog_entry *slowlog_newest(void);
int64_t slowlog_count(void);
/* slowlog_clear: the numbers of entries go on. */
void slowlog_clear(void);

#endif
