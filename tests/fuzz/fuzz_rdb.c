/* tests/fuzz/fuzz_rdb.c - any bytes to the RDB decoder: events or an error, never anything else; as
 * they are, in an LZ4 frame, and as the blocks of one; by sinks that want less or more, and from a
 * reader, in stretches of any length.
 * `make fuzz` builds and runs it; build/fuzz/tests/fuzz/fuzz_rdb FILE runs one input. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/must.h"
#include "snapshot/rdb/listpack.h"
#include "snapshot/rdb/lz4_frame.h"
#include "snapshot/rdb/rdb_dec.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* What a sink may rely on: checked, not believed. */
struct counts {
    /* bytes: read from every slice, so that a sanitizer sees one that points nowhere */
    uint64_t keys, bytes;
    uint64_t left; /* of a string or of a hash's fields */
    bool in_value;
    unsigned sum;
};

static int
touch(struct counts *c, struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        c->sum += slice_bytes(s)[i];
    c->bytes += s.len;
    return 0;
}

static int
on_two(void *ctx, struct slice a, struct slice b)
{
    return touch(ctx, a) | touch(ctx, b);
}

static int
on_one(void *ctx, struct slice a)
{
    return touch(ctx, a);
}

static int
on_key(void *ctx, const struct rdb_key *k)
{
    struct counts *c = ctx;

    must(!c->in_value);
    c->in_value = true;
    c->keys++;
    return touch(c, k->name);
}

static int
on_begin(void *ctx, uint64_t n)
{
    struct counts *c = ctx;

    must(c->in_value);
    c->left = n;
    return 0;
}

static int
on_bytes(void *ctx, struct slice piece)
{
    struct counts *c = ctx;

    must(piece.len > 0 && piece.len <= 65536 && piece.len <= c->left);
    c->left -= piece.len;
    return touch(c, piece);
}

static int
on_field(void *ctx, struct slice field, struct slice value)
{
    struct counts *c = ctx;

    must(c->left > 0);
    c->left--;
    return on_two(c, field, value);
}

static int
on_listpack(void *ctx, struct slice listpack, uint32_t fields)
{
    char scratch[LP_INT_TEXT_BYTES];
    const uint8_t *lp = slice_bytes(listpack);
    struct counts *c = ctx;
    uint32_t count = 0;

    must(c->in_value && lp_bytes(lp) == listpack.len);
    for (uint32_t at = lp_first(lp); at != 0; at = lp_next(lp, at), count++)
        touch(c, lp_slice(lp, at, scratch));
    must(count == 2 * fields);
    c->left = 0;
    return 0;
}

static int
on_end(void *ctx)
{
    struct counts *c = ctx;

    must(c->in_value && c->left == 0);
    c->in_value = false;
    return 0;
}

static const struct rdb_events events = {
    .any_version = true,
    .aux = on_two,
    .function = on_one,
    .key = on_key,
    .string_begin = on_begin,
    .string_bytes = on_bytes,
    .hash_begin = on_begin,
    .hash_field = on_field,
    .hash_listpack = on_listpack,
    .value_end = on_end,
};

static int
on_plain_string(void *ctx, const struct rdb_key *k, struct slice value)
{
    struct counts *c = ctx;

    on_key(c, k);
    c->left = 0;
    touch(c, value);
    return on_end(c);
}

/* decode_from: what the decoder returned; the source is closed. */
static int
decode_from(struct rdb_source *src, const struct rdb_events *by, size_t len, void *c)
{
    struct rdb_error err;
    int r = rdb_decode(src, by, c, false, &err);

    must(r == 0 || r == -EINVAL || r == -ENOTSUP);
    must(r == 0 || (err.text[0] != '\0' && (err.within[0] != '\0' || err.offset <= len)));
    must(memchr(err.text, '\0', sizeof err.text) != NULL &&
         memchr(err.key, '\0', sizeof err.key) != NULL);
    must(rdb_source_consumed(src) <= len);
    rdb_source_close(src);
    return r;
}

/* decode_by: any bytes. */
static int
decode_by(const struct rdb_events *by, const uint8_t *bytes, size_t len, struct counts *c)
{
    struct rdb_source *src;
    int r;

    must(rdb_source_memory(bytes, len, &src) == 0);
    r = decode_from(src, by, len, c);
    must(r != 0 || !c->in_value);
    return r;
}

/* decode: by two sinks: the one that takes plain strings at once is told the same. */
static int
decode(const uint8_t *bytes, size_t len, struct counts *c)
{
    struct rdb_events at_once = events;
    struct counts plain = {0};
    int r = decode_by(&events, bytes, len, c);

    at_once.plain_string = on_plain_string;
    must(decode_by(&at_once, bytes, len, &plain) == r);
    must(r != 0 || (plain.keys == c->keys && plain.bytes == c->bytes && plain.sum == c->sum));
    return r;
}

/* decode_packed: the same bytes in a frame give the same, if they are a sound RDB, and are refused
 * if they are none. */
static void
decode_packed(const uint8_t *bytes, size_t len, int result, const struct counts *want)
{
    static uint64_t state[1 << 16];
    uint8_t *packed = malloc(len + 64);
    struct counts got = {0};
    size_t at;
    int r;

    must(packed != NULL && sizeof state >= lz4_frame_state_bytes());
    at = lz4_frame_head(packed, false);
    if (len > 0)
        at += lz4_frame_block(state, packed + at, bytes, len, 0, false);
    at += lz4_frame_tail(packed + at, false, 0);
    r = decode(packed, at, &got);
    must((r == 0) == (result == 0));
    must(r != 0 || (got.keys == want->keys && got.bytes == want->bytes && got.sum == want->sum));
    free(packed);
}

/* decode_frame: the bytes as blocks of a frame, whose head is right: checksums or not. */
static void
decode_frame(const uint8_t *bytes, size_t len)
{
    uint8_t *frame = malloc(len + LZ4_FRAME_HEAD_BYTES);
    struct counts c = {0};
    size_t at;

    must(frame != NULL);
    at = lz4_frame_head(frame, len > 0 && bytes[0] == 'S');
    memcpy(frame + at, bytes, len);
    (void)decode(frame, at + len, &c);
    free(frame);
}

/* ---- from a reader ---- */

/* Stretches of `step` bytes, each in a block of its own, so that a sanitizer sees who looks beyond
 * it or back into the last one. */
struct pieces {
    const uint8_t *bytes;
    size_t len, at, step;
    uint8_t *block; /* [owned] */
};

static int
next_piece(void *ctx, uint8_t **ret, size_t *ret_len)
{
    struct pieces *p = ctx;
    size_t n = p->len - p->at < p->step ? p->len - p->at : p->step;

    free(p->block);
    p->block = malloc(RDB_READER_HEADROOM + n);
    must(p->block != NULL);
    if (n > 0)
        memcpy(p->block + RDB_READER_HEADROOM, p->bytes + p->at, n);
    p->at += n;
    *ret = p->block + RDB_READER_HEADROOM;
    *ret_len = n;
    return 0;
}

static void
close_pieces(void *ctx)
{
    struct pieces *p = ctx;

    free(p->block);
}

static const struct rdb_reader reader = {.next = next_piece, .close = close_pieces};

/* decode_pieces: a reader's bytes give the same as memory's. */
static void
decode_pieces(const uint8_t *bytes, size_t len, int result, const struct counts *want)
{
    size_t step = 1 + len * 7 % 93;

    for (int with_size = 0; with_size < 2; with_size++) {
        struct pieces p = {.bytes = bytes, .len = len, .step = step};
        struct rdb_source *src;
        struct counts c = {0};
        int r;

        must(rdb_source_reader(&reader, &p, with_size ? len : 0, false, false, &src) == 0);
        r = decode_from(src, &events, len, &c);
        must((r == 0) == (result == 0) && (len == 0 || !with_size || r == result));
        must(r != 0 || (c.keys == want->keys && c.bytes == want->bytes && c.sum == want->sum));
    }
}

/* ---- by the tool's sinks ---- */

/* What a sink of places is told: each value as it stands in the file. */
struct places {
    const uint8_t *bytes;
    size_t len;
    uint64_t item, keys;
    uint8_t *raw; /* [owned] of the value in hand */
    size_t raw_len;
};

static int
on_item(void *ctx, uint64_t offset)
{
    struct places *p = ctx;

    must(offset > p->item && offset <= p->len && p->raw_len < offset);
    must(p->raw_len == 0 || memcmp(p->raw, p->bytes + offset - p->raw_len, p->raw_len) == 0);
    p->item = offset;
    p->raw_len = 0;
    return 0;
}

static int
on_place(void *ctx, const struct rdb_key *k)
{
    struct places *p = ctx;

    must(k->begin == p->item && k->begin <= k->offset);
    p->keys++;
    return 0;
}

static int
on_raw(void *ctx, struct slice piece)
{
    struct places *p = ctx;

    must(piece.len > 0 && piece.len <= p->len - p->raw_len);
    memcpy(p->raw + p->raw_len, piece.ptr, piece.len);
    p->raw_len += piece.len;
    return 0;
}

static int
on_expiring(void *ctx, struct slice field, struct slice value, int64_t expire_at_ms)
{
    (void)ctx;
    (void)field;
    (void)value;
    must(expire_at_ms >= 0);
    return 0;
}

static int
on_unknown(void *ctx, const struct rdb_key *key, const char *what)
{
    struct places *p = ctx;

    must(what[0] != '\0');
    p->keys += key != NULL;
    return 0;
}

static int
on_skipped(void *ctx, const struct rdb_key *k)
{
    (void)ctx;
    (void)k;
    return RDB_SKIP_VALUE;
}

/* decode_places: what the decoder returned to a sink that takes everything. */
static int
decode_places(const uint8_t *bytes, size_t len, size_t step, uint64_t *ret_keys)
{
    static const struct rdb_events by = {.any_version = true,
                                         .skip_unknown = true,
                                         .no_values = true,
                                         .unknown = on_unknown,
                                         .item = on_item,
                                         .key = on_place,
                                         .raw = on_raw,
                                         .hash_field_expiring = on_expiring};
    struct places p = {.bytes = bytes, .len = len, .raw = malloc(len + 1)};
    struct pieces pieces = {.bytes = bytes, .len = len, .step = step};
    struct rdb_source *src;
    int r;

    must(p.raw != NULL);
    if (step > 0)
        must(rdb_source_reader(&reader, &pieces, len, false, false, &src) == 0);
    else
        must(rdb_source_memory(bytes, len, &src) == 0);
    r = decode_from(src, &by, len, &p);
    *ret_keys = p.keys;
    free(p.raw);
    return r;
}

/* decode_less: who wants less is told the same, in the end; who takes more, no less. */
static void
decode_less(const uint8_t *bytes, size_t len, int result, const struct counts *want)
{
    static const struct rdb_events none = {.any_version = true, .no_values = true};
    static const struct rdb_events skipping = {.any_version = true, .key = on_skipped};
    struct rdb_source *src;
    uint64_t keys, keys_of_pieces;
    int r;

    must(rdb_source_memory(bytes, len, &src) == 0);
    must(decode_from(src, &none, len, NULL) == result);
    must(rdb_source_memory(bytes, len, &src) == 0);
    r = decode_from(src, &skipping, len, NULL);
    must(r == 0 || result != 0);
    r = decode_places(bytes, len, 0, &keys);
    must(r == 0 || result != 0);
    must(result != 0 || keys == want->keys);
    must(decode_places(bytes, len, 1 + len % 17, &keys_of_pieces) == r && keys == keys_of_pieces);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct counts c = {0};
    int r = decode(bytes, len, &c);

    if (len < 3 || memcmp(bytes, "VCS", 3) != 0) {
        decode_pieces(bytes, len, r, &c);
        decode_less(bytes, len, r, &c);
        decode_packed(bytes, len, r, &c);
        decode_frame(bytes, len);
    }
    return 0;
}
