/* snapshot/rdb_dec_old.c - the small hashes of older files: zipmaps (until Redis 2.4) and ziplists
 * (until 6.2).
 *
 * Both are walked twice: first to check every byte and to count, then to hand the fields on.  The walk is the
 * same code, so the second one cannot meet anything that the first did not. */
#include <errno.h>
#include <string.h>

#include "snapshot/decimal.h"
#include "snapshot/le.h"
#include "snapshot/rdb_dec_impl.h"

/* A walk over a blob: next_element() of either kind moves `at` on. */
struct walk {
    const uint8_t *at, *end;     /* end: of the entries; the blob's 0xff stands there */
    uint64_t previous_bytes;     /* ziplist: of the entry before */
    char text[2][DECIMAL_BYTES]; /* integers of the field and of its value, printed */
};

enum { OLD_END = 0xff, BIG_LEN = 254, ZIPLIST_HEADER_BYTES = 10, ZIPMAP_COUNT_UNKNOWN = 254 };

/* One of the two kinds of blob. */
struct old_form {
    const char *name;
    /* open: check the frame, begin a walk.  *ret_pairs: fields by the header, UINT64_MAX: it does not say. */
    bool (*open)(const struct bytes *blob, struct walk *w, uint64_t *ret_pairs);
    /* next: the next pair; only while w->at < w->end.  false: damaged. */
    bool (*next)(struct walk *w, struct rdb_slice *field, struct rdb_slice *value);
    /* close: is what the header says of the end right? */
    bool (*close)(const struct bytes *blob, const struct walk *w);
};

/* take: n bytes of the walk, or NULL if there are not so many. */
static const uint8_t *
take(struct walk *w, uint64_t n)
{
    const uint8_t *p = w->at;

    if ((uint64_t)(w->end - w->at) < n)
        return NULL;
    w->at += n;
    return p;
}

/* take_old_len: a byte below 254, or 254 and four bytes. */
static bool
take_old_len(struct walk *w, uint32_t *ret)
{
    const uint8_t *p = take(w, 1);

    if (p == NULL || *p > BIG_LEN)
        return false;
    *ret = *p;
    if (*p < BIG_LEN)
        return true;
    if ((p = take(w, 4)) == NULL)
        return false;
    *ret = (uint32_t)le_load(p, 4);
    return true;
}

static bool
take_slice(struct walk *w, uint64_t len, struct rdb_slice *ret)
{
    ret->bytes = take(w, len);
    ret->len = (size_t)len;
    return ret->bytes != NULL;
}

/* Zipmap: count, then pairs of <len>field <len><free>value and `free` unused bytes, then 0xff. */
static bool
zipmap_open(const struct bytes *blob, struct walk *w, uint64_t *ret_pairs)
{
    if (blob->len < 2 || blob->at[blob->len - 1] != OLD_END)
        return false;
    w->at = blob->at + 1;
    w->end = blob->at + blob->len - 1;
    *ret_pairs = blob->at[0] < ZIPMAP_COUNT_UNKNOWN ? blob->at[0] : UINT64_MAX;
    return true;
}

static bool
zipmap_next(struct walk *w, struct rdb_slice *field, struct rdb_slice *value)
{
    const uint8_t *unused;
    uint32_t len;

    if (!take_old_len(w, &len) || !take_slice(w, len, field) || !take_old_len(w, &len))
        return false;
    if ((unused = take(w, 1)) == NULL || !take_slice(w, len, value))
        return false;
    return take(w, *unused) != NULL;
}

static bool
zipmap_close(const struct bytes *blob, const struct walk *w)
{
    (void)blob;
    (void)w;
    return true;
}

/* Ziplist: bytes (u32), offset of the last entry (u32), entries (u16), then entries of <size of the one
 * before> <encoding> <data>, then 0xff; little endian but for the lengths of strings. */
static bool
ziplist_open(const struct bytes *blob, struct walk *w, uint64_t *ret_pairs)
{
    unsigned count;

    if (blob->len < ZIPLIST_HEADER_BYTES + 1 || blob->at[blob->len - 1] != OLD_END ||
        le_load(blob->at, 4) != blob->len)
        return false;
    count = (unsigned)le_load(blob->at + 8, 2);
    if (count != UINT16_MAX && count % 2 != 0)
        return false;
    w->at = blob->at + ZIPLIST_HEADER_BYTES;
    w->end = blob->at + blob->len - 1;
    w->previous_bytes = 0;
    *ret_pairs = count != UINT16_MAX ? count / 2 : UINT64_MAX;
    return true;
}

static bool
take_ziplist_string(struct walk *w, uint8_t enc, struct rdb_slice *ret)
{
    const uint8_t *p;

    if (enc < 0x40)
        return take_slice(w, enc, ret);
    if (enc < 0x80) {
        if ((p = take(w, 1)) == NULL)
            return false;
        return take_slice(w, (uint64_t)(enc & 0x3f) << 8 | *p, ret);
    }
    if ((p = take(w, 4)) == NULL)
        return false;
    return take_slice(w, (uint64_t)p[0] << 24 | (uint64_t)p[1] << 16 | (uint64_t)p[2] << 8 | p[3], ret);
}

static bool
take_ziplist_int(struct walk *w, uint8_t enc, char *text, struct rdb_slice *ret)
{
    unsigned bytes = enc == 0xc0   ? 2
                     : enc == 0xd0 ? 4
                     : enc == 0xe0 ? 8
                     : enc == 0xf0 ? 3
                     : enc == 0xfe ? 1
                                   : 0;
    int64_t value = enc - 0xf1; /* 0xf1 to 0xfd: the value itself, 0 to 12 */
    const uint8_t *p;

    if (bytes == 0 && (enc < 0xf1 || enc > 0xfd))
        return false;
    if (bytes > 0) {
        if ((p = take(w, bytes)) == NULL)
            return false;
        value = le_load_signed(p, bytes);
    }
    ret->bytes = (const uint8_t *)text;
    ret->len = decimal_print(value, text);
    return true;
}

static bool
take_ziplist_entry(struct walk *w, char *text, struct rdb_slice *ret)
{
    const uint8_t *entry = w->at, *enc;
    uint32_t previous;

    if (!take_old_len(w, &previous) || previous != w->previous_bytes || (enc = take(w, 1)) == NULL)
        return false;
    if (*enc > 0x80 && *enc < 0xc0)
        return false;
    if (!(*enc < 0xc0 ? take_ziplist_string(w, *enc, ret) : take_ziplist_int(w, *enc, text, ret)))
        return false;
    w->previous_bytes = (uint64_t)(w->at - entry);
    return true;
}

static bool
ziplist_next(struct walk *w, struct rdb_slice *field, struct rdb_slice *value)
{
    return take_ziplist_entry(w, w->text[0], field) && take_ziplist_entry(w, w->text[1], value);
}

static bool
ziplist_close(const struct bytes *blob, const struct walk *w)
{
    uint64_t last = (uint64_t)(w->end - blob->at) - w->previous_bytes; /* the header, if there is no entry */

    return le_load(blob->at + 4, 4) == last;
}

static const struct old_form zipmap = {"zipmap", zipmap_open, zipmap_next, zipmap_close};
static const struct old_form ziplist = {"ziplist", ziplist_open, ziplist_next, ziplist_close};

/* check: every byte, the count, and that no two fields are the same.  *ret_pairs: how many there are. */
static int
check(struct dec *d, const struct old_form *form, uint64_t offset, uint64_t *ret_pairs)
{
    struct rdb_slice field, value;
    uint64_t claimed = 0, pairs = 0;
    struct walk w = {0};
    bool is_sound = form->open(&d->value, &w, &claimed);
    int r;

    field_set_clear(&d->fields);
    for (; is_sound && w.at < w.end; pairs++) {
        if (!(is_sound = form->next(&w, &field, &value)))
            break;
        if ((r = dec_new_field(d, offset, field)) != 0)
            return r;
    }
    if (!is_sound || (claimed != UINT64_MAX && claimed != pairs) || !form->close(&d->value, &w))
        return dec_fail(d, offset, -EINVAL, "the hash's %s of %zu bytes is damaged", form->name,
                        d->value.len);
    *ret_pairs = pairs;
    return 0;
}

static int
read_old(struct dec *d, const struct old_form *form)
{
    struct rdb_slice field, value;
    uint64_t offset = 0, pairs = 0, claimed;
    struct walk w = {0};
    int r;

    if ((r = dec_hash_blob(d, &offset)) != 0 || (r = check(d, form, offset, &pairs)) != 0)
        return r;
    if (d->ev->hash_begin != NULL && (r = dec_sink(d, d->ev->hash_begin(d->ctx, pairs))) != 0)
        return r;
    if (d->ev->hash_field == NULL)
        return 0;
    form->open(&d->value, &w, &claimed);
    while (w.at < w.end) {
        form->next(&w, &field, &value);
        if ((r = dec_sink(d, d->ev->hash_field(d->ctx, field, value))) != 0)
            return r;
    }
    return 0;
}

int
dec_hash_zipmap(struct dec *d)
{
    return read_old(d, &zipmap);
}

int
dec_hash_ziplist(struct dec *d)
{
    return read_old(d, &ziplist);
}
