/* tool/check/seen.c - duplicates among any number of hashes.  The contract is in seen.h. */
#include "tool/check/seen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/base/spill.h"

enum { PARTS = 1 << SEEN_PART_BITS, BLOCK_BYTES = SEEN_BLOCK * sizeof(uint64_t) };

/* ---- sets ---- */

/* place: the hash's slot, or the free one where it belongs.  Ends: half of all are free. */
static inline uint64_t *
place(uint64_t *slot, size_t slots, uint64_t hash)
{
    size_t at = (size_t)(hash & (slots - 1));

    while (slot[at] != 0 && slot[at] != hash)
        at = (at + 1) & (slots - 1);
    return &slot[at];
}

static bool
grow(struct seen_set *set)
{
    size_t slots = set->slots == 0 ? 64 : 2 * set->slots;
    uint64_t *slot = calloc(slots, sizeof *slot);

    if (slot == NULL)
        return false;
    for (size_t i = 0; i < set->slots; i++)
        if (set->slot[i] != 0)
            *place(slot, slots, set->slot[i]) = set->slot[i];
    free(set->slot);
    set->slot = slot;
    set->slots = slots;
    return true;
}

bool
seen_set_add(struct seen_set *set, uint64_t hash)
{
    uint64_t *at;

    hash |= hash == 0;
    if (2 * (set->used + 1) > set->slots && !grow(set))
        return true;
    at = place(set->slot, set->slots, hash);
    if (*at != 0)
        return true;
    *at = hash;
    set->used++;
    return false;
}

bool
seen_set_has(const struct seen_set *set, uint64_t hash)
{
    hash |= hash == 0;
    return set->used > 0 && *place(set->slot, set->slots, hash) != 0;
}

void
seen_set_fini(struct seen_set *set)
{
    free(set->slot);
    *set = (struct seen_set){.slots = 0};
}

/* ---- collecting ---- */

void
seen_init(struct seen *s)
{
    *s = (struct seen){.fd = -1};
}

/* forget: everything but what the next few need. */
static void
forget(struct seen *s)
{
    for (size_t i = 0; s->memory != NULL && i < s->blocks && i < SEEN_MEMORY_BLOCKS; i++)
        free(s->memory[i]);
    free(s->memory);
    free(s->parts);
    free(s->part_fill);
    free(s->block_part);
    if (s->fd >= 0)
        (void)close(s->fd); /* without a name: it is gone */
    s->parts = NULL;
    s->part_fill = NULL;
    s->block_part = NULL;
    s->memory = NULL;
    s->fill = s->blocks = s->block_room = 0;
    s->fd = -1;
}

void
seen_fini(struct seen *s)
{
    forget(s);
    free(s->held);
    free(s->table);
    s->held = s->table = NULL;
    s->table_slots = 0;
}

/* keep: a full block, in memory or in the file. */
static int
keep(struct seen *s, const uint64_t *block)
{
    if (s->blocks < SEEN_MEMORY_BLOCKS) {
        if ((s->memory[s->blocks] = malloc(BLOCK_BYTES)) == NULL)
            return -ENOMEM;
        memcpy(s->memory[s->blocks], block, BLOCK_BYTES);
        return 0;
    }
    if (s->fd < 0 && (s->fd = tool_spill_open()) < 0)
        return s->fd;
    return tool_spill_write(s->fd, block, BLOCK_BYTES,
                            (uint64_t)(s->blocks - SEEN_MEMORY_BLOCKS) * BLOCK_BYTES);
}

int
seen_part_is_full(struct seen *s, size_t part)
{
    int r;

    if (s->blocks == s->block_room) {
        size_t room = s->block_room == 0 ? 4096 : 2 * s->block_room;
        uint16_t *grown = realloc(s->block_part, room * sizeof *grown);

        if (grown == NULL)
            return -ENOMEM;
        s->block_part = grown;
        s->block_room = room;
    }
    if ((r = keep(s, s->parts + part * SEEN_BLOCK)) < 0)
        return r;
    s->block_part[s->blocks++] = (uint16_t)part;
    s->part_fill[part] = 0;
    return 0;
}

int
seen_add_to_parts(struct seen *s, uint64_t hash)
{
    int r = 0;

    if (s->held == NULL) {
        if ((s->held = malloc(SEEN_HELD * sizeof *s->held)) == NULL)
            return -ENOMEM;
        s->held[s->fill++] = hash;
        return 0;
    }
    s->parts = malloc((size_t)PARTS * BLOCK_BYTES);
    s->part_fill = calloc(PARTS, sizeof *s->part_fill);
    s->memory = calloc(SEEN_MEMORY_BLOCKS, sizeof *s->memory);
    if (s->parts == NULL || s->part_fill == NULL || s->memory == NULL)
        return -ENOMEM;
    for (size_t i = 0; r == 0 && i < s->fill; i++)
        r = seen_add(s, s->held[i]);
    s->fill = 0;
    return r == 0 ? seen_add(s, hash) : r;
}

/* ---- comparing ---- */

static void
suspect(struct seen_set *suspects, uint64_t hash)
{
    if (suspects->used < SEEN_SUSPECTS)
        (void)seen_set_add(suspects, hash);
}

/* clear_table: free slots, twice as many as hashes will come. */
static int
clear_table(struct seen *s, uint64_t count)
{
    size_t slots = 64;

    while (slots < 2 * count && slots < SEEN_TABLE)
        slots *= 2;
    if (slots > s->table_slots) {
        free(s->table);
        s->table_slots = 0;
        if ((s->table = malloc(slots * sizeof *s->table)) == NULL)
            return -ENOMEM;
        s->table_slots = slots;
    }
    memset(s->table, 0, slots * sizeof *s->table);
    return (int)slots;
}

/* What of a part is compared at a time: where it is too much for a table, a share of it by the bits
 * behind those of the part. */
struct round {
    uint64_t shares, share;
    size_t slots;
};

static inline uint64_t
share_of(uint64_t hash, uint64_t shares)
{
    return shares == 1 ? 0 : (hash << SEEN_PART_BITS >> 32) * shares >> 32;
}

static void
compare(struct seen *s, const struct round *round, const uint64_t *hash, size_t count,
        struct seen_set *suspects)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t *at;

        if (share_of(hash[i], round->shares) != round->share)
            continue;
        at = place(s->table, round->slots, hash[i]);
        if (unlikely(*at != 0))
            suspect(suspects, hash[i]);
        *at = hash[i];
    }
}

/* end_held: few: each with each; or by a table. */
static int
end_held(struct seen *s, struct seen_set *suspects)
{
    enum { FEW = 24 };
    struct round round = {.shares = 1};
    int slots;

    if (s->fill > FEW) {
        if ((slots = clear_table(s, s->fill)) < 0)
            return slots;
        round.slots = (size_t)slots;
        compare(s, &round, s->held, s->fill, suspects);
        return 0;
    }
    for (size_t i = 1; i < s->fill; i++)
        for (size_t j = 0; j < i; j++)
            if (unlikely(s->held[i] == s->held[j]))
                suspect(suspects, s->held[i]);
    return 0;
}

/* Which blocks are whose: next[b]: the block of the same part before b, or NONE. */
struct chains {
    uint32_t *next, *last; /* [owned] */
    uint64_t *buffer;      /* [owned] */
};
enum { NONE = UINT32_MAX };

static int
make_chains(const struct seen *s, struct chains *c)
{
    c->next = malloc((s->blocks + 1) * sizeof *c->next);
    c->last = malloc(PARTS * sizeof *c->last);
    c->buffer = malloc(BLOCK_BYTES);
    if (c->next == NULL || c->last == NULL || c->buffer == NULL)
        return -ENOMEM;
    memset(c->last, 0xff, PARTS * sizeof *c->last);
    for (size_t b = 0; b < s->blocks; b++) {
        c->next[b] = c->last[s->block_part[b]];
        c->last[s->block_part[b]] = (uint32_t)b;
    }
    return 0;
}

static void
free_chains(struct chains *c)
{
    free(c->next);
    free(c->last);
    free(c->buffer);
}

/* compare_round: a part's share. */
static int
compare_round(struct seen *s, const struct chains *c, size_t part, const struct round *round,
              struct seen_set *suspects)
{
    compare(s, round, s->parts + part * SEEN_BLOCK, s->part_fill[part], suspects);
    for (uint32_t b = c->last[part]; b != (uint32_t)NONE; b = c->next[b]) {
        const uint64_t *block = c->buffer;
        int r;

        if (b < SEEN_MEMORY_BLOCKS)
            block = s->memory[b];
        else if ((r = tool_spill_read(s->fd, c->buffer, BLOCK_BYTES,
                                      (uint64_t)(b - SEEN_MEMORY_BLOCKS) * BLOCK_BYTES)) < 0)
            return r;
        compare(s, round, block, SEEN_BLOCK, suspects);
    }
    return 0;
}

static int
compare_part(struct seen *s, const struct chains *c, size_t part, struct seen_set *suspects)
{
    enum { MOST = SEEN_TABLE / 2 - SEEN_TABLE / 16 }; /* shares are not quite equal */
    uint64_t count = s->part_fill[part];
    struct round round = {.shares = 1};
    int r = 0;

    for (uint32_t b = c->last[part]; b != (uint32_t)NONE; b = c->next[b])
        count += SEEN_BLOCK;
    round.shares = count / MOST + 1;
    for (; r == 0 && round.share < round.shares; round.share++) {
        int slots = clear_table(s, count / round.shares + 1);

        if (slots < 0)
            return slots;
        round.slots = (size_t)slots;
        r = compare_round(s, c, part, &round, suspects);
    }
    return r;
}

int
seen_end(struct seen *s, struct seen_set *suspects)
{
    struct chains c = {NULL, NULL, NULL};
    int r;

    if (s->parts == NULL) {
        r = end_held(s, suspects);
        s->fill = 0;
        return r;
    }
    r = make_chains(s, &c);
    for (size_t part = 0; r == 0 && part < PARTS; part++)
        r = compare_part(s, &c, part, suspects);
    free_chains(&c);
    forget(s);
    return r;
}
