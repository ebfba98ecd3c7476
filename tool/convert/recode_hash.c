/* tool/convert/recode_hash.c - hashes written anew.
 *
 * Of one whose fields may expire it is known at its end only whether one does, and Redis's form has
 * the smallest expiry before all: its fields wait in the hold `body`, and in `more` stands of each
 * when it expires and how many bytes it has there. */
#include <errno.h>

#include "mm/base/le.h"
#include "mm/base/printable.h"
#include "snapshot/rdb/listpack.h"
#include "tool/convert/convert_impl.h"

enum { NEVER = -1 };

/* What `more` has of a field. */
struct waiting {
    int64_t expire_at_ms;
    uint64_t bytes;
};

static void
put_pair(struct convert *c, struct slice field, struct slice value)
{
    rdb_put_string(&c->enc, field.ptr, field.len);
    rdb_put_string(&c->enc, value.ptr, value.len);
}

int
recode_hash_listpack(void *ctx, struct slice listpack, uint32_t fields)
{
    struct convert *c = ctx;
    const uint8_t *lp = slice_bytes(listpack);
    char scratch[2][LP_INT_TEXT_BYTES];

    if (c->is_raw || fields == 0)
        return 0;
    if (c->version >= RDB_LISTPACKS_FROM_VERSION) {
        recode_head(c, RDB_TYPE_HASH_LISTPACK);
        rdb_put_blob(&c->enc, listpack.ptr, listpack.len);
        return 0;
    }
    recode_hash_begin(c, fields);
    for (uint32_t at = lp_first(lp); at != 0;) {
        struct slice field = lp_slice(lp, at, scratch[0]), value;

        at = lp_next(lp, at);
        value = lp_slice(lp, at, scratch[1]);
        at = lp_next(lp, at);
        recode_hash_field(c, field, value);
    }
    return 0;
}

/* may_expire: its fields may, and there is a form for that. */
static bool
may_expire(const struct convert *c)
{
    return c->key.type > RDB_TYPE_STREAM_3 && target_expiry_type(c->version) >= 0;
}

int
recode_hash_begin(void *ctx, uint64_t fields)
{
    struct convert *c = ctx;
    struct recode *r = &c->recode;

    if (c->is_raw)
        return 0;
    r->begun = fields;
    r->smallest_ms = INT64_MAX;
    r->is_held = may_expire(c);
    if (r->is_held) {
        c->enc.out = &r->body.sink;
        return 0;
    }
    if (fields > 0) {
        recode_head(c, RDB_TYPE_HASH);
        rdb_put_len(&c->enc, fields);
    }
    return 0;
}

/* hold_field: it waits. */
static void
hold_field(struct convert *c, struct slice field, struct slice value, int64_t expire_at_ms)
{
    struct recode *r = &c->recode;
    uint64_t before = hold_bytes(&r->body);
    struct waiting w = {.expire_at_ms = expire_at_ms};

    put_pair(c, field, value);
    w.bytes = hold_bytes(&r->body) - before;
    sink_put(&r->more.sink, &w, sizeof w);
}

int
recode_hash_field(void *ctx, struct slice field, struct slice value)
{
    struct convert *c = ctx;

    if (c->is_raw)
        return 0;
    c->recode.told++;
    if (c->recode.is_held)
        hold_field(c, field, value, NEVER);
    else
        put_pair(c, field, value);
    return 0;
}

int
recode_hash_field_expiring(void *ctx, struct slice field, struct slice value, int64_t expire_at_ms)
{
    struct convert *c = ctx;
    struct recode *r = &c->recode;
    char shown[64];
    int error;

    if (c->is_raw)
        return 0;
    if (!r->is_held) {
        printable(shown, sizeof shown, field.ptr, field.len);
        if ((error = recode_lose(c, LOSS_FIELD_EXPIRY, "the hash's field \"%s\" expires", shown)) !=
            0)
            return error;
        return recode_hash_field(c, field, value);
    }
    r->told++;
    r->smallest_ms = expire_at_ms < r->smallest_ms ? expire_at_ms : r->smallest_ms;
    hold_field(c, field, value, expire_at_ms);
    return 0;
}

static void
put_le64(struct convert *c, uint64_t value)
{
    uint8_t bytes[8];

    le_store(bytes, value, sizeof bytes);
    sink_put(c->enc.out, bytes, sizeof bytes);
}

/* put_field: one that has waited. */
static int
put_field(struct convert *c, uint8_t type, const struct waiting *w, uint64_t at)
{
    struct recode *r = &c->recode;
    int error;

    if (type == RDB_TYPE_HASH_EXPIRES)
        rdb_put_len(&c->enc, w->expire_at_ms == NEVER
                                 ? 0
                                 : (uint64_t)w->expire_at_ms - (uint64_t)r->smallest_ms + 1);
    if ((error = hold_copy(&r->body, at, w->bytes, c->enc.out)) < 0)
        return error;
    if (type == RDB_TYPE_HASH_EXPIRES_VALKEY)
        put_le64(c, (uint64_t)w->expire_at_ms);
    return 0;
}

static int
put_fields(struct convert *c, uint8_t type)
{
    struct recode *r = &c->recode;
    uint64_t at = 0;
    struct waiting w;
    int error;

    recode_head(c, type);
    if (type == RDB_TYPE_HASH_EXPIRES)
        put_le64(c, (uint64_t)r->smallest_ms);
    rdb_put_len(&c->enc, r->told);
    for (uint64_t i = 0; i < r->told; i++, at += w.bytes)
        if ((error = hold_read(&r->more, i * sizeof w, &w, sizeof w)) < 0 ||
            (error = put_field(c, type, &w, at)) < 0)
            return error;
    return 0;
}

int
recode_hash_end(struct convert *c)
{
    struct recode *r = &c->recode;
    int error = 0;

    if (!r->is_held)
        return 0;
    if (r->told > 0)
        error =
            put_fields(c, r->smallest_ms == INT64_MAX ? RDB_TYPE_HASH
                                                      : (uint8_t)target_expiry_type(c->version));
    hold_clear(&r->body);
    hold_clear(&r->more);
    return error;
}
