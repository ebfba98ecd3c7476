/* snapshot/rdb/rdb_dec_old.c - the small hashes of older files: zipmaps (until Redis 2.4) and
 * ziplists (until 6.2; ziplist.h).
 *
 * Both are walked twice: first to check every byte and to count, then to hand the fields on.  The
 * walk is the same code, so the second one cannot meet anything that the first did not. */
#include <errno.h>
#include <string.h>

#include "snapshot/rdb/byte_walk.h"
#include "snapshot/rdb/rdb_dec_impl.h"
#include "snapshot/rdb/ziplist.h"

/* A walk over the pairs of either kind. */
struct walk {
    struct byte_walk map;
    struct ziplist_walk list;
    char text[2][NUM_MAX_BYTES]; /* integers of the field and of its value, printed */
};

enum { ZIPMAP_END = 0xff, ZIPMAP_COUNT_UNKNOWN = 254 };

/* One of the two kinds of blob. */
struct old_form {
    /* validate: the blob is one, of *ret_pairs pairs; a wrong count is told.  0 or the decoder's
     * end. */
    int (*validate)(struct dec *d, struct slice blob, uint64_t offset, uint64_t *ret_pairs);
    void (*open)(struct slice blob, struct walk *w);
    /* next: the next pair; false: there is none. */
    bool (*next)(struct walk *w, struct slice *field, struct slice *value);
};

/* Zipmap: count, then pairs of <len>field <len><free>value and `free` unused bytes, then 0xff. */
static void
zipmap_open(struct slice blob, struct walk *w)
{
    const uint8_t *bytes = slice_bytes(blob);

    w->map = (struct byte_walk){bytes + 1, bytes + blob.len - 1};
}

static bool
zipmap_next(struct walk *w, struct slice *field, struct slice *value)
{
    const uint8_t *unused;
    uint32_t len;

    if (!walk_len(&w->map, &len) || !walk_slice(&w->map, len, field) || !walk_len(&w->map, &len))
        return false;
    if ((unused = walk_take(&w->map, 1)) == NULL || !walk_slice(&w->map, len, value))
        return false;
    return walk_take(&w->map, *unused) != NULL;
}

/* zipmap_measure: true if every byte is right, but perhaps the count at its head. */
static bool
zipmap_measure(struct slice blob, uint64_t *ret_pairs)
{
    struct slice field, value;
    struct walk w;

    *ret_pairs = 0;
    if (blob.len < 2 || slice_bytes(blob)[blob.len - 1] != ZIPMAP_END)
        return false;
    for (zipmap_open(blob, &w); w.map.at < w.map.end; ++*ret_pairs)
        if (!zipmap_next(&w, &field, &value))
            return false;
    return true;
}

static int
zipmap_validate(struct dec *d, struct slice blob, uint64_t offset, uint64_t *ret_pairs)
{
    unsigned claimed;

    if (!zipmap_measure(blob, ret_pairs))
        return dec_fail(d, offset, -EINVAL, "the hash's zipmap of %zu bytes is damaged", blob.len);
    claimed = slice_bytes(blob)[0];
    if (claimed == ZIPMAP_COUNT_UNKNOWN || claimed == *ret_pairs)
        return 0;
    return dec_find(d, offset, RDB_FINDING_COUNT, "the hash's zipmap claims %u fields and has %llu",
                    claimed, (unsigned long long)*ret_pairs);
}

static int
pairs_validate(struct dec *d, struct slice blob, uint64_t offset, uint64_t *ret_pairs)
{
    uint64_t entries = 0;
    int r = dec_ziplist(d, blob, offset, "the hash's", &entries);

    if (r == 0 && entries % 2 != 0)
        return dec_fail(d, offset, -EINVAL, "the hash's ziplist of %zu bytes is damaged", blob.len);
    *ret_pairs = entries / 2;
    return r;
}

static void
pairs_open(struct slice blob, struct walk *w)
{
    ziplist_open(blob, &w->list);
}

static bool
pairs_next(struct walk *w, struct slice *field, struct slice *value)
{
    return ziplist_next(&w->list, w->text[0], field) && ziplist_next(&w->list, w->text[1], value);
}

static const struct old_form zipmap = {zipmap_validate, zipmap_open, zipmap_next};
static const struct old_form ziplist = {pairs_validate, pairs_open, pairs_next};

/* check: every byte, the count, and that no two fields are the same.  *ret_pairs: how many there
 * are. */
static int
check(struct dec *d, const struct old_form *form, struct slice blob, uint64_t offset,
      uint64_t *ret_pairs)
{
    struct slice field, value;
    struct walk w;
    int r;

    if ((r = form->validate(d, blob, offset, ret_pairs)) != 0)
        return r;
    if (*ret_pairs == 0 && (r = dec_find_empty(d, "hash")) != 0)
        return r;
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
    struct slice blob = {NULL, 0}, field, value;
    uint64_t offset = 0, pairs = 0;
    struct walk w;
    int r;

    if ((r = dec_value_blob(d, &blob, &offset)) != 0 ||
        (r = check(d, form, blob, offset, &pairs)) != 0)
        return r;
    if (d->ev->hash_begin != NULL && (r = dec_sink(d, d->ev->hash_begin(d->ctx, pairs))) != 0)
        return r;
    if (d->ev->hash_field == NULL)
        return 0;
    form->open(blob, &w);
    for (uint64_t i = 0; i < pairs; i++)
        if (form->next(&w, &field, &value) &&
            (r = dec_sink(d, d->ev->hash_field(d->ctx, field, value))) != 0)
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
