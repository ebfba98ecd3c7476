/* server/data/zset/load_zset.c - from RDB to sorted sets: a listpack up to the limits, a large one
 * beyond. */
#include <errno.h>

#include "mm/base/keyhash.h"
#include "server/data/db/load_value.h"
#include "server/data/zset/zset_small.h"
#include "server/data/zset/zset_type.h"

static int
on_listpack(void *ctx, struct slice listpack, uint32_t members)
{
    struct load_state *s = ctx;

    if (s->skip)
        return 0;
    if (!zset_is_small(members, 0))
        return load_begin_root(s, TYPE_ZSET, zset_root_of(slice_bytes(listpack)));
    load_view(s, TYPE_ZSET, listpack);
    return 0;
}

static int
on_begin(void *ctx, uint64_t members)
{
    struct load_state *s = ctx;
    int r;

    if (s->skip)
        return 0;
    if (!zset_is_small(members, 0)) {
        if ((r = load_begin_root(s, TYPE_ZSET, zroot_new())) == 0)
            zroot_expect(s->value.root, load_expect(s, members));
        return r;
    }
    if (load_reserve(&s->bytes, LP_EMPTY_BYTES) < 0)
        return -ENOMEM;
    s->bytes.len = lp_init((uint8_t *)s->bytes.at);
    load_begin_blob(s, TYPE_ZSET);
    return 0;
}

static const char twice[] = "The dump has a sorted set with a member twice";

static void
warm(const void *root, uint64_t hash)
{
    zroot_warm(root, hash);
}

static int
enter(const void *root, uint64_t hash, const void *entry)
{
    return zroot_enter(root, hash, entry);
}

static void
drop(const void *entry)
{
    mm_free(entry);
}

static int
add_to_root(struct load_state *s, struct slice member, double score)
{
    static const struct load_entry_ops ops = {warm, enter, drop, twice};
    const struct zentry *e = zentry_new(score, member);

    return e != NULL ? load_entry(s, &ops, keyhash(member), e) : -ENOMEM;
}

static int
add_to_listpack(struct load_state *s, struct slice member, double score)
{
    struct zsmall z;

    if (load_reserve(&s->bytes, s->bytes.len + zsmall_bytes(member.len)) < 0)
        return -ENOMEM;
    if (zsmall_find(&z, (const uint8_t *)s->bytes.at, member))
        return load_complain(s, -EEXIST, twice);
    zsmall_insert((uint8_t *)s->bytes.at, score, member);
    s->bytes.len = lp_bytes((const uint8_t *)s->bytes.at);
    return 0;
}

static int
on_member(void *ctx, struct slice member, double score)
{
    struct load_state *s = ctx;
    const uint8_t *lp;

    if (s->skip)
        return 0;
    if (s->form == LOAD_BLOB) {
        lp = (const uint8_t *)s->bytes.at;
        if (zset_is_small(zsmall_count(lp) + 1, member.len))
            return add_to_listpack(s, member, score);
        if (load_begin_root(s, TYPE_ZSET, zset_root_of(lp)) < 0)
            return -ENOMEM;
    }
    return add_to_root(s, member, score);
}

void
load_zset(struct rdb_events *events)
{
    events->zset_listpack = on_listpack;
    events->zset_begin = on_begin;
    events->zset_member = on_member;
}
