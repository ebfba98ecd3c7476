/* server/data/load.c - from RDB to databases. */
#include "server/data/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "mm/fault.h"
#include "server/data/blob.h"
#include "server/data/db.h"
#include "server/data/hash.h"
#include "server/data/value.h"
#include "server/server.h"
#include "snapshot/printable.h"

enum {
    SHORT_BYTES = 65536,      /* strings up to here are collected; longer ones go to their block at once */
    TRUSTED_BYTES = 512 << 20 /* a claimed length up to here is set aside as address space */
};

void
load_init(struct load_state *s)
{
    *s = (struct load_state){.form = LOAD_NOTHING};
}

/* drop_value: what was read of a value that no record will hold. */
static void
drop_value(struct load_state *s)
{
    if (s->form == LOAD_BLOCK || s->form == LOAD_TABLE)
        value_free(&s->value);
    s->form = LOAD_NOTHING;
    s->bytes.len = 0;
}

void
load_fini(struct load_state *s)
{
    drop_value(s);
    free(s->key.at);
    free(s->bytes.at);
}

static int
buffer_reserve(struct load_buffer *b, size_t room)
{
    char *p;

    if (room <= b->room)
        return 0;
    room += room / 2;
    if (fault_point(FAULT_load_alloc) || (p = realloc(b->at, room)) == NULL)
        return -ENOMEM;
    b->at = p;
    b->room = room;
    return 0;
}

static int
buffer_add(struct load_buffer *b, const void *bytes, size_t len)
{
    if (buffer_reserve(b, b->len + len + 1) < 0)
        return -ENOMEM;
    if (len > 0)
        memcpy(b->at + b->len, bytes, len);
    b->len += len;
    return 0;
}

/* complain: what is wrong, and with which key. */
static int
complain(struct load_state *s, int error, const char *what)
{
    char name[128];

    printable(name, sizeof name, (const uint8_t *)s->key.at, s->key.len);
    snprintf(s->error, sizeof s->error, "%s: key '%s'", what, name);
    return error;
}

/* ---- keys ---- */

static int
on_key(void *ctx, const struct rdb_key *k)
{
    struct load_state *s = ctx;

    drop_value(s);
    s->key.len = 0;
    if (buffer_add(&s->key, k->name.bytes, k->name.len) < 0)
        return -ENOMEM;
    if (k->db >= (uint64_t)db_count())
        return complain(s, -ERANGE, "The dump has more databases than are configured");
    s->db = db_select((int)k->db);
    s->expire_at_ms = k->expire_at_ms;
    s->idle_s = k->idle_s;
    s->freq = k->freq;
    s->skip = k->expire_at_ms != -1 && k->expire_at_ms < server.now_ms;
    s->keys_expired += s->skip;
    return 0;
}

/* skip_empty: the key is passed over, as Redis does with empty collections. */
static int
skip_empty(struct load_state *s)
{
    s->skip = true;
    s->empty_skipped++;
    return 0;
}

/* finish: the value that the record will hold; its block or table is the caller's. */
static int
finish(struct load_state *s, struct value *ret)
{
    struct slice bytes = {.ptr = s->bytes.at, .len = s->bytes.len};

    switch (s->form) {
    case LOAD_BYTES:
        return value_string(ret, bytes, s->key.len);
    case LOAD_LISTPACK:
        return value_blob(ret, TYPE_HASH, bytes, s->key.len);
    case LOAD_BLOCK:
    case LOAD_TABLE:
        *ret = s->value;
        s->form = LOAD_NOTHING;
        return 0;
    case LOAD_NOTHING:
        break;
    }
    return -EBADMSG;
}

/* capture: the value is handed over instead of stored. */
static int
capture(struct load_state *s)
{
    int r;

    if (rdb_source_offset(s->source) != s->capture_end)
        return -EBADMSG;
    if ((r = finish(s, s->capture)) < 0)
        return r;
    if (s->capture->enc != ENC_INLINE) /* its bytes are still the buffer's */
        drop_value(s);
    s->captured = true;
    return 0;
}

static int
on_value_end(void *ctx)
{
    struct load_state *s = ctx;
    struct db_ref ref;
    struct value v;
    int r;

    if (s->skip) {
        drop_value(s);
        return 0;
    }
    if (s->capture != NULL)
        return capture(s);
    db_lookup(s->db, (struct slice){.ptr = s->key.at, .len = s->key.len}, 0, &ref);
    if (ref.rec != NULL && !s->merge)
        return complain(s, -EEXIST, "The dump has a key twice, or one that is there already");
    if ((r = finish(s, &v)) < 0)
        return r;
    if (db_store(&ref, &v, s->expire_at_ms) < 0) {
        value_free(&v);
        return -ENOMEM;
    }
    db_set_use(ref.rec, s->idle_s, s->freq);
    s->keys_loaded++;
    drop_value(s);
    return 0;
}

/* ---- strings ---- */

static int
on_string_begin(void *ctx, uint64_t len)
{
    struct load_state *s = ctx;
    uint64_t room = len < TRUSTED_BYTES ? len : TRUSTED_BYTES;
    char *block;

    if (s->skip)
        return 0;
    s->claimed_len = len;
    if (len <= SHORT_BYTES) {
        s->form = LOAD_BYTES;
        return buffer_reserve(&s->bytes, len + 1);
    }
    if ((block = blob_alloc(room)) == NULL)
        return -ENOMEM;
    s->value = (struct value){.type = TYPE_STRING, .enc = ENC_OUTER, .blob = {.ptr = block, .len = 0}};
    s->block = block;
    s->form = LOAD_BLOCK;
    return 0;
}

/* move_block: a string longer than what was set aside for it: twice as much, now that its bytes are really
 * there. */
static int
move_block(struct load_state *s)
{
    struct slice *old = &s->value.blob;
    uint64_t room = old->len * 2 < s->claimed_len ? old->len * 2 : s->claimed_len;
    char *block = blob_alloc(room);

    if (block == NULL)
        return -ENOMEM;
    memcpy(block, old->ptr, old->len);
    mm_free(old->ptr);
    old->ptr = s->block = block;
    return 0;
}

static int
on_string_bytes(void *ctx, struct rdb_slice piece)
{
    struct load_state *s = ctx;
    struct slice *blob = &s->value.blob;

    if (s->skip)
        return 0;
    if (s->form == LOAD_BYTES)
        return buffer_add(&s->bytes, piece.bytes, piece.len);
    while (blob->len + piece.len > mm_usable(blob->ptr))
        if (move_block(s) < 0)
            return -ENOMEM;
    memcpy(s->block + blob->len, piece.bytes, piece.len);
    blob->len += piece.len;
    return 0;
}

/* ---- hashes ---- */

static int
begin_table(struct load_state *s, const struct htable *t)
{
    if (t == NULL)
        return -ENOMEM;
    s->value = (struct value){.type = TYPE_HASH, .enc = ENC_HASHTABLE, .table = t};
    s->form = LOAD_TABLE;
    return 0;
}

static int
on_hash_listpack(void *ctx, struct rdb_slice listpack, uint32_t fields)
{
    struct load_state *s = ctx;

    if (s->skip)
        return 0;
    if (fields == 0)
        return skip_empty(s);
    if (!hash_is_small(fields, 0))
        return begin_table(s, hash_table_of(listpack.bytes));
    s->form = LOAD_LISTPACK;
    return buffer_add(&s->bytes, listpack.bytes, listpack.len);
}

static int
on_hash_begin(void *ctx, uint64_t fields)
{
    struct load_state *s = ctx;

    if (s->skip)
        return 0;
    if (fields == 0)
        return skip_empty(s);
    if (!hash_is_small(fields, 0))
        return begin_table(s, htable_new());
    if (buffer_reserve(&s->bytes, LP_EMPTY_BYTES) < 0)
        return -ENOMEM;
    s->bytes.len = lp_init((uint8_t *)s->bytes.at);
    s->form = LOAD_LISTPACK;
    return 0;
}

static int
add_to_table(struct load_state *s, struct slice field, struct slice value)
{
    const struct pair *p = pair_new(field, value), *old;

    if (p == NULL)
        return -ENOMEM;
    if (!htable_put(s->value.table, p, &old)) {
        pair_free(p);
        return -ENOMEM;
    }
    if (old == NULL)
        return 0;
    pair_free(old);
    return complain(s, -EEXIST, "The dump has a hash with a field twice");
}

static int
add_to_listpack(struct load_state *s, struct slice field, struct slice value)
{
    size_t more = (size_t)lp_entry_bytes(field.ptr, field.len) + lp_entry_bytes(value.ptr, value.len);
    uint8_t *lp;

    if (buffer_reserve(&s->bytes, s->bytes.len + more) < 0)
        return -ENOMEM;
    lp = (uint8_t *)s->bytes.at;
    if (lp_find(lp, field.ptr, field.len, 1) != 0)
        return complain(s, -EEXIST, "The dump has a hash with a field twice");
    lp_append(lp, field.ptr, field.len);
    s->bytes.len = lp_append(lp, value.ptr, value.len);
    return 0;
}

static int
on_hash_field(void *ctx, struct rdb_slice f, struct rdb_slice v)
{
    struct slice field = {.ptr = (const char *)f.bytes, .len = f.len},
                 value = {.ptr = (const char *)v.bytes, .len = v.len};
    struct load_state *s = ctx;

    if (s->skip)
        return 0;
    if (s->form == LOAD_LISTPACK) {
        if (hash_is_small(lp_count((const uint8_t *)s->bytes.at) / 2 + 1, f.len > v.len ? f.len : v.len))
            return add_to_listpack(s, field, value);
        if (begin_table(s, hash_table_of((const uint8_t *)s->bytes.at)) < 0)
            return -ENOMEM;
    }
    return add_to_table(s, field, value);
}

static int
on_progress(void *ctx, uint64_t offset)
{
    struct load_state *s = ctx;

    if (s->on_progress != NULL)
        s->on_progress(s->progress_ctx, offset);
    return 0;
}

const struct rdb_events load_events = {.key = on_key,
                                       .string_begin = on_string_begin,
                                       .string_bytes = on_string_bytes,
                                       .hash_listpack = on_hash_listpack,
                                       .hash_begin = on_hash_begin,
                                       .hash_field = on_hash_field,
                                       .value_end = on_value_end,
                                       .progress = on_progress};
