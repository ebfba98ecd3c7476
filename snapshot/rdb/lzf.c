/* snapshot/rdb/lzf.c - LZF in blocks and through a window.  Format and contracts are in
 * lzf.h. */
#include "snapshot/rdb/lzf.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "mm/base/must.h"

enum { MIN_MATCH = 3, LITERAL_RUN = 32, TABLE_BITS = 13, WORD_BYTES = 8 };
_Static_assert(LZF_TABLE_SLOTS == 1 << TABLE_BITS, "the table's size");
_Static_assert((int)LITERAL_RUN <= (int)LZF_SLACK_BYTES, "a run may be written as a whole");

/* key_of: the three bytes that a match needs, as a number; of a fourth one nothing is left. */
static uint32_t
key_of(const uint8_t *p)
{
    uint32_t word;

    memcpy(&word, p, sizeof word);
    return le32toh(word) & 0xffffff;
}

/* last_key_of: the same where nothing follows the three. */
static uint32_t
last_key_of(const uint8_t *p)
{
    uint32_t word;

    memcpy(&word, p - 1, sizeof word);
    return le32toh(word) >> 8;
}

static unsigned
slot_of(uint32_t key, unsigned bits)
{
    return key * 2654435761u >> (32 - bits);
}

/* put_literals: what lies behind p up to `end` may be read, and LZF_SLACK_BYTES behind what is
 * written, written: most runs are short, and a copy of a fixed size is much faster than one of
 * theirs. */
static uint8_t *
put_literals(uint8_t *out, const uint8_t *p, size_t len, const uint8_t *end)
{
    while (len > 0) {
        size_t run = len < LITERAL_RUN ? len : LITERAL_RUN;

        *out++ = (uint8_t)(run - 1);
        if (likely((size_t)(end - p) >= LITERAL_RUN))
            memcpy(out, p, LITERAL_RUN);
        else
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

/* match_length: how many bytes at a and b, which is further on, are the same: MIN_MATCH were
 * compared.  Up to `most`; `left` may be read behind b. */
static size_t
match_length(const uint8_t *a, const uint8_t *b, size_t most, size_t left)
{
    size_t n = MIN_MATCH;

    while (n < most && n + WORD_BYTES <= left) {
        uint64_t x, y;

        memcpy(&x, a + n, WORD_BYTES);
        memcpy(&y, b + n, WORD_BYTES);
        if (x != y) {
            n += (unsigned)__builtin_ctzll(le64toh(x ^ y)) / 8;
            return n < most ? n : most;
        }
        n += WORD_BYTES;
    }
    while (n < most && a[n] == b[n])
        n++;
    return n < most ? n : most;
}

void
lzf_packer_init(struct lzf_packer *k)
{
    memset(k, 0, sizeof *k);
}

/* begin: a number for the block's first byte, so far above all that stand in the table that none of
 * them is within reach. */
static uint32_t
begin(struct lzf_packer *k, size_t len)
{
    if (k->next > UINT32_MAX - 2 * (LZF_BLOCK_BYTES + LZF_REACH_BYTES))
        lzf_packer_init(k);
    k->next += (uint32_t)len + LZF_REACH_BYTES + 1;
    return k->next - (uint32_t)len;
}

/* is_match: does key, which stands at `at`, stand at *ref too?  *ref may be no place in this block.
 * In a short block many are none, in no order that a processor could foretell: then the byte before
 * is looked at instead of one more branch.  In a long one most are places, and the branch is
 * cheaper. */
static inline __attribute__((always_inline)) bool
is_match(const uint8_t *src, uint32_t at, uint32_t key, uint32_t *ref, bool is_short)
{
    if (is_short)
        *ref = *ref < at - 1 ? *ref : at - 1;
    else if (at - *ref > LZF_REACH_BYTES)
        return false;
    return key_of(src + *ref) == key;
}

/* pack: a block in which there is room for a match. */
static inline __attribute__((always_inline)) uint8_t *
pack(struct lzf_packer *k, const uint8_t *src, size_t len, uint8_t *out, unsigned bits)
{
    const uint8_t *end = src + len;
    const uint32_t base = begin(k, len), last = (uint32_t)len - MIN_MATCH;
    uint32_t at = 1, literals = 0; /* [literals, at) waits to be written as it is */

    k->slots[slot_of(key_of(src), bits)] = base;
    while (at <= last) {
        uint32_t key = likely(at < last) ? key_of(src + at) : last_key_of(src + at);
        uint32_t *slot = &k->slots[slot_of(key, bits)], ref = *slot - base, n;

        *slot = base + at;
        if (!is_match(src, at, key, &ref, bits != TABLE_BITS)) {
            at += 1 + (at - literals) / 64; /* what did not pack so far is looked at less closely */
            continue;
        }
        n = (uint32_t)len - at;
        n = (uint32_t)match_length(src + ref, src + at, n < LZF_RUN_BYTES ? n : LZF_RUN_BYTES, n);
        out = put_literals(out, src + literals, at - literals, end);
        out = put_reference(out, at - ref, n);
        at += n;
        literals = at;
        if (at <= last) /* the match's last byte begins a key too */
            k->slots[slot_of(key_of(src + at - 1), bits)] = base + at - 1;
    }
    return put_literals(out, src + literals, len - literals, end);
}

/* pack_short: short blocks use a part of the table, which stays in the cache. */
static uint8_t *
pack_short(struct lzf_packer *k, const uint8_t *src, size_t len, uint8_t *dst)
{
    return len <= 256 ? pack(k, src, len, dst, 9) : pack(k, src, len, dst, 11);
}

static uint8_t *
pack_long(struct lzf_packer *k, const uint8_t *src, size_t len, uint8_t *dst)
{
    return pack(k, src, len, dst, TABLE_BITS);
}

size_t
lzf_pack(struct lzf_packer *k, const uint8_t *src, size_t len, uint8_t *dst)
{
    uint8_t *out;

    must(len <= LZF_BLOCK_BYTES);
    if (len <= MIN_MATCH)
        out = put_literals(dst, src, len, src + len);
    else
        out = len <= 2048 ? pack_short(k, src, len, dst) : pack_long(k, src, len, dst);
    debug_check((size_t)(out - dst) <= len + len / LITERAL_RUN + 1);
    return (size_t)(out - dst);
}

/* copy_back: and up to COPY_BYTES - 1 bytes more, which the next step overwrites. */
enum { COPY_BYTES = 16 };

static inline void
copy_back(uint8_t *to, size_t distance, size_t len)
{
    const uint8_t *from = to - distance, *end = to + len;

    if (likely(distance >= COPY_BYTES))
        do {
            memcpy(to, from, COPY_BYTES);
            to += COPY_BYTES;
            from += COPY_BYTES;
        } while (unlikely(to < end));
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

        if (fill - w->from + LZF_RUN_BYTES + LZF_SLACK_BYTES > LZF_BLOCK_BYTES) {
            state = LZF_WANTS_ROOM;
            break;
        }
        if (len - at < step)
            break;
        if (n == 0) {
            n = step - 1;
            if (likely(len - at > LITERAL_RUN)) /* as many as there can be: that is faster */
                memcpy(w->bytes + fill, in + at + 1, LITERAL_RUN);
            else
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

enum lzf_state
lzf_measure(const uint8_t *in, size_t len, uint64_t *made, size_t *ret_used)
{
    uint64_t total = *made;
    size_t at = 0;
    bool is_bad = false;

    while (at < len && !is_bad) {
        /* without branches: no processor guesses which step comes next */
        size_t head = in[at], n = head >> 5, is_long = n == 7, is_literal = n == 0;
        size_t step = 2 + is_long + (head & -is_literal), distance;

        if (len - at < step)
            break;
        distance = ((head & 0x1f) << 8 | in[at + step - 1]) + 1;
        is_bad = !is_literal & (distance > total);
        total += n + 2 - is_literal + (head & -is_literal) + (in[at + 1] & -is_long);
        at += is_bad ? 0 : step;
    }
    *made = total;
    *ret_used = at;
    return is_bad ? LZF_BAD_REFERENCE : LZF_WANTS_INPUT;
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
