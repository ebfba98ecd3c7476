/* server/data/draw.h - random numbers for drawing keys, fields and members, where nothing depends on nobody
 * foreseeing them.  Threads: mutator. */
#ifndef SERVER_DRAW_H
#define SERVER_DRAW_H

#include <stdint.h>

/* draw: 64 random bits.  draw_below: 0 .. n - 1, n > 0. */
uint64_t draw(void);

static inline uint64_t
draw_below(uint64_t n)
{
    return (uint64_t)((unsigned __int128)draw() * n >> 64);
}

#endif
