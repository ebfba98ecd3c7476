/* server/net.h - sockets: listening (net.c), and a client's input, execution and output (net_io.c).
 * Threads: mutator. */
#ifndef SERVER_NET_H
#define SERVER_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "server/loop.h"

struct client;

/* net_start: listen as configured, and hook CONFIG SET port, bind and maxclients.  0, or -errno already
 * logged. An address family that the system lacks is a log line, not an error. */
int net_start(void);
/* net_stop: close the listening sockets. */
void net_stop(void);
/* net_retry_accept: listen again after accept ran out of descriptors; now and then. */
void net_retry_accept(void);

/* net_client_ready: the loop's call for a client's socket. */
void net_client_ready(struct loop_source *s, uint32_t events);

/* net_write: write what is pending; what the socket does not take is written when it is ready again.
 * False: the client was closed. */
bool net_write(struct client *c);

/* net_resume_delayed: serve the clients that waited for the snapshot's memory, unless they still have to. */
void net_resume_delayed(void);
bool net_has_delayed(void);
/* net_forget_delayed: c leaves that list; client_close() calls it. */
void net_forget_delayed(struct client *c);

#endif
