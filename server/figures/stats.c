/* server/figures/stats.c - counters, and figures per second made of them. */
#include "server/figures/stats.h"

#include "mm/base/clock.h"

enum {
    SAMPLE_MS = 100,
    SAMPLES = 16 /* figures per second are means over this many */
};

struct stats stats;

/* Of the last samples, so many per second. */
struct rate {
    uint64_t per_s[SAMPLES], last;
    unsigned at;
};
static struct rates {
    struct rate ops, in, out, turns, turn_us;
} rates;

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

void
stats_sample(void)
{
    static int64_t last_ms;
    uint64_t ms = (uint64_t)(clock_now.ms - last_ms);

    if (clock_now.ms - last_ms < SAMPLE_MS && clock_now.ms >= last_ms)
        return;
    last_ms = clock_now.ms;
    stats.ops_per_s = sample(&rates.ops, stats.commands, ms);
    stats.in_bytes_per_s = sample(&rates.in, stats.net_in_bytes, ms);
    stats.out_bytes_per_s = sample(&rates.out, stats.net_out_bytes, ms);
    stats.turns_per_s = sample(&rates.turns, stats.turns, ms);
    stats.turn_us_per_s = sample(&rates.turn_us, stats.turn_sum_us, ms);
}

void
stats_reset(void)
{
    stats = (struct stats){.error_replies = stats.error_replies};
    rates = (struct rates){.ops = {.last = 0}};
}
