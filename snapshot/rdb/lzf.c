/* snapshot/rdb/lzf.c - LZF in blocks and through a window.  Format and contracts are in
 * lzf.h. */
#include "snapshot/rdb/lzf.h"

#include <string.h>

#include "mm/base/must.h"

enum { MIN_MATCH = 3, LITERAL_RUN = 32, TABLE_BITS = 13 };
_Static_assert(LZF_TABLE_SLOTS == 1 << TABLE_BITS, "the table's size");

/* table_bits: short blocks use a part of the table, as clearing all of it would cost more than
 * packing them. */
static unsigned
table_bits(size_t len)
{
    return len <= 256 ? 9 : len <= 2048 ? 11 : TABLE_BITS;
}

/* key_of: the three bytes that a match needs, as a number. */
static uint32_t
key_of(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

static unsigned
slot_of(uint32_t key, unsigned bits)
{
    return key * 2654435761u >> (32 - bits);
}

static uint8_t *
put_literals(uint8_t *out, const uint8_t *p, size_t len)
{
    while (len > 0) {
        size_t run = len < LITERAL_RUN ? len : LITERAL_RUN;

        *out++ = (uint8_t)(run - 1);
        memcpy(out, p, run);
        out += run;
        p += run;
        len -= run;
    }
    return out;
}

static uint8_t *
put_reference(uint8_t *out, size_t distance, size_t len)
{
    size_t o = distance - 1, n = len - 2;

    if (n < 7) {
        *out++ = (uint8_t)(n << 5 | o >> 8);
    } else {
        *out++ = (uint8_t)(7 << 5 | o >> 8);
        *out++ = (uint8_t)(n - 7);
    }
    *out++ = (uint8_t)o;
    return out;
}

static size_t
match_length(const uint8_t *a, const uint8_t *b, size_t most)
{
    size_t n = MIN_MATCH; /* these were compared */

    for (; n + 8 <= most; n += 8) {
        uint64_t x, y;

        memcpy(&x, a + n, 8);
        memcpy(&y, b + n, 8);
        if (x != y)
            return n + (unsigned)__builtin_ctzll(x ^ y) / 8;
    }
    while (n < most && a[n] == b[n])
        n++;
    return n;
}

size_t
lzf_pack(const uint8_t *src, size_t len, uint8_t *dst, uint16_t *table)
{
    unsigned bits = table_bits(len);
    size_t at = 0, literals = 0; /* [literals, at) waits to be written as it is */
    uint8_t *out = dst;

    must(len <= LZF_BLOCK_BYTES);
    memset(table, 0, sizeof *table << bits); /* position 0: as good a first guess as any */
    while (at + MIN_MATCH <= len) {
        uint32_t key = key_of(src + at);
        uint16_t *slot = &table[slot_of(key, bits)];
        size_t ref = *slot, n;

        *slot = (uint16_t)at;
        if (ref >= at || at - ref > LZF_REACH_BYTES || key_of(src + ref) != key) {
            at += 1 + (at - literals) / 64; /* what did not pack so far is looked at less closely */
            continue;
        }
        n = match_length(src + ref, src + at, len - at < LZF_RUN_BYTES ? len - at : LZF_RUN_BYTES);
        out = put_literals(out, src + literals, at - literals);
        out = put_reference(out, at - ref, n);
        at += n;
        literals = at;
        if (at + 2 <= len) /* the match's last byte begins a key too */
            table[slot_of(key_of(src + at - 1), bits)] = (uint16_t)(at - 1);
    }
    out = put_literals(out, src + literals, len - literals);
    debug_check((size_t)(out - dst) <= lzf_pack_bound(len));
    return (size_t)(out - dst);
}

static void
copy_back(uint8_t *to, size_t distance, size_t len)
{
    const uint8_t *from = to - distance;

    if (distance >= len)
        memcpy(to, from, len);
    else if (distance == 1)
        memset(to, *from, len);
    else
        for (size_t i = 0; i < len; i++) /* they overlap on purpose: a short piece repeats itself */
            to[i] = from[i];
}

enum lzf_state
lzf_unpack(struct lzf_window *w, const uint8_t *in, size_t len, size_t *ret_used)
{
    size_t at = 0, fill = w->fill;
    enum lzf_state state = LZF_WANTS_INPUT;

    debug_check(w->from <= fill && fill <= LZF_WINDOW_BYTES);
    while (at < len) {
        uint8_t head = in[at];
        size_t n = head >> 5, step = n == 0 ? (size_t)head + 2 : n < 7 ? 2 : 3;

        if (fill - w->from + LZF_RUN_BYTES > LZF_BLOCK_BYTES) {
            state = LZF_WANTS_ROOM;
            break;
        }
        if (len - at < step)
            break;
        if (n == 0) {
            n = step - 1;
            memcpy(w->bytes + fill, in + at + 1, n);
        } else {
            size_t distance = ((size_t)(head & 0x1f) << 8 | in[at + step - 1]) + 1;

            n += n < 7 ? 2 : (size_t)2 + in[at + 1];
            if (distance > fill) {
                state = LZF_BAD_REFERENCE;
                break;
            }
            copy_back(w->bytes + fill, distance, n);
        }
        fill += n;
        at += step;
    }
    debug_check(fill - w->from <= LZF_BLOCK_BYTES && fill <= LZF_WINDOW_BYTES);
    w->fill = fill;
    *ret_used = at;
    return state;
}

void
lzf_take(struct lzf_window *w)
{
    if (w->fill > LZF_REACH_BYTES) {
        memmove(w->bytes, w->bytes + w->fill - LZF_REACH_BYTES, LZF_REACH_BYTES);
        w->fill = LZF_REACH_BYTES;
    }
    w->from = w->fill;
}
