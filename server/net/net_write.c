/* server/net/net_write.c - what a client is told: from its queue (output.h) to its socket. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#include "mm/base/clock.h"
#include "mm/base/log.h"
#include "server/figures/stats.h"
#include "server/net/client.h"
#include "server/net/net_impl.h"
#include "server/net/output.h"
#include "server/net/reply.h"
#include "server/net/transport.h"

enum {
    WRITE_BYTES = 1024 * 1024, /* of a client in one turn: the others wait meanwhile */
    WRITE_PIECES = 64,
    DRAIN_BYTES = 1024 * 1024 /* what is read and thrown away before a close */
};

void
net_update_interest(struct client *c)
{
    bool reads = !c->paused && !c->close_after_reply;
    uint32_t want =
        (reads ? (uint32_t)EPOLLIN : 0) | (client_pending_out(c) > 0 ? (uint32_t)EPOLLOUT : 0);

    if (unlikely(c->paused)) /* it is not read, but if it leaves it need not wait */
        want |= (uint32_t)EPOLLRDHUP;

    if (transport_waits_to_write(c))
        want |= (uint32_t)EPOLLOUT;

    if (want == c->interest)
        return;
    if ((want & (uint32_t)EPOLLIN) != 0 && transport_has_input(c))
        net_read_later(c);
    if (loop_change(c->fd, want, &c->source) == 0) {
        c->interest = want;
    } else { /* nobody would say when it is ready: the next turn tries again */
        c->out_stuck = false;
        net_queue_put(QUEUE_WRITES, c);
    }
}

/* Bytes that were sent to us and never read make the system reset the connection, and the reply is
 * lost: so take some of them in before a close that the client learns from a reply. */
static void
drain(struct client *c)
{
    char bytes[4096];

    transport_end(c);
    for (int i = 0; i < DRAIN_BYTES / (int)sizeof bytes; i++)
        if (transport_read(c, bytes, sizeof bytes) <= 0)
            return;
}

static ssize_t
send_pending(struct client *c)
{
    struct iovec parts[WRITE_PIECES];

    return transport_writev(c, parts, output_vector(c, parts, WRITE_PIECES));
}

/* Who takes what it is told is not idle. */
static void
count_sent(struct client *c, ssize_t n)
{
    c->last_active_ms = clock_now.ms;
    stats.net_out_bytes += (uint64_t)n;
    stats.writes++;
}

/* Take note of what a call answered.  False: the client was closed. */
static bool
note_sent(struct client *c, ssize_t n)
{
    if (n > 0) {
        count_sent(c, n);
        output_sent(c, (size_t)n);
        return true;
    }
    if (n < 0 && errno == EINTR)
        return true;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        c->out_stuck = true;
        return true;
    }
    log_line(LOG_VERBOSE, "Error writing to client %s: %s", c->addr, transport_error(c));
    client_close(c);
    return false;
}

/* Write until nothing is pending, the socket takes no more, or others have their turn.  False:
 * closed, or the running client, whom its own turn closes, is doomed. */
static bool
write_much(struct client *c)
{
    size_t written = 0, before;

    if (!output_within_limit(c, 0)) {
        if (!c->running)
            client_close(c);
        return false;
    }
    for (; client_pending_out(c) > 0 && written < WRITE_BYTES && !c->out_stuck;
         written += before - client_pending_out(c)) {
        before = client_pending_out(c);
        if (!note_sent(c, send_pending(c)))
            return false;
    }
    return true;
}

/* All of a little: as a rule one call does it. */
static inline bool
write_little(struct client *c)
{
    size_t pending = c->out_len - c->out_sent;
    ssize_t n = pending == 0 ? 0 : transport_write(c, c->out + c->out_sent, pending);

    if (unlikely((size_t)n != pending))
        return note_sent(c, n) && write_much(c);
    if (n > 0)
        count_sent(c, n);
    c->out_len = c->out_sent = 0;
    return true;
}

bool
net_write(struct client *c)
{
    bool is_little =
        likely(client_pending_out(c) <= OUTPUT_FREE_BYTES && c->out_before == 0 && !c->out_stuck);

    debug_check(client_has_socket(c) && !c->closed);
    if (!(is_little ? write_little(c) : write_much(c)))
        return false;
    if (client_pending_out(c) > 0)
        return true;
    c->soft_limit_since_ms = 0;
    c->out_len = c->out_sent = 0; /* one chunk, perhaps with bytes that are sent */
    if (!c->running)
        output_return(c);
    if (c->close_after_reply && !c->running) {
        drain(c);
        client_close(c);
        return false;
    }
    return true;
}

/* What a running client is sent at once, if nothing may take it back. */
static size_t
try_send(struct client *c, struct iovec *parts)
{
    ssize_t n;

    if (!c->running || c->in_exec || !client_has_socket(c) || c->closed || c->out == NULL ||
        c->is_muted || c->out_stuck || c->out_before > 0)
        return 0;
    do
        n = transport_writev(c, parts, 2);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return 0; /* an error is met again, and told, by net_write() */
    count_sent(c, n);
    return (size_t)n;
}

void
net_send_direct(struct client *c, const char *bytes, size_t len)
{
    union {
        const char *given;
        char *base;
    } u = {.given = bytes}; /* writing only reads them */
    size_t pending = client_pending_out(c), sent;
    struct iovec parts[2] = {{.iov_base = c->out + c->out_sent, .iov_len = pending},
                             {.iov_base = u.base, .iov_len = len}};

    debug_check(c->running || !client_has_socket(c));
    if (!output_within_limit(c, len))
        return;
    sent = try_send(c, parts);
    if (sent == 0 || sent < pending) {
        c->out_sent += sent; /* of the only chunk */
        reply_raw(c, bytes, len);
        return;
    }
    c->out_len = c->out_sent = 0;
    if (sent - pending < len)
        reply_raw(c, bytes + (sent - pending), len - (sent - pending));
}
