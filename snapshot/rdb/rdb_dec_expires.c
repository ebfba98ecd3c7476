/* snapshot/rdb/rdb_dec_expires.c - hashes whose fields may expire, in the forms of Redis 7.4, its
 * release candidates and Valkey 9.0.
 *
 * Such a hash stays one in its server when its last expiry is gone, so a sink that does not take
 * expiring fields reads it as long as no field has one; the first that has is refused by its name.
 * The sink tells fields apart, as of a plain hash. */
#include <errno.h>
#include <string.h>

#include "mm/base/num.h"
#include "mm/base/printable.h"
#include "snapshot/rdb/listpack.h"
#include "snapshot/rdb/rdb_dec_impl.h"

enum { NEVER = -1, EXPIRY_BYTES = 8 };

static int
refuse_field(struct dec *d, uint64_t offset, struct slice field)
{
    char shown[64];

    printable(shown, sizeof shown, field.ptr, field.len);
    return dec_fail(
        d, offset, -ENOTSUP,
        "a hash with field expiry (type %u): its field \"%s\" expires, which is not read",
        d->key.type, shown);
}

/* begin: how many fields; least: bytes of each in the file. */
static int
begin(struct dec *d, unsigned least, uint64_t *ret)
{
    uint64_t offset = rdb_source_offset(d->src);
    int r;

    d->what = "the number of a hash's fields";
    if ((r = dec_len(d, ret)) != 0)
        return r;
    if (*ret > source_left(d->src) / least)
        return dec_fail(
            d, offset, -EINVAL, "a hash claims %llu fields where the file %s %llu bytes",
            (unsigned long long)*ret, dec_has(d), (unsigned long long)source_left(d->src));
    if (*ret == 0 && (r = dec_find_empty(d, "hash")) != 0)
        return r;
    return d->ev->hash_begin != NULL ? dec_sink(d, d->ev->hash_begin(d->ctx, *ret)) : 0;
}

/* read_pair: field and value, which nobody has been told of yet. */
static int
read_pair(struct dec *d, struct slice *ret_value)
{
    int r;

    d->what = "a hash's field";
    if ((r = dec_string_whole(d, &d->field)) != 0)
        return r;
    d->what = "a field's value";
    return dec_string_value(d, ret_value);
}

/* tell: expires: NEVER, or unix ms; it stands at offset. */
static int
tell(struct dec *d, uint64_t offset, struct slice field, struct slice value, int64_t expires)
{
    if (expires == NEVER)
        return d->ev->hash_field != NULL ? dec_sink(d, d->ev->hash_field(d->ctx, field, value)) : 0;
    if (d->ev->hash_field_expiring == NULL)
        return refuse_field(d, offset, field);
    if (expires < 0)
        return dec_fail(d, offset, -EINVAL, "a field's expiry is no time");
    return dec_sink(d, d->ev->hash_field_expiring(d->ctx, field, value, expires));
}

/* read_smallest: the smallest of all expiry times, from which type 24 counts the others. */
static int
read_smallest(struct dec *d, uint64_t *ret)
{
    d->what = "a hash's smallest expiry";
    return dec_le(d, EXPIRY_BYTES, ret);
}

/* read_fields: a length that says when (0: never; 1: at `from`), field, value. */
static int
read_fields(struct dec *d, uint64_t from)
{
    enum { LEAST_BYTES = 3 };
    uint64_t fields = 0;
    int r;

    if ((r = begin(d, LEAST_BYTES, &fields)) != 0)
        return r;
    for (uint64_t i = 0; i < fields; i++) {
        uint64_t offset = rdb_source_offset(d->src), expires = 0;
        struct slice value;

        d->what = "a field's expiry";
        if ((r = dec_len(d, &expires)) != 0 || (r = read_pair(d, &value)) != 0)
            return r;
        if (expires != 0 && (from > INT64_MAX || expires - 1 > INT64_MAX - from))
            expires = UINT64_MAX - 1; /* beyond all times, and not NEVER */
        else
            expires = expires == 0 ? (uint64_t)NEVER : from + expires - 1;
        if ((r = tell(d, offset, bytes_slice(&d->field), value, (int64_t)expires)) != 0)
            return r;
    }
    return 0;
}

int
dec_hash_expires(struct dec *d)
{
    uint64_t from = 0;
    int r = read_smallest(d, &from);

    return r != 0 ? r : read_fields(d, from);
}

int
dec_hash_expires_rc(struct dec *d)
{
    return read_fields(d, 1); /* the length is the time */
}

/* keep_value: what stands behind the value is read before anybody is told of it, so the value must
 * not stand where reading may move it. */
static int
keep_value(struct dec *d, struct slice *value)
{
    int r;

    if (value->ptr == NULL || slice_bytes(*value) == d->value.at ||
        source_ready(d->src) >= EXPIRY_BYTES)
        return 0;
    if ((r = dec_reserve(d, &d->value, value->len + 1)) != 0)
        return r;
    memcpy(d->value.at, value->ptr, value->len);
    d->value.len = value->len;
    *value = bytes_slice(&d->value);
    return 0;
}

int
dec_hash_expires_valkey(struct dec *d)
{
    enum { LEAST_BYTES = 10 };
    uint64_t fields = 0;
    int r;

    if ((r = begin(d, LEAST_BYTES, &fields)) != 0)
        return r;
    for (uint64_t i = 0; i < fields; i++) {
        uint64_t offset, expires = 0;
        struct slice value;

        if ((r = read_pair(d, &value)) != 0 || (r = keep_value(d, &value)) != 0)
            return r;
        offset = rdb_source_offset(d->src);
        d->what = "a field's expiry";
        if ((r = dec_le(d, EXPIRY_BYTES, &expires)) != 0)
            return r;
        if ((r = tell(d, offset, bytes_slice(&d->field), value, (int64_t)expires)) != 0)
            return r;
    }
    return 0;
}

/* tell_triples: field, value and expiry of each. */
static int
tell_triples(struct dec *d, const uint8_t *lp, uint64_t offset)
{
    char scratch[3][LP_INT_TEXT_BYTES];
    int r;

    for (uint32_t at = lp_first(lp); at != 0;) {
        struct slice three[3];
        int64_t expires;

        for (int i = 0; i < 3; i++, at = lp_next(lp, at))
            three[i] = lp_slice(lp, at, scratch[i]);
        if (!num_parse(three[2].ptr, three[2].len, &expires) || expires < 0)
            return dec_fail(d, offset, -EINVAL,
                            "a field's expiry in the hash's listpack is no time");
        if ((r = tell(d, offset, three[0], three[1], expires == 0 ? NEVER : expires)) != 0)
            return r;
    }
    return 0;
}

int
dec_hash_expires_listpack_rc(struct dec *d)
{
    struct slice blob = {NULL, 0};
    uint64_t offset = 0;
    uint32_t elements;
    int r;

    if ((r = dec_value_blob(d, &blob, &offset)) != 0 ||
        (r = dec_listpack(d, &blob, offset, "the hash's", &elements)) != 0)
        return r;
    if (elements % 3 != 0)
        return dec_fail(d, offset, -EINVAL,
                        "the hash's listpack has %u elements: not three for each field", elements);
    if (elements == 0 && (r = dec_find_empty(d, "hash")) != 0)
        return r;
    if (d->ev->hash_begin != NULL &&
        (r = dec_sink(d, d->ev->hash_begin(d->ctx, elements / 3))) != 0)
        return r;
    return tell_triples(d, slice_bytes(blob), offset);
}

int
dec_hash_expires_listpack(struct dec *d)
{
    uint64_t ignored;
    int r = read_smallest(d, &ignored);

    return r != 0 ? r : dec_hash_expires_listpack_rc(d);
}
