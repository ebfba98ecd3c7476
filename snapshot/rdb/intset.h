/* snapshot/rdb/intset.h - Redis's intset bytes: width of an element (u32 LE: 2, 4 or 8), elements
 * (u32 LE), then the elements, signed, little endian, in rising order.  Pure functions over
 * caller's memory.  Here because the decoder validates what it reads; server/ edits with it too.
 * Threads: [any]. */
#ifndef SNAPSHOT_RDB_INTSET_H
#define SNAPSHOT_RDB_INTSET_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { INTSET_HEADER_BYTES = 8, INTSET_WIDTH_MAX = 8 };

/* intset_validate: true if [s, s + len) is a well-formed intset; *ret_count = its elements.
 * O(len) */
bool intset_validate(const uint8_t *s, size_t len, uint32_t *ret_count);

/* intset_find: is v in it?  *ret_at: where it stands, or would.  O(log n).
 * intset_find_from: the same where v is at or behind element `from`, fast when it is near. */
bool intset_find(const uint8_t *s, int64_t v, uint32_t *ret_at);
bool intset_find_from(const uint8_t *s, uint32_t from, int64_t v, uint32_t *ret_at);

/* intset_init: an empty one; returns its bytes.
 * intset_add: v, which is not in it; the buffer has room for one element more of any width, and for
 * all of them in that width.  Returns the new size. */
size_t intset_init(uint8_t *dst);
size_t intset_add(uint8_t *s, int64_t v);

static inline uint32_t
intset_word(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return le32toh(v);
}

static inline unsigned
intset_width(const uint8_t *s)
{
    return intset_word(s);
}

static inline uint32_t
intset_count(const uint8_t *s)
{
    return intset_word(s + 4);
}

/* intset_width_of: that an element needs. */
static inline unsigned
intset_width_of(int64_t v)
{
    return v == (int16_t)v ? 2 : v == (int32_t)v ? 4 : 8;
}

static inline size_t
intset_bytes(unsigned width, uint64_t count)
{
    return INTSET_HEADER_BYTES + width * count;
}

/* intset_load, intset_store: element number i of a body that begins at p. */
static inline int64_t
intset_load(const uint8_t *p, unsigned width, uint64_t i)
{
    uint64_t v8;
    uint32_t v4;
    uint16_t v2;

    switch (width) {
    case 2:
        memcpy(&v2, p + 2 * i, sizeof v2);
        return (int16_t)le16toh(v2);
    case 4:
        memcpy(&v4, p + 4 * i, sizeof v4);
        return (int32_t)le32toh(v4);
    default:
        memcpy(&v8, p + 8 * i, sizeof v8);
        return (int64_t)le64toh(v8);
    }
}

static inline void
intset_store(uint8_t *p, unsigned width, uint64_t i, int64_t v)
{
    uint64_t v8 = htole64((uint64_t)v);
    uint32_t v4 = htole32((uint32_t)v);
    uint16_t v2 = htole16((uint16_t)v);

    switch (width) {
    case 2:
        memcpy(p + 2 * i, &v2, sizeof v2);
        break;
    case 4:
        memcpy(p + 4 * i, &v4, sizeof v4);
        break;
    default:
        memcpy(p + 8 * i, &v8, sizeof v8);
    }
}

static inline int64_t
intset_get(const uint8_t *s, uint64_t i)
{
    return intset_load(s + INTSET_HEADER_BYTES, intset_width(s), i);
}

static inline void
intset_put_header(uint8_t *s, unsigned width, uint32_t count)
{
    uint32_t head[2] = {htole32(width), htole32(count)};

    memcpy(s, head, sizeof head);
}

#endif
