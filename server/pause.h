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

#endif
