/* tool/convert/recode.c - keys written anew: strings, lists, sets, sorted sets. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "mm/base/real.h"
#include "snapshot/rdb/listpack.h"
#include "snapshot/rdb/lzf.h"
#include "tool/base/spill.h"
#include "tool/convert/convert_impl.h"

enum { PENDING_MEMORY_BYTES = 4 << 20 };

int
recode_open(struct recode *r)
{
    struct hold *all[] = {&r->body, &r->more, &r->stream.groups, &r->stream.consumers,
                          &r->stream.ids};
    int error = 0;

    sort_init(&r->stream.pending, RECODE_PENDING_BYTES, PENDING_MEMORY_BYTES);
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        error = hold_open(all[i]) < 0 ? -ENOMEM : error;
    return error;
}

void
recode_close(struct recode *r)
{
    hold_close(&r->body);
    hold_close(&r->more);
    hold_close(&r->stream.groups);
    sort_fini(&r->stream.pending);
    hold_close(&r->stream.consumers);
    hold_close(&r->stream.ids);
}

int
recode_fail(struct convert *c, const char *format, ...)
{
    struct rdb_error *e = &c->walk.run.error;
    va_list args;

    va_start(args, format);
    vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
    return -ENOTSUP;
}

int
recode_held(struct convert *c, int error)
{
    if (error == 0)
        return 0;
    return recode_fail(c, "cannot be held to be written anew: %s: %s", tool_spill_dir(),
                       strerror(-error));
}

int
recode_lose(struct convert *c, enum loss kind, const char *format, ...)
{
    char what[160];
    va_list args;

    c->losses[kind]++;
    if (!loss_kinds[kind].is_data || c->plan->lossy)
        return 0;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return recode_fail(c, "%s, which RDB %d has no place for (--lossy: go on without)", what,
                       c->version);
}

void
recode_key(struct convert *c)
{
    struct recode *r = &c->recode;

    r->has_head = r->is_held = false;
    r->begun = r->told = 0;
    c->enc.compress =
        c->plan->compress == COMPRESS_LZF || (c->plan->compress == COMPRESS_KEEP && c->has_lzf);
}

void
recode_head(struct convert *c, uint8_t type)
{
    const struct rdb_key *k = &c->key;
    struct rdb_enc *e = &c->enc;

    e->out = &c->part->writer.sink;
    c->recode.has_head = true;
    c->part->keys++;
    if (c->part->db != k->db)
        rdb_put_selectdb(e, c->part->db = k->db);
    if (k->expire_at_ms != -1)
        rdb_put_expire_ms(e, k->expire_at_ms);
    if (k->idle_s >= 0 && c->version >= TARGET_STREAMS_FROM)
        rdb_put_idle(e, (uint64_t)k->idle_s);
    if (k->freq >= 0 && c->version >= TARGET_STREAMS_FROM)
        rdb_put_freq(e, (uint8_t)k->freq);
    rdb_put_byte(e, type);
    rdb_put_string(e, k->name.ptr, k->name.len);
}

static int
as_it_is(struct convert *c, uint8_t type, struct slice blob)
{
    recode_head(c, type);
    rdb_put_blob(&c->enc, blob.ptr, blob.len);
    return 0;
}

/* put_elements: of a listpack, each as a string. */
static void
put_elements(struct convert *c, struct slice listpack)
{
    const uint8_t *lp = slice_bytes(listpack);
    char scratch[LP_INT_TEXT_BYTES];

    for (uint32_t at = lp_first(lp); at != 0; at = lp_next(lp, at)) {
        struct slice s = lp_slice(lp, at, scratch);

        rdb_put_string(&c->enc, s.ptr, s.len);
    }
}

/* begin: a value of so many elements, unless it has none: then nobody keeps it. */
static void
begin(struct convert *c, uint8_t type, uint64_t count)
{
    c->recode.begun = count;
    if (count == 0)
        return;
    recode_head(c, type);
    rdb_put_len(&c->enc, count);
}

/* ---- strings ---- */

/* A string goes straight on where it is written as it is and its length is known; else it waits for
 * its form. */
int
recode_string_begin(void *ctx, uint64_t len)
{
    struct convert *c = ctx;
    struct recode *r = &c->recode;

    if (c->is_raw)
        return 0;
    r->begun = len;
    r->is_held = c->enc.compress || len <= RDB_INT_TEXT_BYTES;
    if (r->is_held)
        return 0;
    recode_head(c, RDB_TYPE_STRING);
    rdb_put_len(&c->enc, len);
    return 0;
}

int
recode_string_bytes(void *ctx, struct slice piece)
{
    struct convert *c = ctx;

    if (c->is_raw)
        return 0;
    c->recode.told += piece.len;
    sink_put(c->recode.is_held ? &c->recode.body.sink : c->enc.out, piece.ptr, piece.len);
    return 0;
}

static int
read_body(void *ctx, uint64_t offset, void *dst, size_t n)
{
    return hold_read(ctx, offset, dst, n);
}

static int
end_string(struct convert *c)
{
    struct hold *body = &c->recode.body;
    uint64_t len = hold_bytes(body);
    int r = 0;

    if (!c->recode.is_held)
        return 0;
    recode_head(c, RDB_TYPE_STRING);
    if (len <= LZF_BLOCK_BYTES) /* all of it is in the hold's buffer, which is larger */
        rdb_put_string(&c->enc, body->sink.buf, (size_t)len);
    else
        r = rdb_put_string_stream(&c->enc, len, read_body, body);
    hold_clear(body);
    return r;
}
_Static_assert((int)LZF_BLOCK_BYTES < (int)HOLD_BYTES, "it is");

/* ---- lists ---- */

/* has_nodes: the list is written as nodes, as it came. */
static bool
has_nodes(const struct convert *c)
{
    return c->key.type == RDB_TYPE_LIST_QUICKLIST_2 && c->version >= RDB_LISTPACKS_FROM_VERSION;
}

int
recode_list_begin(void *ctx)
{
    struct convert *c = ctx;

    if (!c->is_raw)
        c->enc.out = &c->recode.body.sink;
    return 0;
}

int
recode_list_element(void *ctx, struct slice element)
{
    struct convert *c = ctx;

    if (c->is_raw)
        return 0;
    c->recode.told++;
    if (!has_nodes(c)) {
        rdb_put_string(&c->enc, element.ptr, element.len);
        return 0;
    }
    rdb_put_len(&c->enc, RDB_QUICKLIST_PLAIN);
    rdb_put_blob(&c->enc, element.ptr, element.len);
    return 0;
}

int
recode_list_listpack(void *ctx, struct slice listpack, uint32_t elements)
{
    struct convert *c = ctx;

    if (c->is_raw)
        return 0;
    c->recode.told += has_nodes(c) ? 1 : elements;
    if (!has_nodes(c)) {
        put_elements(c, listpack);
        return 0;
    }
    rdb_put_len(&c->enc, RDB_QUICKLIST_PACKED);
    rdb_put_blob(&c->enc, listpack.ptr, listpack.len);
    return 0;
}

int
recode_list_end(void *ctx)
{
    struct convert *c = ctx;

    if (c->is_raw)
        return 0;
    begin(c, has_nodes(c) ? RDB_TYPE_LIST_QUICKLIST_2 : RDB_TYPE_LIST, c->recode.told);
    return recode_held(c, hold_copy_all(&c->recode.body, &c->part->writer.sink));
}

/* ---- sets ---- */

int
recode_set_intset(void *ctx, struct slice intset, uint32_t members)
{
    struct convert *c = ctx;

    return c->is_raw || members == 0 ? 0 : as_it_is(c, RDB_TYPE_SET_INTSET, intset);
}

int
recode_set_listpack(void *ctx, struct slice listpack, uint32_t members)
{
    struct convert *c = ctx;

    if (c->is_raw || members == 0)
        return 0;
    if (c->version >= RDB_SET_LISTPACK_FROM_VERSION)
        return as_it_is(c, RDB_TYPE_SET_LISTPACK, listpack);
    begin(c, RDB_TYPE_SET, members);
    put_elements(c, listpack);
    c->recode.told = members;
    return 0;
}

int
recode_set_begin(void *ctx, uint64_t members)
{
    struct convert *c = ctx;

    if (!c->is_raw)
        begin(c, RDB_TYPE_SET, members);
    return 0;
}

int
recode_set_member(void *ctx, struct slice member)
{
    struct convert *c = ctx;

    if (c->is_raw)
        return 0;
    c->recode.told++;
    rdb_put_string(&c->enc, member.ptr, member.len);
    return 0;
}

/* ---- sorted sets ---- */

static uint8_t
zset_type(const struct convert *c)
{
    return c->version >= TARGET_SCORES_FROM ? RDB_TYPE_ZSET_2 : RDB_TYPE_ZSET;
}

/* put_score: before version 8 as text behind a byte that is its length, or stands for what has
 * none. */
static void
put_score(struct convert *c, double score)
{
    enum { INF = 254, MINUS_INF = 255, DIGITS = 17 };
    char text[64];
    int n;

    if (c->version >= TARGET_SCORES_FROM) {
        rdb_put_double(&c->enc, score);
        return;
    }
    if (isinf(score)) {
        rdb_put_byte(&c->enc, score > 0 ? INF : MINUS_INF);
        return;
    }
    n = snprintf(text, sizeof text, "%.*g", DIGITS, score);
    rdb_put_byte(&c->enc, (uint8_t)n);
    sink_put(c->enc.out, text, (size_t)n);
}

int
recode_zset_begin(void *ctx, uint64_t members)
{
    struct convert *c = ctx;

    if (!c->is_raw)
        begin(c, zset_type(c), members);
    return 0;
}

int
recode_zset_member(void *ctx, struct slice member, double score)
{
    struct convert *c = ctx;

    if (c->is_raw)
        return 0;
    c->recode.told++;
    rdb_put_string(&c->enc, member.ptr, member.len);
    put_score(c, score);
    return 0;
}

int
recode_zset_listpack(void *ctx, struct slice listpack, uint32_t members)
{
    struct convert *c = ctx;
    const uint8_t *lp = slice_bytes(listpack);
    char scratch[LP_INT_TEXT_BYTES];

    if (c->is_raw || members == 0)
        return 0;
    if (c->version >= RDB_LISTPACKS_FROM_VERSION)
        return as_it_is(c, RDB_TYPE_ZSET_LISTPACK, listpack);
    begin(c, zset_type(c), members);
    for (uint32_t at = lp_first(lp); at != 0;) {
        struct slice member = lp_slice(lp, at, scratch);
        struct lp_elem e;
        double score;

        at = lp_next(lp, at);
        lp_get(lp, at, &e);
        at = lp_next(lp, at);
        if (e.bytes == NULL)
            score = (double)e.value;
        else if (!real_parse(e.bytes, e.len, &score))
            never("the decoder has parsed it");
        recode_zset_member(c, member, score);
    }
    return 0;
}

/* ---- the end of a key ---- */

int
recode_end(struct convert *c)
{
    struct recode *r = &c->recode;
    int error = 0;

    switch (c->key.kind) {
    case RDB_VALUE_STRING:
        error = end_string(c);
        break;
    case RDB_VALUE_HASH:
        error = recode_hash_end(c);
        break;
    case RDB_VALUE_STREAM:
        error = recode_stream_end(c);
        break;
    case RDB_VALUE_LIST:
        r->begun = r->told; /* counted here */
        break;
    case RDB_VALUE_SET:
    case RDB_VALUE_ZSET:
        break;
    case RDB_VALUE_COUNT:
        never("no kind of value");
    }
    if (error < 0)
        return recode_held(c, error);
    if (r->told != r->begun)
        return recode_fail(c, "the value has %llu elements where it claims %llu",
                           (unsigned long long)r->told, (unsigned long long)r->begun);
    return 0;
}
