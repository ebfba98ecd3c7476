/* server/data/draw.c - xorshift64* (Marsaglia, Vigna). */
#include "server/data/draw.h"

#include "server/data/keyhash.h"

uint64_t
draw(void)
{
    static uint64_t state;

    if (state == 0)
        state = keyhash_seed | 1;
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1dULL;
}
