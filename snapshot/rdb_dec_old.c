/* snapshot/rdb_dec_old.c - the small hashes of older files: zipmaps (until Redis 2.4) and ziplists
 * (until 6.2; ziplist.h).
 *
 * Both are walked twice: first to check every byte and to count, then to hand the fields on.  The walk is the
 * same code, so the second one cannot meet anything that the first did not. */
#include <errno.h>
#include <string.h>

#include "snapshot/byte_walk.h"
#include "snapshot/rdb_dec_impl.h"
#include "snapshot/ziplist.h"

/* A walk over the pairs of either kind. */
struct walk {
    struct byte_walk map;
    struct ziplist_walk list;
    char text[2][DECIMAL_BYTES]; /* integers of the field and of its value, printed */
};

enum { ZIPMAP_END = 0xff, ZIPMAP_COUNT_UNKNOWN = 254 };

/* One of the two kinds of blob. */
struct old_form {
    const char *name;
    bool (*validate)(struct rdb_slice blob, uint64_t *ret_pairs);
    void (*open)(struct rdb_slice blob, struct walk *w);
    /* next: the next pair; false: there is none. */
    bool (*next)(struct walk *w, struct rdb_slice *field, struct rdb_slice *value);
};

/* Zipmap: count, then pairs of <len>field <len><free>value and `free` unused bytes, then 0xff. */
static void
zipmap_open(struct rdb_slice blob, struct walk *w)
{
    w->map = (struct byte_walk){blob.bytes + 1, blob.bytes + blob.len - 1};
}

static bool
zipmap_next(struct walk *w, struct rdb_slice *field, struct rdb_slice *value)
{
    const uint8_t *unused;
    uint32_t len;

    if (!walk_len(&w->map, &len) || !walk_slice(&w->map, len, field) || !walk_len(&w->map, &len))
        return false;
    if ((unused = walk_take(&w->map, 1)) == NULL || !walk_slice(&w->map, len, value))
        return false;
    return walk_take(&w->map, *unused) != NULL;
}

static bool
zipmap_validate(struct rdb_slice blob, uint64_t *ret_pairs)
{
    struct rdb_slice field, value;
    uint64_t pairs = 0;
    struct walk w;

    if (blob.len < 2 || blob.bytes[blob.len - 1] != ZIPMAP_END)
        return false;
    for (zipmap_open(blob, &w); w.map.at < w.map.end; pairs++)
        if (!zipmap_next(&w, &field, &value))
            return false;
    if (blob.bytes[0] < ZIPMAP_COUNT_UNKNOWN && blob.bytes[0] != pairs)
        return false;
    *ret_pairs = pairs;
    return true;
}

static bool
pairs_validate(struct rdb_slice blob, uint64_t *ret_pairs)
{
    uint64_t entries;

    if (!ziplist_validate(blob, &entries) || entries % 2 != 0)
        return false;
    *ret_pairs = entries / 2;
    return true;
}

static void
pairs_open(struct rdb_slice blob, struct walk *w)
{
    ziplist_open(blob, &w->list);
}

static bool
pairs_next(struct walk *w, struct rdb_slice *field, struct rdb_slice *value)
{
    return ziplist_next(&w->list, w->text[0], field) && ziplist_next(&w->list, w->text[1], value);
}

static const struct old_form zipmap = {"zipmap", zipmap_validate, zipmap_open, zipmap_next};
static const struct old_form ziplist = {"ziplist", pairs_validate, pairs_open, pairs_next};

/* check: every byte, the count, and that no two fields are the same.  *ret_pairs: how many there are. */
static int
check(struct dec *d, const struct old_form *form, uint64_t offset, uint64_t *ret_pairs)
{
    struct rdb_slice blob = bytes_slice(&d->value), field, value;
    struct walk w;
    int r;

    if (!form->validate(blob, ret_pairs))
        return dec_fail(d, offset, -EINVAL, "the hash's %s of %zu bytes is damaged", form->name, blob.len);
    field_set_clear(&d->fields);
    form->open(blob, &w);
    for (uint64_t i = 0; i < *ret_pairs; i++)
        if (form->next(&w, &field, &value) && (r = dec_new_field(d, offset, field)) != 0)
            return r;
    return 0;
}

static int
read_old(struct dec *d, const struct old_form *form)
{
    struct rdb_slice field, value;
    uint64_t offset = 0, pairs = 0;
    struct walk w;
    int r;

    if ((r = dec_hash_blob(d, &offset)) != 0 || (r = check(d, form, offset, &pairs)) != 0)
        return r;
    if (d->ev->hash_begin != NULL && (r = dec_sink(d, d->ev->hash_begin(d->ctx, pairs))) != 0)
        return r;
    if (d->ev->hash_field == NULL)
        return 0;
    form->open(bytes_slice(&d->value), &w);
    for (uint64_t i = 0; i < pairs; i++)
        if (form->next(&w, &field, &value) && (r = dec_sink(d, d->ev->hash_field(d->ctx, field, value))) != 0)
            return r;
    return 0;
}

int
dec_hash_zipmap(struct dec *d)
{
    return read_old(d, &zipmap);
}

int
dec_hash_ziplist(struct dec *d)
{
    return read_old(d, &ziplist);
}
