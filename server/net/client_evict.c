/* server/net/client_evict.c - clients by their memory, and closing the largest when all together
 * hold too much. */
#include "server/net/client_evict.h"

#include "mm/base/log_few.h"
#include "mm/base/text.h"
#include "server/config/config.h"
#include "server/figures/stats.h"
#include "server/net/net_impl.h"

enum {
    LEAST_LOG = 15, /* all that hold less than 64 KiB are in the first bucket */
    MOST_LOG = 33,
    BUCKETS = MOST_LOG - LEAST_LOG + 1
};

bool client_evict_is_on;

/* Numbers from 1 on: 0 is no bucket. */
static struct bucket {
    struct client *first, *last;
} buckets[BUCKETS + 1];
static size_t total_bytes;

static uint64_t
limit_bytes(void)
{
    int64_t v = config.maxmemory_clients;

    if (v >= 0)
        return (uint64_t)v;
    return config.maxmemory / 100 * (uint64_t)-v + config.maxmemory % 100 * (uint64_t)-v / 100;
}

static uint8_t
bucket_of(const struct client *c, size_t bytes)
{
    int log = 63 - __builtin_clzll(bytes | 1);

    if (c->no_evict)
        return 0;
    return (uint8_t)(1 + (log < LEAST_LOG ? 0 : log > MOST_LOG ? BUCKETS - 1 : log - LEAST_LOG));
}

static void
take_out(struct client *c)
{
    struct bucket *b = &buckets[c->evict.bucket];

    if (c->evict.bucket == 0)
        return;
    *(c->evict.prev != NULL ? &c->evict.prev->evict.next : &b->first) = c->evict.next;
    *(c->evict.next != NULL ? &c->evict.next->evict.prev : &b->last) = c->evict.prev;
    c->evict.prev = c->evict.next = NULL;
    c->evict.bucket = 0;
}

static void
put(struct client *c, uint8_t number)
{
    struct bucket *b = &buckets[number];

    c->evict.bucket = number;
    if (number == 0)
        return;
    c->evict.prev = b->last;
    c->evict.next = NULL;
    *(b->last != NULL ? &b->last->evict.next : &b->first) = c;
    b->last = c;
}

void
client_evict_forget(struct client *c)
{
    take_out(c);
    total_bytes -= c->evict.bytes;
    c->evict.bytes = 0;
}

static void
weigh(struct client *c)
{
    size_t bytes = client_memory(c);
    uint8_t bucket = bucket_of(c, bytes);

    total_bytes += bytes - c->evict.bytes;
    c->evict.bytes = bytes;
    if (bucket == c->evict.bucket)
        return;
    take_out(c);
    put(c, bucket);
}

void
client_evict_weigh_slowly(struct client *c)
{
    if (c->closed || c->close_now || !client_has_socket(c))
        return;
    weigh(c);
    client_evict_run();
}

static void
evict(struct client *c)
{
    static struct log_few evicted = {.lines = 10, .seconds = 1};
    struct text t = {0};

    client_describe(c, &t);
    log_few(&evicted, LOG_NOTICE, "Evicting client: %s", text_str(&t));
    text_free(&t);
    stats.evicted_clients++;
    client_doom(c);
    net_write_later(c); /* which closes it, unless it is running: then its own turn does */
}

void
client_evict_run(void)
{
    uint64_t limit = limit_bytes();

    if (likely(!client_evict_is_on || limit == 0))
        return;
    for (int i = BUCKETS; i > 0; i--)
        while (total_bytes > limit && buckets[i].first != NULL)
            evict(buckets[i].first);
}

/* ---- configuration ---- */

static bool
apply(const struct config *next, const char **why)
{
    bool on = next->maxmemory_clients != 0;

    (void)why;
    if (on == client_evict_is_on)
        return true;
    client_evict_is_on = on;
    for (struct client *c = client_first(); c != NULL; c = c->next) {
        if (!on || c->close_now)
            client_evict_forget(c);
        else
            weigh(c);
    }
    return true;
}

void
client_evict_init(void)
{
    config_follow("maxmemory-clients", apply);
}
