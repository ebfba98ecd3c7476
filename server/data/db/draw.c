/* server/data/db/draw.c - xorshift64* (Marsaglia, Vigna), and what was drawn before. */
#include "server/data/db/draw.h"

#include <stdlib.h>

#include "mm/base/keyhash.h"

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

/* place_of: where the address stands, or would. */
static uint64_t *
place_of(const struct draw_set *d, const void *address)
{
    uint64_t id = (uint64_t)(uintptr_t)address, i = id * 0x9e3779b97f4a7c15ULL >> 20 & d->mask;

    while (d->slot[i] != 0 && d->slot[i] != id)
        i = (i + 1) & d->mask;
    return &d->slot[i];
}

bool
draw_set_add(struct draw_set *d, const void *address)
{
    uint64_t *place = place_of(d, address);
    bool fresh = *place == 0;

    *place = (uint64_t)(uintptr_t)address;
    return fresh;
}

bool
draw_set_has(const struct draw_set *d, const void *address)
{
    return *place_of(d, address) != 0;
}

void
draw_set_fini(struct draw_set *d)
{
    free(d->slot);
}
