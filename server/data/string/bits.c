/* server/data/string/bits.c - strings as rows of bits. */
#include "server/data/string/bits.h"

#include "mm/base/must.h"

enum { WORD_BITS = 64, PIECE_BYTES = 8192 };

static uint64_t
load(const char *p)
{
    uint64_t w;

    memcpy(&w, p, sizeof w);
    return w;
}

/* ---- counting ---- */

/* Four sums, so that one addition does not wait for the one before. */
static inline __attribute__((always_inline)) uint64_t
count_words(const char *p, size_t words)
{
    uint64_t sum[4] = {0, 0, 0, 0};
    size_t i = 0;

    for (; i + 4 <= words; i += 4)
        for (size_t k = 0; k < 4; k++)
            sum[k] += (uint64_t)__builtin_popcountll(load(p + (i + k) * sizeof(uint64_t)));
    for (; i < words; i++)
        sum[0] += (uint64_t)__builtin_popcountll(load(p + i * sizeof(uint64_t)));
    return sum[0] + sum[1] + sum[2] + sum[3];
}

static uint64_t
count_words_anywhere(const char *p, size_t words)
{
    return count_words(p, words);
}

#ifdef __x86_64__
__attribute__((target("popcnt"))) static uint64_t
count_words_popcnt(const char *p, size_t words)
{
    return count_words(p, words);
}

static bool
has_popcnt(void)
{
    return __builtin_cpu_supports("popcnt");
}
#else
#define count_words_popcnt count_words_anywhere
static bool
has_popcnt(void)
{
    return false;
}
#endif

static uint64_t
count_bytes(const char *p, size_t len)
{
    size_t words = len / sizeof(uint64_t);
    uint64_t sum = has_popcnt() ? count_words_popcnt(p, words) : count_words_anywhere(p, words),
             tail = 0;

    memcpy(&tail, p + words * sizeof tail, len % sizeof tail);
    return sum + (uint64_t)__builtin_popcountll(tail);
}

uint64_t
bits_count(const char *p, uint64_t from, uint64_t end)
{
    /* bytes [first, last), then what is too much and too little */
    uint64_t first = from / 8, last = end / 8;
    uint64_t sum;

    if (from >= end)
        return 0;
    sum = count_bytes(p + first, last - first);
    if (end % 8 != 0)
        sum += (uint64_t)__builtin_popcount((uint8_t)p[last] >> (8 - end % 8));
    if (from % 8 != 0)
        sum -= (uint64_t)__builtin_popcount((uint8_t)p[first] >> (8 - from % 8));
    return sum;
}

/* ---- finding ---- */

static bool
bit_at(const char *p, uint64_t at)
{
    return ((uint8_t)p[at / 8] >> (7 - at % 8)) & 1;
}

int64_t
bits_find(const char *p, uint64_t from, uint64_t end, bool is_set)
{
    uint64_t at = from;

    for (; at < end && at % 8 != 0; at++)
        if (bit_at(p, at) == is_set)
            return (int64_t)at;
    for (; at + WORD_BITS <= end; at += WORD_BITS) {
        uint64_t w = load(p + at / 8);

        w = is_set ? w : ~w;
        if (w != 0)
            return (int64_t)at + __builtin_clzll(__builtin_bswap64(w));
    }
    for (; at < end; at++)
        if (bit_at(p, at) == is_set)
            return (int64_t)at;
    return -1;
}

/* ---- combining ---- */

static void
combine_piece(char *restrict out, const char *restrict in, size_t len, enum bits_operation op)
{
    switch (op) {
    case BITS_AND:
        for (size_t i = 0; i < len; i++)
            out[i] &= in[i];
        return;
    case BITS_OR:
        for (size_t i = 0; i < len; i++)
            out[i] |= in[i];
        return;
    case BITS_XOR:
        for (size_t i = 0; i < len; i++)
            out[i] ^= in[i];
        return;
    case BITS_NOT:
        never("NOT has one operand");
    }
}

/* part: what of s lies in [at, at + len). */
static struct slice
part(struct slice s, size_t at, size_t len)
{
    if (at >= s.len)
        return (struct slice){.ptr = "", .len = 0};
    return (struct slice){.ptr = s.ptr + at, .len = s.len - at < len ? s.len - at : len};
}

void
bits_combine(char *out, size_t len, enum bits_operation op, const struct slice *in, int count)
{
    must(count > 0 && (op != BITS_NOT || count == 1));
    for (size_t at = 0; at < len; at += PIECE_BYTES, out += PIECE_BYTES) {
        size_t piece = len - at < PIECE_BYTES ? len - at : PIECE_BYTES;
        struct slice s = part(in[0], at, piece);

        memcpy(out, s.ptr, s.len);
        memset(out + s.len, 0, piece - s.len);
        for (int i = 1; i < count; i++) {
            s = part(in[i], at, piece);
            combine_piece(out, s.ptr, s.len, op);
            if (op == BITS_AND)
                memset(out + s.len, 0, piece - s.len);
        }
        for (size_t i = 0; op == BITS_NOT && i < piece; i++)
            out[i] = (char)~out[i];
    }
}

/* ---- numbers ---- */

uint64_t
bits_read(struct slice s, uint64_t offset, unsigned bits)
{
    uint64_t byte = offset / 8;
    unsigned __int128 window = 0; /* the nine bytes that 64 bits can touch, and more */

    debug_check(bits >= 1 && bits <= WORD_BITS);
    for (unsigned i = 0; i < sizeof window; i++)
        window = window << 8 | (byte + i < s.len ? (uint8_t)s.ptr[byte + i] : 0);
    window = window << offset % 8;
    return (uint64_t)(window >> (8 * sizeof window - bits));
}

void
bits_write(char *p, uint64_t offset, unsigned bits, uint64_t value)
{
    debug_check(bits >= 1 && bits <= WORD_BITS);
    for (unsigned i = 0; i < bits; i++, offset++) {
        uint8_t mask = (uint8_t)(1 << (7 - offset % 8));
        uint8_t byte = (uint8_t)p[offset / 8];

        p[offset / 8] = (char)(value >> (bits - 1 - i) & 1 ? byte | mask : byte & ~mask);
    }
}
