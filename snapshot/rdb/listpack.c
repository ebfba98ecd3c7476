/* snapshot/rdb/listpack.c - reading listpacks.  The contract is in listpack.h; editing:
 * listpack_edit.c.
 *
 * An entry: its encoding byte, perhaps more bytes of length, the data, then the size of all that
 * ("backlen") in 1 to 5 bytes of 7 bits, most significant first, all but the first with the high
 * bit set, so that it can be read backwards.
 *
 *     0xxxxxxx              0 .. 127
 *     10nnnnnn              string of up to 63 bytes
 *     110xxxxx xxxxxxxx     -4096 .. 4095
 *     1110nnnn nnnnnnnn     string of up to 4095 bytes
 *     11110000 n*4          string, length in 4 bytes, little endian
 *     11110001 to 11110100  16, 24, 32, 64 bit integer, little endian
 *     11111111              the end */
#include "snapshot/rdb/listpack.h"

#include <string.h>

#include "mm/base/le.h"
#include "mm/base/must.h"
#include "mm/base/num.h"
#include "snapshot/rdb/listpack_impl.h"

enum { BACKLEN_ONE_BYTE = 127 };

/* int_data_bytes: of the encodings LP_ENC_INT16 to LP_ENC_INT64. */
static const uint8_t int_data_bytes[] = {2, 3, 4, 8};

/* head_bytes: encoding byte and length bytes; 0: there is no such encoding. */
static unsigned
head_bytes(uint8_t enc)
{
    if (enc < 0xc0)
        return 1;
    if (enc < LP_ENC_STR32)
        return enc < 0xe0 ? 1 : 2;
    if (enc == LP_ENC_STR32)
        return 5;
    return enc <= LP_ENC_INT64 ? 1 : 0;
}

/* body_bytes: the data that follows the head. */
static uint64_t
body_bytes(const uint8_t *entry)
{
    uint8_t enc = *entry;

    if (enc < 0x80)
        return 0;
    if (enc < 0xc0)
        return enc & 0x3f;
    if (enc < 0xe0)
        return 1;
    if (enc < LP_ENC_STR32)
        return (uint32_t)(enc & 0x0f) << 8 | entry[1];
    return enc == LP_ENC_STR32 ? le_load(entry + 1, 4) : int_data_bytes[enc - LP_ENC_INT16];
}

/* core_bytes: an entry without its backlen. */
static uint64_t
core_bytes(const uint8_t *entry)
{
    return head_bytes(*entry) + body_bytes(entry);
}

unsigned
lp_backlen_bytes(uint64_t core)
{
    /* The limits are the format's, one below what would fit: 16383 takes three bytes, not two.
     * Readers derive the size of a backlen from the entry, so this is not ours to improve. */
    if (core <= BACKLEN_ONE_BYTE)
        return 1;
    if (core < 16383)
        return 2;
    if (core < 2097151)
        return 3;
    return core < 268435455 ? 4 : 5;
}

unsigned
lp_backlen_put(uint8_t *dst, uint64_t core)
{
    unsigned n = lp_backlen_bytes(core);

    for (unsigned i = n; i-- > 0; core >>= 7)
        dst[i] = (uint8_t)((core & 127) | (i > 0 ? 128 : 0));
    return n;
}

uint32_t
lp_entry_size(const uint8_t *entry)
{
    uint64_t core = core_bytes(entry);

    return (uint32_t)(core + lp_backlen_bytes(core));
}

/* checked_entry_size: 0 if no whole, well-formed entry starts in [entry, entry + room). */
static uint32_t
checked_entry_size(const uint8_t *entry, size_t room)
{
    uint8_t backlen[5];
    uint64_t core;
    unsigned head, n;

    if (room == 0 || (head = head_bytes(*entry)) == 0 || head > room)
        return 0;
    core = head + body_bytes(entry);
    if (likely(core < room && core <= BACKLEN_ONE_BYTE))
        return entry[core] == core ? (uint32_t)core + 1 : 0;
    n = lp_backlen_put(backlen, core);
    if (core > room || room - core < n || memcmp(entry + core, backlen, n) != 0)
        return 0;
    return (uint32_t)(core + n);
}

bool
lp_measure(const uint8_t *lp, size_t len, uint32_t *ret_count, bool *ret_is_right)
{
    uint32_t count = 0, header;
    size_t at = LP_HEADER_BYTES;

    if (len < LP_EMPTY_BYTES || le_load(lp, 4) != len || lp[len - 1] != LP_END)
        return false;
    for (; at < len - 1; count++) {
        uint32_t size = checked_entry_size(lp + at, len - 1 - at);

        if (size == 0)
            return false;
        at += size;
    }
    header = lp_header_count(lp);
    *ret_is_right = header == LP_COUNT_UNKNOWN || header == count;
    *ret_count = count;
    return true;
}

bool
lp_validate(const uint8_t *lp, size_t len, uint32_t *ret_count)
{
    bool is_right;

    return lp_measure(lp, len, ret_count, &is_right) && is_right;
}

void
lp_set_count(uint8_t *lp, uint32_t count)
{
    le_store(lp + 4, count < LP_COUNT_UNKNOWN ? count : LP_COUNT_UNKNOWN, 2);
}

uint32_t
lp_bytes(const uint8_t *lp)
{
    return (uint32_t)le_load(lp, 4);
}

uint32_t
lp_count(const uint8_t *lp)
{
    uint32_t count = lp_header_count(lp);

    if (count != LP_COUNT_UNKNOWN)
        return count;
    count = 0;
    for (uint32_t at = lp_first(lp); at != 0; at = lp_next(lp, at))
        count++;
    return count;
}

uint32_t
lp_first(const uint8_t *lp)
{
    return lp[LP_HEADER_BYTES] == LP_END ? 0 : LP_HEADER_BYTES;
}

uint32_t
lp_next(const uint8_t *lp, uint32_t at)
{
    debug_check(at >= LP_HEADER_BYTES && at < lp_bytes(lp) && lp[at] != LP_END);
    at += lp_entry_size(lp + at);
    debug_check(at < lp_bytes(lp));
    return lp[at] == LP_END ? 0 : at;
}

void
lp_entry_get(const uint8_t *p, struct lp_elem *ret)
{
    uint8_t enc = *p;

    debug_check(head_bytes(enc) != 0);
    if (enc < 0x80)
        *ret = (struct lp_elem){.value = enc};
    else if (enc >= 0xc0 && enc < 0xe0)
        *ret = (struct lp_elem){.value = ((((enc & 0x1f) << 8) | p[1]) ^ 0x1000) - 0x1000};
    else if (enc > LP_ENC_STR32)
        *ret = (struct lp_elem){.value = le_load_signed(p + 1, int_data_bytes[enc - LP_ENC_INT16])};
    else
        *ret = (struct lp_elem){.bytes = p + head_bytes(enc), .len = (uint32_t)body_bytes(p)};
}

void
lp_get(const uint8_t *lp, uint32_t at, struct lp_elem *ret)
{
    lp_entry_get(lp + at, ret);
}

const uint8_t *
lp_entry_before(const uint8_t *p)
{
    uint64_t core = 0;
    unsigned n = 0;

    do
        core |= (uint64_t)(*--p & 127) << 7 * n++;
    while ((*p & 128) != 0);
    return p - core;
}

const uint8_t *
lp_text(const struct lp_elem *e, char *scratch, uint32_t *ret_len)
{
    if (e->bytes != NULL) {
        *ret_len = e->len;
        return e->bytes;
    }
    *ret_len = num_print(scratch, e->value);
    return (const uint8_t *)scratch;
}

struct slice
lp_slice(const uint8_t *lp, uint32_t at, char scratch[LP_INT_TEXT_BYTES])
{
    const uint8_t *text;
    struct lp_elem e;
    uint32_t len;

    lp_entry_get(lp + at, &e);
    text = lp_text(&e, scratch, &len);
    return slice_of(text, len);
}

void
lp_needle_init(struct lp_needle *n, const void *bytes, size_t len)
{
    *n = (struct lp_needle){.bytes = bytes, .len = len};
    n->is_int = num_parse(bytes, len, &n->value);
}

bool
lp_entry_matches(const uint8_t *p, const struct lp_needle *n)
{
    struct lp_elem e;

    lp_entry_get(p, &e);
    if (e.bytes == NULL)
        return n->is_int && e.value == n->value;
    return e.len == n->len && memcmp(e.bytes, n->bytes, n->len) == 0;
}

bool
lp_equal(const uint8_t *lp, uint32_t at, const void *bytes, size_t len)
{
    struct lp_needle n;

    lp_needle_init(&n, bytes, len);
    return lp_entry_matches(lp + at, &n);
}

uint32_t
lp_find(const uint8_t *lp, const void *bytes, size_t len, uint32_t skip)
{
    struct lp_needle n;

    lp_needle_init(&n, bytes, len);
    for (uint32_t at = lp_first(lp); at != 0;) {
        if (lp_entry_matches(lp + at, &n))
            return at;
        at = lp_next(lp, at);
        for (uint32_t i = 0; i < skip && at != 0; i++)
            at = lp_next(lp, at);
    }
    return 0;
}
