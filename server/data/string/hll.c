/* server/data/string/hll.c - the forms of a sketch, and how elements get into it.  Counting:
 * hll_count.c. */
#include "server/data/string/hll.h"

#include "mm/base/must.h"
#include "mm/base/text.h"
#include "server/data/string/hll_impl.h"

static const char magic[4] = {'H', 'Y', 'L', 'L'};
enum { ENCODING_AT = 4, DENSE = 0, SPARSE = 1 };

/* ---- the hash ---- */

static uint64_t
load(const char *p, size_t len)
{
    uint64_t w = 0;

    memcpy(&w, p, len); /* little endian, as all machines are that this is built for */
    return w;
}

/* MurmurHash64A by Austin Appleby, who gave it to everybody. */
static uint64_t
murmur(struct slice s)
{
    const uint64_t m = 0xc6a4a7935bd1e995, seed = 0xadc83b19;
    uint64_t h = seed ^ (s.len * m);
    size_t at = 0;

    for (; at + 8 <= s.len; at += 8) {
        uint64_t k = load(s.ptr + at, 8) * m;

        h = (h ^ (k ^ k >> 47) * m) * m;
    }
    if (at < s.len)
        h = (h ^ load(s.ptr + at, s.len - at)) * m;
    h = (h ^ h >> 47) * m;
    return h ^ h >> 47;
}

struct hll_place
hll_place_of(struct slice element)
{
    uint64_t hash = murmur(element);
    /* so that there is a set bit */
    uint64_t rest = hash >> HLL_BITS | (uint64_t)1 << (64 - HLL_BITS);

    return (struct hll_place){.reg = hash & (HLL_REGISTERS - 1),
                              .rank = (uint8_t)(__builtin_ctzll(rest) + 1)};
}

/* ---- header ---- */

bool
hll_is_one(struct slice s)
{
    if (s.len < HLL_HEADER_BYTES || memcmp(s.ptr, magic, sizeof magic) != 0)
        return false;
    return s.ptr[ENCODING_AT] == SPARSE ||
           (s.ptr[ENCODING_AT] == DENSE && s.len == HLL_DENSE_BYTES);
}

bool
hll_is_dense(struct slice s)
{
    return s.ptr[ENCODING_AT] == DENSE;
}

bool
hll_cached(struct slice s, uint64_t *ret)
{
    uint64_t n = load(s.ptr + HLL_CACHE_AT, sizeof n);

    if (n >> 63)
        return false;
    *ret = n;
    return true;
}

void
hll_drop_cache(struct hll *h)
{
    h->bytes[HLL_CACHE_FLAG_AT] = (char)((uint8_t)h->bytes[HLL_CACHE_FLAG_AT] | HLL_CACHE_INVALID);
}

static struct slice
bytes_of(const struct hll *h)
{
    return (struct slice){.ptr = h->bytes, .len = h->len};
}

/* ---- dense ---- */

unsigned
hll_dense_get(const char *registers, unsigned reg)
{
    const uint8_t *p = (const uint8_t *)registers + reg * 6 / 8;
    unsigned shift = reg * 6 % 8, pair = p[0];

    debug_check(reg < HLL_REGISTERS);
    if (shift > 2)
        pair |= (unsigned)p[1] << 8;
    return pair >> shift & 63;
}

void
hll_dense_put(char *registers, unsigned reg, unsigned value)
{
    uint8_t *p = (uint8_t *)registers + reg * 6 / 8;
    unsigned shift = reg * 6 % 8;

    debug_check(reg < HLL_REGISTERS && value < 64); /* more would run into the next one */
    p[0] = (uint8_t)((p[0] & ~(63u << shift)) | value << shift);
    if (shift > 2)
        p[1] = (uint8_t)((p[1] & ~(63u >> (8 - shift))) | value >> (8 - shift));
}

static bool
raise_dense(char *registers, struct hll_place place)
{
    if (hll_dense_get(registers, place.reg) >= place.rank)
        return false;
    hll_dense_put(registers, place.reg, place.rank);
    return true;
}

/* ---- sparse ---- */

enum { RUN_VALUE_MAX = 32, RUN_VALUES = 4, RUN_ZEROS = 64 };

bool
hll_run_next(struct slice s, struct hll_run *run)
{
    const uint8_t *p;

    run->at += run->bytes;
    run->first += run->len;
    if (run->at >= s.len)
        return false;
    p = (const uint8_t *)s.ptr + run->at;
    run->bytes = 1;
    run->value = 0;
    if (p[0] & 0x80) {
        run->value = (uint8_t)((p[0] >> 2 & 31) + 1);
        run->len = (p[0] & 3u) + 1;
    } else if (p[0] & 0x40) {
        if (run->at + 1 >= s.len)
            return false;
        run->bytes = 2;
        run->len = ((p[0] & 63u) << 8 | p[1]) + 1;
    } else {
        run->len = (p[0] & 63u) + 1;
    }
    return true;
}

/* put_run: returns the end. */
static uint8_t *
put_run(uint8_t *p, unsigned value, unsigned len)
{
    if (len == 0)
        return p;
    if (value > 0) {
        *p++ = (uint8_t)(0x80 | (value - 1) << 2 | (len - 1));
    } else if (len > RUN_ZEROS) {
        *p++ = (uint8_t)(0x40 | (len - 1) >> 8);
        *p++ = (uint8_t)(len - 1);
    } else {
        *p++ = (uint8_t)(len - 1);
    }
    return p;
}

void
hll_new(struct hll *h)
{
    memset(h->bytes, 0, HLL_HEADER_BYTES);
    memcpy(h->bytes, magic, sizeof magic);
    h->bytes[ENCODING_AT] = SPARSE;
    h->len = (size_t)(put_run((uint8_t *)h->bytes + HLL_HEADER_BYTES, 0, HLL_REGISTERS) -
                      (uint8_t *)h->bytes);
}

bool
hll_load(struct hll *h, struct slice s)
{
    if (s.len > HLL_SPARSE_BYTES_MAX)
        return false;
    memcpy(h->bytes, s.ptr, s.len);
    h->len = s.len;
    return true;
}

bool
hll_to_dense(struct hll *h)
{
    static char dense[HLL_DENSE_BYTES];
    struct hll_run run = HLL_FIRST_RUN;

    if (hll_is_dense(bytes_of(h)))
        return true;
    memset(dense, 0, sizeof dense);
    while (hll_run_next(bytes_of(h), &run)) {
        if (run.first + run.len > HLL_REGISTERS)
            return false;
        for (unsigned i = 0; run.value > 0 && i < run.len; i++)
            hll_dense_put(dense + HLL_HEADER_BYTES, run.first + i, run.value);
    }
    if (run.at != h->len || run.first != HLL_REGISTERS)
        return false;
    memcpy(dense, h->bytes, HLL_HEADER_BYTES);
    dense[ENCODING_AT] = DENSE;
    memcpy(h->bytes, dense, sizeof dense);
    h->len = sizeof dense;
    return true;
}

/* join_runs: neighbours of one value become one where they fit; five steps from `at` on, a step
 * being a run passed over or two joined (HL1). */
static void
join_runs(struct hll *h, size_t at)
{
    enum { STEPS = 5 };
    struct hll_run run, next;

    for (int step = 0; step < STEPS; step++) {
        run = (struct hll_run){.at = at};
        if (!hll_run_next(bytes_of(h), &run))
            return;
        next = run;
        if (run.value == 0 || !hll_run_next(bytes_of(h), &next) || next.value != run.value ||
            run.len + next.len > RUN_VALUES) {
            at += run.bytes;
            continue;
        }
        (void)put_run((uint8_t *)h->bytes + at, run.value, run.len + next.len);
        memmove(h->bytes + at + 1, h->bytes + at + 2, h->len - at - 2);
        h->len--;
    }
}

static int
promote_and_raise(struct hll *h, struct hll_place place)
{
    if (!hll_to_dense(h))
        return -1;
    return raise_dense(h->bytes + HLL_HEADER_BYTES, place);
}

/* split_run: the run that covers the register becomes up to three. */
static int
split_run(struct hll *h, const struct hll_run *run, size_t before, struct hll_place place,
          uint64_t sparse_max)
{
    enum { RUNS_BYTES_MAX = 5 };
    uint8_t runs[RUNS_BYTES_MAX], *p = runs;
    size_t bytes, behind = run->at + run->bytes;

    p = put_run(p, run->value, place.reg - run->first);
    p = put_run(p, place.rank, 1);
    p = put_run(p, run->value, run->first + run->len - 1 - place.reg);
    bytes = (size_t)(p - runs);
    if (bytes > run->bytes && h->len + bytes - run->bytes > sparse_max)
        return promote_and_raise(h, place);
    if (h->len + bytes - run->bytes > HLL_ROOM)
        return -1;
    memmove(h->bytes + run->at + bytes, h->bytes + behind, h->len - behind);
    memcpy(h->bytes + run->at, runs, bytes);
    h->len = h->len + bytes - run->bytes;
    join_runs(h, before);
    hll_drop_cache(h);
    return 1;
}

int
hll_raise(struct hll *h, struct hll_place place, uint64_t sparse_max)
{
    struct hll_run run = HLL_FIRST_RUN;
    size_t before = HLL_HEADER_BYTES; /* the run before the one that is looked for */

    if (hll_is_dense(bytes_of(h)))
        return raise_dense(h->bytes + HLL_HEADER_BYTES, place);
    if (place.rank > RUN_VALUE_MAX)
        return promote_and_raise(h, place);
    do {
        before = run.at;
        if (!hll_run_next(bytes_of(h), &run))
            return -1;
    } while (place.reg >= run.first + run.len);
    return run.value >= place.rank ? 0 : split_run(h, &run, before, place, sparse_max);
}

bool
hll_describe(struct slice s, struct text *out)
{
    struct hll_run run = HLL_FIRST_RUN;

    if (s.len > HLL_SPARSE_BYTES_MAX)
        return false;
    while (hll_run_next(s, &run)) {
        if (out->len > 0)
            text_add(out, " ");
        if (run.value > 0)
            text_addf(out, "v:%u,%u", run.value, run.len);
        else
            text_addf(out, "%c:%u", run.bytes == 2 ? 'Z' : 'z', run.len);
        run.first = run.len = 0; /* also runs beyond the last register are shown */
    }
    return true;
}
