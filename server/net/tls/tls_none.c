/* server/net/tls/tls_none.c - the server without TLS: the parameters take nothing but their
 * defaults (config.def), so there are no connections. */
#include "mm/base/must.h"
#include "server/config/config.h"
#include "server/net/tls/tls.h"

bool
tls_start(const char **why)
{
    (void)why;
    return true;
}

bool
tls_try(const struct config *next, const char **why)
{
    (void)next;
    (void)why;
    return true;
}

void
tls_hold(void)
{
}

size_t
tls_heap_bytes(void)
{
    return 0;
}

struct tls *
tls_new(int fd)
{
    (void)fd;
    never("no port to come through");
}

void
tls_free(struct tls *t)
{
    must(t == NULL);
}

enum tls_step
tls_shake_hands(struct tls *t)
{
    (void)t;
    never("tls_new() makes none");
}

ssize_t
tls_read(struct tls *t, char *into, size_t room)
{
    (void)t;
    (void)into;
    (void)room;
    never("tls_new() makes none");
}

ssize_t
tls_writev(struct tls *t, const struct iovec *parts, int count)
{
    (void)t;
    (void)parts;
    (void)count;
    never("tls_new() makes none");
}

ssize_t
tls_write(struct tls *t, const char *bytes, size_t len)
{
    (void)t;
    (void)bytes;
    (void)len;
    never("tls_new() makes none");
}

bool
tls_has_input(const struct tls *t)
{
    (void)t;
    never("tls_new() makes none");
}

bool
tls_waits_to_write(const struct tls *t)
{
    (void)t;
    never("tls_new() makes none");
}

void
tls_end(struct tls *t)
{
    (void)t;
    never("tls_new() makes none");
}

const char *
tls_error(const struct tls *t)
{
    (void)t;
    never("tls_new() makes none");
}

size_t
tls_bytes(const struct tls *t)
{
    (void)t;
    never("tls_new() makes none");
}
