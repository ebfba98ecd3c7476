/* server/net/net_io.c - what a client sends: read, parse a batch, look its keys up ahead, execute;
 * then it is told once (net_write.c).
 *
 * Input is read into the loop's buffer, which is lent to the client for as long as its commands
 * run; only what is left of it (the begin of a command) is kept in memory of the client's own: as
 * much as has come, and if that is much, room for as much again.  What a header claims is no reason
 * to take memory.  Requests are parsed up to NET_BATCH_MAX ahead of their execution, so that the
 * keyspace can start to load what they need. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "mm/base/clock.h"
#include "mm/base/log_few.h"
#include "mm/base/must.h"
#include "mm/mm.h"
#include "server/config/config.h"
#include "server/figures/stats.h"
#include "server/net/attachment.h"
#include "server/net/client.h"
#include "server/net/client_evict.h"
#include "server/net/loop.h"
#include "server/net/net_impl.h"
#include "server/net/output.h"
#include "server/net/reply.h"
#include "server/net/transport.h"

enum {
    READ_BYTES = 64 * 1024, /* the loop's input buffer, and so what one read takes */
    /* of what had to wait, so much is run in one turn: what a read takes, as of everybody else */
    RUN_BYTES = READ_BYTES,
    OWN_BYTES = 16 * 1024, /* a rest below this goes back to the loop's buffer when more comes */
    AHEAD_BYTES =
        4 *
        OUTPUT_CHUNK_BYTES /* what may be pending before something is sent between two commands */
};

/* What the loop lends to one client at a time; a nested turn (loading) finds it gone and makes its
 * own. */
static char *input_loan;
static struct resp_vector vector_loan;

/* ---- input: buffers ---- */

static bool
borrow_input(struct client *c)
{
    if (input_loan == NULL && (input_loan = malloc(READ_BYTES + 1)) == NULL)
        return false;
    c->in = input_loan;
    input_loan = NULL;
    c->in_room = READ_BYTES;
    c->in_len = c->in_pos = 0;
    c->in_is_loan = true;
    return true;
}

static void
give_input_back(struct client *c)
{
    if (c->in_is_loan && input_loan == NULL)
        input_loan = c->in;
    else
        client_free_input(c);
    c->in = NULL;
    c->in_len = c->in_pos = c->in_room = 0;
    c->in_is_loan = false;
}

static void
own_input(struct client *c, char *in, size_t room)
{
    c->in = in;
    c->in_room = room;
    client_bytes.input += room + 1;
}

/* How large a client's own buffer should be for what it holds (rest bytes) and what is known to
 * come: a header is only a claim, but a buffer that ends where the bulk ends spares a move. */
static size_t
own_room(const struct client *c, size_t rest)
{
    size_t needs = resp_needs(&c->parser);

    if (rest < OWN_BYTES)
        return rest;
    if (c->parser.in_bulk && c->parser.bulk_len >= RESP_BIG_BULK_BYTES && needs > rest &&
        needs < 2 * rest)
        return needs;
    return 2 * rest;
}

/* Move the unparsed rest to the start of a buffer of the client's own, which is not much too large
 * for it. */
static bool
keep_rest(struct client *c)
{
    size_t rest = c->in_len - c->in_pos;
    char *own;

    if (!c->in_is_loan && c->in_room <= 2 * own_room(c, rest)) {
        if (c->in_pos > 0)
            memmove(c->in, c->in + c->in_pos, rest + 1);
        c->in_len = rest;
        c->in_pos = 0;
        return true;
    }
    if ((own = malloc(own_room(c, rest) + 1)) == NULL)
        return false;
    memcpy(own, c->in + c->in_pos, rest + 1);
    give_input_back(c);
    own_input(c, own, own_room(c, rest));
    c->in_len = rest;
    return true;
}

/* Of what is run over many turns the rest is moved only when as much as that has been run: so each
 * byte is moved a few times at most. */
static bool
is_mostly_rest(const struct client *c)
{
    return !c->in_is_loan && c->in_pos < c->in_len - c->in_pos;
}

/* A little rest: read behind it in the loop's buffer. */
static bool
return_to_loan(struct client *c)
{
    size_t rest = c->in_len - c->in_pos;
    char *own = c->in + c->in_pos, *block = c->in;
    size_t room = c->in_room;

    if (!borrow_input(c))
        return false;
    memcpy(c->in, own, rest + 1);
    c->in_len = rest;
    client_bytes.input -= room + 1;
    free(block);
    return true;
}

/* Make room to read into.  A big bulk's buffer ends where the bulk ends: nothing has to be moved
 * behind it. */
static bool
make_input_room(struct client *c)
{
    size_t room;
    char *p;

    if (c->in == NULL)
        return borrow_input(c);
    if (c->in_len - c->in_pos < OWN_BYTES)
        return return_to_loan(c);
    room = own_room(c, c->in_len);
    if (c->in_len < c->in_room && (c->in_room - c->in_len >= OWN_BYTES || room <= c->in_room))
        return true;
    if (room < c->in_room)
        room = c->in_room;
    if (room <= c->in_len || (p = realloc(c->in, room + 1)) == NULL)
        return false;
    client_bytes.input -= c->in_room + 1;
    own_input(c, p, room);
    return true;
}

/* ---- execution ---- */

static struct net_executor executor; /* a copy: one load a call */

void
net_set_executor(const struct net_executor *e)
{
    must(e->find != NULL && e->look_ahead != NULL && e->begin != NULL && e->execute != NULL);
    executor = *e;
}

struct batch {
    struct net_request at[NET_BATCH_MAX];
    int count;
    const char *error; /* protocol error behind the last of them */
    enum resp_result result;
};

/* The command of the batch's next request: in a pipeline it is mostly the one before again, in the
 * same letters. */
static inline struct cmd *
find_command(const struct batch *b, const struct resp_vector *v, int first)
{
    struct slice name = v->at[first];

    if (b->count > 0 && slice_equal(name, v->at[b->at[b->count - 1].first]))
        return b->at[b->count - 1].cmd;
    return executor.find(name);
}

static inline void
add_to_batch(struct batch *b, const struct resp_vector *v, int first, size_t end)
{
    b->at[b->count].cmd = find_command(b, v, first);
    b->at[b->count].argc = v->count - first;
    b->at[b->count].first = first;
    b->at[b->count].end = end;
    b->count++;
}

static void
parse_batch(struct client *c, struct batch *b, struct resp_vector *v)
{
    size_t pos = c->in_pos, used;

    b->count = 0;
    v->count = 0;
    v->max_bulk_bytes = config.proto_max_bulk_len;
    do {
        int first = v->count;
        b->result = resp_next(&c->parser, c->in + pos, c->in_len - pos, v, &used, &b->error);
        if (b->result == RESP_NOTHING) {
            pos += used;
            *(b->count > 0 ? &b->at[b->count - 1].end : &c->in_pos) = pos;
            continue;
        }
        if (b->result != RESP_COMMAND)
            break;
        pos += used;
        add_to_batch(b, v, first, pos);
    } while (b->count < NET_BATCH_MAX && !v->scratch_used);
}

/* Of one who has not shown the password yet, one command at a time: it may be the AUTH that lifts
 * the limits. */
static void
parse_for_stranger(struct client *c, struct batch *b, struct resp_vector *v)
{
    size_t used;

    b->count = 0;
    v->count = 0;
    v->max_bulk_bytes = config.proto_max_bulk_len;
    b->result = resp_next_of_stranger(&c->parser, c->in + c->in_pos, c->in_len - c->in_pos, v,
                                      &used, &b->error);
    if (b->result == RESP_NOTHING)
        c->in_pos += used;
    if (b->result == RESP_COMMAND)
        add_to_batch(b, v, 0, c->in_pos + used);
}

/* Between two commands: some chunks are sent while the others are made, if the socket takes them;
 * if not, the queue grows.  False: closed, or doomed. */
static inline bool
may_go_on(struct client *c)
{
    return likely(c->out_before < AHEAD_BYTES) || c->out_stuck || net_write(c);
}

/* Returns false when the client must not go on: closed, closing, blocked, or its command has to
 * wait. */
static bool
execute_batch(struct client *c, const struct batch *b, const struct resp_vector *v)
{
    for (int i = 0; i < b->count; i++) {
        if (!may_go_on(c)) {
            resp_reset(&c->parser);
            return false;
        }
        c->argc = b->at[i].argc;
        c->argv = v->at + b->at[i].first;
        executor.execute(c, b->at[i].cmd);
        if (unlikely(c->postponed)) {
            resp_reset(&c->parser);
            net_delay(c);
            return false;
        }
        c->in_pos = b->at[i].end;
        if (unlikely(c->close_after_reply || c->close_now || c->closed))
            return false;
        if (unlikely(c->block != NULL)) {
            resp_reset(&c->parser);
            return false;
        }
    }
    return true;
}

/* A protocol error is answered, and ends the connection. */
static void
fail_protocol(struct client *c, const char *error)
{
    log_line(LOG_VERBOSE, "Protocol error (%s) from client %s", error, c->addr);
    if (c->reply_off || c->reply_skip)
        output_mute(c);
    reply_errorf(c, "ERR %s", error);
    output_unmute(c);
    c->close_after_reply = true;
}

/* True: there is more, for the next turn. */
static bool
execute_input(struct client *c, struct resp_vector *v)
{
    size_t begin = c->in_pos;
    struct batch b;

    do {
        if (unlikely(client_is_stranger(c)))
            parse_for_stranger(c, &b, v);
        else
            parse_batch(c, &b, v);
        if (b.count > 1 && c->multi == NULL)
            executor.look_ahead(c, b.at, b.count, v->at);
        executor.begin();
        if (!execute_batch(c, &b, v))
            return false;
        if (b.result == RESP_ERROR)
            fail_protocol(c, b.error);
        if (b.result == RESP_NO_MEMORY) {
            log_line(LOG_WARNING, "No memory for a command of client %s: closing it", c->addr);
            client_doom(c);
        }
        if (b.result != RESP_COMMAND && b.result != RESP_NOTHING)
            return false;
    } while (c->in_pos - begin < RUN_BYTES);
    return c->in_pos < c->in_len;
}

/* Execute what is in the input buffer, write the replies, and settle what becomes of the
 * buffers. */
static void
run_client(struct client *c)
{
    struct resp_vector v = vector_loan;
    bool is_more;

    vector_loan = (struct resp_vector){0};
    c->running = true;
    output_lend(c);
    is_more = execute_input(c, &v);
    c->running = false;
    if (vector_loan.at == NULL && v.room <= 65536)
        vector_loan = v;
    else
        resp_vector_free(&v);
    if (c->closed)
        return;
    if (c->close_now) {
        client_close(c);
        return;
    }
    if (c->close_after_reply) { /* what follows is not looked at, though it was parsed ahead */
        resp_reset(&c->parser);
        c->in_pos = c->in_len;
    }
    if (is_more)
        net_resume_later(c);
    if (c->in_pos == c->in_len) {
        give_input_back(c);
    } else if (!(is_more && is_mostly_rest(c)) && !keep_rest(c)) {
        log_line(LOG_WARNING, "No memory to keep the input of client %s: closing it", c->addr);
        client_close(c);
        return;
    }
    if (!net_write(c))
        return;
    if (client_pending_out(c) > 0) {
        if (!output_within_limit(c, 0)) {
            client_close(c);
            return;
        }
        output_settle(c);
    }
    net_update_interest(c);
    client_evict_weigh(c);
}

/* ---- events ---- */

/* False: nothing was read: not ready, closed, or nothing may be read now. */
static bool
read_input(struct client *c)
{
    size_t room;
    ssize_t n;

    if (!make_input_room(c)) {
        log_line(LOG_WARNING, "No memory to read from client %s: closing it", c->addr);
        client_close(c);
        return false;
    }
    room = c->in_room - c->in_len;
    do
        n = transport_read(c, c->in + c->in_len, room);
    while (n < 0 && errno == EINTR);
    stats.reads++;
    if (n <= 0) {
        bool not_ready = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
        if (n < 0 && !not_ready)
            log_line(LOG_VERBOSE, "Reading from client %s: %s", c->addr, transport_error(c));
        if (not_ready && transport_waits_to_write(c))
            net_update_interest(c);
        if (!not_ready)
            client_close(c);
        else if (c->in_len == c->in_pos)
            give_input_back(c);
        else if (c->in_is_loan && !keep_rest(c))
            client_close(c);
        return false;
    }
    c->in_len += (size_t)n;
    c->in[c->in_len] = '\0';
    c->last_active_ms = clock_now.ms;
    stats.net_in_bytes += (uint64_t)n;
    return true;
}

/* What a transaction keeps was sent, too. */
static size_t
queued_bytes(const struct client *c)
{
    struct client_facts facts;

    if (likely(c->multi == NULL))
        return 0;
    client_facts(c, &facts);
    return facts.queued_bytes;
}

static bool
input_is_too_long(struct client *c)
{
    static struct log_few closed = {.lines = 10, .seconds = 1};

    if (c->in_len - c->in_pos + queued_bytes(c) <= config.client_query_buffer_limit)
        return false;
    log_few(&closed, LOG_WARNING, "Closing client that reached max query buffer length: %s",
            c->addr);
    client_close(c);
    return true;
}

/* What a blocked client, or one held by CLIENT PAUSE, sends is kept: it may have to send all of it
 * before it can do what ends its wait. */
static void
keep_input(struct client *c)
{
    if (c->in_is_loan && !keep_rest(c))
        client_close(c);
    else
        client_evict_weigh(c);
}

static void
serve_input(struct client *c)
{
    if (unlikely(c->resumes) && c->queued[QUEUE_WRITES]) { /* first what it has sent before */
        if (transport_has_input(c))
            net_read_later(c);
        return;
    }
    if (!read_input(c) || input_is_too_long(c))
        return;
    if (unlikely(c->block != NULL || c->queued[QUEUE_DELAYED])) {
        keep_input(c);
        return;
    }
    if (unlikely(!c->in_is_loan)) { /* much: it counts before it is a command */
        client_evict_weigh(c);
        if (c->close_now)
            return;
    }
    run_client(c);
}

void
net_resume(struct client *c)
{
    debug_check(!c->running && !c->closed && c->block == NULL && !c->queued[QUEUE_DELAYED]);
    if (loop_state.stopping) /* the data are saved: what is done now would be lost */
        return;
    c->paused = false;
    c->last_active_ms = clock_now.ms;
    if (c->in_len > c->in_pos)
        run_client(c);
    else
        net_update_interest(c);
}

void
net_client_ready(struct loop_source *s, uint32_t events)
{
    struct client *c = (struct client *)(void *)s;

    if (c->closed || c->close_now || c->running || loop_state.stopping)
        return;
    if ((events & EPOLLOUT) != 0) {
        if (transport_waits_to_write(c))
            events |= (uint32_t)EPOLLIN;
        c->out_stuck = false;
        if (!net_write(c))
            return;
        net_update_interest(c);
        client_evict_weigh(c);
        if (c->closed || c->close_now)
            return;
    }
    if ((c->interest & EPOLLIN) != 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        serve_input(c);
    else if ((events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0)
        client_close(c); /* nobody is there to read the replies that it waits for */
}
