/* server/data/hash/load_hash.c - from RDB to hashes: a listpack up to the limits, a table
 * beyond. */
#include <errno.h>
#include <stdlib.h>

#include "mm/base/keyhash.h"
#include "server/data/db/load_value.h"
#include "server/data/hash/hash.h"
#include "server/data/hash/hash_type.h"
#include "server/data/hash/timed.h"

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

/* ---- hashes with fields that expire ---- */

static int
enter_timed(const void *root, uint64_t hash, const void *pair)
{
    return thash_enter(root, hash, pair);
}

static int
add_to_thash(struct load_state *s, struct slice field, struct slice value, int64_t expire_at_ms)
{
    static const struct load_entry_ops ops = {warm, enter_timed, drop, twice};
    const struct hash_pair *p = tpair_new(field, value, expire_at_ms, thash_number());

    return p != NULL ? load_entry(s, &ops, keyhash(field), p) : -ENOMEM;
}

static int
add_to_tblob(struct load_state *s, struct slice field, struct slice value, int64_t expire_at_ms)
{
    if (load_reserve(&s->bytes, s->bytes.len + tblob_more(field, value)) < 0)
        return -ENOMEM;
    if (lp_find((const uint8_t *)s->bytes.at + TBLOB_HEAD, field.ptr, field.len, 2) != 0)
        return load_complain(s, -EEXIST, twice);
    s->bytes.len = tblob_add((uint8_t *)s->bytes.at, field, value, expire_at_ms);
    return 0;
}

/* blob_to_thash: what has been collected becomes a large one. */
static int
blob_to_thash(struct load_state *s)
{
    const uint8_t *lp = (const uint8_t *)s->bytes.at + TBLOB_HEAD;
    char text[2][LP_INT_TEXT_BYTES];
    int r = load_begin_root(s, TYPE_TIMED_HASH, thash_new());

    s->value.timed = true;
    for (uint32_t at = lp_first(lp); r == 0 && at != 0;) {
        uint32_t value_at = lp_next(lp, at);

        r = add_to_thash(s, lp_slice(lp, at, text[0]), lp_slice(lp, value_at, text[1]),
                         tblob_time(lp, at));
        at = lp_next(lp, lp_next(lp, value_at));
    }
    return r;
}

/* table_to_thash, blob_to_tblob: what has been read so far is of a hash with fields that expire. */
static int
table_to_thash(struct load_state *s)
{
    const void *plain = s->value.root;
    const struct thash *t = thash_of(plain);
    int r;

    if ((r = load_begin_root(s, TYPE_TIMED_HASH, t)) < 0)
        return r;
    s->value.timed = true;
    mm_free(plain);
    return 0;
}

static int
blob_to_tblob(struct load_state *s)
{
    struct load_buffer plain = s->bytes;
    const uint8_t *lp = (const uint8_t *)plain.at;
    char text[2][LP_INT_TEXT_BYTES];
    int r;

    s->bytes = (struct load_buffer){.at = NULL};
    load_begin_blob(s, TYPE_TIMED_HASH);
    s->value.timed = true;
    if ((r = load_reserve(&s->bytes, TBLOB_HEAD + LP_EMPTY_BYTES)) == 0)
        s->bytes.len = tblob_begin((uint8_t *)s->bytes.at);
    for (uint32_t at = lp_first(lp); r == 0 && at != 0;) {
        uint32_t value_at = lp_next(lp, at);

        r = add_to_tblob(s, lp_slice(lp, at, text[0]), lp_slice(lp, value_at, text[1]),
                         RECORD_NO_EXPIRE);
        at = lp_next(lp, value_at);
    }
    free(plain.at);
    return r;
}

static int
add_timed(struct load_state *s, struct slice field, struct slice value, int64_t expire_at_ms)
{
    int r;

    if (s->form == LOAD_BLOB) {
        if (hash_is_small(lp_count((const uint8_t *)s->bytes.at + TBLOB_HEAD) / 3 + 1,
                          field.len > value.len ? field.len : value.len))
            return add_to_tblob(s, field, value, expire_at_ms);
        if ((r = blob_to_thash(s)) < 0)
            return r;
    }
    return add_to_thash(s, field, value, expire_at_ms);
}

/* on_field_expiring: a field whose time has passed comes too, as one that nobody has met yet; it
 * goes as others do. */
static int
on_field_expiring(void *ctx, struct slice field, struct slice value, int64_t expire_at_ms)
{
    struct load_state *s = ctx;
    int r = 0;

    if (s->skip)
        return 0;
    if (s->value.type != TYPE_TIMED_HASH)
        r = s->form == LOAD_ROOT ? table_to_thash(s) : blob_to_tblob(s);
    /* 0 says "never" in the blob; the first millisecond of all is as long ago. */
    return r < 0 ? r : add_timed(s, field, value, expire_at_ms > 0 ? expire_at_ms : 1);
}

static int
on_field(void *ctx, struct slice field, struct slice value)
{
    struct load_state *s = ctx;

    if (s->skip)
        return 0;
    if (s->value.type == TYPE_TIMED_HASH)
        return add_timed(s, field, value, RECORD_NO_EXPIRE);
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
    events->hash_field_expiring = on_field_expiring;
}
