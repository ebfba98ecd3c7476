/* server/data/db/record.h - a record: one key with its header, and its value when that is small.
 * One allocation of the records heap; what it points to lives in the values heap.
 *
 *   byte 0      type (low 4 bits: enum value_type) and encoding (high 4 bits: enum encoding)
 *        1      flags (RECORD_HAS_EXPIRE, RECORD_LONG_KEY, RECORD_RAW, RECORD_INTSET or
 *               RECORD_TIMED)
 *        2..3   physical database number (16 bits)
 *        4..7   access clock (25 bits, lfu.h) | key length (7 bits, 127 with RECORD_LONG_KEY);
 *               written without a barrier, relaxed atomic; a snapshot saves it as it is when the
 *               record is copied (save.c)
 *        then   expiry, unix ms (8 bytes), if RECORD_HAS_EXPIRE
 *        then   the value's fixed part, by encoding:
 *                 int          int64 (8 bytes)
 *                 inline blob  length (2 bytes): short strings, small listpacks and intsets
 *                 outer blob   pointer (8 bytes), length (8 bytes): longer strings, larger
 *                              listpacks, intsets
 *                 root         pointer to the root of the type's own structure (8 bytes)
 *        then   key length (8 bytes), if RECORD_LONG_KEY
 *        then   the key's bytes
 *        then   the inline blob's bytes
 *
 * Fields are read with memcpy (no alignment is promised beyond the allocation's 8 bytes).
 *
 *   R1  A record is read through its accessors only; the same ones work on the live record and on a
 *       staged copy.
 *   R2  A record is changed in one place, record_rewrite(); what does not fit there becomes a new
 *       record.
 *   R3  A frozen record of at most RECORD_REPLACE_MAX bytes is never changed in place: it is
 *       replaced.
 *
 * Threads: accessors [any]; the others mutator. */
#ifndef SERVER_DATA_DB_RECORD_H
#define SERVER_DATA_DB_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "mm/base/slice.h"
#include "mm/mm.h"

struct record; /* opaque: bytes as above */

enum value_type {
    TYPE_STRING,
    TYPE_LIST,
    TYPE_SET,
    TYPE_ZSET,
    TYPE_HASH,
    TYPE_STREAM,
    TYPE_TIMED_HASH, /* a hash with fields that expire: "hash" to the outside */
    TYPE_COUNT
};
enum encoding {
    ENC_INT,    /* string */
    ENC_INLINE, /* a blob in the record: string (embstr / raw), listpack or intset */
    ENC_OUTER,  /* a blob in the values heap: string (raw), listpack or intset */
    ENC_ROOT,   /* the root of a structure in the values heap; which one, the type says (type.h) */
    ENC_COUNT
};

enum record_flag {
    RECORD_HAS_EXPIRE = 1,
    RECORD_LONG_KEY = 2,
    /* a string that APPEND or SETRANGE has made: raw, however short, to OBJECT ENCODING */
    RECORD_RAW = 4,
    RECORD_INTSET = 8, /* a set whose blob is an intset, not a listpack */
    RECORD_TIMED = 8   /* of another type: TYPE_TIMED_HASH, and only that */
};

enum {
    /* a blob stays in the record while the whole has so many bytes, ... */
    RECORD_INLINE_MAX = 1024,
    /* ... or when the blob alone is as short as this, whatever the key */
    RECORD_INLINE_ALWAYS = 64,
    RECORD_REPLACE_MAX = 512, /* R3; the largest page: a copy of the page would not cost less */
    RECORD_HEAD_MAX = 8 + 8 + 16 + 8,
    RECORD_CLOCK_BITS = 25,
    RECORD_CLOCK_MASK = (1 << RECORD_CLOCK_BITS) - 1,
    RECORD_SHORT_KEY_MAX = 126
};

#define RECORD_NO_EXPIRE ((int64_t)-1)

/* A value, as handlers and records exchange it.  blob is inline bytes that will be copied, or a
 * block of the values heap with how many of its bytes count. */
struct value {
    enum value_type type;
    enum encoding enc;
    bool raw; /* see RECORD_RAW */
    union {   /* one flag for sets and for hashes: see RECORD_INTSET, RECORD_TIMED */
        bool intset, timed;
    };
    int64_t integer;   /* ENC_INT */
    struct slice blob; /* ENC_INLINE, ENC_OUTER */
    const void *root;  /* ENC_ROOT */
};

/* Everything of which a record is made. */
struct record_spec {
    struct slice key;
    int64_t expire_at_ms; /* unix; RECORD_NO_EXPIRE */
    uint16_t db;          /* physical number */
    uint32_t clock;       /* RECORD_CLOCK_BITS of them */
    struct value value;
};

/* record_new: a record with copies of key and inline bytes; the value's block or table becomes the
 * record's. NULL: no memory. */
const struct record *record_new(const struct record_spec *spec);
/* record_spec_of: what the record is made of; its slices point into the record and its blob. */
void record_spec_of(const struct record *r, struct record_spec *ret);
/* record_rewrite: make r what spec says, in place, changing only bytes that differ.  spec has r's
 * key. False, and nothing has changed: another size class, type or layout, or R3: make a new
 * one. */
bool record_rewrite(const struct record *r, const struct record_spec *spec);
/* record_free: the record alone, not what it points to. */
void record_free(const struct record *r);
/* record_bytes: the size that record_new() would ask for. */
size_t record_bytes(const struct record_spec *spec);
/* record_can_inline: does a blob of this length stay in the record?  Room for an expiry is counted
 * in. */
bool record_can_inline(size_t key_len, size_t blob_len);

/* ---- accessors ---- */

static const uint8_t record_fixed_bytes[ENC_COUNT] = {8, 2, 16, 8};

static inline uint8_t
record_byte(const struct record *r, size_t at)
{
    return ((const uint8_t *)r)[at];
}

static inline uint64_t
record_u64(const struct record *r, size_t at)
{
    uint64_t v;

    memcpy(&v, (const char *)r + at, sizeof v);
    return v;
}

static inline enum value_type
record_type(const struct record *r)
{
    return (enum value_type)(record_byte(r, 0) & 15);
}

static inline enum encoding
record_encoding(const struct record *r)
{
    return (enum encoding)(record_byte(r, 0) >> 4);
}

static inline bool
record_has(const struct record *r, enum record_flag flag)
{
    return (record_byte(r, 1) & flag) != 0;
}

static inline uint16_t
record_db(const struct record *r)
{
    uint16_t db;

    memcpy(&db, (const char *)r + 2, sizeof db);
    return db;
}

static inline uint32_t
record_clock_word(const struct record *r)
{
    uint32_t word;

    memcpy(&word, (const char *)r + 4, sizeof word);
    return word;
}

static inline uint32_t
record_clock(const struct record *r)
{
    return record_clock_word(r) & RECORD_CLOCK_MASK;
}

static inline size_t
record_fixed_at(const struct record *r)
{
    return record_has(r, RECORD_HAS_EXPIRE) ? 16 : 8;
}

static inline size_t
record_key_at(const struct record *r)
{
    return record_fixed_at(r) + record_fixed_bytes[record_encoding(r)] +
           (record_has(r, RECORD_LONG_KEY) ? 8 : 0);
}

static inline size_t
record_key_len(const struct record *r)
{
    return record_has(r, RECORD_LONG_KEY) ? record_u64(r, record_key_at(r) - 8)
                                          : record_clock_word(r) >> RECORD_CLOCK_BITS;
}

static inline struct slice
record_key(const struct record *r)
{
    return (struct slice){.ptr = (const char *)r + record_key_at(r), .len = record_key_len(r)};
}

static inline int64_t
record_expire(const struct record *r)
{
    return record_has(r, RECORD_HAS_EXPIRE) ? (int64_t)record_u64(r, 8) : RECORD_NO_EXPIRE;
}

static inline int64_t
record_int(const struct record *r)
{
    return (int64_t)record_u64(r, record_fixed_at(r));
}

/* record_is_listed: does the record stand in more than the table of keys (D1)?  Of most that do
 * not, one look at the flags says so.
 * record_is_timed: is it a hash with fields that expire? */
static inline bool
record_is_timed(const struct record *r)
{
    return record_type(r) == TYPE_TIMED_HASH;
}

static inline bool
record_is_listed(const struct record *r)
{
    return (record_byte(r, 1) & (RECORD_HAS_EXPIRE | RECORD_TIMED)) != 0;
}

/* record_blob: of ENC_INLINE and ENC_OUTER.  Of a staged copy, an outer blob's pointer is a live
 * one. */
static inline struct slice
record_blob(const struct record *r)
{
    size_t at = record_fixed_at(r), key_at = record_key_at(r);
    uint16_t len;

    if (record_encoding(r) == ENC_OUTER)
        return (struct slice){.ptr = (const char *)(uintptr_t)record_u64(r, at),
                              .len = record_u64(r, at + 8)};
    memcpy(&len, (const char *)r + at, sizeof len);
    return (struct slice){.ptr = (const char *)r + key_at + record_key_len(r), .len = len};
}

/* record_root: of ENC_ROOT.  Of a staged copy, a live address. */
static inline const void *
record_root(const struct record *r)
{
    return (const void *)(uintptr_t)record_u64(r, record_fixed_at(r));
}

/* record_touch: the access clock; no barrier, see mm_clock_word().  [mutator] */
static inline void
record_touch(const struct record *r, uint32_t clock)
{
    uint32_t word = record_clock_word(r),
             now = (word & ~(uint32_t)RECORD_CLOCK_MASK) | (clock & RECORD_CLOCK_MASK);

    if (word != now)
        atomic_store_explicit(mm_clock_word((const uint32_t *)(const void *)((const char *)r + 4)),
                              now, memory_order_relaxed);
}

#endif
