/* snapshot/rdb/listpack.h - Redis's listpack bytes: read, validate, build.  Pure functions over
 * caller's memory; knows neither arena nor keyspace.  Format: total bytes (u32 LE), elements (u16
 * LE, 65535 = unknown), then entries <encoding><data><backlen>, then 0xff.  Here because the
 * decoder validates what it reads; server/ edits with it too.
 * Threads: [any]. */
#ifndef SNAPSHOT_RDB_LISTPACK_H
#define SNAPSHOT_RDB_LISTPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/base/slice.h"

enum { LP_HEADER_BYTES = 6, LP_EMPTY_BYTES = 7, LP_INT_TEXT_BYTES = 21 };
enum { LP_ENTRY_MORE_BYTES = 10 }; /* an entry is longer than its text by no more than that */

/* The first byte of the entries that a whole byte names, the byte behind the last entry, and the
 * count of a header that does not say it. */
enum {
    LP_ENC_STR32 = 0xf0,
    LP_ENC_INT16 = 0xf1,
    LP_ENC_INT24 = 0xf2,
    LP_ENC_INT32 = 0xf3,
    LP_ENC_INT64 = 0xf4,
    LP_END = 0xff,
    LP_COUNT_UNKNOWN = 65535
};

/* An element: bytes != NULL: a string of len bytes; bytes == NULL: the integer value. */
struct lp_elem {
    const uint8_t *bytes;
    uint32_t len;
    int64_t value;
};

/* lp_validate: true if [lp, lp + len) is a well-formed listpack; *ret_count = its elements.  Cost
 * O(len). */
bool lp_validate(const uint8_t *lp, size_t len, uint32_t *ret_count);

/* lp_measure: the same but for the count in its head, which may be another: *ret_is_right says
 * whether it is.
 * lp_set_count: put it right. */
bool lp_measure(const uint8_t *lp, size_t len, uint32_t *ret_count, bool *ret_is_right);
void lp_set_count(uint8_t *lp, uint32_t count);

uint32_t lp_bytes(const uint8_t *lp); /* total size, header and end included */
uint32_t lp_count(const uint8_t *lp); /* elements; walks when the header says unknown */
/* lp_header_count: what the header says: perhaps LP_COUNT_UNKNOWN. */
static inline uint32_t
lp_header_count(const uint8_t *lp)
{
    return lp[4] | (uint32_t)lp[5] << 8;
}

/* lp_first/lp_next: offset of the first / following entry; 0 when there is none (the end). */
uint32_t lp_first(const uint8_t *lp);
uint32_t lp_next(const uint8_t *lp, uint32_t at);
/* lp_get: the entry at offset at. */
void lp_get(const uint8_t *lp, uint32_t at, struct lp_elem *ret);
/* lp_text: an element as bytes; integers are printed into scratch (LP_INT_TEXT_BYTES). */
const uint8_t *lp_text(const struct lp_elem *e, char *scratch, uint32_t *ret_len);
/* lp_slice: the entry at offset at as bytes, as lp_text() gives them. */
struct slice lp_slice(const uint8_t *lp, uint32_t at, char scratch[LP_INT_TEXT_BYTES]);
/* lp_equal: does the entry hold these bytes (an integer entry compares as its decimal text)? */
bool lp_equal(const uint8_t *lp, uint32_t at, const void *bytes, size_t len);
/* lp_find: the offset of the first entry equal to bytes among entries first, first+1+skip, ...; 0:
 * none. */
uint32_t lp_find(const uint8_t *lp, const void *bytes, size_t len, uint32_t skip);

/* A text to compare entries with, and the integer that it stands for, if it does. */
struct lp_needle {
    const void *bytes;
    size_t len;
    bool is_int;
    int64_t value;
};
void lp_needle_init(struct lp_needle *n, const void *bytes, size_t len);

/* Single entries, wherever they stand: for those who keep entries in a frame of their own.
 * lp_entry_get: the entry at p.
 * lp_entry_size: its bytes.
 * lp_entry_before: where the entry starts that ends before p.
 * lp_entry_matches: does it hold the needle? */
void lp_entry_get(const uint8_t *p, struct lp_elem *ret);
uint32_t lp_entry_size(const uint8_t *p);
const uint8_t *lp_entry_before(const uint8_t *p);
bool lp_entry_matches(const uint8_t *p, const struct lp_needle *n);

/* An entry before it is written: lp_entry_make() looks at the bytes, which stay the caller's (below
 * 2^32 - 16 of them), lp_entry_put() writes size bytes. */
struct lp_entry {
    const void *data;
    uint32_t data_len, size;
    uint8_t head_len, head[9];
};
void lp_entry_make(struct lp_entry *e, const void *bytes, size_t len);
void lp_entry_put(uint8_t *dst, const struct lp_entry *e);

/* lp_entry_bytes: how long the entry for these bytes is (integers in canonical decimal form are
 * stored as such). */
uint32_t lp_entry_bytes(const void *bytes, size_t len);

/* Building: dst has room for the result; each returns the new total size.  src and dst must not
 * overlap, except that lp_put_* with dst == src edits in place (room for the growth is the caller's
 * business). */
uint32_t lp_init(uint8_t *dst); /* an empty one */
/* in place, at the end */
uint32_t lp_append(uint8_t *lp, const void *bytes, size_t len);
/* in place, before at */
uint32_t lp_insert(uint8_t *lp, uint32_t at, const void *bytes, size_t len);
uint32_t lp_replace(uint8_t *lp, uint32_t at, const void *bytes, size_t len); /* in place */
uint32_t lp_delete(uint8_t *lp, uint32_t at, uint32_t entries);               /* in place */

#endif
