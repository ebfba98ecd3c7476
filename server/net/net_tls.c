/* server/net/net_tls.c - clients of the TLS port until their handshake is over.
 *
 * They are clients like others (listed, counted, killed), but what comes of them goes to the
 * handshake.  Who has not finished it costs memory and shows nothing for it, so there is a bound to
 * how many there are and to how long one takes.  Each step that proves who we are costs about a
 * millisecond: only some are taken in a turn, so that commands have theirs. */
#include <string.h>
#include <sys/epoll.h>

#include "mm/base/clock.h"
#include "mm/base/log_few.h"
#include "mm/base/must.h"
#include "server/config/config.h"
#include "server/figures/stats.h"
#include "server/net/client_evict.h"
#include "server/net/net_impl.h"
#include "server/net/reply.h"
#include "server/net/tls/tls.h"

enum {
    HANDSHAKE_MS = 10000, /* how long it may take */
    AT_ONCE_MAX = 1000,   /* how many are under way; half of maxclients, where that is less */
    GIVES_WAY_MS = 2000,  /* the oldest of so many goes for another one if it took so long */
    STEPS_PER_TURN = 16   /* that serve the handshakes, if there are commands to serve too */
};

static void look_for_late(unsigned slice_us);
static struct loop_task late_task = {.place = LOOP_DEADLINES,
                                     .due_ms = LOOP_NEVER,
                                     .longest_ms = HANDSHAKE_MS,
                                     .run = look_for_late};

void
net_tls_init(void)
{
    loop_task_add(&late_task);
}

static void
fail(struct client *c, const char *why)
{
    static struct log_few failed = {.lines = 10, .seconds = 1};

    log_few(&failed, LOG_WARNING, "Error accepting a client connection: %s (addr=%s laddr=%s)", why,
            c->addr, c->laddr);
    client_close(c);
}

static void
look_for_late(unsigned slice_us)
{
    struct client *c;

    (void)slice_us;
    while ((c = net_queue_first(QUEUE_HANDSHAKES)) != NULL &&
           clock_now.ms - c->created_ms >= HANDSHAKE_MS)
        fail(c, "the handshake was not over in 10 seconds");
    loop_task_at(&late_task, c != NULL ? c->created_ms + HANDSHAKE_MS : LOOP_NEVER);
}

bool
net_tls_has_room(void)
{
    int64_t half = config.maxclients / 2 > 0 ? config.maxclients / 2 : 1;
    unsigned most = half < AT_ONCE_MAX ? (unsigned)half : AT_ONCE_MAX;
    struct client *oldest = net_queue_first(QUEUE_HANDSHAKES);

    if (net_queue_count(QUEUE_HANDSHAKES) < most)
        return true;
    if (clock_now.ms - oldest->created_ms < GIVES_WAY_MS)
        return false;
    fail(oldest, "the handshake gave way to that of another: too many are not over");
    return true;
}

void
net_tls_greet(struct client *c)
{
    net_queue_put(QUEUE_HANDSHAKES, c);
    if (net_queue_first(QUEUE_HANDSHAKES) == c)
        loop_task_at(&late_task, c->created_ms + HANDSHAKE_MS);
}

static bool
is_denied(const struct client *c)
{
    union net_address peer = {.any.sa_family = AF_UNSPEC};
    socklen_t len = sizeof peer;

    return getpeername(c->fd, &peer.any, &len) != 0 || net_is_denied(&peer);
}

/* The first words may have come with the last of the handshake. */
static void
welcome(struct client *c)
{
    net_queue_leave(QUEUE_HANDSHAKES, c);
    c->source.ready = net_client_ready;
    c->last_active_ms = clock_now.ms;
    if (is_denied(c)) {
        stats.rejected_connections++;
        reply_raw(c, net_denied, strlen(net_denied));
        c->close_after_reply = true;
        net_write(c);
        return;
    }
    net_update_interest(c);
    client_evict_weigh(c);
    if (!c->closed && !c->close_now)
        net_client_ready(&c->source, (uint32_t)EPOLLIN);
}

/* The socket stays ready: who is put off has its turn in the next one. */
static bool
may_step(void)
{
    static int64_t turn_ns;
    static unsigned steps;

    if (turn_ns != clock_now.turn_ns)
        steps = 0;
    turn_ns = clock_now.turn_ns;
    return steps++ < STEPS_PER_TURN;
}

void
net_tls_ready(struct loop_source *s, uint32_t events)
{
    struct client *c = (struct client *)(void *)s;

    (void)events;
    if (c->closed || c->close_now || loop_state.stopping || !may_step())
        return;
    switch (tls_shake_hands(c->tls)) {
    case TLS_IS_OPEN:
        welcome(c);
        return;
    case TLS_WAITS:
        net_update_interest(c);
        client_evict_weigh(c);
        return;
    case TLS_FAILED:
        fail(c, tls_error(c->tls));
        return;
    }
    never("a step is one of these");
}
