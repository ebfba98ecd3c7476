/* server/net/client.h - a connection: its buffers, its selected database, its transaction.
 *
 * An idle client owns no buffer.  While its input is worked off it has the loop's input and output
 * buffers on loan; what cannot be used up (half a command, a full socket) moves to memory of its
 * own.
 * Threads: mutator. */
#ifndef SERVER_NET_CLIENT_H
#define SERVER_NET_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/base/must.h"
#include "mm/base/slice.h"
#include "server/config/config.h"
#include "server/net/loop.h"
#include "server/net/resp.h"

struct acl_user;
struct block;
struct cmd;
struct db;
struct multi_state;
struct output_chunk;
struct output_sink;
struct pubsub_client;
struct text;
struct tls;
struct tracking_client;
struct watch_client;

/* In which queues of net_queue.c a client may stand: its next command has to wait; something is to
 * be written; it has sent something that its socket does not tell of any more; its handshake is not
 * over (net_tls.c). */
enum client_queue { QUEUE_DELAYED, QUEUE_WRITES, QUEUE_INPUT, QUEUE_HANDSHAKES, CLIENT_QUEUES };

/* What a client is: where its commands come from and who reads its replies. */
enum client_kind {
    CLIENT_NORMAL, /* a connection: from a socket, to it */
    /* the server's own, and tests: it executes what it is given, when it is given it */
    CLIENT_DETACHED,
    CLIENT_SCRIPT /* executes what a script calls, for the client that sent it: scripts/run.c */
};

struct client {
    struct loop_source source; /* first: the loop hands this back */
    enum client_kind kind;
    int fd;          /* -1: it has none, or none any more */
    struct tls *tls; /* NULL: its bytes go through the socket as they are */
    int resp;        /* 2 or 3 */
    /* the command being executed */
    int argc;
    int db_index;       /* logical database */
    struct slice *argv; /* slices into the query buffer (or owned copies in a transaction) */
    struct cmd *cmd;
    struct db *db; /* = db_select(db_index), looked up before each command */
    /* output: output.h */
    char *out; /* the last chunk's bytes; NULL: there is none */
    size_t out_len, out_room, out_sent, out_before;
    struct output_chunk *out_first;
    size_t out_bytes;         /* memory of all chunks, but for one that is on loan */
    struct output_sink *sink; /* of one without a socket: who takes its replies; NULL: they stay */
    /* input: [in_pos, in_len) is still to be parsed; in[in_len] is NUL */
    char *in;
    size_t in_len, in_pos, in_room;
    struct resp parser; /* of the command that begins at in_pos */
    /* state */
    bool close_after_reply; /* no further command; closed when out is written */
    bool close_now;         /* out is dropped; closed at the end of the batch */
    bool closed;            /* waits for the end of the turn to be freed */
    bool running;           /* its commands are being executed: not to be served by a nested turn */
    bool paused;            /* not read: its next command waits for the snapshot's memory */
    bool out_stuck;         /* its socket took no more: it is not tried again before it is ready */
    /* by exec_command(): the command was not executed; it will be parsed and tried again */
    bool postponed;
    bool authenticated;
    bool is_limited; /* its user may not do everything: server/exec/acl.h looks */
    bool is_unix;    /* came through the unix socket */
    bool is_monitor; /* see monitor.h */
    bool is_reader;  /* it gets a copy of the data: commands/server/readers.h */
    bool no_evict;   /* CLIENT NO-EVICT ON */
    bool no_touch;   /* CLIENT NO-TOUCH ON */
    bool reply_off;  /* CLIENT REPLY OFF: nothing that its commands reply is sent */
    bool reply_skip; /* CLIENT REPLY SKIP: for the next command alone */
    bool is_muted;   /* what is replied now is dropped: output_mute() */
    bool resumes;    /* its commands go on when that list is worked off */
    bool in_exec;
    bool multi_dirty; /* an error while queueing: EXEC answers EXECABORT */
    bool is_error;    /* the last reply was an error, for statistics */
    bool in_is_loan, out_is_loan;
    /* what the floors above keep with it: attachment.h */
    struct multi_state *multi;        /* NULL outside MULTI */
    struct watch_client *watch;       /* NULL: nothing is watched */
    struct pubsub_client *pubsub;     /* NULL: no subscriptions */
    struct tracking_client *tracking; /* NULL: it caches no keys, nor is it told of others' */
    struct block *block;              /* NULL: not blocked */
    struct acl_user *user;            /* for whom it acts: server/exec/acl.h; NULL: default */
    uint8_t copy_wishes;              /* what it has said of the copy that it wants: readers.h */
    uint32_t interest;                /* epoll events asked for */
    struct cmd *last_cmd;             /* for CLIENT LIST */
    uint64_t id;
    int64_t created_ms, last_active_ms;
    int64_t soft_limit_since_ms; /* 0: the output is below the soft limit */
    int64_t delayed_ns;          /* since when its next command has waited for a gate, monotonic */
    char *name, *lib_name, *lib_ver; /* NULL: none */
    char addr[64], laddr[64];
    struct client *prev, *next; /* list of all clients with an open socket */
    struct client *monitor_next;
    struct { /* see client_evict.h */
        size_t bytes;
        struct client *prev, *next;
        uint8_t bucket;
    } evict;
    bool queued[CLIENT_QUEUES];
    struct client *queue_next[CLIENT_QUEUES]; /* once closed, the first links those to be freed */
};

/* The memory of all clients' buffers, kept to the byte: maxmemory has to see it between two
 * commands.  What the loop lends to the one that runs is not in it. */
struct client_bytes {
    size_t input, output;
    size_t queued; /* commands of transactions */
};
extern struct client_bytes client_bytes;

static inline size_t
client_bytes_all(void)
{
    return client_bytes.input + client_bytes.output + client_bytes.queued;
}

/* client_new_detached: a client without a socket, for tests and internal work.  NULL: no memory. */
struct client *client_new_detached(void);
void client_free(struct client *c);
/* client_free_input: what it has sent is forgotten, with its buffer. */
void client_free_input(struct client *c);

/* client_new: for an accepted socket, of which ready() is told; it is in the list of clients, not
 * yet in the loop.  NULL: no memory. */
struct client *client_new(int fd, void (*ready)(struct loop_source *s, uint32_t events));
/* client_close: out of the loop and the list, socket closed; the memory goes at the end of the
 * turn. */
void client_close(struct client *c);
/* client_check_some: close those that have idled for too long, or read too little: a part of them
 * each time, all within about a second. */
void client_check_some(void);
/* client_free_closed: the end of the turn. */
void client_free_closed(void);
/* client_doom: drop its output and take no more: it is closed as soon as nobody is working on
 * it. */
void client_doom(struct client *c);

/* client_find: by number; NULL: there is none.  O(clients) */
struct client *client_find(uint64_t id);
struct client *client_first(void); /* then ->next; newest last */
unsigned client_count(void);
uint64_t client_next_id(void);

static inline size_t
client_pending_out(const struct client *c)
{
    return c->out_before + c->out_len - c->out_sent;
}

/* client_is_subscriber: has it any subscription? */
static inline bool
client_is_subscriber(const struct client *c)
{
    return c->pubsub != NULL;
}

/* client_has_socket: or had, before it was closed. */
static inline bool
client_has_socket(const struct client *c)
{
    return c->kind == CLIENT_NORMAL;
}

/* client_may_wait: may its running command put its reply off?  Not within EXEC, and not where
 * somebody waits for the reply at this moment. */
static inline bool
client_may_wait(const struct client *c)
{
    return client_has_socket(c) && !c->in_exec;
}

/* client_is_plain: nothing is kept with it that an attachment would have to count
 * (attachment.h). */
static inline bool
client_is_plain(const struct client *c)
{
    return c->multi == NULL && c->watch == NULL && c->pubsub == NULL && c->block == NULL &&
           c->tracking == NULL;
}

/* client_type: as CLIENT LIST TYPE means it; also whose output limits hold. */
static inline int
client_type(const struct client *c)
{
    return (int)(c->is_reader              ? OUTPUT_REPLICA
                 : client_is_subscriber(c) ? OUTPUT_PUBSUB
                                           : OUTPUT_NORMAL);
}

/* client_is_stranger: has it still to show the password?  What it may send and leave unread is
 * little.
 * client_password_is_set: the executor says so (server/exec/auth.c), and until it has everybody is
 * a stranger. */
extern bool client_password_is_set;
/* client_starts_limited: may not everybody do everything who has only come? */
extern bool client_starts_limited;
static inline bool
client_is_stranger(const struct client *c)
{
    return unlikely(!c->authenticated) && client_password_is_set;
}

/* client_is_permitted: may it do what a parameter of kind no, local, yes (enum debug_permission)
 * guards? */
bool client_is_permitted(const struct client *c, int64_t permission);
/* client_memory: bytes that its struct and buffers hold, without what the loop lends to a running
 * one. */
size_t client_memory(const struct client *c);
/* client_describe: the line of CLIENT LIST and CLIENT INFO, without newline. */
void client_describe(const struct client *c, struct text *out);

#endif
