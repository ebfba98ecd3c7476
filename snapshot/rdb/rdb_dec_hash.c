/* snapshot/rdb/rdb_dec_hash.c - hashes: plain, and in a listpack. */
#include <errno.h>
#include <string.h>

#include "mm/base/printable.h"
#include "snapshot/rdb/listpack.h"
#include "snapshot/rdb/rdb_dec_impl.h"
#include "snapshot/rdb/ziplist.h"

enum { LEAST_FIELD_BYTES = 2 }; /* an empty field and an empty value, one length byte each */

/* pass_on: the next field and its value, to the sink.  The value is read after the field, which
 * stays where it is only if both are in hand. */
static int
pass_on(struct dec *d)
{
    const uint8_t *begin = source_here(d->src), *end = begin + source_ready(d->src), *at;
    struct slice field, value;
    int r;

    if ((at = dec_plain(begin, end, &field)) != NULL && (at = dec_plain(at, end, &value)) != NULL) {
        source_skip(d->src, (size_t)(at - begin));
        if (d->ev->no_values && value.len > RDB_SHORT_BYTES)
            value.ptr = NULL;
        if ((r = dec_progress(d)) != 0)
            return r;
    } else {
        d->what = "a hash's field";
        if ((r = dec_string_whole(d, &d->field)) != 0)
            return r;
        d->what = "a field's value";
        if ((r = dec_string_value(d, &value)) != 0)
            return r;
        field = bytes_slice(&d->field);
    }
    return d->ev->hash_field != NULL ? dec_sink(d, d->ev->hash_field(d->ctx, field, value)) : 0;
}

int
dec_hash_plain(struct dec *d)
{
    uint64_t offset = rdb_source_offset(d->src), fields = 0;
    int r;

    d->what = "the number of a hash's fields";
    if ((r = dec_len(d, &fields)) != 0)
        return r;
    if (fields > source_left(d->src) / LEAST_FIELD_BYTES)
        return dec_fail(
            d, offset, -EINVAL, "a hash claims %llu fields where the file %s %llu bytes",
            (unsigned long long)fields, dec_has(d), (unsigned long long)source_left(d->src));
    if (fields == 0 && (r = dec_find_empty(d, "hash")) != 0)
        return r;
    if (d->ev->hash_begin != NULL && (r = dec_sink(d, d->ev->hash_begin(d->ctx, fields))) != 0)
        return r;
    for (uint64_t i = 0; i < fields; i++)
        if ((r = pass_on(d)) != 0)
            return r;
    return 0;
}

/* take: the blob is in d->value, to be changed there. */
static int
take(struct dec *d, struct slice *blob)
{
    int r;

    if (slice_bytes(*blob) == d->value.at)
        return 0;
    if ((r = dec_reserve(d, &d->value, blob->len + 1)) != 0)
        return r;
    memcpy(d->value.at, blob->ptr, blob->len);
    d->value.len = blob->len;
    *blob = bytes_slice(&d->value);
    return 0;
}

int
dec_listpack(struct dec *d, struct slice *blob, uint64_t offset, const char *whose,
             uint32_t *ret_count)
{
    uint32_t claimed;
    bool is_right;
    int r;

    if (!lp_measure(slice_bytes(*blob), blob->len, ret_count, &is_right))
        return dec_fail(d, offset, -EINVAL, "%s listpack of %zu bytes is damaged", whose,
                        blob->len);
    if (likely(is_right))
        return 0;
    if ((r = take(d, blob)) != 0)
        return r;
    claimed = lp_header_count(d->value.at);
    lp_set_count(d->value.at, *ret_count);
    return dec_find(d, offset, RDB_FINDING_COUNT, "%s listpack claims %u elements and has %u",
                    whose, claimed, *ret_count);
}

int
dec_ziplist(struct dec *d, struct slice blob, uint64_t offset, const char *whose,
            uint64_t *ret_count)
{
    struct ziplist_sum sum;

    if (!ziplist_measure(blob, &sum))
        return dec_fail(d, offset, -EINVAL, "%s ziplist of %zu bytes is damaged", whose, blob.len);
    *ret_count = sum.count;
    if (likely(sum.is_right))
        return 0;
    return dec_find(
        d, offset, RDB_FINDING_COUNT,
        "%s ziplist claims %llu entries, the last at %llu, and has %llu, the last at %llu", whose,
        (unsigned long long)sum.claimed_count, (unsigned long long)sum.claimed_last,
        (unsigned long long)sum.count, (unsigned long long)sum.last);
}

/* once: fail if these bytes were among the fields, or members, of the value in hand. */
static int
once(struct dec *d, uint64_t offset, struct slice bytes, const char *whose)
{
    char name[64];
    int r = field_set_add(&d->fields, bytes.ptr, bytes.len);

    if (likely(r > 0))
        return 0;
    if (r < 0)
        return dec_fail(d, offset, r, "no memory to look whether %s twice", whose);
    printable(name, sizeof name, bytes.ptr, bytes.len);
    return dec_fail(d, offset, -EINVAL, "%s \"%s\" twice", whose, name);
}

int
dec_new_field(struct dec *d, uint64_t offset, struct slice field)
{
    return once(d, offset, field, "the hash has the field");
}

int
dec_new_member(struct dec *d, uint64_t offset, struct slice member)
{
    return once(d, offset, member, "the sorted set has the member");
}

/* check_listpack_fields: no two are the same. */
static int
check_listpack_fields(struct dec *d, uint64_t offset, const uint8_t *lp)
{
    char scratch[LP_INT_TEXT_BYTES];
    int r;

    field_set_clear(&d->fields);
    for (uint32_t at = lp_first(lp); at != 0; at = lp_next(lp, lp_next(lp, at)))
        if ((r = dec_new_field(d, offset, lp_slice(lp, at, scratch))) != 0)
            return r;
    return 0;
}

int
dec_hash_listpack(struct dec *d)
{
    struct slice blob = {NULL, 0};
    uint64_t offset = 0;
    uint32_t elements;
    int r;

    if ((r = dec_value_blob(d, &blob, &offset)) != 0)
        return r;
    if ((r = dec_listpack(d, &blob, offset, "the hash's", &elements)) != 0)
        return r;
    if (elements % 2 != 0)
        return dec_fail(d, offset, -EINVAL,
                        "the hash's listpack has %u elements: a field without a value", elements);
    if (elements == 0 && (r = dec_find_empty(d, "hash")) != 0)
        return r;
    if ((r = check_listpack_fields(d, offset, slice_bytes(blob))) != 0)
        return r;
    if (d->ev->hash_listpack == NULL)
        return 0;
    return dec_sink(d, d->ev->hash_listpack(d->ctx, blob, elements / 2));
}
