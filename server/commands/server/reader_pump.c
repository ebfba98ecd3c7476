/* server/commands/server/reader_pump.c - see reader_pump.h. */
#include "server/commands/server/reader_pump.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mm/base/clock.h"
#include "mm/base/must.h"
#include "server/net/client.h"
#include "server/net/loop.h"
#include "server/net/net.h"
#include "server/net/reply.h"

struct reader_pump {
    struct loop_source source; /* first: the loop hands this back */
    int fd;                    /* our end; -1: closed, and to be freed by the next run */
    struct client *client;
    bool listens; /* the loop wakes when something comes */
    bool has_all; /* the writer has closed its end */
    int64_t moved_ms;
    struct reader_pump *next;
};

static struct reader_pump *all;
static unsigned count; /* with those that are to be freed */

/* That the loop has woken is all: reader_pumps_run() comes later in the turn. */
static void
note(struct loop_source *s, uint32_t events)
{
    (void)s;
    (void)events;
}

struct reader_pump *
reader_pump_open(struct client *c, int *ret_fd)
{
    struct reader_pump *p = malloc(sizeof *p);
    int fds[2], r;

    if (p == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
        goto free_pump;
    *p = (struct reader_pump){.source = {.ready = note},
                              .fd = fds[0],
                              .client = c,
                              .listens = true,
                              .moved_ms = clock_now.ms,
                              .next = all};
    if ((r = loop_add(p->fd, EPOLLIN, &p->source)) < 0) {
        (void)close(fds[0]);
        (void)close(fds[1]);
        errno = -r;
        goto free_pump;
    }
    all = p;
    count++;
    *ret_fd = fds[1];
    return p;
free_pump:
    free(p);
    return NULL;
}

static void
drop_socket(struct reader_pump *p)
{
    loop_remove(p->fd);
    (void)close(p->fd);
    p->fd = -1;
}

void
reader_pump_close(struct reader_pump *p)
{
    if (p == NULL)
        return;
    drop_socket(p);
    p->client = NULL;
}

bool
reader_pump_is_done(const struct reader_pump *p)
{
    return p->has_all && client_pending_out(p->client) == 0;
}

int64_t
reader_pump_moved_ms(const struct reader_pump *p)
{
    return p->moved_ms;
}

bool
reader_pumps_exist(void)
{
    return count > 0;
}

/* listen: level-triggered: while the client has something pending, that more has come must not wake
 * the loop again and again. */
static void
listen_for(struct reader_pump *p, bool on)
{
    if (p->listens != on && loop_change(p->fd, on ? EPOLLIN : 0, &p->source) == 0)
        p->listens = on;
}

static void
run(struct reader_pump *p, size_t most)
{
    static char bytes[PUMP_BYTES];
    ssize_t n;

    if (client_pending_out(p->client) > 0 || p->has_all || p->client->close_now) {
        listen_for(p, false);
        return;
    }
    listen_for(p, true);
    if ((n = read(p->fd, bytes, most)) > 0) {
        reply_raw(p->client, bytes, (size_t)n);
        net_write_later(p->client);
        p->moved_ms = clock_now.ms;
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        p->has_all = true;
    }
}

void
reader_pumps_run(void)
{
    size_t share = count > 0 ? PUMP_TURN_BYTES / count : 0;
    struct reader_pump *p;

    for (struct reader_pump **at = &all; (p = *at) != NULL;) {
        if (p->client != NULL) {
            run(p, share < PUMP_BYTES ? share : PUMP_BYTES);
            at = &p->next;
            continue;
        }
        *at = p->next;
        free(p);
        count--;
    }
}
