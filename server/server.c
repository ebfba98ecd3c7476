/* server/server.c - the shared state: clock, figures, what is done ten times a second. */
#include "server/server.h"

#include <fcntl.h>
#include <malloc.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mm/base/log.h"
#include "mm/base/ticks.h"
#include "mm/mm.h"
#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/exec/cmd.h"
#include "server/figures/errorstats.h"
#include "server/figures/latency.h"
#include "server/memory/defrag.h"
#include "server/memory/evict.h"
#include "server/net/client.h"
#include "server/net/net.h"
#include "server/net/output.h"
#include "server/persist/persist.h"

enum {
    SAMPLE_MS = 100,
    SAMPLES = 16,          /* figures per second are means over this many */
    CLIENTS_PER_CRON = 200 /* looked at for idleness, at least: all within about a second */
};

struct server server = {.active_expire = true};

/* glibc's; where there is none, its share of the figure is missing. */
#pragma weak mallinfo2

void
server_clock_refresh(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    server.now_us = (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
    server.now_ms = server.now_us / 1000;
    server.clock_s = (uint32_t)ts.tv_sec & 0xffffff;
    server.turn_begin_ns = os_monotonic_ns();
}

/* Forty hexadecimal digits that no other run has. */
static void
make_run_id(char *ret)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[20] = {0};
    uint64_t x = (uint64_t)os_monotonic_ns() * 0x9e3779b97f4a7c15u ^ (uint64_t)getpid() << 32 ^
                 (uint64_t)server.now_us;
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);

    if (fd < 0 || read(fd, bytes, sizeof bytes) != (ssize_t)sizeof bytes)
        log_line(LOG_VERBOSE, "No /dev/urandom: the run id is made from the clock");
    if (fd >= 0)
        close(fd);
    for (unsigned i = 0; i < sizeof bytes; i++) {
        x ^= x >> 29;
        x *= 0xbf58476d1ce4e5b9u;
        bytes[i] ^= (unsigned char)(x >> 56);
        ret[2 * i] = digits[bytes[i] >> 4];
        ret[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret[2 * sizeof bytes] = '\0';
}

void
server_init(const char *executable)
{
    server_clock_refresh();
    server.start_ms = server.now_ms;
    server.executable = executable;
    make_run_id(server.run_id);
}

static uint64_t
less(uint64_t bytes, uint64_t part)
{
    return bytes > part ? bytes - part : 0;
}

static void
sample_malloc(void)
{
    struct mallinfo2 m = {.uordblks = 0};

    if (mallinfo2 != NULL)
        m = mallinfo2();
    server.malloc_bytes = less(m.uordblks + m.hblkhd, output_reserve_bytes());
    server.malloc_held_bytes = m.arena + m.hblkhd;
    if (server.malloc_bytes < client_bytes_all())
        /* an allocator that says nothing (sanitizers') says 0 */
        server.malloc_bytes = client_bytes_all();
    if (!persist_is_saving())
        server.malloc_counted_bytes = less(server.malloc_bytes, client_bytes_all());
}

uint64_t
server_used_memory(void)
{
    struct mm_figures f;
    uint64_t bytes;

    mm_figures(&f);
    bytes = f.live_bytes + f.retired_bytes + f.images_bytes + f.side_bytes + db_mapped_bytes();
    sample_malloc();
    return bytes + server.malloc_bytes;
}

/* What the system sees of the process; 0 where it does not say. */
static uint64_t
resident_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long long pages = 0;

    if (f == NULL)
        return 0;
    if (fscanf(f, "%*u %llu", &pages) != 1)
        pages = 0;
    fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void
server_memory_figures(struct memory_figures *ret)
{
    struct mm_figures f;
    uint64_t in_use, held;

    ret->used = server_used_memory();
    ret->rss = resident_bytes();
    mm_figures(&f);
    in_use = f.live_bytes + f.retired_bytes + server.malloc_bytes;
    held = f.resident_bytes + server.malloc_held_bytes;
    ret->active = ret->used + (held > in_use ? held - in_use : 0);
    ret->resident = ret->rss != 0 && ret->rss < ret->active ? ret->rss : ret->active;
}

void
server_new_run_id(void)
{
    make_run_id(server.run_id);
}

/* Of the last samples, so many per second. */
struct rate {
    uint64_t per_s[SAMPLES], last;
    unsigned at;
};
static struct rates {
    struct rate ops, in, out, turns, turn_us;
} rates;

void
server_reset_stats(void)
{
    latency_reset_commands();
    evict_figures.keys = evict_figures.exceeded_us = 0;
    server.stat_commands = server.stat_connections = server.stat_rejected_connections =
        server.stat_evicted_clients = 0;
    server.stat_expired_keys = server.stat_hits = server.stat_misses = 0;
    server.stat_net_in_bytes = server.stat_net_out_bytes = server.stat_reads = server.stat_writes =
        0;
    server.stat_auth_failures = 0;
    server.turns = server.turn_max_us = server.turn_sum_us = server.turn_max_commands = 0;
    server.cron_sum_us = server.expire_sum_us = 0;
    server.ops_per_s = server.in_bytes_per_s = server.out_bytes_per_s = 0;
    server.turns_per_s = server.turn_us_per_s = 0;
    rates = (struct rates){.ops = {.last = 0}};
    db_reset_freed_values();
    persist_reset_stats();
    errorstats_reset();
    defrag_reset_figures();
    cmd_table_reset_stats();
}

/* ---- figures per second ---- */

static uint64_t
sample(struct rate *r, uint64_t now, uint64_t ms)
{
    uint64_t sum = 0;

    r->per_s[r->at++ % SAMPLES] = now >= r->last && ms > 0 ? (now - r->last) * 1000 / ms : 0;
    r->last = now;
    for (int i = 0; i < SAMPLES; i++)
        sum += r->per_s[i];
    return sum / SAMPLES;
}

static void
take_samples(void)
{
    static int64_t last_ms;
    uint64_t ms = (uint64_t)(server.now_ms - last_ms);

    if (server.now_ms - last_ms < SAMPLE_MS && server.now_ms >= last_ms)
        return;
    last_ms = server.now_ms;
    server.ops_per_s = sample(&rates.ops, server.stat_commands, ms);
    server.in_bytes_per_s = sample(&rates.in, server.stat_net_in_bytes, ms);
    server.out_bytes_per_s = sample(&rates.out, server.stat_net_out_bytes, ms);
    server.turns_per_s = sample(&rates.turns, server.turns, ms);
    server.turn_us_per_s = sample(&rates.turn_us, server.turn_sum_us, ms);
}

/* ---- clients that do nothing, and those that do not read ---- */

static bool
is_idle_too_long(const struct client *c)
{
    return config.timeout_s > 0 && c->block == NULL && !client_is_subscriber(c) && !c->is_monitor &&
           server.now_ms - c->last_active_ms > config.timeout_s * 1000;
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
static void
check_clients(void)
{
    static uint64_t checked_id;
    unsigned left = client_count() / (unsigned)config.hz + CLIENTS_PER_CRON;
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

static void
watch_memory(void)
{
    static int64_t last_ms;

    if (config.maxmemory != 0)
        sample_malloc();
    if (server.now_ms - last_ms < 1000 && server.now_ms >= last_ms)
        return; /* mallinfo2() walks the allocator's lists */
    last_ms = server.now_ms;
    if (server_used_memory() > server.peak_memory)
        server.peak_memory = server_used_memory();
}

void
server_cron(void)
{
    take_samples();
    watch_memory();
    check_clients();
    net_retry_accept();
    ticks_refresh();
    defrag_cron();
}
