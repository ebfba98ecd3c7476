/* server/commands/server/latency.c - LATENCY: events that took long, and how long each command
 * takes. */
#include "server/commands/server/latency.h"

#include <stdlib.h>
#include <string.h>

#include "mm/base/clock.h"
#include "mm/base/histogram.h"
#include "mm/base/text.h"
#include "server/config/config.h"
#include "server/exec/cmd.h"
#include "server/exec/handlers.h"
#include "server/figures/latency.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/server/server.def"

enum { GRAPH_COLUMNS = 80, GRAPH_ROWS = 4 };

/* ---- commands' durations ---- */

static void
add_percentiles(void *ctx, struct cmd *cmd)
{
    const char *p = config.latency_percentiles.at;
    struct text *out = ctx;
    char *end;

    if (cmd->histogram == NULL || *p == '\0')
        return;
    text_addf(out, "latency_percentiles_usec_%s:", cmd->full_name);
    for (bool first = true; *p != '\0'; first = false, p = end) {
        double percent = strtod(p, &end);
        if (end == p)
            break;
        text_addf(out, "%sp%g=%.3f", first ? "" : ",", percent,
                  (double)histogram_percentile(cmd->histogram, percent) / 1000);
    }
    text_add(out, "\r\n");
}

void
latency_info(struct text *out)
{
    if (config.latency_tracking)
        cmd_each(add_percentiles, out);
}

/* ---- LATENCY HISTOGRAM ---- */

static void
reply_histogram(struct client *c, const struct cmd *cmd)
{
    enum { FIRST = 10, LAST = 36 }; /* powers of two, in ns: 1 us and up */
    uint64_t before = 0, buckets = 0;

    reply_bulk_text(c, cmd->full_name);
    reply_map(c, 2);
    reply_bulk_text(c, "calls");
    reply_int(c, (int64_t)cmd->histogram->total);
    reply_bulk_text(c, "histogram_usec");
    for (unsigned e = FIRST; e <= LAST; e++) {
        uint64_t n = histogram_below(cmd->histogram, e);
        buckets += n > before;
        before = n;
    }
    reply_map(c, buckets);
    before = 0;
    for (unsigned e = FIRST; e <= LAST; e++) {
        uint64_t n = histogram_below(cmd->histogram, e), edge = 1ULL << e;
        if (n > before) {
            reply_int(c, (int64_t)((edge + edge / 128 - 1) /
                                   1000)); /* as a histogram of two digits has its edges */
            reply_int(c, (int64_t)n);
        }
        before = n;
    }
}

struct histograms {
    struct client *client;
    size_t count;
};

static void
count_or_reply(void *ctx, struct cmd *cmd)
{
    struct histograms *h = ctx;

    if (cmd->histogram == NULL)
        return;
    h->count++;
    if (h->client != NULL)
        reply_histogram(h->client, cmd);
}

/* Of one name: the command's own, or those of all its subcommands. */
static void
each_of_name(struct slice name, void *ctx)
{
    struct cmd *cmd = cmd_find_full(name);

    if (cmd == NULL)
        return;
    count_or_reply(ctx, cmd);
    for (int k = 0; k < cmd->sub_count; k++)
        count_or_reply(ctx, &cmd->subs[k]);
}

/* LATENCY HISTOGRAM [command ...] -> a map of maps. */
void
cmd_latency_histogram(struct client *c)
{
    struct histograms h = {.client = NULL};

    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1) {
            reply_map(c, h.count);
            h.client = c;
        }
        if (c->argc == 2)
            cmd_each(count_or_reply, &h);
        for (int i = 2; i < c->argc; i++)
            each_of_name(c->argv[i], &h);
    }
}

/* ---- LATENCY LATEST, HISTORY, RESET ---- */

/* LATENCY LATEST -> name, time, last and longest duration of each event. */
void
cmd_latency_latest(struct client *c)
{
    const struct latency_event *e;

    reply_array(c, latency_count());
    for (unsigned i = 0; (e = latency_at(i)) != NULL; i++) {
        const struct latency_sample *last = latency_sample_at(e, e->count - 1);
        reply_array(c, 4);
        reply_bulk_text(c, e->name);
        reply_int(c, last->time_s);
        reply_int(c, (int64_t)last->ms);
        reply_int(c, (int64_t)e->max_ms);
    }
}

/* LATENCY HISTORY event -> time and duration of each sample. */
void
cmd_latency_history(struct client *c)
{
    const struct latency_event *e = latency_find(c->argv[2]);

    reply_array(c, e != NULL ? e->count : 0);
    for (unsigned i = 0; e != NULL && i < e->count; i++) {
        reply_array(c, 2);
        reply_int(c, latency_sample_at(e, i)->time_s);
        reply_int(c, (int64_t)latency_sample_at(e, i)->ms);
    }
}

/* LATENCY RESET [event ...] -> how many were forgotten. */
void
cmd_latency_reset(struct client *c)
{
    int64_t dropped = 0;

    if (c->argc == 2) {
        dropped = latency_count();
        latency_forget_all();
    }
    for (int i = 2; i < c->argc; i++)
        dropped += latency_forget(c->argv[i]);
    reply_int(c, dropped);
}

/* ---- LATENCY GRAPH, DOCTOR ---- */

static void
age(struct text *t, int64_t seconds)
{
    if (seconds < 60)
        text_addf(t, "%llds", (long long)seconds);
    else if (seconds < 3600)
        text_addf(t, "%lldm", (long long)seconds / 60);
    else if (seconds < 86400)
        text_addf(t, "%lldh", (long long)seconds / 3600);
    else
        text_addf(t, "%lldd", (long long)seconds / 86400);
}

/* Columns of different height, the newest on the right, with each one's age below. */
static void
draw(struct text *t, const struct latency_event *e)
{
    static const char shade[] = "_o#";
    unsigned n = e->count < GRAPH_COLUMNS ? e->count : GRAPH_COLUMNS, first = e->count - n;
    uint64_t min = UINT64_MAX, max = 0;

    for (unsigned i = 0; i < n; i++) {
        uint64_t ms = latency_sample_at(e, first + i)->ms;
        min = ms < min ? ms : min;
        max = ms > max ? ms : max;
    }
    text_addf(t, "%s - high %llu ms, low %llu ms (all time high %llu ms)\n", e->name,
              (unsigned long long)max, (unsigned long long)min, (unsigned long long)e->max_ms);
    for (int i = 0; i < GRAPH_COLUMNS; i++)
        text_add(t, "-");
    text_add(t, "\n");
    for (int row = GRAPH_ROWS - 1; row >= 0; row--) {
        for (unsigned i = 0; i < n; i++) {
            uint64_t level = (latency_sample_at(e, first + i)->ms - min) * (GRAPH_ROWS * 3 - 1) /
                             (max > min ? max - min : 1);
            int64_t here = (int64_t)level - row * 3;
            text_add_bytes(t, here < 0 ? " " : here > 2 ? "|" : &shade[here], 1);
        }
        text_add(t, "\n");
    }
    text_add(t, "\n");
    age(t, clock_now.ms / 1000 - latency_sample_at(e, first)->time_s);
    text_add(t, " ago ... ");
    age(t, clock_now.ms / 1000 - latency_sample_at(e, e->count - 1)->time_s);
    text_add(t, " ago\n");
}

/* LATENCY GRAPH event -> a drawing. */
void
cmd_latency_graph(struct client *c)
{
    const struct latency_event *e = latency_find(c->argv[2]);
    struct text t = {0};

    if (e == NULL) {
        reply_errorf(c, "ERR No samples available for event '%.*s'", slice_shown(c->argv[2]),
                     c->argv[2].ptr);
        return;
    }
    draw(&t, e);
    reply_verbatim(c, "txt", text_str(&t), t.len);
    text_free(&t);
}

/* What can be done about an event. */
static const char *
advice(const char *name)
{
    static const char *const rows[][2] = {
        {"command",
         "Slow commands: look at SLOWLOG GET, and at the sizes of the keys that they work on."},
        {"fast-command",
         "Commands that should be fast were not: the machine was busy, or memory was swapped out."},
        {"expire-cycle",
         "Many keys expired together: spread their times, or lower active-expire-effort."},
        {"eviction-cycle",
         "Memory is at maxmemory: raise it, or lower maxmemory-eviction-tenacity."},
        {"snapshot-end",
         "Memory of a snapshot came back in slices that are too long: the machine was busy."},
        {"snapshot-throttle",
         "Writers waited for a snapshot's memory: raise snapshot-memory-limit, or save at quiet times."},
        {"snapshot-cut",
         "The start of a snapshot took long: it should be microseconds; the machine was busy."},
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i][0], name) == 0)
            return rows[i][1];
    return "See docs/operations.md.";
}

/* LATENCY DOCTOR -> what was seen, and what can be done. */
void
cmd_latency_doctor(struct client *c)
{
    const struct latency_event *e;
    struct text t = {0};

    if (config.latency_monitor_threshold == 0)
        text_add(
            &t,
            "Latency is not monitored: CONFIG SET latency-monitor-threshold <milliseconds> begins that.\n");
    else if (latency_count() == 0)
        text_add(&t, "No event took longer than latency-monitor-threshold.\n");
    for (unsigned i = 0; (e = latency_at(i)) != NULL; i++) {
        uint64_t sum = 0;
        for (unsigned k = 0; k < e->count; k++)
            sum += latency_sample_at(e, k)->ms;
        text_addf(&t, "%u. %s: %u times, %.2f ms on average, %llu ms at worst.\n   %s\n", i + 1,
                  e->name, e->count, (double)sum / e->count, (unsigned long long)e->max_ms,
                  advice(e->name));
    }
    reply_verbatim(c, "txt", text_str(&t), t.len);
    text_free(&t);
}
