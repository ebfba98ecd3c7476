/* server/data/lfu.c - the logarithmic counter. */
#include "server/data/lfu.h"

#include "server/config.h"
#include "server/server.h"

static uint32_t
minute_now(void)
{
    return (uint32_t)(server.now_ms / 60000) & 0xffff;
}

uint32_t
lfu_born(uint8_t counter)
{
    return minute_now() << 8 | counter;
}

uint8_t
lfu_counter(uint32_t word)
{
    uint32_t minutes = (minute_now() - (word >> 8)) & 0xffff, counter = word & 255;
    uint64_t lost = config.lfu_decay_time > 0 ? minutes / (uint64_t)config.lfu_decay_time : 0;

    return (uint8_t)(lost > counter ? 0 : counter - lost);
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
lfu_touched(uint32_t word)
{
    uint8_t counter = lfu_counter(word);
    uint64_t above = counter > LFU_NEW ? counter - LFU_NEW : 0;

    /* One access in above * factor + 1 counts. */
    if (counter < 255 && (uint64_t)random32() * (above * (uint64_t)config.lfu_log_factor + 1) < 1ULL << 32)
        counter++;
    return minute_now() << 8 | counter;
}
