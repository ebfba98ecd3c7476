/* server/data/draw.c - xorshift64* (Marsaglia, Vigna), and what was drawn before. */
#include "server/data/draw.h"

#include <stdlib.h>

#include "server/data/keyhash.h"

static uint64_t state;

void
draw_seed(uint64_t seed)
{
    state = seed;
}

uint64_t
draw(void)
{
    if (state == 0)
        state = keyhash_seed | 1;
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1dULL;
}

bool
draw_set_init(struct draw_set *d, uint64_t count)
{
    uint64_t slots = 2;

    while (slots < 2 * count)
        slots *= 2;
    d->mask = slots - 1;
    return (d->slot = calloc(slots, sizeof *d->slot)) != NULL;
}

bool
draw_set_add(struct draw_set *d, const void *address)
{
    uint64_t id = (uint64_t)(uintptr_t)address, i = id * 0x9e3779b97f4a7c15ULL >> 20 & d->mask;

    for (; d->slot[i] != 0; i = (i + 1) & d->mask)
        if (d->slot[i] == id)
            return false;
    d->slot[i] = id;
    return true;
}

void
draw_set_fini(struct draw_set *d)
{
    free(d->slot);
}
