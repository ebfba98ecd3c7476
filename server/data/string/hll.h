/* server/data/string/hll.h - HyperLogLog sketches as bytes, in Redis's form: a string that any
 * client may GET, SET and carry to another server.
 *
 *   "HYLL" | encoding (1 byte) | 3 bytes unused | cached count (8 bytes) | registers
 *
 *   count    little endian; its highest bit says that it is not valid
 *   dense    16384 registers of 6 bits, lowest bits first
 *   sparse   runs of registers:
 *              00nnnnnn            n+1 zeros
 *              01nnnnnn nnnnnnnn   n+1 zeros
 *              1vvvvvnn            n+1 registers of value v+1
 *
 *   HL1 Two servers that saw the same elements in the same order have the same bytes: which runs
 *       are split and joined is part of the form.
 *   HL2 Bytes come from anywhere: whatever does not cover all registers exactly is refused.
 *
 * [Flajolet, Fusy, Gandouet, Meunier: HyperLogLog, 2007; the estimate: Otmar Ertl, "New cardinality
 * estimation algorithms for HyperLogLog sketches", arXiv:1702.01284, algorithm 6; the hash:
 * MurmurHash64A.]
 * Threads: any. */
#ifndef SERVER_DATA_STRING_HLL_H
#define SERVER_DATA_STRING_HLL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/base/slice.h"

enum {
    HLL_BITS = 14, /* of a hash choose the register */
    HLL_REGISTERS = 1 << HLL_BITS,
    HLL_HEADER_BYTES = 16,
    HLL_GROUP = 4, /* registers of a dense sketch in ... */
    HLL_GROUP_BYTES = 3,
    HLL_CACHE_AT = 8, /* in the header; */
    HLL_CACHE_FLAG_AT = HLL_CACHE_AT + 7,
    HLL_CACHE_INVALID = 0x80, /* set there: not valid */
    HLL_DENSE_BYTES = HLL_HEADER_BYTES + HLL_REGISTERS * 6 / 8,
    HLL_SPARSE_BYTES_MAX = HLL_HEADER_BYTES + HLL_REGISTERS * 2, /* no sparse form needs more */
    HLL_ROOM = HLL_SPARSE_BYTES_MAX + 8                          /* for any form, and one split */
};

/* A sketch that is being changed, apart from where it is kept. */
struct hll {
    size_t len;
    char bytes[HLL_ROOM];
};

/* One register, and what an element makes of it. */
struct hll_place {
    unsigned reg;
    uint8_t rank;
};

struct hll_place hll_place_of(struct slice element);

/* hll_is_one: has it the header of a sketch, and the length that goes with it? */
bool hll_is_one(struct slice s);
bool hll_is_dense(struct slice s); /* of one that is */
/* hll_cached: the count that is kept in it; false: it is not valid. */
bool hll_cached(struct slice s, uint64_t *ret);
/* hll_count: the estimate.  False: HL2 is broken.  O(registers) */
bool hll_count(struct slice s, uint64_t *ret);
/* hll_merge: raise registers, one a byte, to what the sketch has.  False: HL2 is broken. */
bool hll_merge(uint8_t registers[HLL_REGISTERS], struct slice s);
uint64_t hll_count_registers(const uint8_t registers[HLL_REGISTERS]);

/* hll_dense_get, hll_dense_put: registers: what is behind the header of a dense sketch.  HLL_GROUP
 * registers are HLL_GROUP_BYTES bytes. */
unsigned hll_dense_get(const char *registers, unsigned reg);
void hll_dense_put(char *registers, unsigned reg, unsigned value);
void hll_new(struct hll *h); /* sparse, all zeros */
/* hll_load: a copy of s.  False: longer than any sketch. */
bool hll_load(struct hll *h, struct slice s);
/* hll_raise: 1: a register was raised; 0: it was as high already; -1: HL2 is broken.  A sparse
 * sketch becomes dense when it would be longer than sparse_max, or the rank does not fit.
 * O(runs) */
int hll_raise(struct hll *h, struct hll_place place, uint64_t sparse_max);
/* hll_to_dense: false: HL2 is broken, and nothing has changed. */
bool hll_to_dense(struct hll *h);
void hll_drop_cache(struct hll *h);
/* hll_describe: the runs of a sparse sketch, for PFDEBUG DECODE, whatever they cover.  False:
 * longer than any sketch. */
struct text;
bool hll_describe(struct slice s, struct text *out);

#endif
