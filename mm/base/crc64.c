/* mm/base/crc64.c - the checksum of an RDB file.
 *
 * Reflected: bit 63 of a word stands for x^0, bit 0 for x^63, and the first byte of the message
 * holds the highest powers.  Multiplying by x is a shift to the right.
 *
 * Two ways to the same number.  By table: eight bytes a step, table k holding a byte's effect k
 * bytes further on.  By folding: the message modulo the polynomial does not change when its first
 * 128 bits are multiplied by x^d modulo the polynomial and added to the 128 bits that stand d bits
 * further; PCLMULQDQ (on aarch64 PMULL) does that for four lanes of 16 bytes at a time, and the 16
 * bytes that are left at the end go through the table. */
#include "mm/base/crc64.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define HAVE_FOLDING 1
#define FOLDING      __attribute__((target("pclmul,sse2")))
#elif defined(__aarch64__)
#include <arm_neon.h>
#include <sys/auxv.h>
#define HAVE_FOLDING 1
#define FOLDING      __attribute__((target("+crypto")))
#else
#define HAVE_FOLDING 0
#endif

enum {
    SLICES = 8,
    LANES = 4,
    LANE_BYTES = 16,
    FOLD_BYTES = LANES * LANE_BYTES,
    FOLD_FROM_BYTES = 4 * FOLD_BYTES
};

static const uint64_t polynomial = 0x95ac9329ac4bc9b5; /* 0xad93d23594c935a9 reflected */

static uint64_t table[SLICES][256]; /* [const after make_tables] */
#if HAVE_FOLDING
/* [const after make_tables] for the low and high word, by one lane */
static uint64_t fold_lane[2];
static uint64_t fold_all[2]; /* [const after make_tables] the same by LANES lanes */
static bool can_fold;        /* [const after make_tables] */
#endif
static uint64_t zeros[64]; /* [const after make_tables] [k]: what 2^k bytes of zero multiply by */
static pthread_once_t made = PTHREAD_ONCE_INIT;

static uint64_t
times_x(uint64_t a)
{
    return (a >> 1) ^ ((a & 1) != 0 ? polynomial : 0);
}

/* product: of two polynomials, modulo the polynomial. */
static uint64_t
product(uint64_t a, uint64_t b)
{
    uint64_t sum = 0;

    for (; a != 0; a <<= 1, b = times_x(b)) /* the highest bit is the lowest power */
        sum ^= (a >> 63) != 0 ? b : 0;
    return sum;
}

/* x_to_the: x^n modulo the polynomial. */
static uint64_t
x_to_the(unsigned n)
{
    uint64_t a = (uint64_t)1 << 63;

    while (n-- > 0)
        a = times_x(a);
    return a;
}

#if HAVE_FOLDING
/* make_fold: what moves a lane by `bits`.  A carry-less product of two reflected words comes out
 * one power of x too high, hence the - 1; the low word of a lane stands 64 powers above the high
 * one. */
static void
make_fold(uint64_t k[2], unsigned bits)
{
    k[0] = x_to_the(bits + 64 - 1);
    k[1] = x_to_the(bits - 1);
}

static bool
processor_can_fold(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse2");
#else
    return (getauxval(AT_HWCAP) & HWCAP_PMULL) != 0;
#endif
}
#endif

static void
make_tables(void)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        uint64_t a = byte;

        for (int bit = 0; bit < 8; bit++)
            a = times_x(a);
        table[0][byte] = a;
    }
    for (unsigned byte = 0; byte < 256; byte++)
        for (int k = 1; k < SLICES; k++)
            table[k][byte] = table[0][table[k - 1][byte] & 0xff] ^ (table[k - 1][byte] >> 8);
    zeros[0] = x_to_the(8);
    for (int k = 1; k < 64; k++)
        zeros[k] = product(zeros[k - 1], zeros[k - 1]);
#if HAVE_FOLDING
    make_fold(fold_lane, 8 * LANE_BYTES);
    make_fold(fold_all, 8 * FOLD_BYTES);
    can_fold = processor_can_fold();
#endif
}

static uint64_t
by_table(uint64_t crc, const uint8_t *p, size_t len)
{
    for (; len >= 8; len -= 8, p += 8) {
        uint64_t word;

        memcpy(&word, p, 8);
        word ^= crc; /* little endian: the first byte is the low one */
        crc = table[7][word & 0xff] ^ table[6][word >> 8 & 0xff] ^ table[5][word >> 16 & 0xff] ^
              table[4][word >> 24 & 0xff] ^ table[3][word >> 32 & 0xff] ^
              table[2][word >> 40 & 0xff] ^ table[1][word >> 48 & 0xff] ^ table[0][word >> 56];
    }
    for (; len > 0; len--, p++)
        crc = table[0][(crc ^ *p) & 0xff] ^ (crc >> 8);
    return crc;
}

#if HAVE_FOLDING
/* Sixteen bytes in a register of the processor, and what it does with them: `low` are the first
 * eight in memory. */
#ifdef __x86_64__
typedef __m128i lane_t;

FOLDING static inline lane_t
lane_of(uint64_t low, uint64_t high)
{
    return _mm_set_epi64x((long long)high, (long long)low);
}

FOLDING static inline lane_t
load(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

FOLDING static inline void
store(uint8_t *p, lane_t lane)
{
    _mm_storeu_si128((__m128i *)(void *)p, lane);
}

FOLDING static inline lane_t
added(lane_t a, lane_t b)
{
    return _mm_xor_si128(a, b);
}

FOLDING static inline lane_t
fold(lane_t lane, lane_t k, lane_t onto)
{
    lane_t low = _mm_clmulepi64_si128(lane, k, 0x00), high = _mm_clmulepi64_si128(lane, k, 0x11);

    return added(added(low, high), onto);
}
#else
typedef uint64x2_t lane_t;

FOLDING static inline lane_t
lane_of(uint64_t low, uint64_t high)
{
    return vcombine_u64(vcreate_u64(low), vcreate_u64(high));
}

FOLDING static inline lane_t
load(const uint8_t *p)
{
    return vreinterpretq_u64_u8(vld1q_u8(p));
}

FOLDING static inline void
store(uint8_t *p, lane_t lane)
{
    vst1q_u8(p, vreinterpretq_u8_u64(lane));
}

FOLDING static inline lane_t
added(lane_t a, lane_t b)
{
    return veorq_u64(a, b);
}

FOLDING static inline lane_t
fold(lane_t lane, lane_t k, lane_t onto)
{
    poly64x2_t a = vreinterpretq_p64_u64(lane), b = vreinterpretq_p64_u64(k);
    lane_t low = vreinterpretq_u64_p128(vmull_p64(vgetq_lane_p64(a, 0), vgetq_lane_p64(b, 0)));
    lane_t high = vreinterpretq_u64_p128(vmull_high_p64(a, b));

    return added(added(low, high), onto);
}
#endif

/* by_folding: over the multiples of FOLD_BYTES in [p, p + len), at least one; the caller does the
 * rest. */
FOLDING static uint64_t
by_folding(uint64_t crc, const uint8_t *p, size_t len)
{
    const lane_t all = lane_of(fold_all[0], fold_all[1]);
    const lane_t one = lane_of(fold_lane[0], fold_lane[1]);
    lane_t lane[LANES];
    uint8_t rest[LANE_BYTES];

    for (int i = 0; i < LANES; i++)
        lane[i] = load(p + i * LANE_BYTES);
    lane[0] = added(lane[0], lane_of(crc, 0));
    for (p += FOLD_BYTES, len -= FOLD_BYTES; len >= FOLD_BYTES; p += FOLD_BYTES, len -= FOLD_BYTES)
        for (int i = 0; i < LANES; i++)
            lane[i] = fold(lane[i], all, load(p + i * LANE_BYTES));
    for (int i = 1; i < LANES; i++)
        lane[0] = fold(lane[0], one, lane[i]);
    store(rest, lane[0]);
    return by_table(0, rest, sizeof rest);
}
#endif

uint64_t
crc64_by_table(uint64_t crc, const void *bytes, size_t len)
{
    pthread_once(&made, make_tables);
    return by_table(crc, bytes, len);
}

uint64_t
crc64(uint64_t crc, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;

    pthread_once(&made, make_tables);
#if HAVE_FOLDING
    if (can_fold && len >= FOLD_FROM_BYTES) {
        size_t folded = len - len % FOLD_BYTES;

        crc = by_folding(crc, p, folded);
        p += folded;
        len -= folded;
    }
#endif
    return by_table(crc, p, len);
}

uint64_t
crc64_joined(uint64_t first, uint64_t second, uint64_t len)
{
    pthread_once(&made, make_tables);
    for (; len != 0; len &= len - 1)
        first = product(first, zeros[__builtin_ctzll(len)]);
    return first ^ second;
}
