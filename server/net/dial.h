/* server/net/dial.h - a connection that the server makes itself, to another one: without waiting.
 *
 *     dial_start --> found --> connecting (one address after the other) --> DIAL_OPEN
 *                                                                       \-> DIAL_FAILED
 *
 * The owner is woken (loop.h: perhaps in a nested turn, so it only notes that) when there may be
 * something to do, and then calls dial_step().
 * Threads: mutator. */
#ifndef SERVER_NET_DIAL_H
#define SERVER_NET_DIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "server/net/loop.h"

struct addrinfo;
struct resolve;

enum dial_state { DIAL_WAITS, DIAL_OPEN, DIAL_FAILED };

/* Embedded in its owner, which lives until dial_close() and the end of the turn. */
struct dial {
    struct loop_source source; /* first: the loop hands this back */
    int fd;                    /* -1: none now; of DIAL_OPEN without blocking */
    void (*wake)(struct dial *d);
    /* set within */
    enum dial_state state;
    uint32_t interest;
    struct resolve *resolve;       /* NULL: it is not asked for addresses */
    struct addrinfo *found, *next; /* all of them; the one to be tried next */
};

/* dial_start: to this host (a name or an address) and port.  An error is a state. */
void dial_start(struct dial *d, const char *host, const char *port, void (*wake)(struct dial *d));
/* dial_step: go on as far as it goes now. */
enum dial_state dial_step(struct dial *d);
/* dial_listen: of DIAL_OPEN: be woken when it can be read, and, or not, when it can be written. */
void dial_listen(struct dial *d, bool to_write);
void dial_close(struct dial *d);

#endif
