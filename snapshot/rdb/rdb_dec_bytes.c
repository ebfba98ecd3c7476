/* snapshot/rdb/rdb_dec_bytes.c - the memory of strings that are held whole. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/fault.h"
#include "snapshot/rdb/rdb_dec_impl.h"

enum { FIRST_BYTES = 256, KEPT_BYTES = 1 << 20, SETTLED_BYTES = 1 << 20 };

static void
give_back(struct bytes *b)
{
    if (b->large != NULL)
        b->large(b->at, b->capacity, 0);
    else
        free(b->at);
}

/* grow_large: into memory of the reader's own.  NULL: it has none, or no more. */
static uint8_t *
grow_large(const struct dec *d, struct bytes *b, size_t capacity)
{
    const struct rdb_reader *reader = d->src->reader;
    uint8_t *grown;

    if (capacity <= RDB_LARGE_BYTES || reader == NULL || reader->large == NULL)
        return NULL;
    if (b->large != NULL)
        return b->large(b->at, b->capacity, capacity);
    if ((grown = reader->large(NULL, 0, capacity)) == NULL)
        return NULL;
    if (b->len > 0)
        memcpy(grown, b->at, b->len);
    free(b->at);
    b->large = reader->large;
    return grown;
}

/* grow: b->len bytes stay.  NULL: no memory, and b is what it was. */
static uint8_t *
grow(const struct dec *d, struct bytes *b, size_t capacity)
{
    uint8_t *grown;

    if (fault_point(FAULT_load_alloc))
        return NULL;
    if ((grown = grow_large(d, b, capacity)) != NULL)
        return grown;
    if (b->large == NULL)
        return realloc(b->at, capacity);
    if ((grown = malloc(capacity)) == NULL)
        return NULL;
    memcpy(grown, b->at, b->len);
    give_back(b);
    b->large = NULL;
    return grown;
}

int
dec_more(struct dec *d, struct bytes *b, size_t more)
{
    size_t want = b->len + more,
           capacity = b->capacity < FIRST_BYTES ? FIRST_BYTES : 2 * b->capacity;
    uint8_t *grown;

    if (want <= b->capacity)
        return 0;
    if (capacity < want)
        capacity = want;
    if ((grown = grow(d, b, capacity)) == NULL)
        return dec_fail(d, rdb_source_offset(d->src), -ENOMEM, "no memory for %s", d->what);
    b->at = grown;
    b->capacity = capacity;
    return 0;
}

int
dec_reserve(struct dec *d, struct bytes *b, size_t room)
{
    b->len = 0;
    return dec_more(d, b, room);
}

void
dec_settle(const struct bytes *b, size_t added)
{
    if (b->large != NULL && b->len % SETTLED_BYTES < added)
        b->large(b->at, b->capacity, b->capacity);
}

void
dec_trim(struct bytes *b)
{
    if (b->capacity > KEPT_BYTES)
        dec_forget(b);
}

void
dec_forget(struct bytes *b)
{
    give_back(b);
    *b = (struct bytes){0};
}
