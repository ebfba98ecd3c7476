/* server/net/transport.c - what no plain connection comes to. */
#include "server/net/transport.h"

#include "server/net/net_impl.h"

ssize_t
transport_read_tls(struct client *c, char *into, size_t room)
{
    ssize_t n = tls_read(c->tls, into, room);

    if (tls_has_input(c->tls))
        net_read_later(c);
    return n;
}
