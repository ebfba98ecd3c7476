/* snapshot/rdb/rdb_enc.c - writing RDB.  The contract is in rdb_enc.h, the format in
 * docs/rdb.md. */
#include "snapshot/rdb/rdb_enc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "mm/base/fault.h"
#include "mm/base/le.h"
#include "mm/base/must.h"
#include "mm/base/num.h"
#include "mm/base/spare.h"
#include "snapshot/rdb/lzf.h"
#include "snapshot/rdb/rdb.h"

enum {
    COMPRESS_FROM_BYTES = 21, /* shorter strings are never compressed */
    COMPRESS_SAVES_BYTES = 4, /* what compression must save: the longer head costs that much */
    SURE_BYTES = 4096,        /* from here on the packer itself goes fast over what does not pack */
    SORTS = 64,               /* of shorter strings: by their length and first bytes */
    LOOK_BYTES = 16,
    TRUST = 128,     /* trials that nothing comes of, until a sort is trusted to stay so */
    SAMPLE_EACH = 32 /* one of so many is tried then */
};
_Static_assert(LOOK_BYTES <= COMPRESS_FROM_BYTES, "there are as many");

/* What packing strings of one sort was good for. */
struct habit {
    uint16_t trials; /* that may still fail, up to TRUST */
    uint16_t passed; /* strings since the last sample */
};

/* The work area: a block as read, the same packed, and what the packer remembers. */
struct rdb_enc_work {
    uint8_t block[LZF_BLOCK_BYTES];
    uint8_t packed[LZF_BLOCK_BYTES + LZF_BLOCK_BYTES / 32 + 1 + LZF_SLACK_BYTES];
    struct lzf_packer packer;
    struct habit habits[SORTS];
};

/* pack: a block into the work area; returns its packed size. */
static size_t
pack(struct rdb_enc *e, const void *block, size_t len)
{
    debug_check(e->work != NULL); /* between rdb_enc_init() and rdb_enc_fini() */
    return lzf_pack(&e->work->packer, block, len, e->work->packed);
}

int
rdb_enc_init(struct rdb_enc *e, struct sink *out, int version, bool compress)
{
    must(version >= RDB_VERSION_MIN && version <= RDB_VERSION_MAX);
    *e = (struct rdb_enc){.out = out, .compress = compress, .version = version};
    e->work = fault_point(FAULT_sink_buffer) ? NULL : spare_take(sizeof *e->work);
    if (e->work == NULL)
        return -ENOMEM;
    lzf_packer_init(&e->work->packer);
    for (unsigned i = 0; i < SORTS; i++)
        e->work->habits[i] = (struct habit){.trials = TRUST};
    return 0;
}

void
rdb_enc_fini(struct rdb_enc *e)
{
    spare_give(e->work, sizeof *e->work);
    e->work = NULL;
}

/* put_le: the low n bytes of v, lowest first. */
static void
put_le(struct rdb_enc *e, uint64_t v, unsigned n)
{
    uint8_t bytes[8];

    le_store(bytes, v, n);
    sink_put(e->out, bytes, n);
}

/* put_be: a byte, then the low n bytes of v, highest first. */
static void
put_be(struct rdb_enc *e, uint8_t first, uint64_t v, unsigned n)
{
    uint8_t bytes[9] = {first};

    for (unsigned i = 0; i < n; i++)
        bytes[1 + i] = (uint8_t)(v >> (8 * (n - 1 - i)));
    sink_put(e->out, bytes, 1 + n);
}

void
rdb_put_byte(struct rdb_enc *e, uint8_t byte)
{
    sink_put(e->out, &byte, 1);
}

void
rdb_put_len(struct rdb_enc *e, uint64_t len)
{
    if (len < 1 << 6)
        rdb_put_byte(e, (uint8_t)len);
    else if (len < 1 << 14)
        put_be(e, (uint8_t)(RDB_LEN_14 | len >> 8), len, 1);
    else if (len <= UINT32_MAX)
        put_be(e, RDB_LEN_32, len, 4);
    else
        put_be(e, RDB_LEN_64, len, 8);
}

void
rdb_put_double(struct rdb_enc *e, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    put_le(e, bits, sizeof bits);
}

void
rdb_put_time(struct rdb_enc *e, uint64_t ms)
{
    put_le(e, ms, sizeof ms);
}

void
rdb_put_magic(struct rdb_enc *e)
{
    char magic[16];

    must(e->out->put_bytes + e->out->fill == 0); /* a file begins with it */
    snprintf(magic, sizeof magic, "REDIS%04d", e->version);
    sink_put(e->out, magic, 9);
}

void
rdb_put_aux(struct rdb_enc *e, const char *key, const char *value)
{
    rdb_put_byte(e, RDB_OP_AUX);
    rdb_put_string(e, key, strlen(key));
    rdb_put_string(e, value, strlen(value));
}

void
rdb_put_aux_int(struct rdb_enc *e, const char *key, int64_t value)
{
    rdb_put_byte(e, RDB_OP_AUX);
    rdb_put_string(e, key, strlen(key));
    rdb_put_int_string(e, value);
}

void
rdb_put_selectdb(struct rdb_enc *e, uint64_t db)
{
    rdb_put_byte(e, RDB_OP_SELECTDB);
    rdb_put_len(e, db);
}

void
rdb_put_resizedb(struct rdb_enc *e, uint64_t keys, uint64_t expires)
{
    rdb_put_byte(e, RDB_OP_RESIZEDB);
    rdb_put_len(e, keys);
    rdb_put_len(e, expires);
}

void
rdb_put_expire_ms(struct rdb_enc *e, int64_t at_ms)
{
    rdb_put_byte(e, RDB_OP_EXPIRETIME_MS);
    put_le(e, (uint64_t)at_ms, 8);
}

void
rdb_put_idle(struct rdb_enc *e, uint64_t seconds)
{
    rdb_put_byte(e, RDB_OP_IDLE);
    rdb_put_len(e, seconds);
}

void
rdb_put_freq(struct rdb_enc *e, uint8_t counter)
{
    rdb_put_byte(e, RDB_OP_FREQ);
    rdb_put_byte(e, counter);
}

/* put_small_int: true if value has an integer form, which then was written. */
static bool
put_small_int(struct rdb_enc *e, int64_t value)
{
    unsigned bytes = value == (int8_t)value    ? 1
                     : value == (int16_t)value ? 2
                     : value == (int32_t)value ? 4
                                               : 0;

    if (bytes == 0)
        return false;
    rdb_put_byte(e, bytes == 1 ? RDB_ENC_INT8 : bytes == 2 ? RDB_ENC_INT16 : RDB_ENC_INT32);
    put_le(e, (uint64_t)value, bytes);
    return true;
}

void
rdb_put_int_string(struct rdb_enc *e, int64_t value)
{
    char text[NUM_MAX_BYTES];
    unsigned len;

    if (put_small_int(e, value))
        return;
    len = num_print(text, value);
    rdb_put_len(e, len);
    sink_put(e->out, text, len);
}

void
rdb_put_string(struct rdb_enc *e, const void *bytes, size_t len)
{
    int64_t value;

    if (len <= RDB_INT_TEXT_BYTES && num_parse(bytes, len, &value) && put_small_int(e, value))
        return;
    rdb_put_blob(e, bytes, len);
}

static void
put_packed_head(struct rdb_enc *e, uint64_t packed, uint64_t len)
{
    rdb_put_byte(e, RDB_ENC_LZF);
    rdb_put_len(e, packed);
    rdb_put_len(e, len);
}

static int
read_memory(void *ctx, uint64_t offset, void *dst, size_t n)
{
    const uint8_t *const *bytes = ctx;

    memcpy(dst, *bytes + offset, n);
    return 0;
}

/* has_byte: is one of the eight bytes of the word this one? */
static bool
has_byte(uint64_t word, uint8_t byte)
{
    const uint64_t ones = 0x0101010101010101, highs = ones << 7;
    uint64_t zero_there = word ^ ones * byte;

    return ((zero_there - ones) & ~zero_there & highs) != 0;
}

/* habit_of: of strings that are alike: as long within a factor of two, and with or without zeros,
 * blanks and bytes beyond ASCII at their beginning.  So what is said of random bytes is not said
 * of the text between them. */
static struct habit *
habit_of(struct rdb_enc *e, const uint8_t *bytes, size_t len)
{
    const unsigned shortest = 4; /* the logarithm of COMPRESS_FROM_BYTES */
    unsigned length = 63 - (unsigned)__builtin_clzll(len) - shortest;
    uint64_t a, b;

    memcpy(&a, bytes, 8);
    memcpy(&b, bytes + 8, 8);
    debug_check(length < SORTS / 8);
    return &e->work->habits[length << 3 | (unsigned)has_byte(a, 0) | (unsigned)has_byte(b, 0) |
                            ((unsigned)has_byte(a, ' ') | (unsigned)has_byte(b, ' ')) << 1 |
                            (unsigned)(((a | b) & 0x8080808080808080) != 0) << 2];
}

/* is_worth_trying: not if strings of this sort did not pack.  One of SAMPLE_EACH is tried all the
 * same. */
static bool
is_worth_trying(struct habit *h)
{
    if (likely(h->trials > 0))
        return true;
    if (++h->passed < SAMPLE_EACH)
        return false;
    h->passed = 0;
    return true;
}

/* learn: a trial costs one, and saving one byte in TRUST pays for it: less is not worth the
 * time. */
static void
learn(struct habit *h, size_t saved, size_t len)
{
    size_t trials = h->trials + saved * TRUST / len;

    trials -= trials > 0;
    h->trials = (uint16_t)(trials < TRUST ? trials : TRUST);
}

/* put_packed: true if it was worth it: then it was written. */
static bool
put_packed(struct rdb_enc *e, const void *bytes, size_t len)
{
    struct habit *h = len < SURE_BYTES ? habit_of(e, bytes, len) : NULL;
    size_t packed, saved;

    if (h != NULL && !is_worth_trying(h))
        return false;
    packed = pack(e, bytes, len);
    saved = packed + COMPRESS_SAVES_BYTES <= len ? len - packed : 0;
    if (h != NULL)
        learn(h, saved, len);
    if (saved == 0)
        return false;
    put_packed_head(e, packed, len);
    sink_put(e->out, e->work->packed, packed);
    return true;
}

void
rdb_put_blob(struct rdb_enc *e, const void *bytes, size_t len)
{
    if (e->compress && len >= COMPRESS_FROM_BYTES) {
        if (len > LZF_BLOCK_BYTES) {
            rdb_put_string_stream(e, len, read_memory, &bytes);
            return;
        }
        if (put_packed(e, bytes, len))
            return;
    }
    rdb_put_len(e, len);
    if (len > 0)
        sink_put(e->out, bytes, len);
}

/* A long string, read block by block. */
struct stream {
    uint64_t len;
    int (*read)(void *ctx, uint64_t offset, void *dst, size_t n);
    void *ctx;
};

/* each_block: read every block; pack it if asked to; put it if asked to.  *ret_bytes: what was or
 * would be put. */
static int
each_block(struct rdb_enc *e, const struct stream *s, bool packing, bool putting,
           uint64_t *ret_bytes)
{
    uint8_t *block = e->work->block;
    uint64_t total = 0;
    int r;

    for (uint64_t at = 0; at < s->len; at += LZF_BLOCK_BYTES) {
        size_t n = s->len - at < LZF_BLOCK_BYTES ? (size_t)(s->len - at) : LZF_BLOCK_BYTES, out = n;

        if ((r = s->read(s->ctx, at, block, n)) != 0)
            return r;
        if (packing)
            out = pack(e, block, n);
        if (putting)
            sink_put(e->out, packing ? e->work->packed : block, out);
        if (sink_error(e->out) < 0)
            return sink_error(e->out); /* a full disk: no use in reading on */
        total += out;
    }
    *ret_bytes = total;
    return 0;
}

int
rdb_put_string_stream(struct rdb_enc *e, uint64_t len,
                      int (*read)(void *ctx, uint64_t offset, void *dst, size_t n), void *ctx)
{
    struct stream s = {len, read, ctx};
    uint64_t packed = len, put;
    bool packing =
        /* readers unpack up to 4 GiB */
        e->compress && len >= COMPRESS_FROM_BYTES && len <= UINT32_MAX;
    int r;

    must(read != NULL);
    if (packing && (r = each_block(e, &s, true, false, &packed)) != 0)
        return r;
    packing = packing && packed + COMPRESS_SAVES_BYTES <= len;
    if (packing)
        put_packed_head(e, packed, len);
    else
        rdb_put_len(e, len);
    if ((r = each_block(e, &s, packing, true, &put)) != 0)
        return r;
    /* read() gave the same bytes twice, and they packed the same */
    must(put == (packing ? packed : len));
    return 0;
}

void
rdb_put_eof(struct rdb_enc *e)
{
    rdb_put_byte(e, RDB_OP_EOF);
    put_le(e, sink_crc(e->out), 8);
}
