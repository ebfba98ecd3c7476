/* snapshot/rdb/rdb_dec_string.c - lengths, integers and strings of an RDB file, and how reading
 * them fails. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/fault.h"
#include "mm/base/le.h"
#include "mm/base/num.h"
#include "mm/base/printable.h"
#include "snapshot/rdb/rdb.h"
#include "snapshot/rdb/rdb_dec_impl.h"

enum { PIECE_BYTES = 65536, PROGRESS_BYTES = 2 << 20 };

/* within: what offsets count in, if it is not the file. */
static const char *
within(const struct dec *d)
{
    return d->src->is_packed ? " of the decompressed RDB" : "";
}

static void
describe_place(struct dec *d, uint64_t offset)
{
    d->err->offset = offset;
    d->err->within = within(d);
    if (d->has_key)
        printable(d->err->key, sizeof d->err->key, d->name.at, d->name.len);
}

int
dec_fail(struct dec *d, uint64_t offset, int code, const char *format, ...)
{
    va_list args;

    debug_check(code < 0);
    va_start(args, format);
    vsnprintf(d->err->text, sizeof d->err->text, format, args);
    va_end(args);
    describe_place(d, offset);
    return code;
}

int
dec_fail_in_file(struct dec *d, int code, const char *format, ...)
{
    va_list args;

    debug_check(code < 0);
    va_start(args, format);
    vsnprintf(d->err->text, sizeof d->err->text, format, args);
    va_end(args);
    describe_place(d, rdb_source_consumed(d->src));
    d->err->within = "";
    return code;
}

int
dec_unreadable(struct dec *d, int error)
{
    const char *wrong = source_wrong(d->src);

    if (wrong != NULL)
        return dec_fail_in_file(d, -EINVAL, "%s", wrong);
    return dec_fail_in_file(d, error, "cannot be read: %s", strerror(-error));
}

int
dec_find(struct dec *d, uint64_t offset, enum rdb_finding_kind kind, const char *format, ...)
{
    struct rdb_finding f = {.kind = kind, .offset = offset, .within = within(d)};
    size_t len;
    va_list args;

    if (d->ev->finding == NULL)
        return 0;
    va_start(args, format);
    vsnprintf(f.text, sizeof f.text, format, args);
    va_end(args);
    len = strlen(f.text);
    snprintf(f.text + len, sizeof f.text - len, ": %s", rdb_finding_remedy(kind));
    if (d->has_key)
        printable(f.key, sizeof f.key, d->name.at, d->name.len);
    return dec_sink(d, d->ev->finding(d->ctx, &f));
}

int
dec_find_empty(struct dec *d, const char *what)
{
    return dec_find(d, d->key.offset, RDB_FINDING_EMPTY_KEY, "an empty %s", what);
}

int
dec_sink(struct dec *d, int r)
{
    if (unlikely(r != 0))
        describe_place(d, rdb_source_offset(d->src));
    return r;
}

/* read_on: n bytes in hand, which are not there yet. */
static int
read_on(struct dec *d, size_t n)
{
    int r;

    if (d->is_raw && (r = dec_raw(d)) != 0) /* as long as it stands there */
        return r;
    if ((r = source_fill(d->src, n)) == 0)
        return 0;
    if (r == -ENODATA)
        return dec_fail(d, rdb_source_offset(d->src) + source_ready(d->src), -EINVAL,
                        "the file ends in the middle of %s", d->what);
    return dec_unreadable(d, r);
}

int
dec_need(struct dec *d, size_t n)
{
    debug_check(n <= SOURCE_BUFFER_BYTES);
    return likely(source_ready(d->src) >= n) ? 0 : read_on(d, n);
}

int
dec_raw(struct dec *d)
{
    uint64_t begin = d->raw_from - d->src->base;
    struct slice piece = slice_of(d->src->data + begin, d->src->at - (size_t)begin);

    debug_check(d->raw_from >= d->src->base && begin <= d->src->at);
    d->raw_from += piece.len;
    return piece.len == 0 ? 0 : dec_sink(d, d->ev->raw(d->ctx, piece));
}

int
dec_progress(struct dec *d)
{
    uint64_t offset = rdb_source_offset(d->src);

    if (likely(offset < d->next_progress))
        return 0;
    d->next_progress = offset + PROGRESS_BYTES;
    if (d->ev->progress == NULL)
        return 0;
    return dec_sink(d, d->ev->progress(d->ctx, rdb_source_consumed(d->src)));
}

int
dec_byte(struct dec *d, uint8_t *ret)
{
    int r;

    if ((r = dec_need(d, 1)) != 0)
        return r;
    *ret = *source_here(d->src);
    source_skip(d->src, 1);
    return 0;
}

int
dec_le(struct dec *d, unsigned bytes, uint64_t *ret)
{
    int r;

    if ((r = dec_need(d, bytes)) != 0)
        return r;
    *ret = le_load(source_here(d->src), bytes);
    source_skip(d->src, bytes);
    return 0;
}

static int
read_be(struct dec *d, unsigned bytes, uint64_t *ret)
{
    const uint8_t *p;
    int r;

    if ((r = dec_need(d, bytes)) != 0)
        return r;
    p = source_here(d->src);
    *ret = 0;
    for (unsigned i = 0; i < bytes; i++)
        *ret = *ret << 8 | p[i];
    source_skip(d->src, bytes);
    return 0;
}

/* read_len: a length, or with *ret_form >= RDB_ENC_INT8 the form of a string that follows. */
static int
read_len(struct dec *d, uint64_t *ret, uint8_t *ret_form)
{
    uint64_t offset = rdb_source_offset(d->src);
    uint8_t first = 0;
    int r;

    if ((r = dec_byte(d, &first)) != 0)
        return r;
    *ret = first & 0x3f;
    *ret_form = first < RDB_LEN_32 ? first & 0xc0 : first;
    if (first < RDB_LEN_14 || first >= RDB_ENC_INT8)
        return 0;
    if (first < RDB_LEN_32) {
        uint64_t high = *ret;

        r = read_be(d, 1, ret);
        *ret |= high << 8;
        return r;
    }
    if (first != RDB_LEN_32 && first != RDB_LEN_64)
        return dec_fail(d, offset, -EINVAL, "a length that starts with 0x%02x", first);
    return read_be(d, first == RDB_LEN_32 ? 4 : 8, ret);
}

int
dec_len(struct dec *d, uint64_t *ret)
{
    uint64_t offset = rdb_source_offset(d->src);
    uint8_t form;
    int r;

    if ((r = read_len(d, ret, &form)) != 0)
        return r;
    if (form >= RDB_ENC_INT8)
        return dec_fail(d, offset, -EINVAL, "a string (0x%02x) where a length belongs", form);
    return 0;
}

static int
begin_int(struct dec *d, struct string_in *s, uint8_t form)
{
    unsigned bytes = 1u << (form - RDB_ENC_INT8);
    int r;

    if ((r = dec_need(d, bytes)) != 0)
        return r;
    s->form = RDB_FORM_INT;
    s->len = num_print(s->text, le_load_signed(source_here(d->src), bytes));
    source_skip(d->src, bytes);
    return 0;
}

static int
begin_lzf(struct dec *d, struct string_in *s)
{
    uint64_t packed, len;
    int r;

    if ((r = dec_len(d, &packed)) != 0 || (r = dec_len(d, &len)) != 0)
        return r;
    if (packed > source_left(d->src))
        return dec_fail(d, s->offset, -EINVAL, "%s claims %llu bytes where the file %s %llu",
                        d->what, (unsigned long long)packed, dec_has(d),
                        (unsigned long long)source_left(d->src));
    if (len == 0 || packed == 0 || len / LZF_MAX_RATIO > packed)
        return dec_fail(d, s->offset, -EINVAL, "%s claims to unpack %llu bytes to %llu", d->what,
                        (unsigned long long)packed, (unsigned long long)len);
    if (d->window.bytes == NULL && !fault_point(FAULT_load_alloc))
        d->window.bytes = malloc(LZF_WINDOW_BYTES);
    if (d->window.bytes == NULL)
        return dec_fail(d, s->offset, -ENOMEM, "no memory to decompress %s", d->what);
    s->form = RDB_FORM_LZF;
    s->len = len;
    s->packed_left = packed;
    d->window.from = d->window.fill = 0;
    return 0;
}

int
dec_string_begin(struct dec *d, struct string_in *s)
{
    uint64_t len;
    uint8_t form;
    int r;

    *s = (struct string_in){.offset = rdb_source_offset(d->src), .form = RDB_FORM_PLAIN};
    if ((r = read_len(d, &len, &form)) != 0)
        return r;
    if (form < RDB_ENC_INT8) {
        if (len > source_left(d->src))
            return dec_fail(d, s->offset, -EINVAL, "%s claims %llu bytes where the file %s %llu",
                            d->what, (unsigned long long)len, dec_has(d),
                            (unsigned long long)source_left(d->src));
        s->len = len;
    } else if (form < RDB_ENC_LZF) {
        r = begin_int(d, s, form);
    } else if (form == RDB_ENC_LZF) {
        r = begin_lzf(d, s);
    } else {
        r = dec_fail(d, s->offset, -EINVAL, "a string of unknown form 0x%02x", form);
    }
    s->left = s->len;
    return r;
}

static int
next_plain(struct dec *d, struct string_in *s, struct slice *ret)
{
    size_t n = s->left < PIECE_BYTES ? (size_t)s->left : PIECE_BYTES;
    int r;

    if ((r = dec_need(d, n)) != 0)
        return r;
    *ret = slice_of(source_here(d->src), n);
    source_skip(d->src, n);
    return 0;
}

/* next_lzf: unpack until the window is full or the packed bytes are used up. */
static int
next_lzf(struct dec *d, struct string_in *s, struct slice *ret)
{
    struct lzf_window *w = &d->window;
    enum lzf_state state = LZF_WANTS_INPUT;
    int r;

    lzf_take(w);
    while (s->packed_left > 0 && state == LZF_WANTS_INPUT) {
        size_t want = s->packed_left < LZF_STEP_BYTES ? (size_t)s->packed_left : LZF_STEP_BYTES, n,
               used;

        if ((r = dec_need(d, want)) != 0)
            return r;
        n = s->packed_left < source_ready(d->src) ? (size_t)s->packed_left : source_ready(d->src);
        state = lzf_unpack(w, source_here(d->src), n, &used);
        if (state == LZF_BAD_REFERENCE || (state == LZF_WANTS_INPUT && used == 0))
            return dec_fail(d, rdb_source_offset(d->src) + used, -EINVAL, "%s is badly compressed",
                            d->what);
        source_skip(d->src, used);
        s->packed_left -= used;
    }
    *ret = slice_of(w->bytes + w->from, w->fill - w->from);
    if (ret->len > s->left || (s->packed_left == 0 && ret->len < s->left))
        return dec_fail(d, s->offset, -EINVAL,
                        "%s unpacks to another length than the %llu bytes that it claims", d->what,
                        (unsigned long long)s->len);
    /* no step is empty: the rest would unpack to something */
    if (s->packed_left > 0 && ret->len == s->left)
        return dec_fail(d, s->offset, -EINVAL, "%s has compressed bytes left over", d->what);
    return 0;
}

int
dec_string_next(struct dec *d, struct string_in *s, struct slice *ret)
{
    int r = 0;

    must(s->left > 0);
    *ret = slice_of(s->text, 0);
    if (s->form == RDB_FORM_INT)
        *ret = slice_of(s->text, (size_t)s->len);
    else
        r = s->form == RDB_FORM_PLAIN ? next_plain(d, s, ret) : next_lzf(d, s, ret);
    if (r != 0)
        return r;
    must(ret->len > 0 && ret->len <= s->left); /* or the callers' loops do not end */
    s->left -= ret->len;
    return dec_progress(d);
}

int
dec_string_rest(struct dec *d, struct string_in *s, struct bytes *b)
{
    struct slice piece;
    int r;

    b->len = 0;
    if ((r = dec_more(d, b, 1)) != 0) /* so that even an empty string has an address */
        return r;
    while (s->left > 0) {
        if ((r = dec_string_next(d, s, &piece)) != 0 || (r = dec_more(d, b, piece.len)) != 0)
            return r;
        memcpy(b->at + b->len, piece.ptr, piece.len);
        b->len += piece.len;
        dec_settle(b, piece.len);
    }
    return 0;
}

int
dec_string_whole(struct dec *d, struct bytes *b)
{
    struct string_in s;
    int r;

    if ((r = dec_string_begin(d, &s)) != 0)
        return r;
    return dec_string_rest(d, &s, b);
}

int
dec_string_here_rest(struct dec *d, struct string_in *s, struct bytes *b, struct slice *ret)
{
    int r;

    if (s->form == RDB_FORM_PLAIN && s->len <= SOURCE_BUFFER_BYTES) {
        if ((r = dec_need(d, (size_t)s->len)) != 0)
            return r;
        *ret = slice_of(source_here(d->src), (size_t)s->len);
        source_skip(d->src, (size_t)s->len);
        s->left = 0;
        return dec_progress(d);
    }
    if ((r = dec_string_rest(d, s, b)) != 0)
        return r;
    *ret = bytes_slice(b);
    return 0;
}

int
dec_string_here(struct dec *d, struct bytes *b, struct slice *ret)
{
    struct string_in s;
    int r;

    if ((r = dec_string_begin(d, &s)) != 0)
        return r;
    return dec_string_here_rest(d, &s, b, ret);
}

int
dec_skip_bytes(struct dec *d, uint64_t n)
{
    int r;

    while (n > 0) {
        uint64_t ready = source_ready(d->src);

        if (ready == 0 && (r = dec_need(d, 1)) != 0)
            return r;
        if ((ready = source_ready(d->src)) > n)
            ready = n;
        if (ready > SOURCE_BUFFER_BYTES) /* of memory all is ready at once */
            ready = SOURCE_BUFFER_BYTES;
        source_skip(d->src, (size_t)ready);
        n -= ready;
        if ((r = dec_progress(d)) != 0)
            return r;
    }
    return 0;
}

int
dec_string_skip_rest(struct dec *d, const struct string_in *s)
{
    if (s->form == RDB_FORM_INT)
        return 0;
    return dec_skip_bytes(d, s->form == RDB_FORM_LZF ? s->packed_left : s->left);
}

int
dec_string_skip(struct dec *d)
{
    struct string_in s;
    int r = dec_string_begin(d, &s);

    return r != 0 ? r : dec_string_skip_rest(d, &s);
}

/* over_lzf: what is left of a packed string, none of which was unpacked yet. */
static int
over_lzf(struct dec *d, struct string_in *s)
{
    enum lzf_state state = LZF_WANTS_INPUT;
    uint64_t made = 0;
    int r;

    while (s->packed_left > 0) {
        size_t want = s->packed_left < LZF_STEP_BYTES ? (size_t)s->packed_left : LZF_STEP_BYTES, n,
               used;

        if ((r = dec_need(d, want)) != 0)
            return r;
        n = s->packed_left < source_ready(d->src) ? (size_t)s->packed_left : source_ready(d->src);
        state = lzf_measure(source_here(d->src), n, &made, &used);
        if (state == LZF_BAD_REFERENCE || used == 0)
            return dec_fail(d, rdb_source_offset(d->src) + used, -EINVAL, "%s is badly compressed",
                            d->what);
        source_skip(d->src, used);
        s->packed_left -= used;
        if ((r = dec_progress(d)) != 0)
            return r;
    }
    if (made == s->len)
        return 0;
    return dec_fail(d, s->offset, -EINVAL,
                    "%s unpacks to another length than the %llu bytes that it claims", d->what,
                    (unsigned long long)s->len);
}

int
dec_string_over(struct dec *d, struct string_in *s)
{
    if (s->form == RDB_FORM_INT)
        return 0;
    return s->form == RDB_FORM_PLAIN ? dec_skip_bytes(d, s->left) : over_lzf(d, s);
}

int
dec_string_value(struct dec *d, struct slice *ret)
{
    struct string_in s;
    int r;

    if ((r = dec_string_begin(d, &s)) != 0)
        return r;
    if (!d->ev->no_values || s.len <= RDB_SHORT_BYTES)
        return dec_string_here_rest(d, &s, &d->value, ret);
    *ret = (struct slice){NULL, (size_t)s.len};
    return dec_string_over(d, &s);
}

int
dec_value_begin(struct dec *d, struct string_in *s)
{
    int r;

    d->what = "the value";
    if ((r = dec_string_begin(d, s)) != 0 || d->ev->form == NULL)
        return r;
    return dec_sink(d, d->ev->form(d->ctx, s->form));
}

int
dec_value_blob(struct dec *d, struct slice *ret, uint64_t *ret_offset)
{
    struct string_in s;
    int r;

    if ((r = dec_value_begin(d, &s)) != 0)
        return r;
    *ret_offset = s.offset;
    return dec_string_here_rest(d, &s, &d->value, ret);
}
