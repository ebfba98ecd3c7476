/* server/net/net_impl.h - what the files of this folder share.
 * Threads: mutator. */
#ifndef SERVER_NET_NET_IMPL_H
#define SERVER_NET_NET_IMPL_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "server/net/client.h"
#include "server/net/net.h"

union net_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

/* ---- net.c: where connections come from ---- */

struct listener {
    struct loop_source source; /* first: the loop hands this back */
    int fd;
    bool is_unix;
    bool muted; /* not in the loop: there were no descriptors left to accept with */
};

/* ---- net_accept.c: they become clients ---- */

/* net_accept: the loop's call for a listener.
 * net_unmute: accept again, if it rests. */
void net_accept(struct loop_source *s, uint32_t events);
void net_unmute(struct listener *l);

/* ---- net_queue.c: clients whose turn it is not ---- */

/* net_delay: c's next command has to wait, for a gate that is closed. */
void net_delay(struct client *c);
/* net_gate_is_closed: any of them. */
bool net_gate_is_closed(void);
/* net_forget: c leaves both queues; client_close() calls it. */
void net_forget(struct client *c);
/* net_queue_count: how many stand in a queue.
 * net_queue_take: the first one leaves it; there is one. */
unsigned net_queue_count(enum client_queue which);
struct client *net_queue_take(enum client_queue which);

/* ---- net_write.c: what a client is told ---- */

/* net_write: write what is pending; what the socket does not take is written when it is ready
 * again. False: the client was closed. */
bool net_write(struct client *c);
/* net_update_interest: have the loop wait for what the client can use now. */
void net_update_interest(struct client *c);

/* ---- net_io.c: what a client sends ---- */

/* net_client_ready: the loop's call for a client's socket. */
void net_client_ready(struct loop_source *s, uint32_t events);
/* net_resume: a client goes on with what it had sent before. */
void net_resume(struct client *c);

/* ---- net_turn.c: the end of a turn ---- */

/* net_turn_init: the loop gets its tasks. */
void net_turn_init(void);

#endif
