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
    bool is_unix, is_tls;
    bool muted; /* not in the loop: there is no room for another connection now */
};

/* ---- net_accept.c: they become clients ---- */

/* net_accept: the loop's call for a listener.
 * net_unmute: accept again, if it rests. */
void net_accept(struct loop_source *s, uint32_t events);
void net_unmute(struct listener *l);
/* net_is_denied: by protected-mode; such a client is told, once it can be, and closed. */
bool net_is_denied(const union net_address *peer);
extern const char net_denied[];

/* ---- net_tls.c: a client whose handshake is not over ---- */

void net_tls_init(void);
/* net_tls_has_room: for another handshake; the one that has taken longest may give way to it. */
bool net_tls_has_room(void);
/* net_tls_greet: a client that has just been accepted begins its handshake; then it is one like
 * others, or told that it is denied. */
void net_tls_greet(struct client *c);
/* net_tls_ready: the loop's call until then. */
void net_tls_ready(struct loop_source *s, uint32_t events);

/* ---- net_queue.c: clients whose turn it is not ---- */

/* net_delay: c's next command has to wait, for a gate that is closed. */
void net_delay(struct client *c);
/* net_gate_is_closed: any of them. */
bool net_gate_is_closed(void);
/* net_forget: c leaves both queues; client_close() calls it. */
void net_forget(struct client *c);
/* net_queue_put: at the end, if it does not stand in it yet; net_queue_leave: if it does.
 * net_queue_count: how many stand in a queue.
 * net_queue_first: NULL: nobody does.
 * net_queue_take: the first one leaves it; there is one. */
void net_queue_put(enum client_queue which, struct client *c);
void net_queue_leave(enum client_queue which, struct client *c);
struct client *net_queue_first(enum client_queue which);
unsigned net_queue_count(enum client_queue which);
struct client *net_queue_take(enum client_queue which);

/* net_read_later: c is read at the end of this turn, whatever its socket says.
 * net_input_task: it does that; net_turn_init() says how. */
void net_read_later(struct client *c);
extern struct loop_task net_input_task;

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
