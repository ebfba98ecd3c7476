/* server/exec/pause.h - CLIENT PAUSE: commands that wait until it is over.
 *
 * The data stays as it is, so that somebody else may take it over: commands that change it wait,
 * those too that only may change it (PFCOUNT keeps its count) or that others would have to repeat
 * (PUBLISH); nothing expires and nothing is evicted, neither on its own nor because it was looked
 * at: a key that has expired is there, but nobody finds it.
 * Threads: mutator. */
#ifndef SERVER_EXEC_PAUSE_H
#define SERVER_EXEC_PAUSE_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/base/must.h"

struct client;

/* When the pause is over, unix ms; 0: there is none.  Read before each command. */
extern int64_t pause_until_ms;

/* pause_init: the loop asks whether those who are held may go on. */
void pause_init(void);

/* pause_holds: must this command (its flags; in EXEC's case those of the queued ones too) wait?
 * The client's commands are then parsed and tried again after pause_refresh() has said so. */
bool pause_holds(const struct client *c, uint32_t flags);
/* pause_refresh: while there is a pause: is it over?  True: held clients may try again. */
bool pause_refresh(void);

/* pause_is_on: is there one now? */
static inline bool
pause_is_on(void)
{
    return unlikely(pause_until_ms != 0) && !pause_refresh();
}

/* pause_begin: until then, or longer if that was said already; all: every command, not only those
 * that write. */
void pause_begin(int64_t until_ms, bool all);
void pause_end(void);
/* pause_kind: "none", "write", "all": INFO. */
const char *pause_kind(void);

#endif
