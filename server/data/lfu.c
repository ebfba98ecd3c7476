/* server/data/lfu.c - seconds, minutes and the logarithmic counter. */
#include "server/data/lfu.h"

#include "server/config.h"
#include "server/server.h"

enum { MINUTE_S = 60, MINUTE_MASK = 0xffff };

static uint32_t
minute_now(void)
{
    return (uint32_t)(server.now_ms / 1000 / MINUTE_S) & MINUTE_MASK;
}

/* minutes_of: since the last access, as the second form has it. */
static uint32_t
minutes_of(uint32_t clock)
{
    return (minute_now() - (clock >> 8)) & MINUTE_MASK;
}

uint32_t
lfu_born(uint8_t counter)
{
    return LFU_COUNTS | minute_now() << 8 | counter;
}

uint8_t
lfu_counter(uint32_t clock)
{
    bool counts = (clock & LFU_COUNTS) != 0;
    uint32_t minutes = counts ? minutes_of(clock) : lfu_idle_s(clock) / MINUTE_S;
    uint32_t counter = counts ? clock & 255 : LFU_NEW;
    uint64_t lost = config.lfu_decay_time > 0 ? minutes / (uint64_t)config.lfu_decay_time : 0;

    return (uint8_t)(lost > counter ? 0 : counter - lost);
}

uint32_t
lfu_idle_s(uint32_t clock)
{
    uint32_t minutes;

    if ((clock & LFU_COUNTS) == 0)
        return (server.clock_s - clock) & LFU_FIELD_MASK;
    minutes = minutes_of(clock);
    return minutes == 0 ? 0 : (minutes - 1) * MINUTE_S + (uint32_t)(server.now_ms / 1000 % MINUTE_S);
}

uint32_t
lfu_idle_since(int64_t idle_s)
{
    return (server.clock_s - (uint32_t)(idle_s < LFU_FIELD_MASK ? idle_s : LFU_FIELD_MASK)) & LFU_FIELD_MASK;
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
    if (counter < 255 && (uint64_t)random32() * (above * (uint64_t)config.lfu_log_factor + 1) < 1ULL << 32)
        counter++;
    return lfu_born(counter);
}
