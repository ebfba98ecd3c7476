/* server/net/net.h - sockets: listening (net.c), new connections (net_accept.c), a client's input
 * and execution (net_io.c), and output (net_write.c). Clients whose turn it is not wait in two
 * queues (net_queue.c) for the end of a turn (net_turn.c).
 * Threads: mutator. */
#ifndef SERVER_NET_NET_H
#define SERVER_NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/base/slice.h"
#include "server/net/loop.h"

struct client;
struct cmd;

enum { NET_BATCH_MAX = 16 /* requests that are parsed ahead of their execution */ };

/* A request that was parsed and is about to be executed. */
struct net_request {
    struct cmd *cmd; /* what find() says of its first word */
    int argc, first; /* its words: in the batch's, from that one on */
    size_t end;      /* in the input buffer */
};

/* Who executes what clients send: the floor above. */
struct net_executor {
    /* The command of that name, in any case; NULL: there is none.  O(1) */
    struct cmd *(*find)(struct slice name);
    /* These come next, more than one, of a client that does not queue: their keys may be
     * prefetched.  Nothing has to come of it. */
    void (*look_ahead)(const struct client *c, const struct net_request *at, int count,
                       const struct slice *words);
    /* A batch begins: the first command's time counts from here. */
    void (*begin)(void);
    /* Execute c->argv.  c->postponed afterwards: it was not, and is to be tried again when no gate
     * is closed. */
    void (*execute)(struct client *c, struct cmd *cmd);
};
/* net_set_executor: at start, before net_start(). */
void net_set_executor(const struct net_executor *e);

/* net_count_files: maxclients becomes as small as the limit of open files asks for.  At start,
 * before anything opens files for long.  0, or -EMFILE, logged: there is room for no client. */
int net_count_files(void);
/* net_start: listen as configured, and hook CONFIG SET port, tls-port, bind and maxclients, of
 * which no more is taken than the limit of open files leaves room for.  0, or -errno already
 * logged.  An address family that the system lacks is a log line, not an error. */
int net_start(void);
/* net_stop: close the listening sockets; whoever is connected through TLS is told that nothing
 * follows. */
void net_stop(void);
/* net_retry_accept: listen again after accept ran out of descriptors; now and then. */
void net_retry_accept(void);

enum { NET_DIRECT_BYTES = 64 * 1024 /* from here on a value is worth a system call of its own */ };
/* net_send_direct: bytes that somebody else owns, behind what is pending: as much as the socket
 * takes goes out from where they are, now; the rest is copied into the output.  The running client
 * only, from a handler that neither defers an array's length nor takes replies back. */
void net_send_direct(struct client *c, const char *bytes, size_t len);
/* net_write_later: something was put into the output of a client whose commands do not run now (a
 * message, say): it is written, or the doomed client closed, at the end of this turn. */
void net_write_later(struct client *c);
/* net_resume_later: a client goes on with what it had sent before, at the end of this turn, or of
 * the next: for those whose wait another client's command ends (exec/block.h). */
void net_resume_later(struct client *c);

/* What may hold clients' commands back for a while: the snapshot's memory, CLIENT PAUSE.  Which
 * commands it holds is the executor's to say (c->postponed); net asks whether the held ones may try
 * again. */
struct net_gate {
    bool (*is_closed)(void);
    /* It opens whatever the held clients do, so they are not read meanwhile; otherwise what opens
     * it may be what one of them sends next. */
    bool opens_by_itself;
    struct net_gate *next; /* set within */
};
/* net_gate_add: from now on; the struct stays where it is.  Twice is as good as once. */
void net_gate_add(struct net_gate *g);
/* net_delayed_count: clients whose next command has to wait for a gate.
 * net_is_resuming: one of them, and not a command that has only just come, is about to execute.
 * net_held_since_ns: since when the first of those has waited that wait for a gate that opens by
 * itself, in the clock of clock_now.turn_ns; INT64_MAX: none does.  O(those who wait for others) */
unsigned net_delayed_count(void);
bool net_is_resuming(void);
int64_t net_held_since_ns(void);

#endif
