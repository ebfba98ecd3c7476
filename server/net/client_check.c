/* server/net/client_check.c - clients that do nothing, and those that do not read. */
#include "mm/base/clock.h"
#include "mm/base/log.h"
#include "server/config/config.h"
#include "server/net/client.h"
#include "server/net/output.h"

enum { CLIENTS_PER_CALL = 200 /* looked at for idleness, at least: all within about a second */ };

static bool
is_idle_too_long(const struct client *c)
{
    return config.timeout_s > 0 && c->block == NULL && !c->queued[QUEUE_DELAYED] &&
           !client_is_subscriber(c) && !c->is_monitor &&
           clock_now.ms - c->last_active_ms > config.timeout_s * 1000;
}

static void
check_client(struct client *c)
{
    if (is_idle_too_long(c)) {
        log_line(LOG_VERBOSE, "Closing idle client");
        client_close(c);
    } else if (!output_within_limit(c, 0)) {
        client_close(c);
    }
}

static bool has_output_limit(enum output_class class)
{
    const struct output_limit *limit = &config.output_limits[class];

    return limit->hard_bytes != 0 || limit->soft_bytes != 0;
}

/* A part of the clients each time, the least recently connected first; by number, since any may be
 * gone next time. */
void
client_check_some(void)
{
    static uint64_t checked_id;
    unsigned left = client_count() / (unsigned)config.hz + CLIENTS_PER_CALL;
    struct client *c = client_first(), *next;

    if (config.timeout_s == 0 && !has_output_limit(OUTPUT_NORMAL) &&
        !has_output_limit(OUTPUT_PUBSUB))
        return;
    while (c != NULL && c->id <= checked_id)
        c = c->next;
    for (; c != NULL && left > 0; c = next, left--) {
        next = c->next;
        checked_id = c->id;
        check_client(c);
    }
    if (c == NULL)
        checked_id = 0;
}
