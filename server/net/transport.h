/* server/net/transport.h - how a client's bytes get to its socket and from there.
 *
 * All of net reads, writes and ends a connection through these calls and no others.  They answer as
 * the system's own calls do: bytes, 0 at the end of what comes, or -1 with errno, EAGAIN where the
 * socket is not ready.
 * Threads: mutator. */
#ifndef SERVER_NET_TRANSPORT_H
#define SERVER_NET_TRANSPORT_H

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include "server/net/client.h"

static inline ssize_t
transport_read(struct client *c, char *into, size_t room)
{
    return read(c->fd, into, room);
}

static inline ssize_t
transport_write(struct client *c, const char *bytes, size_t len)
{
    return send(c->fd, bytes, len, MSG_NOSIGNAL);
}

static inline ssize_t
transport_writev(struct client *c, struct iovec *parts, int count)
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};

    return sendmsg(c->fd, &message, MSG_NOSIGNAL);
}

/* transport_end: nothing more is written; what comes can still be read. */
static inline void
transport_end(struct client *c)
{
    (void)shutdown(c->fd, SHUT_WR);
}

/* transport_close: both directions, and the descriptor. */
static inline void
transport_close(struct client *c)
{
    (void)close(c->fd);
    c->fd = -1;
}

#endif
