/* server/data/db/draw.h - random numbers for drawing keys, fields and members, where nothing
 * depends on nobody foreseeing them.
 * Threads: mutator. */
#ifndef SERVER_DATA_DB_DRAW_H
#define SERVER_DATA_DB_DRAW_H

#include <stdbool.h>
#include <stdint.h>

/* draw: 64 random bits.  draw_below: 0 .. n - 1, n > 0.
 * draw_seed: what is drawn from now on follows from this number (not 0): tests that need the same
 * draws again. */
uint64_t draw(void);
void draw_seed(uint64_t seed);

static inline uint64_t
draw_below(uint64_t n)
{
    return (uint64_t)((unsigned __int128)draw() * n >> 64);
}

/* draw_choose: selection sampling (Knuth 3.4.2, algorithm S): of what comes next, one of *left of
 * which *need are wanted: is it one of these?  Counts both down. */
static inline bool
draw_choose(uint64_t *left, uint64_t *need)
{
    bool chosen = *need > 0 && (*need == *left || draw_below(*left) < *need);

    --*left;
    *need -= chosen;
    return chosen;
}

/* What was drawn: addresses, by open addressing, at most half full. */
struct draw_set {
    uint64_t *slot, mask; /* slot: 0: free */
};

/* draw_set_init: for so many; false: no memory.
 * draw_set_add: true: it is new.
 * draw_set_has: was it added?
 * draw_tries: after so many draws of `count` that shall differ, of three times as many, draws are
 * uneven: go through what is left. */
bool draw_set_init(struct draw_set *d, uint64_t count);
bool draw_set_add(struct draw_set *d, const void *address);
bool draw_set_has(const struct draw_set *d, const void *address);
static inline uint64_t
draw_tries(uint64_t count)
{
    /* two draws in three are new: that many are short by chance once in 2^60 */
    return 64 + 8 * count;
}
void draw_set_fini(struct draw_set *d);

#endif
