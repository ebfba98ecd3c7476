/* server/data/string/hll_count.c - what a sketch says: its registers, and the estimate of how many
 * elements it has seen. */
#include <math.h>

#include "server/data/string/hll.h"
#include "server/data/string/hll_impl.h"

enum {
    RANK_MAX = 64 - HLL_BITS + 1, /* Ertl's q + 1 */
    VALUES = 64                   /* of a register, though elements make none above RANK_MAX */
};

/* One group of a dense sketch: three bytes, four registers. */
static uint32_t
load_group(const char *registers, unsigned group)
{
    const uint8_t *p = (const uint8_t *)registers + (size_t)group * HLL_GROUP_BYTES;

    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

/* Four histograms, so that equal neighbours do not wait for each other. */
static void
histogram_dense(const char *registers, uint32_t histogram[VALUES])
{
    uint32_t part[HLL_GROUP][VALUES] = {{0}};

    for (unsigned g = 0; g < HLL_REGISTERS / HLL_GROUP; g++) {
        uint32_t bits = load_group(registers, g);

        for (unsigned k = 0; k < HLL_GROUP; k++)
            part[k][bits >> 6 * k & 63]++;
    }
    for (unsigned v = 0; v < VALUES; v++)
        histogram[v] = part[0][v] + part[1][v] + part[2][v] + part[3][v];
}

static bool
histogram_sparse(struct slice s, uint32_t histogram[VALUES])
{
    struct hll_run run = HLL_FIRST_RUN;

    memset(histogram, 0, VALUES * sizeof *histogram);
    while (run.first <= HLL_REGISTERS && hll_run_next(s, &run))
        histogram[run.value] += run.len;
    return run.at == s.len && run.first == HLL_REGISTERS;
}

/* ---- the estimate: names as in the paper ---- */

static double
sigma(double x)
{
    double z = x, before, y = 1;

    if (x == 1)
        return INFINITY;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z != before);
    return z;
}

static double
tau(double x)
{
    double z = 1 - x, before, y = 1;

    if (x == 0 || x == 1)
        return 0;
    do {
        x = sqrt(x);
        before = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (z != before);
    return z / 3;
}

static uint64_t
estimate(const uint32_t histogram[VALUES])
{
    const double alpha_inf = 0.721347520444481703680; /* 1 / (2 ln 2) */
    double m = HLL_REGISTERS, z = m * tau((m - histogram[RANK_MAX]) / m);

    for (int k = RANK_MAX - 1; k >= 1; k--)
        z = 0.5 * (z + histogram[k]);
    z += m * sigma(histogram[0] / m);
    return (uint64_t)llround(alpha_inf * m * m / z);
}

bool
hll_count(struct slice s, uint64_t *ret)
{
    uint32_t histogram[VALUES];

    if (hll_is_dense(s))
        histogram_dense(s.ptr + HLL_HEADER_BYTES, histogram);
    else if (!histogram_sparse(s, histogram))
        return false;
    *ret = estimate(histogram);
    return true;
}

uint64_t
hll_count_registers(const uint8_t registers[HLL_REGISTERS])
{
    uint32_t histogram[VALUES] = {0};

    for (unsigned i = 0; i < HLL_REGISTERS; i++)
        histogram[registers[i]]++;
    return estimate(histogram);
}

/* ---- merging ---- */

static void
merge_dense(uint8_t registers[HLL_REGISTERS], const char *dense)
{
    for (unsigned g = 0; g < HLL_REGISTERS / HLL_GROUP; g++) {
        uint32_t bits = load_group(dense, g);

        for (unsigned k = 0; k < HLL_GROUP; k++) {
            uint8_t value = bits >> 6 * k & 63, *r = &registers[g * HLL_GROUP + k];

            *r = value > *r ? value : *r;
        }
    }
}

bool
hll_merge(uint8_t registers[HLL_REGISTERS], struct slice s)
{
    struct hll_run run = HLL_FIRST_RUN;

    if (hll_is_dense(s)) {
        merge_dense(registers, s.ptr + HLL_HEADER_BYTES);
        return true;
    }
    while (hll_run_next(s, &run)) {
        if (run.first + run.len > HLL_REGISTERS)
            return false;
        for (unsigned i = run.first; run.value > 0 && i < run.first + run.len; i++)
            if (registers[i] < run.value)
                registers[i] = run.value;
    }
    return run.at == s.len && run.first == HLL_REGISTERS;
}
