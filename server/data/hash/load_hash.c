/* server/data/hash/load_hash.c - from RDB to hashes: a listpack up to the limits, a table
 * beyond. */
#include <errno.h>

#include "mm/base/keyhash.h"
#include "server/data/db/load_value.h"
#include "server/data/hash/hash.h"
#include "server/data/hash/hash_type.h"

static int
on_listpack(void *ctx, struct slice listpack, uint32_t fields)
{
    struct load_state *s = ctx;

    if (s->skip)
        return 0;
    if (!hash_is_small(fields, 0))
        return load_begin_root(s, TYPE_HASH, hash_table_of(slice_bytes(listpack)));
    load_view(s, TYPE_HASH, listpack);
    return 0;
}

static int
on_begin(void *ctx, uint64_t fields)
{
    struct load_state *s = ctx;
    int r;

    if (s->skip)
        return 0;
    if (!hash_is_small(fields, 0)) {
        if ((r = load_begin_root(s, TYPE_HASH, htable_new())) == 0)
            htable_expect(s->value.root, load_expect(s, fields));
        return r;
    }
    if (load_reserve(&s->bytes, LP_EMPTY_BYTES) < 0)
        return -ENOMEM;
    s->bytes.len = lp_init((uint8_t *)s->bytes.at);
    load_begin_blob(s, TYPE_HASH);
    return 0;
}

static const char twice[] = "The dump has a hash with a field twice";

static void
warm(const void *root, uint64_t hash)
{
    htable_warm(root, hash);
}

static int
enter(const void *root, uint64_t hash, const void *pair)
{
    return htable_enter(root, hash, pair);
}

static void
drop(const void *pair)
{
    hash_pair_free(pair);
}

static int
add_to_table(struct load_state *s, struct slice field, struct slice value)
{
    static const struct load_entry_ops ops = {warm, enter, drop, twice};
    const struct hash_pair *p = hash_pair_new(field, value);

    return p != NULL ? load_entry(s, &ops, keyhash(field), p) : -ENOMEM;
}

static int
add_to_listpack(struct load_state *s, struct slice field, struct slice value)
{
    size_t more =
        (size_t)lp_entry_bytes(field.ptr, field.len) + lp_entry_bytes(value.ptr, value.len);
    uint8_t *lp;

    if (load_reserve(&s->bytes, s->bytes.len + more) < 0)
        return -ENOMEM;
    lp = (uint8_t *)s->bytes.at;
    if (lp_find(lp, field.ptr, field.len, 1) != 0)
        return load_complain(s, -EEXIST, twice);
    lp_append(lp, field.ptr, field.len);
    s->bytes.len = lp_append(lp, value.ptr, value.len);
    return 0;
}

static int
on_field(void *ctx, struct slice field, struct slice value)
{
    struct load_state *s = ctx;

    if (s->skip)
        return 0;
    if (s->form == LOAD_BLOB) {
        if (hash_is_small(lp_count((const uint8_t *)s->bytes.at) / 2 + 1,
                          field.len > value.len ? field.len : value.len))
            return add_to_listpack(s, field, value);
        if (load_begin_root(s, TYPE_HASH, hash_table_of((const uint8_t *)s->bytes.at)) < 0)
            return -ENOMEM;
    }
    return add_to_table(s, field, value);
}

void
load_hash(struct rdb_events *events)
{
    events->hash_listpack = on_listpack;
    events->hash_begin = on_begin;
    events->hash_field = on_field;
}
