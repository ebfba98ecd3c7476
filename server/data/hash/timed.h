/* server/data/hash/timed.h - hashes with fields that expire: TYPE_TIMED_HASH.  Small ones are a
 * blob ("listpackex" to OBJECT ENCODING), large ones a struct thash ("hashtable").
 *
 *   blob    smallest time (8 bytes, 0: none), then a listpack of triples: field, value, time in
 *           unix ms (0: none); those with a time first, in its order: as RDB's type 25 has it
 *
 *   H5  A hash is of this type while a field has a time.  When the last time is gone it becomes a
 *       plain hash again; where there is no memory for that, it stays until the next change.
 *   H6  Nobody is shown a field whose time has passed, and setting it adds a field.
 *
 * The limits of the blob are those of a plain hash's listpack.
 * Threads: mutator. */
#ifndef SERVER_DATA_HASH_TIMED_H
#define SERVER_DATA_HASH_TIMED_H

#include "server/data/hash/hash.h"
#include "server/data/hash/thash.h"

/* Each is hash.h's call of that name for a hash of this type. */
uint64_t timed_len(const struct record *r);
uint64_t timed_shown(const struct record *r);
uint64_t timed_shown_upto(const struct record *r, uint64_t most);
/* timed_is_over: the time has passed: the field is shown to nobody. */
bool timed_is_over(int64_t expire_at_ms);
bool timed_get(const struct record *r, struct slice field, char scratch[LP_INT_TEXT_BYTES],
               struct slice *ret, int64_t *ret_expire_ms);
void timed_each(const struct record *r, hash_visitor visit, void *ctx);
uint64_t timed_walk(const struct record *r, uint64_t cursor, hash_visitor visit, void *ctx);
void timed_draw(const struct record *r, hash_visitor visit, void *ctx);
int timed_delete(struct db_ref *ref, const struct slice *fields, int count, int64_t *ret_deleted);
/* timed_put: for a hash of either type, or none. */
int timed_put(struct db_ref *ref, const struct hash_item *items, int count, int64_t *ret_added);

/* timed_each_with_time: as timed_each(), those whose time has passed too. */
typedef void (*timed_visitor)(void *ctx, struct slice field, struct slice value,
                              int64_t expire_at_ms);
void timed_each_with_time(const struct record *r, timed_visitor visit, void *ctx);
/* timed_first: the smallest time; RECORD_NO_EXPIRE: there is none.  O(log n) */
int64_t timed_first(const struct record *r);
bool timed_has_expired(const struct record *r);
unsigned timed_expire(struct db_ref *ref, unsigned limit);

/* ---- the blob: timed_blob.c ---- */

enum { TBLOB_HEAD = 8 };

static inline const uint8_t *
tblob_listpack(struct slice blob)
{
    return slice_bytes(blob) + TBLOB_HEAD;
}

static inline int64_t
tblob_first(struct slice blob)
{
    int64_t ms;

    memcpy(&ms, blob.ptr, sizeof ms);
    return ms == 0 ? RECORD_NO_EXPIRE : ms;
}

/* tblob_time: of the triple at offset `at`. */
int64_t tblob_time(const uint8_t *lp, uint32_t at);
/* tblob_begin, tblob_add: for loading: room bytes at `blob` become an empty one; a field that is
 * not there comes in where its time belongs; there is room for tblob_more() more bytes.  Returns
 * the bytes of all. */
size_t tblob_begin(uint8_t *blob);
size_t tblob_more(struct slice field, struct slice value);
size_t tblob_add(uint8_t *blob, struct slice field, struct slice value, int64_t expire_at_ms);
/* tblob_put, tblob_delete, tblob_expire: the calls of the names above.  tblob_put: for a hash of
 * either type that is small, or none; 1: it would not be small any more, and nothing has
 * changed. */
int tblob_put(struct db_ref *ref, const struct hash_item *items, int count, int64_t *ret_added);
int tblob_delete(struct db_ref *ref, const struct slice *fields, int count, int64_t *ret_deleted);
unsigned tblob_expire(struct db_ref *ref);

#endif
