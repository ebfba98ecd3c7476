/* server/data/db/lfu.c - seconds, minutes and the logarithmic counter. */
#include "server/data/db/lfu.h"

#include <stdbool.h>

#include "mm/base/clock.h"
#include "mm/base/must.h"

enum { MINUTE_S = 60, MINUTE_MASK = 0xffff, AHEAD_S = 2 * MINUTE_S };

struct lfu_rates lfu_rates = {.log_factor = 10, .decay_minutes = 1};

static uint32_t
minute_of(int64_t now_s)
{
    return (uint32_t)(now_s / MINUTE_S) & MINUTE_MASK;
}

/* distance: from then to now, both modulo mask + 1. */
static uint32_t
distance(uint32_t now, uint32_t then, uint32_t mask, uint32_t ahead)
{
    uint32_t d = (now - then) & mask;

    return d > mask - ahead ? 0 : d;
}

/* minutes_since: the last access, of a clock that has its minute; ahead_s: so far ahead it may
 * be. */
static uint32_t
minutes_since(uint32_t clock, int64_t now_s, uint32_t ahead_s)
{
    return distance(minute_of(now_s), clock >> 8 & MINUTE_MASK, MINUTE_MASK, ahead_s / MINUTE_S);
}

/* idle: see lfu_idle_at(). */
static uint32_t
idle(uint32_t clock, int64_t now_s, uint32_t ahead_s)
{
    uint32_t minutes;

    if ((clock & LFU_COUNTS) == 0)
        return distance((uint32_t)now_s & LFU_FIELD_MASK, clock & LFU_FIELD_MASK, LFU_FIELD_MASK,
                        ahead_s);
    minutes = minutes_since(clock, now_s, ahead_s);
    return minutes == 0 ? 0 : (minutes - 1) * MINUTE_S + (uint32_t)(now_s % MINUTE_S);
}

static uint8_t
counter_at(uint32_t clock, int64_t now_s, int64_t decay_minutes, uint32_t ahead_s)
{
    bool counts = (clock & LFU_COUNTS) != 0;
    uint32_t minutes =
        counts ? minutes_since(clock, now_s, ahead_s) : idle(clock, now_s, ahead_s) / MINUTE_S;
    uint32_t counter = counts ? clock & 255 : LFU_NEW;
    uint64_t lost = decay_minutes > 0 ? minutes / (uint64_t)decay_minutes : 0;

    return (uint8_t)(lost > counter ? 0 : counter - lost);
}

uint32_t
lfu_born(uint8_t counter)
{
    return LFU_COUNTS | minute_of(clock_now.ms / 1000) << 8 | counter;
}

uint8_t
lfu_counter(uint32_t clock)
{
    return counter_at(clock, clock_now.ms / 1000, lfu_rates.decay_minutes, 0);
}

uint32_t
lfu_idle_s(uint32_t clock)
{
    return idle(clock, clock_now.ms / 1000, 0);
}

uint8_t
lfu_counter_at(uint32_t clock, int64_t now_s, int64_t decay_minutes)
{
    return counter_at(clock, now_s, decay_minutes, AHEAD_S);
}

uint32_t
lfu_idle_at(uint32_t clock, int64_t now_s)
{
    return idle(clock, now_s, AHEAD_S);
}

uint32_t
lfu_idle_since(int64_t idle_s)
{
    debug_check(idle_s >= 0);
    return (clock_now.s - (uint32_t)(idle_s < LFU_FIELD_MASK ? idle_s : LFU_FIELD_MASK)) &
           LFU_FIELD_MASK;
}

/* xorshift: where nothing depends on its quality. */
static uint32_t
random32(void)
{
    static uint32_t x = 2463534242u;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return x;
}

uint32_t
lfu_touched(uint32_t clock)
{
    uint8_t counter = lfu_counter(clock);
    uint64_t above = counter > LFU_NEW ? counter - LFU_NEW : 0;

    /* One access in above * factor + 1 counts. */
    if (counter < 255 && (uint64_t)random32() * (above * lfu_rates.log_factor + 1) < 1ULL << 32)
        counter++;
    return lfu_born(counter);
}
