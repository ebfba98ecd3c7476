/* tool/memory/top.h - the keys that have most of something.
 * Threads: one. */
#ifndef TOOL_MEMORY_TOP_H
#define TOOL_MEMORY_TOP_H

#include "tool/memory/value.h"

enum memory_measure {
    MEMORY_BY_MEMORY,
    MEMORY_BY_SIZE, /* of the record in the file */
    MEMORY_BY_ELEMENTS,
    MEMORY_BY_LARGEST, /* element */
    MEMORY_BY_TTL,     /* left; keys without expiry are not ranked */
    MEMORY_BY_IDLE,    /* those that have it */
    MEMORY_BY_FREQ,    /* the same */
    MEMORY_MEASURES,
    MEMORY_SIZES = MEMORY_BY_TTL /* the first are sizes: every key has them */
};
/* memory_measure_name: "memory", "size" ...  memory_measure_of: MEMORY_MEASURES: it is none. */
const char *memory_measure_name(enum memory_measure m);
enum memory_measure memory_measure_of(const char *name);

enum { MEMORY_NAME_MOST = 1024 }; /* bytes of a name that are kept */

/* A key as it is printed: a row. */
struct memory_row {
    struct slice name;
    uint64_t name_len; /* of all of it */
    uint64_t db;
    enum rdb_value_kind kind;
    const char *encoding;
    uint64_t memory, record_bytes, elements, largest_bytes;
    bool expires;
    int64_t ttl_s; /* from when the file was written; negative: it was over then */
    int64_t idle_s;
    int freq; /* both -1: not given */
};
/* memory_row_of: name: the key's own. */
struct memory_row memory_row_of(const struct memory_key *k, int64_t counted_from_ms);
const char *memory_kind_name(enum rdb_value_kind kind);

struct memory_top_item {
    uint64_t by, order;
    char *name; /* [owned] row.name's */
    struct memory_row row;
};
struct memory_top {
    enum memory_measure measure;
    uint32_t count, most;
    uint64_t seen;
    struct memory_top_item *at; /* [owned] a heap, the least first; in the end by rank */
};

/* memory_top_init: 0 or -ENOMEM, as memory_top_add(). */
int memory_top_init(struct memory_top *t, enum memory_measure measure, uint32_t most);
int memory_top_add_slowly(struct memory_top *t, const struct memory_key *k, int64_t counted_from_ms,
                          uint64_t by);
void memory_top_end(struct memory_top *t); /* no more come */
void memory_top_fini(struct memory_top *t);

/* memory_measured_use: one of those that are no sizes; false: the key has none.  Numbers below 0
 * come first, too. */
bool memory_measured_use(const struct memory_key *k, enum memory_measure m, int64_t counted_from_ms,
                         uint64_t *ret);

static inline uint64_t
memory_measured(const struct memory_key *k, enum memory_measure m)
{
    return m == MEMORY_BY_MEMORY     ? k->memory
           : m == MEMORY_BY_SIZE     ? k->facts->record_bytes
           : m == MEMORY_BY_ELEMENTS ? k->facts->elements
                                     : k->facts->largest_bytes;
}

static inline int
memory_top_add(struct memory_top *t, const struct memory_key *k, int64_t counted_from_ms)
{
    uint64_t by;

    t->seen++;
    if (t->measure < MEMORY_SIZES)
        by = memory_measured(k, t->measure);
    else if (!memory_measured_use(k, t->measure, counted_from_ms, &by))
        return 0;
    if (t->count == t->most && (t->most == 0 || by <= t->at[0].by))
        return 0;
    return memory_top_add_slowly(t, k, counted_from_ms, by);
}

#endif
