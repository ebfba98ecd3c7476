/* tool/memory/top.c - keep those that have most. */
#include "tool/memory/top.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const measures[MEMORY_MEASURES] = {"memory", "size", "elements", "largest",
                                                      "ttl",    "idle", "freq"};

const char *
memory_measure_name(enum memory_measure m)
{
    return measures[m];
}

enum memory_measure
memory_measure_of(const char *name)
{
    enum memory_measure m = 0;

    while (m < MEMORY_MEASURES && strcmp(name, measures[m]) != 0)
        m++;
    return m;
}

const char *
memory_kind_name(enum rdb_value_kind kind)
{
    static const char *const names[RDB_VALUE_COUNT] = {
        [RDB_VALUE_STRING] = "string", [RDB_VALUE_LIST] = "list", [RDB_VALUE_SET] = "set",
        [RDB_VALUE_HASH] = "hash",     [RDB_VALUE_ZSET] = "zset", [RDB_VALUE_STREAM] = "stream"};

    return names[kind];
}

/* seconds: of so many milliseconds, rounded down. */
static int64_t
seconds(int64_t until_ms, int64_t from_ms)
{
    int64_t ms;

    if (__builtin_sub_overflow(until_ms, from_ms, &ms))
        return until_ms < from_ms ? INT64_MIN / 1000 : INT64_MAX / 1000;
    return ms / 1000 - (ms % 1000 < 0);
}

bool
memory_measured_use(const struct memory_key *k, enum memory_measure m, int64_t counted_from_ms,
                    uint64_t *ret)
{
    const struct rdb_key *key = k->facts->key;
    bool has = m == MEMORY_BY_TTL    ? key->expire_at_ms != -1
               : m == MEMORY_BY_IDLE ? key->idle_s >= 0
                                     : key->freq >= 0;
    int64_t n = m == MEMORY_BY_TTL    ? seconds(key->expire_at_ms, counted_from_ms)
                : m == MEMORY_BY_IDLE ? key->idle_s
                                      : key->freq;

    *ret = (uint64_t)n ^ (uint64_t)1 << 63; /* in the order of the numbers with their signs */
    return has;
}

struct memory_row
memory_row_of(const struct memory_key *k, int64_t counted_from_ms)
{
    const struct rdb_key *key = k->facts->key;

    return (struct memory_row){
        .name = key->name,
        .name_len = key->name.len,
        .db = key->db,
        .kind = key->kind,
        .encoding = k->encoding,
        .memory = k->memory,
        .record_bytes = k->facts->record_bytes,
        .elements = k->facts->elements,
        .largest_bytes = k->facts->largest_bytes,
        .expires = key->expire_at_ms != -1,
        .ttl_s = key->expire_at_ms != -1 ? seconds(key->expire_at_ms, counted_from_ms) : 0,
        .idle_s = key->idle_s,
        .freq = key->freq};
}

int
memory_top_init(struct memory_top *t, enum memory_measure measure, uint32_t most)
{
    *t = (struct memory_top){.measure = measure, .most = most};
    t->at = calloc((size_t)most + 1, sizeof *t->at);
    return t->at != NULL ? 0 : -ENOMEM;
}

void
memory_top_fini(struct memory_top *t)
{
    for (uint32_t i = 0; i < t->count; i++)
        free(t->at[i].name);
    free(t->at);
    *t = (struct memory_top){0};
}

/* is_less: of two the one that goes first: which has less, or came later. */
static bool
is_less(const struct memory_top_item *a, const struct memory_top_item *b)
{
    return a->by != b->by ? a->by < b->by : a->order > b->order;
}

static void
sift_up(struct memory_top *t, uint32_t i)
{
    struct memory_top_item item = t->at[i];

    for (; i > 0 && is_less(&item, &t->at[(i - 1) / 2]); i = (i - 1) / 2)
        t->at[i] = t->at[(i - 1) / 2];
    t->at[i] = item;
}

static void
sift_down(struct memory_top *t)
{
    struct memory_top_item item = t->at[0];
    uint32_t i = 0, child;

    for (; (child = 2 * i + 1) < t->count; i = child) {
        if (child + 1 < t->count && is_less(&t->at[child + 1], &t->at[child]))
            child++;
        if (!is_less(&t->at[child], &item))
            break;
        t->at[i] = t->at[child];
    }
    t->at[i] = item;
}

int
memory_top_add_slowly(struct memory_top *t, const struct memory_key *k, int64_t counted_from_ms,
                      uint64_t by)
{
    struct memory_top_item item = {by, t->seen, NULL, memory_row_of(k, counted_from_ms)};
    size_t len = item.row.name.len < MEMORY_NAME_MOST ? item.row.name.len : MEMORY_NAME_MOST;

    if ((item.name = malloc(len + 1)) == NULL)
        return -ENOMEM;
    memcpy(item.name, item.row.name.ptr, len);
    item.row.name = slice_of(item.name, len);
    if (t->count < t->most) {
        t->at[t->count++] = item;
        sift_up(t, t->count - 1);
        return 0;
    }
    free(t->at[0].name);
    t->at[0] = item;
    sift_down(t);
    return 0;
}

static int
by_rank(const void *a, const void *b)
{
    return is_less(a, b) ? 1 : -1;
}

void
memory_top_end(struct memory_top *t)
{
    qsort(t->at, t->count, sizeof *t->at, by_rank);
}
