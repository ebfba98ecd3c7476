/* tool/memory/rules.h - what Redis asks its allocator for, and what that takes for it.
 *
 * jemalloc gives blocks of certain sizes: up to four times its quantum multiples of that, then
 * four sizes for each doubling.  The jemalloc that Redis brings along has a quantum of 8 bytes, the
 * one of Linux distributions, which some of them link it with, 16.
 * Threads: [any]. */
#ifndef TOOL_MEMORY_RULES_H
#define TOOL_MEMORY_RULES_H

#include <stdbool.h>
#include <stdint.h>

struct memory_rules {
    uint64_t quantum; /* 8 or 16 */
    /* Redis 7.0: a small set is a table and each list a quicklist; later ones keep listpacks */
    bool is_7_0;
};

/* What Redis allocates, in bytes, on 64 bits. */
enum {
    MEMORY_OBJECT = 16,
    MEMORY_ENTRY = 24,       /* of a table: key, value, next */
    MEMORY_ENTRY_ALONE = 16, /* without a value: of sets from 7.2 on */
    MEMORY_TABLE = 56,       /* but for its slots */
    MEMORY_SLOT = 8,         /* of a table */
    MEMORY_SLOTS_LEAST = 4,  /* a table grows to the next power of two */
    MEMORY_LIST = 40,        /* a quicklist, and a node of it */
    MEMORY_LIST_NODE = 40,
    MEMORY_LIST_NODE_MOST = 8192, /* bytes of a node that elements are added to */
    MEMORY_ZSET = 16,
    MEMORY_SKIPLIST = 32,
    MEMORY_SKIPLIST_NODE = 24, /* but for its levels */
    MEMORY_SKIPLIST_LEVEL = 16,
    MEMORY_SKIPLIST_LEVELS = 32, /* of its head */
    MEMORY_STREAM = 80,
    MEMORY_STREAM_GROUP = 40,
    MEMORY_STREAM_PENDING = 24,
    MEMORY_RADIX_TREE = 24,
    MEMORY_EMBSTR_HEAD = MEMORY_OBJECT + 3 /* and a NUL at the end */
};

/* memory_block: what the allocator takes for so many bytes. */
static inline uint64_t
memory_block(const struct memory_rules *rules, uint64_t bytes)
{
    uint64_t step = rules->quantum;

    if (bytes <= 8)
        return 8;
    if (bytes > 4 * step) /* a quarter of the power of two below */
        step = (UINT64_C(1) << (63 - __builtin_clzll(bytes - 1))) / 4;
    if (step < rules->quantum)
        step = rules->quantum;
    return (bytes + step - 1) / step * step;
}

/* memory_text: a string that stands alone: a header by its length, its bytes, a NUL. */
static inline uint64_t
memory_text(const struct memory_rules *rules, uint64_t len)
{
    uint64_t head = len == 0                  ? 3
                    : len < 32                ? 1
                    : len < 256               ? 3
                    : len < 65536             ? 5
                    : len < UINT64_C(1) << 32 ? 9
                                              : 17;

    return memory_block(rules, head + len + 1);
}

/* memory_slots: of a table of so many entries. */
static inline uint64_t
memory_slots(uint64_t entries)
{
    return entries <= MEMORY_SLOTS_LEAST ? MEMORY_SLOTS_LEAST
                                         : UINT64_C(1) << (64 - __builtin_clzll(entries - 1));
}

/* memory_entry: of a table. */
static inline uint64_t
memory_entry(const struct memory_rules *rules)
{
    return memory_block(rules, MEMORY_ENTRY);
}

#endif
