/* server/net/dial.c - see dial.h. */
#include "server/net/dial.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mm/base/must.h"
#include "server/net/resolve.h"

static void
ready(struct loop_source *s, uint32_t events)
{
    struct dial *d = (struct dial *)(void *)s;

    (void)events;
    if (d->fd >= 0)
        d->wake(d);
}

static void
drop_socket(struct dial *d)
{
    if (d->fd < 0)
        return;
    loop_remove(d->fd);
    (void)close(d->fd);
    d->fd = -1;
}

/* begin: try this address.  False: it failed at once. */
static bool
begin(struct dial *d, const struct addrinfo *a)
{
    int on = 1;

    d->fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);
    if (d->fd < 0)
        return false;
    (void)setsockopt(d->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(d->fd, a->ai_addr, a->ai_addrlen) < 0 && errno != EINPROGRESS) {
        (void)close(d->fd);
        d->fd = -1;
        return false;
    }
    if (loop_add(d->fd, EPOLLOUT, &d->source) < 0) {
        (void)close(d->fd);
        d->fd = -1;
        return false;
    }
    d->interest = EPOLLOUT;
    return true;
}

static void
try_next(struct dial *d)
{
    while (d->next != NULL) {
        const struct addrinfo *a = d->next;

        d->next = a->ai_next;
        if (begin(d, a))
            return;
    }
    d->state = DIAL_FAILED;
}

static void
take_found(void *ctx, struct addrinfo *found)
{
    struct dial *d = ctx;

    d->resolve = NULL;
    d->found = d->next = found;
    try_next(d);
    d->wake(d);
}

void
dial_start(struct dial *d, const char *host, const char *port, void (*wake)(struct dial *d))
{
    struct addrinfo *found;

    *d = (struct dial){.source = {.ready = ready}, .fd = -1, .wake = wake, .state = DIAL_WAITS};
    if (resolve_start(host, port, take_found, d, &found, &d->resolve) < 0) {
        d->state = DIAL_FAILED;
    } else if (d->resolve == NULL) {
        d->found = d->next = found;
        try_next(d);
    }
}

enum dial_state
dial_step(struct dial *d)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(int), peer_len = sizeof peer;
    int error = 0;

    if (d->state != DIAL_WAITS || d->fd < 0)
        return d->state;
    if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error != 0) {
        drop_socket(d);
        try_next(d);
    } else if (getpeername(d->fd, (struct sockaddr *)(void *)&peer, &peer_len) == 0) {
        d->state = DIAL_OPEN;
    }
    return d->state;
}

void
dial_listen(struct dial *d, bool to_write)
{
    uint32_t interest = EPOLLIN | (to_write ? (uint32_t)EPOLLOUT : 0);

    must(d->state == DIAL_OPEN && d->fd >= 0);
    if (interest != d->interest && loop_change(d->fd, interest, &d->source) == 0)
        d->interest = interest;
}

void
dial_close(struct dial *d)
{
    drop_socket(d);
    if (d->resolve != NULL)
        resolve_forget(d->resolve);
    if (d->found != NULL)
        freeaddrinfo(d->found);
    d->resolve = NULL;
    d->found = d->next = NULL;
    d->state = DIAL_FAILED;
}
