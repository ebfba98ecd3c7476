/* server/net/net_accept.c - connections are taken in: each becomes a client, or is refused. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mm/base/log_few.h"
#include "mm/base/room.h"
#include "server/config/config.h"
#include "server/figures/stats.h"
#include "server/net/client.h"
#include "server/net/client_evict.h"
#include "server/net/net_impl.h"
#include "server/net/tls/tls.h"

enum { ACCEPTS_PER_TURN = 1000 };

static void
show_address(const union net_address *a, char *ret, size_t room)
{
    char ip[INET6_ADDRSTRLEN] = "?";

    if (a->any.sa_family == AF_UNIX || a->any.sa_family == AF_UNSPEC) {
        snprintf(ret, room, "%.*s:0", (int)room - 3, config.unixsocket);
        return;
    }
    if (a->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &a->v6.sin6_addr, ip, sizeof ip);
        snprintf(ret, room, "[%s]:%d", ip, ntohs(a->v6.sin6_port));
    } else {
        inet_ntop(AF_INET, &a->v4.sin_addr, ip, sizeof ip);
        snprintf(ret, room, "%s:%d", ip, ntohs(a->v4.sin_port));
    }
}

static bool
is_loopback(const union net_address *a)
{
    if (a->any.sa_family == AF_UNIX)
        return true;
    if (a->any.sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
    return (ntohl(a->v4.sin_addr.s_addr) >> 24) == 127;
}

const char net_denied[] =
    "-DENIED Stillframe is in protected mode, and no password is set: only connections from this machine itself are accepted. To accept others, switch it off (protected-mode no) where the network is trusted.\r\n";

bool
net_is_denied(const union net_address *peer)
{
    return config.protected_mode && !client_password_is_set && !is_loopback(peer);
}

/* error: NULL: it would not be understood. */
static void
refuse(int fd, const char *error)
{
    /* The socket is new: what little this is fits, and if not, the caller is gone anyway. */
    if (error != NULL && send(fd, error, strlen(error), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        log_line(LOG_VERBOSE, "A refused connection was gone before it was told");
    stats.rejected_connections++;
    close(fd);
}

static void
set_socket_options(int fd)
{
    int on = 1, seconds = (int)config.tcp_keepalive_s, interval = seconds / 3 > 0 ? seconds / 3 : 1,
        probes = 3;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (seconds == 0 || setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) != 0)
        return;
    /* Where these are unknown, the system's own times hold. */
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

/* make_client: NULL: no memory. */
static struct client *
make_client(int fd, bool is_tls)
{
    struct tls *t = NULL;
    struct client *c;

    if (is_tls && (t = tls_new(fd)) == NULL)
        return NULL;
    if ((c = client_new(fd, is_tls ? net_tls_ready : net_client_ready)) == NULL)
        tls_free(t);
    else
        c->tls = t;
    return c;
}

static void
welcome(int fd, const union net_address *peer, const struct listener *l)
{
    union net_address own = {.any.sa_family = AF_UNSPEC};
    socklen_t len = sizeof own;
    struct client *c;

    stats.connections++;
    if (client_count() >= (uint64_t)config.maxclients) {
        refuse(fd, l->is_tls ? NULL : "-ERR max number of clients reached\r\n");
        return;
    }
    if (!l->is_tls && net_is_denied(peer)) {
        refuse(fd, net_denied);
        return;
    }
    if (!l->is_unix)
        set_socket_options(fd);
    if (!room_for_small(ROOM_SMALL_BYTES) || (c = make_client(fd, l->is_tls)) == NULL) {
        refuse(fd, l->is_tls ? NULL : "-ERR no memory for another client\r\n");
        return;
    }
    show_address(peer, c->addr, sizeof c->addr);
    if (getsockname(fd, &own.any, &len) == 0)
        show_address(&own, c->laddr, sizeof c->laddr);
    c->is_unix = l->is_unix;
    c->interest = EPOLLIN;
    if (loop_add(fd, c->interest, &c->source) < 0)
        client_close(c);
    else
        client_evict_weigh(c);
    if (l->is_tls && !c->closed)
        net_tls_greet(c);
}

/* It would wake the loop at once again, so it rests until net_unmute(). */
static void
mute(struct listener *l)
{
    loop_remove(l->fd);
    l->muted = true;
}

void
net_accept(struct loop_source *s, uint32_t events)
{
    static struct log_few failed = {.lines = 1, .seconds = 10}; /* ten tries a second */
    struct listener *l = (struct listener *)(void *)s;

    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        union net_address peer = {.any.sa_family = AF_UNSPEC};
        socklen_t len = sizeof peer;
        int fd;

        if (l->is_tls && !net_tls_has_room()) {
            mute(l);
            return;
        }
        fd = accept4(l->fd, &peer.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            if (l->is_unix)
                peer.any.sa_family = AF_UNIX;
            welcome(fd, &peer, l);
            continue;
        }
        if (errno == ECONNABORTED || errno == EINTR)
            continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        log_few(&failed, LOG_WARNING, "Accepting client connection: accept: %s", strerror(errno));
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            mute(l);
        return;
    }
}

void
net_unmute(struct listener *l)
{
    if (l->muted && loop_add(l->fd, EPOLLIN, &l->source) == 0)
        l->muted = false;
}
