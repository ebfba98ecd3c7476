/* server/data/db/blob.c - writing the bytes of one value. */
#include "server/data/db/blob.h"

#include <errno.h>

#include "mm/base/difference.h"
#include "mm/base/room.h"

/* A block may be so many times larger than what a rewritten value needs. */
enum { WASTE_FACTOR = 2 };

/* open_bytes: [at, at + len) of a block, writable.  The one way into an outer blob (B1). */
static char *
open_bytes(const char *block, size_t at, size_t len)
{
    return mm_modify(block + at, len);
}

/* may_grow: is there memory for a block's string to grow in place?  Nobody asks behind it (RM2). */
static bool
may_grow(size_t old_len, size_t len)
{
    return len <= old_len || room_for(len - old_len);
}

/* splice: write bytes at offset into a writable string of old_len bytes that has room. */
static void
splice(char *string, size_t old_len, size_t offset, struct slice bytes)
{
    if (offset > old_len)
        memset(string + old_len, 0, offset - old_len);
    memcpy(string + offset, bytes.ptr, bytes.len);
}

static int
store(struct db_ref *ref, const struct value *v)
{
    return db_store(ref, v, ref->rec != NULL ? record_expire(ref->rec) : RECORD_NO_EXPIRE);
}

/* write_inline: the result stays in the record. */
static int
write_inline(struct db_ref *ref, struct slice old, size_t offset, struct slice bytes, size_t len)
{
    static char scratch[RECORD_INLINE_MAX];
    struct value v = {.type = TYPE_STRING, .enc = ENC_INLINE, .raw = true, .blob = {scratch, len}};

    memcpy(scratch, old.ptr, old.len);
    splice(scratch, old.len, offset, bytes);
    return store(ref, &v);
}

/* write_in_place: the block stays; the record learns the new length first, since that may fail. */
static int
write_in_place(struct db_ref *ref, struct slice old, size_t offset, struct slice bytes, size_t len)
{
    struct value v = {.type = TYPE_STRING, .enc = ENC_OUTER, .raw = true, .blob = {old.ptr, len}};
    size_t from = offset < old.len ? offset : old.len;

    if (!may_grow(old.len, len) || (len != old.len && store(ref, &v) < 0))
        return -ENOMEM;
    mm_grow(old.ptr, len);
    if (offset + bytes.len > from)
        splice(open_bytes(old.ptr, from, offset + bytes.len - from) - from, old.len, offset, bytes);
    return 0;
}

/* write_moved: the string moves to a larger block: one with room, where it has grown by less than
 * its length, as it may do again; else one for what it needs.  Either way moves are as rare as
 * doublings. */
static int
write_moved(struct db_ref *ref, struct slice old, size_t offset, struct slice bytes, size_t len)
{
    struct value v = {.type = TYPE_STRING, .enc = ENC_OUTER, .raw = true};
    bool grows_on = len < old.len * 2 || len >= BLOB_ROOMY_BYTES;
    char *block = grows_on ? blob_alloc_growing(len) : blob_alloc(len);

    if (block == NULL)
        return -ENOMEM;
    memcpy(block, old.ptr, old.len);
    splice(block, old.len, offset, bytes);
    v.blob = (struct slice){.ptr = block, .len = len};
    if (store(ref, &v) < 0) {
        mm_free(block);
        return -ENOMEM;
    }
    return 0;
}

int
blob_write(struct db_ref *ref, size_t offset, struct slice bytes)
{
    struct slice old = {.ptr = "", .len = 0};
    char scratch[NUM_MAX_BYTES];
    bool is_outer = false;
    size_t len;

    debug_check(ref->rec == NULL || record_type(ref->rec) == TYPE_STRING);
    debug_check(bytes.len <= SIZE_MAX - offset);
    if (ref->rec != NULL) {
        old = record_text(ref->rec, scratch);
        is_outer = record_encoding(ref->rec) == ENC_OUTER;
    }
    len = offset + bytes.len > old.len ? offset + bytes.len : old.len;
    if (is_outer && len <= mm_usable(old.ptr))
        return write_in_place(ref, old, offset, bytes, len);
    if (!is_outer && record_can_inline(ref->key.len, len))
        return write_inline(ref, old, offset, bytes, len);
    return write_moved(ref, old, offset, bytes, len);
}

/* ---- whole values ---- */

/* write_difference: make the block's first bytes these.  While a cut is open only what differs is
 * written (B1). */
static void
write_difference(const char *block, size_t old_len, struct slice bytes)
{
    size_t begin = 0, end = bytes.len;

    if (unlikely(mm_barrier_on))
        difference_span(block, old_len, bytes.ptr, bytes.len, &begin, &end);
    if (end > begin)
        memcpy(open_bytes(block, begin, end - begin), bytes.ptr + begin, end - begin);
}

int
blob_store(struct db_ref *ref, enum value_type type, struct slice bytes)
{
    struct value v, old;
    int r;

    debug_check(ref->rec == NULL || record_type(ref->rec) == type);
    /* A block that held an intset gets a record that does not say so any more. */
    if (ref->rec != NULL && record_encoding(ref->rec) == ENC_OUTER &&
        !record_has(ref->rec, RECORD_INTSET) && !record_can_inline(ref->key.len, bytes.len)) {
        size_t usable;

        old = v = value_of(ref->rec);
        usable = mm_usable(old.blob.ptr);
        if (bytes.len <= usable && mm_size_class(bytes.len) * WASTE_FACTOR >= usable) {
            v.blob.len = bytes.len;
            if (!may_grow(old.blob.len, bytes.len) ||
                (v.blob.len != old.blob.len && store(ref, &v) < 0))
                return -ENOMEM;
            mm_grow(old.blob.ptr, bytes.len);
            write_difference(old.blob.ptr, old.blob.len, bytes);
            return 0;
        }
    }
    if (value_blob(&v, type, bytes, ref->key.len) < 0)
        return -ENOMEM;
    v.raw = type == TYPE_STRING;
    if ((r = store(ref, &v)) < 0)
        value_free(&v);
    return r;
}
