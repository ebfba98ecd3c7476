/* server/data/db/digest.c - the fingerprint of the data.
 *
 *     digest_stir(d, x):  d = SHA1(d xor SHA1(x))        order matters
 *     digest_add(d, x):   d = d xor SHA1(x)              order does not matter
 *
 *     all     = 0; per database that has keys: stir(number), then add(each key's)
 *     key     = 0; stir(name); then as value, going on with it
 *     value   = stir(type); then by type
 *                 string      stir(bytes)
 *                 list        stir(each element)
 *                 set         add(each member)
 *                 hash        add(each field's pair)
 *                 sorted set  add(each member's pair: member, score)
 *                 stream      of each entry stir("ms.seq"), then stir(field), stir(value) ...
 *               then, with an expiry, add("!!expire!!")
 *     pair    = 0; stir(field); stir(value)
 *
 * Numbers are 32 bits, big endian. */
#include "server/data/db/digest.h"

#include <nettle/sha1.h>

#include "server/data/db/digest_value.h"
#include "server/data/db/type.h"

_Static_assert(DIGEST_BYTES == SHA1_DIGEST_SIZE, "the fingerprint is a SHA-1");

static void
sha1(const void *bytes, size_t len, uint8_t ret[DIGEST_BYTES])
{
    struct sha1_ctx ctx;

    sha1_init(&ctx);
    sha1_update(&ctx, len, bytes);
    sha1_digest(&ctx, DIGEST_BYTES, ret);
}

void
digest_add(uint8_t d[DIGEST_BYTES], const void *bytes, size_t len)
{
    uint8_t x[DIGEST_BYTES];

    sha1(bytes, len, x);
    for (int i = 0; i < DIGEST_BYTES; i++)
        d[i] ^= x[i];
}

void
digest_stir(uint8_t d[DIGEST_BYTES], const void *bytes, size_t len)
{
    digest_add(d, bytes, len);
    sha1(d, DIGEST_BYTES, d);
}

static void
stir_number(uint8_t d[DIGEST_BYTES], uint32_t n)
{
    digest_stir(
        d, (uint8_t[]){(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}, 4);
}

/* go_on: value's digest, going on with what is in d. */
static void
go_on(const struct record *r, uint8_t d[DIGEST_BYTES])
{
    const struct type_ops *type = type_of(record_type(r));

    stir_number(d, type->number);
    type->digest(r, d);
    if (record_has(r, RECORD_HAS_EXPIRE))
        digest_add(d, "!!expire!!", 10);
}

void
digest_value(const struct record *r, uint8_t ret[DIGEST_BYTES])
{
    memset(ret, 0, DIGEST_BYTES);
    go_on(r, ret);
}

static void
add_key(void *ctx, const void *record)
{
    struct slice key = record_key(record);
    uint8_t d[DIGEST_BYTES] = {0};

    digest_stir(d, key.ptr, key.len);
    go_on(record, d);
    digest_add(ctx, d, DIGEST_BYTES);
}

void
digest_all(uint8_t ret[DIGEST_BYTES])
{
    memset(ret, 0, DIGEST_BYTES);
    for (int i = 0; i < db_count(); i++) {
        if (db_size(db_select(i)) == 0)
            continue;
        stir_number(ret, (uint32_t)i);
        db_each(db_select(i), add_key, ret);
    }
}

void
digest_text(const uint8_t digest[DIGEST_BYTES], char ret[DIGEST_TEXT_BYTES])
{
    for (int i = 0; i < DIGEST_BYTES; i++) {
        ret[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        ret[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    ret[DIGEST_TEXT_BYTES - 1] = '\0';
}
