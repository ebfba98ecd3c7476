/* server/data/db/ltable.h - linear hash tables (Litwin 1980) of pointers, for the keyspace and for
 * large hashes.
 *
 * A table of n buckets, 2^L <= n < 2^(L+1): an entry lives in bucket h mod 2^(L+1), or, when there
 * is no such bucket yet, in h mod 2^L.  The table grows by splitting one bucket at a time, in
 * order, and shrinks by merging the last one back: no operation ever pays for a doubling.
 *
 *   bucket, one cache line:
 *     tag[7]   bits 56..63 of each entry's hash, compared all at once
 *     meta     number of entries (low 3 bits) | LT_LINK: slot[6] is no entry but a child's address
 *     slot[7]  low 48 bits: the entry's address; high 16 bits: bits 16..31 of its hash
 *
 *   LT1 Only the last bucket of a chain has room; a bucket with a child holds six entries, a child
 *       at least two.
 *   LT2 A chain of n entries has lt_children(n) children: splitting a chain never needs one more.
 *   LT3 A bucket is initialised when the split that makes it runs; segments are not cleared.
 *   LT4 The high bits in a slot answer which half of a split an entry belongs to while 16 <= L <
 *       32; otherwise the entry is hashed again.
 *   LT5 A chain holds at most LT_CHAIN_MAX entries, but where their hashes are all the same.
 *
 * Hashes are spread evenly, but what is removed need not be: who takes away what a scan shows first
 * leaves entries whose hashes agree in ever more bits, and adding buckets would not part them.  A
 * chain that is full (LT5) becomes a *junction* of two: a bucket without entries, which leads to
 * two others by the next bit of the hash.
 *
 *     meta     LT_LINK | LT_JUNCTION;  tag[0]: the number of that bit
 *     slot[0..1]  addresses of the two buckets; each begins a chain, or is a junction of the next
 *                 bit
 *     slot[2..3]  how many entries are below each
 *
 *   LT6 More than LT_SLOTS entries are below a junction: with fewer it becomes a plain bucket
 *       again.
 *   LT7 The junction in a bucket of the table asks for the bit by which that bucket will be split:
 *       splitting it puts its two sides into the two places, merging two buckets joins them by a
 *       junction.
 *
 * Buckets stand in segments of doubling size (1, 1, 2, 4, ... buckets), never moved: segment k > 0
 * begins at bucket 2^(k-1).  The algorithms are in ltable.inc.h, which ktable.c, htable.c, mtable.c
 * and zroot.c include with their own storage.
 * Threads: the table's owner; the layout [any]. */
#ifndef SERVER_DATA_DB_LTABLE_H
#define SERVER_DATA_DB_LTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "mm/base/must.h"

enum {
    LT_SLOTS = 7,
    LT_COUNT_MASK = 7,
    LT_LINK = 0x80,
    LT_JUNCTION = 0x40,
    LT_SEGMENTS = 36,
    LT_HASH_BITS = 64,
    /* Five buckets.  With eight entries a bucket, the most that evenly spread hashes come to just
     * before a bucket is split, one bucket in 10^10 holds more. */
    LT_CHAIN_MAX = 4 * (LT_SLOTS - 1) + LT_SLOTS
};

struct lt_bucket {
    uint8_t tag[LT_SLOTS];
    uint8_t meta;
    uint64_t slot[LT_SLOTS];
};
_Static_assert(sizeof(struct lt_bucket) == 64, "a bucket is one cache line");

/* The table's root, and where an entry was found.  A reference is good until the table changes. */
#define LT_DEFINE(name, constness)                                                                 \
    struct name {                                                                                  \
        uint64_t count;    /* entries */                                                           \
        uint64_t buckets;  /* 0: no table yet */                                                   \
        uint64_t children; /* buckets in no segment */                                             \
        constness struct lt_bucket *segment[LT_SEGMENTS];                                          \
    };                                                                                             \
    struct name##_ref {                                                                            \
        constness struct lt_bucket *bucket; /* NULL: not found */                                  \
        unsigned slot;                                                                             \
    }

static inline unsigned
lt_level(uint64_t buckets)
{
    return 63U - (unsigned)__builtin_clzll(buckets);
}

/* lt_home: the number of the bucket in which a hash lives. */
static inline uint64_t
lt_home(uint64_t hash, uint64_t buckets)
{
    uint64_t half = 1ULL << lt_level(buckets), i = hash & (half * 2 - 1);

    return i < buckets ? i : i - half;
}

/* lt_bits: how many low bits of the hash the entries of this bucket have in common. */
static inline unsigned
lt_bits(uint64_t bucket, uint64_t buckets)
{
    unsigned level = lt_level(buckets);
    uint64_t half = 1ULL << level;

    return level + (bucket >= half || bucket + half < buckets);
}

static inline uint64_t
lt_low_bits(uint64_t hash, unsigned bits)
{
    return bits < LT_HASH_BITS ? hash & ((1ULL << bits) - 1) : hash;
}

static inline unsigned
lt_segment_of(uint64_t bucket)
{
    return bucket == 0 ? 0 : 64U - (unsigned)__builtin_clzll(bucket);
}

static inline uint64_t
lt_segment_buckets(unsigned segment)
{
    return segment == 0 ? 1 : 1ULL << (segment - 1);
}

static inline uint8_t
lt_tag(uint64_t hash)
{
    return (uint8_t)(hash >> 56);
}

static inline uint64_t
lt_pack(const void *entry, uint64_t hash)
{
    return (uint64_t)(uintptr_t)entry | (hash >> 16 & 0xffff) << 48;
}

static inline const void *
lt_entry(uint64_t slot)
{
    return (const void *)(uintptr_t)(slot & 0xffffffffffffULL);
}

/* lt_is_near: do the hash bits that stand in the slot agree? */
static inline bool
lt_is_near(uint64_t slot, uint64_t hash)
{
    return slot >> 48 == (hash >> 16 & 0xffff);
}

static inline unsigned
lt_count(const struct lt_bucket *b)
{
    return b->meta & LT_COUNT_MASK;
}

/* lt_has_child: another bucket follows; of a junction, two. */
static inline bool
lt_has_child(const struct lt_bucket *b)
{
    return (b->meta & LT_LINK) != 0;
}

static inline bool
lt_is_junction(const struct lt_bucket *b)
{
    return (b->meta & LT_JUNCTION) != 0;
}

/* lt_side: one of the two buckets that a junction leads to, and how many entries are below it; of a
 * staged junction: a live address. */
static inline const struct lt_bucket *
lt_side(const struct lt_bucket *junction, unsigned side)
{
    return (const struct lt_bucket *)(uintptr_t)junction->slot[side];
}

static inline uint64_t
lt_below(const struct lt_bucket *junction, unsigned side)
{
    return junction->slot[2 + side];
}

/* lt_side_of: where a junction sends a hash. */
static inline unsigned
lt_side_of(const struct lt_bucket *junction, uint64_t hash)
{
    return (unsigned)(hash >> junction->tag[0] & 1);
}

/* lt_child: of a bucket that has one and is no junction; of a staged bucket: a live address. */
static inline const struct lt_bucket *
lt_child(const struct lt_bucket *b)
{
    return (const struct lt_bucket *)(uintptr_t)b->slot[LT_SLOTS - 1];
}

/* lt_children: how many children a chain of n entries has (LT2). */
static inline uint64_t
lt_children(uint64_t n)
{
    return n <= LT_SLOTS ? 0 : (n - 2) / (LT_SLOTS - 1);
}

/* lt_match: a bit for each entry of b with this tag. */
static inline unsigned
lt_match(const struct lt_bucket *b, uint8_t tag)
{
    unsigned valid = (1U << lt_count(b)) - 1;
#ifdef __SSE2__
    __m128i tags = _mm_loadl_epi64((const __m128i *)(const void *)b->tag);

    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(tags, _mm_set1_epi8((char)tag))) & valid;
#else
    unsigned mask = 0;

    for (unsigned i = 0; i < LT_SLOTS; i++)
        mask |= (unsigned)(b->tag[i] == tag) << i;
    return mask & valid;
#endif
}

/* lt_next_cursor: what comes after these `level` bits in reversed-bit order; 0 after the last.  In
 * that order what was visited stays visited, whatever number of bits the next step looks at. */
static inline uint64_t
lt_next_cursor(uint64_t cursor, unsigned level)
{
    uint64_t bit = level == 0 ? 0 : 1ULL << (level - 1);

    for (; bit != 0; bit >>= 1) {
        cursor ^= bit;
        if ((cursor & bit) != 0)
            return cursor;
    }
    return 0;
}

#endif
