/* server/pause.h - CLIENT PAUSE: commands that wait until it is over.  Threads: mutator. */
#ifndef SERVER_PAUSE_H
#define SERVER_PAUSE_H

#include <stdbool.h>
#include <stdint.h>

struct client;

/* When the pause is over, unix ms; 0: there is none.  Read before each command. */
extern int64_t pause_until_ms;

/* pause_holds: must this command (its flags; in EXEC's case those of the queued ones too) wait?  The client's
 * commands are then parsed and tried again after pause_refresh() has said so. */
bool pause_holds(const struct client *c, uint32_t flags);
/* pause_refresh: once a turn, while there is a pause: is it over?  True: held clients may try again. */
bool pause_refresh(void);

/* pause_begin: until then, or longer if that was said already; all: every command, not only those that write.
 */
void pause_begin(int64_t until_ms, bool all);
void pause_end(void);
/* pause_kind: "none", "write", "all": INFO. */
const char *pause_kind(void);

#endif
