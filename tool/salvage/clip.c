/* tool/salvage/clip.c - a run that turns out to be good in part only: where to cut it. */
#include <errno.h>

#include "tool/salvage/scan_impl.h"

enum { CLIP_ENOUGH = 1 << 23 };

struct clip {
    uint64_t most, until;
    struct clipped now; /* at the item in hand */
    struct clipped *ret;
    bool has_item;
};

static int
on_item(void *ctx, uint64_t offset)
{
    struct clip *c = ctx;

    if (c->has_item && (c->now.keys > c->most || offset > c->until))
        return CLIP_ENOUGH;
    c->has_item = true;
    c->now.at = offset;
    *c->ret = c->now;
    return 0;
}

static int
on_key(void *ctx, const struct rdb_key *k)
{
    struct clip *c = ctx;

    c->now.keys++;
    c->now.expires += k->expire_at_ms != -1;
    return c->now.keys > c->most ? CLIP_ENOUGH : RDB_SKIP_VALUE;
}

static int
on_unknown(void *ctx, const struct rdb_key *k, const char *what)
{
    (void)what;
    if (k != NULL)
        (void)on_key(ctx, k);
    return 0;
}

int
clip_walk(struct scan *s, uint64_t from, uint64_t keys, uint64_t until, struct clipped *ret)
{
    static const struct rdb_events events = {.any_version = true,
                                             .skip_unknown = true,
                                             .item = on_item,
                                             .key = on_key,
                                             .unknown = on_unknown};
    struct clip c = {.most = keys, .until = until, .now.at = from, .ret = ret};
    struct rdb_place place = {.version = s->version, .offset = from};
    struct rdb_source *src;
    struct rdb_error err;
    int r;

    *ret = c.now;
    if ((r = flat_source(s->flat, from, NULL, &src)) < 0)
        return r;
    r = rdb_decode_items(src, &place, &events, &c, &err);
    rdb_source_close(src);
    /* the run was read before: what fails is behind it */
    return r == -ENOMEM || s->flat->error < 0 ? (r < 0 ? r : s->flat->error) : 0;
}
