/* server/data/db/record.c - build, rewrite and free records.  The layout is in record.h. */
#include "server/data/db/record.h"

#include "mm/base/difference.h"

/* record_head: the bytes before the key; returns their number. */
static size_t
record_head(const struct record_spec *s, uint8_t head[RECORD_HEAD_MAX])
{
    const struct value *v = &s->value;
    bool is_long = s->key.len > RECORD_SHORT_KEY_MAX, expires = s->expire_at_ms != RECORD_NO_EXPIRE;
    uint32_t len = is_long ? RECORD_SHORT_KEY_MAX + 1 : (uint32_t)s->key.len;
    uint32_t word = (s->clock & RECORD_CLOCK_MASK) | len << RECORD_CLOCK_BITS;
    uint64_t pointer = (uintptr_t)(v->enc == ENC_OUTER ? (const void *)v->blob.ptr : v->root);
    uint64_t blob_len = v->blob.len, key_len = s->key.len;
    uint16_t short_len = (uint16_t)blob_len;
    size_t at = 8;

    debug_check(v->type < TYPE_COUNT && v->enc < ENC_COUNT);
    debug_check(v->timed == (v->type == TYPE_TIMED_HASH) || v->type == TYPE_SET);
    debug_check(v->enc != ENC_INLINE || v->blob.len <= UINT16_MAX);
    head[0] = (uint8_t)(v->type | v->enc << 4);
    head[1] = (uint8_t)((expires ? RECORD_HAS_EXPIRE : 0) | (is_long ? RECORD_LONG_KEY : 0) |
                        (v->raw ? RECORD_RAW : 0) | (v->intset ? RECORD_INTSET : 0));
    memcpy(head + 2, &s->db, 2);
    memcpy(head + 4, &word, 4);
    if (expires) {
        memcpy(head + at, &s->expire_at_ms, 8);
        at += 8;
    }
    switch (v->enc) {
    case ENC_INT:
        memcpy(head + at, &v->integer, 8);
        break;
    case ENC_INLINE:
        memcpy(head + at, &short_len, 2);
        break;
    case ENC_OUTER:
        memcpy(head + at, &pointer, 8);
        memcpy(head + at + 8, &blob_len, 8);
        break;
    case ENC_ROOT:
        memcpy(head + at, &pointer, 8);
        break;
    case ENC_COUNT:
        never("an encoding");
    }
    at += record_fixed_bytes[v->enc];
    if (is_long) {
        memcpy(head + at, &key_len, 8);
        at += 8;
    }
    return at;
}

static size_t
head_bytes(size_t key_len, bool has_expire, enum encoding enc)
{
    return 8U + (has_expire ? 8 : 0) + record_fixed_bytes[enc] +
           (key_len > RECORD_SHORT_KEY_MAX ? 8 : 0);
}

size_t
record_bytes(const struct record_spec *s)
{
    return head_bytes(s->key.len, s->expire_at_ms != RECORD_NO_EXPIRE, s->value.enc) + s->key.len +
           (s->value.enc == ENC_INLINE ? s->value.blob.len : 0);
}

bool
record_can_inline(size_t key_len, size_t blob_len)
{
    return blob_len <= RECORD_INLINE_ALWAYS ||
           head_bytes(key_len, true, ENC_INLINE) + key_len + blob_len <= RECORD_INLINE_MAX;
}

const struct record *
record_new(const struct record_spec *s)
{
    uint8_t head[RECORD_HEAD_MAX];
    size_t n;
    char *p;

    if ((p = mm_alloc(MM_RECORD, record_bytes(s))) == NULL)
        return NULL;
    n = record_head(s, head);
    memcpy(p, head, n);
    memcpy(p + n, s->key.ptr, s->key.len);
    if (s->value.enc == ENC_INLINE && s->value.blob.len > 0)
        memcpy(p + n + s->key.len, s->value.blob.ptr, s->value.blob.len);
    debug_check(record_key_at((const struct record *)(const void *)p) == n);
    return (const struct record *)(const void *)p;
}

void
record_free(const struct record *r)
{
    mm_free(r);
}

void
record_spec_of(const struct record *r, struct record_spec *ret)
{
    enum encoding enc = record_encoding(r);

    *ret = (struct record_spec){.key = record_key(r),
                                .expire_at_ms = record_expire(r),
                                .db = record_db(r),
                                .clock = record_clock(r),
                                .value = {.type = record_type(r),
                                          .enc = enc,
                                          .raw = record_has(r, RECORD_RAW),
                                          .intset = record_has(r, RECORD_INTSET)}};
    if (enc == ENC_INT)
        ret->value.integer = record_int(r);
    else if (enc == ENC_ROOT)
        ret->value.root = record_root(r);
    else
        ret->value.blob = record_blob(r);
}

/* patch: bytes [at, at + len) of the record become these.  The one write into an existing record
 * (R2). */
static void
patch(const struct record *r, size_t at, const void *bytes, size_t len)
{
    memcpy(mm_modify((const char *)r + at, len), bytes, len);
}

/* patch_difference: make bytes [at, at + len) of the record, the first old_len of which count,
 * these.  While a cut is open only what differs is written; without one, looking for that would
 * cost more than writing. */
static void
patch_difference(const struct record *r, size_t at, const void *bytes, size_t len, size_t old_len)
{
    const char *old = (const char *)r + at, *new = bytes;
    size_t begin = 0, end = len;

    if (old == new)
        return;
    if (unlikely(mm_barrier_on))
        difference_span(old, old_len, new, len, &begin, &end);
    if (end > begin)
        patch(r, at + begin, new + begin, end - begin);
}

bool
record_rewrite(const struct record *r, const struct record_spec *s)
{
    size_t bytes = record_bytes(s), usable = mm_usable(r), n, old_len;
    uint8_t head[RECORD_HEAD_MAX];

    debug_check(record_key_len(r) == s->key.len);
    debug_check(memcmp(record_key(r).ptr, s->key.ptr, s->key.len) == 0);
    /* Another type may stand in other tables (D1), another encoding has another layout. */
    if ((s->value.type | s->value.enc << 4) != record_byte(r, 0) ||
        mm_size_class(bytes) != usable ||
        (s->expire_at_ms != RECORD_NO_EXPIRE) != record_has(r, RECORD_HAS_EXPIRE))
        return false;
    if (usable <= RECORD_REPLACE_MAX && mm_is_frozen(r))
        return false; /* R3 */
    old_len = s->value.enc == ENC_INLINE ? record_blob(r).len : 0;
    n = record_head(s, head);
    patch_difference(r, 0, head, 4, 4);
    record_touch(r, s->clock);
    patch_difference(r, 8, head + 8, n - 8, n - 8);
    if (s->value.enc == ENC_INLINE)
        patch_difference(r, n + s->key.len, s->value.blob.ptr, s->value.blob.len, old_len);
    return true;
}
