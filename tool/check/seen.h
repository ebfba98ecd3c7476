/* tool/check/seen.h - "which of these came twice?", for any number of 64-bit hashes, in memory that
 * does not grow with it.
 *
 *     add --> held --full--> 512 parts, by the highest bits --full--> blocks: 4 MiB of memory,
 *                                                                     then a temporary file
 *     end:  part by part (or held alone): into a table; who finds his like there is a suspect
 *
 * Two different things may have the same hash, so a suspect is only that: who wants to be sure
 * looks at all things again, and compares those whose hash is a suspect.
 * Threads: one. */
#ifndef TOOL_CHECK_SEEN_H
#define TOOL_CHECK_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/base/must.h"

enum {
    SEEN_HELD = 4096,         /* hashes: 32 KiB */
    SEEN_PART_BITS = 9,       /* of a hash, the highest */
    SEEN_BLOCK = 1024,        /* hashes: 8 KiB */
    SEEN_MEMORY_BLOCKS = 512, /* 4 MiB; the others are in the file */
    SEEN_TABLE = 1 << 21,     /* the most slots of a table: 16 MiB; half of them are used */
    SEEN_SUSPECTS = 1 << 16   /* no more are remembered */
};

/* A set of hashes, open addressing; 0 is a free slot. */
struct seen_set {
    uint64_t *slot; /* [owned] NULL: nothing was added */
    size_t slots, used;
};

struct seen {
    uint64_t *held; /* [owned] */
    size_t fill;
    uint64_t *parts;      /* [owned] a block each; NULL: all are held */
    uint32_t *part_fill;  /* [owned] */
    uint16_t *block_part; /* [owned] of each block: whose it is */
    size_t blocks, block_room;
    uint64_t **memory; /* [owned] the first SEEN_MEMORY_BLOCKS blocks */
    int fd;            /* -1: there is no file */
    uint64_t *table;   /* [owned] */
    size_t table_slots;
};

void seen_init(struct seen *s);
void seen_fini(struct seen *s);
/* seen_end: what came twice is added to the suspects; everything is forgotten.  0 or -errno. */
int seen_end(struct seen *s, struct seen_set *suspects);

/* seen_set_add: true: it was there, or there was no memory.  seen_set_has. */
bool seen_set_add(struct seen_set *set, uint64_t hash);
bool seen_set_has(const struct seen_set *set, uint64_t hash);
void seen_set_fini(struct seen_set *set);

/* For seen_add(): to the parts. */
int seen_add_to_parts(struct seen *s, uint64_t hash);
int seen_part_is_full(struct seen *s, size_t part);

/* seen_add: 0 or -errno. */
static inline int
seen_add(struct seen *s, uint64_t hash)
{
    size_t part;

    hash |= hash == 0; /* 0: a free slot of a table */
    if (s->parts == NULL) {
        if (unlikely(s->held == NULL || s->fill == SEEN_HELD))
            return seen_add_to_parts(s, hash);
        s->held[s->fill++] = hash;
        return 0;
    }
    part = (size_t)(hash >> (64 - SEEN_PART_BITS));
    s->parts[part * SEEN_BLOCK + s->part_fill[part]++] = hash;
    return unlikely(s->part_fill[part] == SEEN_BLOCK) ? seen_part_is_full(s, part) : 0;
}

#endif
