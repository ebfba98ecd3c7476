/* server/net/transport.h - how a client's bytes get to its socket and from there.
 *
 * All of net reads, writes and ends a connection through these calls and no others.  They answer as
 * the system's own calls do: bytes, 0 at the end of what comes, or -1 with errno, EAGAIN where the
 * socket is not ready.  A plain connection pays a load and a branch for it that it could be
 * another (tls.h).
 * Threads: mutator. */
#ifndef SERVER_NET_TRANSPORT_H
#define SERVER_NET_TRANSPORT_H

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include "mm/base/must.h"
#include "server/net/client.h"
#include "server/net/tls/tls.h"

/* transport_read_tls: the client is read again at the end of the turn if there is more, since no
 * event of the socket will say so. */
ssize_t transport_read_tls(struct client *c, char *into, size_t room);

static inline ssize_t
transport_read(struct client *c, char *into, size_t room)
{
    if (unlikely(c->tls != NULL))
        return transport_read_tls(c, into, room);
    return read(c->fd, into, room);
}

static inline ssize_t
transport_write(struct client *c, const char *bytes, size_t len)
{
    if (unlikely(c->tls != NULL))
        return tls_write(c->tls, bytes, len);
    return send(c->fd, bytes, len, MSG_NOSIGNAL);
}

static inline ssize_t
transport_writev(struct client *c, struct iovec *parts, int count)
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};

    if (unlikely(c->tls != NULL))
        return tls_writev(c->tls, parts, count);
    return sendmsg(c->fd, &message, MSG_NOSIGNAL);
}

/* transport_end: nothing more is written; what comes can still be read. */
static inline void
transport_end(struct client *c)
{
    if (unlikely(c->tls != NULL))
        tls_end(c->tls);
    (void)shutdown(c->fd, SHUT_WR);
}

/* transport_close: both directions, and the descriptor. */
static inline void
transport_close(struct client *c)
{
    if (unlikely(c->tls != NULL)) {
        tls_end(c->tls);
        tls_free(c->tls);
        c->tls = NULL;
    }
    (void)close(c->fd);
    c->fd = -1;
}

/* transport_error: what a call failed with. */
static inline const char *
transport_error(const struct client *c)
{
    return c->tls != NULL && errno == EPROTO ? tls_error(c->tls) : strerror(errno);
}

/* transport_has_input: something has come of which the socket does not tell any more. */
static inline bool
transport_has_input(const struct client *c)
{
    return unlikely(c->tls != NULL) && tls_has_input(c->tls);
}

/* transport_waits_to_write: it cannot be read before the socket takes something. */
static inline bool
transport_waits_to_write(const struct client *c)
{
    return unlikely(c->tls != NULL) && tls_waits_to_write(c->tls);
}

/* transport_bytes: the memory that it takes. */
static inline size_t
transport_bytes(const struct client *c)
{
    return unlikely(c->tls != NULL) ? tls_bytes(c->tls) : 0;
}

#endif
