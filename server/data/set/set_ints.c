/* server/data/set/set_ints.c - change intsets where they stand: of a large one, what lies behind
 * the first change moves, and nothing else is written. */
#include <errno.h>
#include <stdlib.h>

#include "server/data/db/blob.h"
#include "server/data/set/set_impl.h"

enum {
    GROWING_BYTES = 8192,  /* from here on an intset gets twice the room that it needs */
    ROOMY_BYTES = 1 << 20, /* and from here on address space: it is not moved for being too large */
    WASTE_FACTOR = 4 /* else a block may be so many times larger than what is left in it needs */
};

static int
compare_ints(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

uint32_t
set_ints_sort(int64_t *values, uint32_t count)
{
    uint32_t n = 0;
    bool rises = true;

    for (uint32_t i = 1; i < count && rises; i++)
        rises = values[i - 1] < values[i];
    if (rises)
        return count;
    qsort(values, count, sizeof *values, compare_ints);
    for (uint32_t i = 0; i < count; i++)
        if (n == 0 || values[n - 1] != values[i])
            values[n++] = values[i];
    return n;
}

/* An intset and what it is to become. */
struct edit {
    const uint8_t *old; /* NULL: none */
    uint32_t old_count, new_count;
    unsigned old_width, width;
    size_t new_bytes;
};

static struct edit
begin_edit(const struct db_ref *ref)
{
    struct edit e = {.width = 2};

    if (ref->rec == NULL)
        return e;
    e.old = (const uint8_t *)record_blob(ref->rec).ptr;
    e.old_count = intset_count(e.old);
    e.old_width = e.width = intset_width(e.old);
    return e;
}

static int
store(struct db_ref *ref, struct slice bytes, enum encoding enc)
{
    struct value v = {.type = TYPE_SET, .enc = enc, .intset = true, .blob = bytes};

    return db_store(ref, &v, ref->rec != NULL ? record_expire(ref->rec) : RECORD_NO_EXPIRE);
}

/* is_outer: does it have a block, and will it have one? */
static bool
is_outer(const struct db_ref *ref, const struct edit *e)
{
    return ref->rec != NULL && record_encoding(ref->rec) == ENC_OUTER && e->width == e->old_width &&
           !record_can_inline(ref->key.len, e->new_bytes);
}

/* note_length: the record and the intset's own header learn the new length, first what may fail. */
static int
note_length(struct db_ref *ref, const struct edit *e)
{
    uint32_t count = htole32(e->new_count);

    if (store(ref, (struct slice){(const char *)e->old, e->new_bytes}, ENC_OUTER) < 0)
        return -ENOMEM;
    mm_grow(e->old, e->new_bytes);
    memcpy(mm_modify(e->old + 4, sizeof count), &count, sizeof count);
    return 0;
}

/* open_body: elements from number `first` up to `end` of the intset, writable, as a body that
 * begins at number 0. */
static uint8_t *
open_body(const struct edit *e, uint32_t first, uint32_t end)
{
    const uint8_t *from = e->old + intset_bytes(e->width, first);
    uint8_t *w = mm_modify(from, (size_t)(end - first) * e->width);

    return w - (size_t)first * e->width;
}

/* fresh: memory for the whole new intset: scratch where it goes into the record, else a block. */
static uint8_t *
fresh(const struct db_ref *ref, const struct edit *e, enum encoding *ret_enc)
{
    static uint8_t scratch[RECORD_INLINE_MAX];

    *ret_enc = record_can_inline(ref->key.len, e->new_bytes) ? ENC_INLINE : ENC_OUTER;
    if (*ret_enc == ENC_INLINE)
        return scratch;
    return (uint8_t *)(e->new_bytes > GROWING_BYTES && e->new_count > e->old_count
                           ? blob_alloc_growing(e->new_bytes)
                           : blob_alloc(e->new_bytes));
}

/* store_fresh: what was written into fresh() memory becomes the value. */
static int
store_fresh(struct db_ref *ref, const struct edit *e, uint8_t *bytes, enum encoding enc)
{
    intset_put_header(bytes, e->width, e->new_count);
    if (store(ref, (struct slice){(const char *)bytes, e->new_bytes}, enc) == 0)
        return 0;
    if (enc == ENC_OUTER)
        mm_free(bytes);
    return -ENOMEM;
}

/* merge: old elements from number `first` on and the values, from the last one back to the first of
 * the values, into `to`, which may be the old body. */
static void
merge(const struct edit *e, uint8_t *to, uint32_t first, const int64_t *values, uint32_t count)
{
    const uint8_t *from = e->old + INTSET_HEADER_BYTES;
    uint32_t i = e->old_count, at = e->new_count;

    while (count > 0) {
        int64_t v = i > first ? intset_load(from, e->old_width, i - 1) : 0;

        if (i > first && v > values[count - 1])
            i--;
        else
            v = values[--count];
        intset_store(to, e->width, --at, v);
    }
}

/* move_up: one value: what stands behind it moves as a whole. */
static void
move_up(const struct edit *e, uint8_t *body, uint32_t first, int64_t value)
{
    unsigned width = e->width;

    memmove(body + (size_t)width * (first + 1), body + (size_t)width * first,
            (size_t)width * (e->old_count - first));
    intset_store(body, width, first, value);
}

static int
add_in_place(struct db_ref *ref, const struct edit *e, uint32_t first, const int64_t *values,
             uint32_t count)
{
    uint8_t *body;

    if (note_length(ref, e) < 0)
        return -ENOMEM;
    body = open_body(e, first, e->new_count);
    if (count == 1)
        move_up(e, body, first, values[0]);
    else
        merge(e, body, first, values, count);
    return 0;
}

/* are_new: rising, and none of them there. */
static bool
are_new(const struct edit *e, const int64_t *values, uint32_t count)
{
    uint32_t at;

    for (uint32_t i = 0; i < count; i++)
        if ((i > 0 && values[i - 1] >= values[i]) ||
            (e->old != NULL && intset_find(e->old, values[i], &at)))
            return false;
    return true;
}

int
set_ints_add(struct db_ref *ref, const int64_t *values, uint32_t count)
{
    struct edit e = begin_edit(ref);
    uint32_t first = 0;
    enum encoding enc;
    uint8_t *bytes;

    debug_check(count > 0 && are_new(&e, values, count));
    for (uint32_t i = 0; i<count; i += count> 1 ? count - 1 : 1) /* the first and the last */
        if (intset_width_of(values[i]) > e.width)
            e.width = intset_width_of(values[i]);
    e.new_count = e.old_count + count;
    e.new_bytes = intset_bytes(e.width, e.new_count);
    if (e.old != NULL)
        (void)intset_find(e.old, values[0], &first);
    if (is_outer(ref, &e) && e.new_bytes <= mm_usable(e.old))
        return add_in_place(ref, &e, first, values, count);
    if ((bytes = fresh(ref, &e, &enc)) == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < first; i++)
        intset_store(bytes + INTSET_HEADER_BYTES, e.width, i, intset_get(e.old, i));
    if (e.old == NULL)
        e.old = bytes; /* not read: there are no old elements */
    merge(&e, bytes + INTSET_HEADER_BYTES, first, values, count);
    return store_fresh(ref, &e, bytes, enc);
}

/* close_gaps: the old elements from the first that goes on, without those that go, into `to`. */
static void
close_gaps(const struct edit *e, uint8_t *to, const uint32_t *gone, uint32_t count)
{
    const uint8_t *from = e->old + INTSET_HEADER_BYTES;
    uint32_t at = gone[0];

    for (uint32_t i = 0; i < count; i++) {
        uint32_t end = i + 1 < count ? gone[i + 1] : e->old_count, n = end - gone[i] - 1;

        memmove(to + (size_t)e->width * at, from + (size_t)e->width * (gone[i] + 1),
                (size_t)e->width * n);
        at += n;
    }
}

static bool
may_stay(const struct edit *e)
{
    size_t usable = mm_usable(e->old);

    return e->new_bytes >= ROOMY_BYTES || mm_size_class(e->new_bytes) * WASTE_FACTOR >= usable;
}

int
set_ints_remove(struct db_ref *ref, const uint32_t *at, uint32_t count)
{
    struct edit e = begin_edit(ref);
    enum encoding enc;
    uint8_t *bytes;

    must(e.old != NULL && count > 0 && count < e.old_count);
    e.new_count = e.old_count - count;
    e.new_bytes = intset_bytes(e.width, e.new_count);
    if (is_outer(ref, &e) && may_stay(&e)) {
        if (note_length(ref, &e) < 0)
            return -ENOMEM;
        if (at[0] < e.new_count)
            close_gaps(&e, open_body(&e, at[0], e.new_count), at, count);
        return 0;
    }
    if ((bytes = fresh(ref, &e, &enc)) == NULL)
        return -ENOMEM;
    memcpy(bytes + INTSET_HEADER_BYTES, e.old + INTSET_HEADER_BYTES, (size_t)e.width * at[0]);
    close_gaps(&e, bytes + INTSET_HEADER_BYTES, at, count);
    return store_fresh(ref, &e, bytes, enc);
}
