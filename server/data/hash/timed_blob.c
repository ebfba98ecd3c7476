/* server/data/hash/timed_blob.c - small hashes with fields that expire.  A change is made in a
 * scratch copy, which is then stored: as a blob with times, or, without any left, as the listpack
 * of a plain hash. */
#include <errno.h>
#include <stdlib.h>

#include "mm/base/clock.h"
#include "mm/base/num.h"
#include "server/data/db/value.h"
#include "server/data/hash/timed.h"

enum { BLOB_MAX = 1 << 30 }; /* a listpack's sizes are 32 bits */

/* ---- triples ---- */

int64_t
tblob_time(const uint8_t *lp, uint32_t at)
{
    struct lp_elem e;
    int64_t ms = 0;

    lp_get(lp, lp_next(lp, lp_next(lp, at)), &e);
    if (e.bytes == NULL)
        ms = e.value;
    else
        must(num_parse((const char *)e.bytes, e.len, &ms));
    return ms == 0 ? RECORD_NO_EXPIRE : ms;
}

static uint32_t
after(const uint8_t *lp, uint32_t at)
{
    return lp_next(lp, lp_next(lp, lp_next(lp, at)));
}

/* place_of: where a triple with this time belongs; 0: at the end. */
static uint32_t
place_of(const uint8_t *lp, int64_t expire_at_ms)
{
    uint32_t at = expire_at_ms == RECORD_NO_EXPIRE ? 0 : lp_first(lp);

    while (at != 0) {
        int64_t time = tblob_time(lp, at);

        if (time == RECORD_NO_EXPIRE || time > expire_at_ms)
            break;
        at = after(lp, at);
    }
    return at;
}

static void
insert(uint8_t *lp, uint32_t at, struct slice word)
{
    if (at == 0)
        lp_append(lp, word.ptr, word.len);
    else
        lp_insert(lp, at, word.ptr, word.len);
}

static void
add_triple(uint8_t *lp, struct slice field, struct slice value, int64_t expire_at_ms)
{
    char text[NUM_MAX_BYTES];
    int64_t ms = expire_at_ms == RECORD_NO_EXPIRE ? 0 : expire_at_ms;
    uint32_t at = place_of(lp, expire_at_ms);

    /* The last one first: each comes to stand before the one that was put there before. */
    if (at == 0) {
        insert(lp, 0, field);
        insert(lp, 0, value);
        insert(lp, 0, (struct slice){text, (size_t)(num_put(text, ms) - text)});
        return;
    }
    insert(lp, at, (struct slice){text, (size_t)(num_put(text, ms) - text)});
    insert(lp, at, value);
    insert(lp, at, field);
}

/* note_first: the head says the smallest time. */
static void
note_first(uint8_t *blob)
{
    const uint8_t *lp = blob + TBLOB_HEAD;
    int64_t first = lp_first(lp) == 0 ? RECORD_NO_EXPIRE : tblob_time(lp, lp_first(lp));

    if (first == RECORD_NO_EXPIRE)
        first = 0;
    memcpy(blob, &first, sizeof first);
}

size_t
tblob_begin(uint8_t *blob)
{
    lp_init(blob + TBLOB_HEAD);
    note_first(blob);
    return TBLOB_HEAD + LP_EMPTY_BYTES;
}

size_t
tblob_more(struct slice field, struct slice value)
{
    return field.len + value.len + NUM_MAX_BYTES + (size_t)(3 * LP_ENTRY_MORE_BYTES);
}

size_t
tblob_add(uint8_t *blob, struct slice field, struct slice value, int64_t expire_at_ms)
{
    add_triple(blob + TBLOB_HEAD, field, value, expire_at_ms);
    note_first(blob);
    return TBLOB_HEAD + lp_bytes(blob + TBLOB_HEAD);
}

/* ---- the scratch copy ---- */

static uint8_t *scratch;
static size_t scratch_room;

static bool
reserve(size_t bytes)
{
    uint8_t *p;

    if (bytes <= scratch_room)
        return true;
    if ((p = realloc(scratch, bytes * 2)) == NULL)
        return false;
    scratch = p;
    scratch_room = bytes * 2;
    return true;
}

static void
add_pair(void *ctx, struct slice field, struct slice value)
{
    (void)ctx;
    add_triple(scratch + TBLOB_HEAD, field, value, RECORD_NO_EXPIRE);
}

/* take_copy: the hash at ref (either type, or none) as a blob, with room for so many bytes more.
 * NULL: no memory. */
static uint8_t *
take_copy(const struct db_ref *ref, size_t more)
{
    struct slice old = {.len = 0};

    if (ref->rec != NULL)
        old = record_blob(ref->rec);
    if (ref->rec != NULL && !record_is_timed(ref->rec))
        more += hash_len(ref->rec) * (LP_ENTRY_MORE_BYTES + 1); /* no time, of each */
    if (!reserve(TBLOB_HEAD + LP_EMPTY_BYTES + old.len + more))
        return NULL;
    if (ref->rec != NULL && record_is_timed(ref->rec)) {
        memcpy(scratch, old.ptr, old.len);
        return scratch;
    }
    tblob_begin(scratch);
    if (ref->rec != NULL)
        hash_each(ref->rec, add_pair, NULL);
    return scratch;
}

/* as_pairs: the scratch, in which no field has a time, becomes a plain listpack, in its place. */
static struct slice
as_pairs(uint8_t *lp)
{
    for (uint32_t at = lp_first(lp); at != 0;) {
        at = lp_next(lp, lp_next(lp, at));
        lp_delete(lp, at, 1);
        /* What follows stands there now, or the end. */
        if (lp[at] == LP_END)
            break;
    }
    return (struct slice){.ptr = (const char *)lp, .len = lp_bytes(lp)};
}

/* store: the scratch is the hash at ref from now on.  0 or -ENOMEM */
static int
store(struct db_ref *ref, uint8_t *blob)
{
    int64_t expire = ref->rec != NULL ? record_expire(ref->rec) : RECORD_NO_EXPIRE;
    struct slice bytes = {.ptr = (const char *)blob,
                          .len = TBLOB_HEAD + lp_bytes(blob + TBLOB_HEAD)};
    enum value_type type = TYPE_TIMED_HASH;
    struct value v;

    note_first(blob);
    if (tblob_first(bytes) == RECORD_NO_EXPIRE) { /* H5 */
        bytes = as_pairs(blob + TBLOB_HEAD);
        type = TYPE_HASH;
    }
    if (value_blob(&v, type, bytes, ref->key.len) < 0)
        return -ENOMEM;
    v.timed = type == TYPE_TIMED_HASH;
    if (db_store(ref, &v, expire) == 0)
        return 0;
    value_free(&v);
    return -ENOMEM;
}

/* ---- changes ---- */

/* put: one item; the value that a field is to keep is read where it stands, in the record.  Returns
 * 1 where the field is new, or had expired. */
static int
put(const struct db_ref *ref, uint8_t *lp, const struct hash_item *item)
{
    char text[LP_INT_TEXT_BYTES];
    struct slice value = item->value;
    uint32_t at = lp_find(lp, item->field.ptr, item->field.len, 2);
    int64_t time;
    int added = 1;

    if (value.ptr == NULL)
        must(ref->rec != NULL && hash_get(ref->rec, item->field, text, &value));
    if (at != 0) {
        time = tblob_time(lp, at);
        added = time != RECORD_NO_EXPIRE && time < clock_now.ms;
        lp_delete(lp, at, 3);
    }
    add_triple(lp, item->field, value, item->expire_at_ms);
    return added;
}

int
tblob_put(struct db_ref *ref, const struct hash_item *items, int count, int64_t *ret_added)
{
    size_t longest = 0, more = 0, old = ref->rec != NULL ? record_blob(ref->rec).len : 0;
    int64_t added = 0;
    uint8_t *blob;

    for (int i = 0; i < count; i++) {
        size_t len = items[i].value.len;

        if (items[i].value.ptr == NULL) /* it is in the blob already, and small: */
            len = old;                  /* this is more than it takes */
        else if (len > longest)
            longest = len;
        if (items[i].field.len > longest)
            longest = items[i].field.len;
        more += tblob_more(items[i].field, (struct slice){.len = len});
    }
    if (!hash_is_small(0, longest) || old + more > BLOB_MAX)
        return 1;
    if ((blob = take_copy(ref, more)) == NULL)
        return -ENOMEM;
    for (int i = 0; i < count; i++) {
        added += put(ref, blob + TBLOB_HEAD, &items[i]);
        if (!hash_is_small(lp_count(blob + TBLOB_HEAD) / 3, 0))
            return 1; /* at once: each one is looked for in all that came before it */
    }
    if (store(ref, blob) < 0)
        return -ENOMEM;
    *ret_added = added;
    return 0;
}

int
tblob_delete(struct db_ref *ref, const struct slice *fields, int count, int64_t *ret_deleted)
{
    uint8_t *blob = take_copy(ref, 0), *lp;
    int64_t deleted = 0;

    if (blob == NULL)
        return -ENOMEM;
    lp = blob + TBLOB_HEAD;
    for (int i = 0; i < count; i++) {
        uint32_t at = lp_find(lp, fields[i].ptr, fields[i].len, 2);
        int64_t time = at != 0 ? tblob_time(lp, at) : RECORD_NO_EXPIRE;

        if (at == 0 || (time != RECORD_NO_EXPIRE && time < clock_now.ms)) /* H6 */
            continue;
        lp_delete(lp, at, 3);
        deleted++;
    }
    *ret_deleted = deleted;
    if (lp_first(lp) == 0)
        db_remove(ref);
    else if (deleted > 0)
        return store(ref, blob);
    return 0;
}

unsigned
tblob_expire(struct db_ref *ref)
{
    uint8_t *blob = take_copy(ref, 0), *lp;
    const uint8_t *old = tblob_listpack(record_blob(ref->rec));
    char text[LP_INT_TEXT_BYTES];
    unsigned gone = 0;
    bool is_empty;
    uint32_t at;

    if (blob == NULL)
        return 0;
    lp = blob + TBLOB_HEAD;
    while ((at = lp_first(lp)) != 0 && tblob_time(lp, at) != RECORD_NO_EXPIRE &&
           tblob_time(lp, at) < clock_now.ms) {
        lp_delete(lp, at, 3);
        gone++;
    }
    is_empty = lp_first(lp) == 0;
    at = lp_first(old);
    /* Told only when nothing can fail any more; where it becomes another blob, the names are in the
     * old one until then. */
    if (gone == 0)
        return 0;
    if (!is_empty) {
        uint8_t *names = malloc(record_blob(ref->rec).len);

        if (names == NULL)
            return 0;
        memcpy(names, old, lp_bytes(old));
        if (store(ref, blob) < 0) {
            free(names);
            return 0;
        }
        for (unsigned i = 0; i < gone; i++, at = after(names, at))
            db_field_expired(ref, lp_slice(names, at, text));
        free(names);
    } else {
        for (unsigned i = 0; i < gone; i++, at = after(old, at))
            db_field_expired(ref, lp_slice(old, at, text));
    }
    db_fields_expired(ref, is_empty);
    return gone;
}
