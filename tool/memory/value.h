/* tool/memory/value.h - the bytes that a key needs in Redis when it has loaded it.
 *
 * The decoder's events of a value are added up as they come, by the one pass that also measures
 * its facts; these say which encoding it will have, and with that what it all takes.
 * Threads: one. */
#ifndef TOOL_MEMORY_VALUE_H
#define TOOL_MEMORY_VALUE_H

#include "tool/keys/measure.h"
#include "tool/keys/walk.h"
#include "tool/memory/radix.h"

/* What is known when all of a key's value was read. */
struct memory_key {
    const struct key_facts *facts;
    const char *encoding;
    uint64_t memory;
};

/* A command's ctx begins with this (and so with a struct walk). */
struct memory_value {
    struct walk walk; /* first */
    struct memory_rules rules;
    int (*tell)(void *ctx, const struct memory_key *key); /* of each selected key */
    uint64_t level_sizes; /* of a node of a skiplist, in the mean, times 1024 */

    /* of the key in hand */
    struct rdb_key key;
    struct measure measure;
    struct slice packed; /* its one listpack or intset */
    bool is_intset;
    uint64_t text_bytes;             /* of elements that stand alone: as blocks of their own ... */
    uint64_t packed_bytes;           /* ... or one after the other in a listpack */
    unsigned integer_bytes;          /* ... or in an intset: its widest integer's */
    uint64_t node_bytes, open_bytes; /* of a list: its nodes, and the one to add to, if there is */
    uint64_t open_elements;
    uint64_t stream_bytes;
    struct memory_radix nodes, pending;
    bool has_group, has_consumer;
};

void memory_value_init(struct memory_value *v, const struct tool_options *o,
                       int (*tell_key)(void *ctx, const struct memory_key *key));
/* memory_value_events: for walk_file(); what a command wants beside (aux ...) it adds. */
struct rdb_events memory_value_events(void);

/* memory_tables: the slots of the tables of a database's keys, and of those that expire. */
uint64_t memory_tables(const struct memory_rules *rules, uint64_t keys, uint64_t expiring);

#endif
