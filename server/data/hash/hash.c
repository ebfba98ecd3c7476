/* server/data/hash/hash.c - the hash type: read, and change as a listpack.  Changes of tables:
 * hash_table.c. */
#include "server/data/hash/hash.h"

#include <errno.h>
#include <stdlib.h>

#include "server/data/db/blob.h"
#include "server/data/hash/hash_impl.h"
#include "server/data/hash/timed.h"

enum { LISTPACK_MAX = 1 << 30 }; /* a listpack's sizes are 32 bits */

/* is_table, is_timed: both are said by the record's first byte (record.h). */
static inline bool
is_table(const struct record *r)
{
    return record_byte(r, 0) == (TYPE_HASH | ENC_ROOT << 4);
}

static inline bool
is_timed(const struct record *r)
{
    return unlikely(record_is_timed(r));
}

static const uint8_t *
listpack(const struct record *r)
{
    return (const uint8_t *)record_blob(r).ptr;
}

struct hash_limits hash_limits = {.listpack_pairs = 512, .listpack_word_bytes = 64};

bool
hash_is_small(uint64_t pairs, size_t longest)
{
    return pairs <= hash_limits.listpack_pairs && longest <= hash_limits.listpack_word_bytes;
}

/* ---- read ---- */

uint64_t
hash_len(const struct record *r)
{
    debug_check(hash_is(r));
    if (is_table(r))
        return htable_count(record_root(r));
    return is_timed(r) ? timed_len(r) : lp_count(listpack(r)) / 2;
}

uint64_t
hash_shown(const struct record *r)
{
    return is_timed(r) ? timed_shown(r) : hash_len(r);
}

uint64_t
hash_shown_upto(const struct record *r, uint64_t most)
{
    uint64_t n;

    if (is_timed(r))
        return timed_shown_upto(r, most);
    n = hash_len(r);
    return n < most ? n : most;
}

static __attribute__((noinline)) bool
get_in_timed(const struct record *r, struct slice field, char scratch[LP_INT_TEXT_BYTES],
             struct slice *ret)
{
    int64_t ignored;

    return timed_get(r, field, scratch, ret, &ignored);
}

bool
hash_get(const struct record *r, struct slice field, char scratch[LP_INT_TEXT_BYTES],
         struct slice *ret)
{
    const struct hash_pair *p;
    const uint8_t *lp;
    uint32_t at;

    if (is_table(r)) {
        if ((p = htable_get(record_root(r), field)) == NULL)
            return false;
        *ret = hash_pair_value(p);
        return true;
    }
    if (is_timed(r))
        return get_in_timed(r, field, scratch, ret);
    lp = listpack(r);
    if ((at = lp_find(lp, field.ptr, field.len, 1)) == 0)
        return false;
    *ret = lp_slice(lp, lp_next(lp, at), scratch);
    return true;
}

bool
hash_expiry(const struct record *r, struct slice field, int64_t *ret_ms)
{
    char text[LP_INT_TEXT_BYTES];
    struct slice value;

    if (record_is_timed(r))
        return timed_get(r, field, text, &value, ret_ms);
    *ret_ms = RECORD_NO_EXPIRE;
    return hash_get(r, field, text, &value);
}

struct table_visit {
    hash_visitor visit;
    void *ctx;
};

static void
visit_pair(void *ctx, const void *pair)
{
    const struct table_visit *v = ctx;

    v->visit(v->ctx, hash_pair_field(pair), hash_pair_value(pair));
}

static void
each_in_listpack(const uint8_t *lp, hash_visitor visit, void *ctx)
{
    char scratch[2][LP_INT_TEXT_BYTES];

    for (uint32_t at = lp_first(lp), value_at; at != 0; at = lp_next(lp, value_at)) {
        value_at = lp_next(lp, at);
        visit(ctx, lp_slice(lp, at, scratch[0]), lp_slice(lp, value_at, scratch[1]));
    }
}

void
hash_each(const struct record *r, hash_visitor visit, void *ctx)
{
    if (is_table(r))
        htable_each(record_root(r), visit_pair, &(struct table_visit){visit, ctx});
    else if (is_timed(r))
        timed_each(r, visit, ctx);
    else
        each_in_listpack(listpack(r), visit, ctx);
}

uint64_t
hash_walk(const struct record *r, uint64_t cursor, hash_visitor visit, void *ctx)
{
    if (is_table(r))
        return htable_walk(record_root(r), cursor, visit_pair, &(struct table_visit){visit, ctx});
    if (is_timed(r))
        return timed_walk(r, cursor, visit, ctx);
    each_in_listpack(listpack(r), visit, ctx);
    return 0;
}

/* ---- change a listpack: in a scratch copy, which is then stored ---- */

static uint8_t *scratch;
static size_t scratch_room;

/* An empty listpack, for which nothing has to be copied. */
static const struct slice nothing = {.ptr = NULL, .len = LP_EMPTY_BYTES};

/* scratch_copy: the old listpack, with so much room for more.  NULL: no memory. */
static uint8_t *
scratch_copy(struct slice old, size_t more)
{
    uint8_t *p;

    if (old.len + more > scratch_room) {
        size_t room = (old.len + more) * 2;

        if ((p = realloc(scratch, room)) == NULL)
            return NULL;
        scratch = p;
        scratch_room = room;
    }
    if (old.ptr == NULL)
        lp_init(scratch);
    else
        memcpy(scratch, old.ptr, old.len);
    return scratch;
}

/* put_in_listpack: true: the field is new. */
static bool
put_in_listpack(uint8_t *lp, struct slice field, struct slice value)
{
    uint32_t at = lp_find(lp, field.ptr, field.len, 1);

    if (at != 0) {
        lp_replace(lp, lp_next(lp, at), value.ptr, value.len);
        return false;
    }
    lp_append(lp, field.ptr, field.len);
    lp_append(lp, value.ptr, value.len);
    debug_check(lp_bytes(lp) <= scratch_room); /* measure() has said enough */
    return true;
}

/* measure: bytes that these pairs may add to a listpack, and the longest of their words. */
static size_t
measure(const struct slice *words, int count, size_t *ret_longest)
{
    size_t bytes = 0, longest = 0;

    for (int i = 0; i < count; i++) {
        bytes += lp_entry_bytes(words[i].ptr, words[i].len);
        if (words[i].len > longest)
            longest = words[i].len;
    }
    *ret_longest = longest;
    return bytes;
}

/* set_in_timed: pairs for a hash with fields that expire; these do not. */
static __attribute__((noinline)) int
set_in_timed(struct db_ref *ref, const struct slice *words, int pairs, int64_t *ret_added)
{
    struct hash_item *items = malloc((size_t)pairs * sizeof *items);
    int r;

    if (items == NULL)
        return -ENOMEM;
    for (int i = 0; i < pairs; i++)
        items[i] = (struct hash_item){words[2 * i], words[2 * i + 1], RECORD_NO_EXPIRE};
    r = timed_put(ref, items, pairs, ret_added);
    free(items);
    return r;
}

int
hash_put(struct db_ref *ref, const struct hash_item *items, int count, int64_t *ret_added)
{
    return timed_put(ref, items, count, ret_added);
}

void
hash_tidy(struct db_ref *ref)
{
    enum { FIELDS = 16 }; /* as many as a command may do beside its own business */

    if (timed_has_expired(ref->rec) && db_may_expire())
        timed_expire(ref, FIELDS);
}

/* put_all: false: the pairs are more than a listpack may hold, which is seen as soon as it is so:
 * each one is looked for in all that came before it. */
static bool
put_all(uint8_t *lp, const struct slice *words, int pairs, int64_t *ret_added)
{
    int64_t added = 0;

    for (int i = 0; i < pairs; i++) {
        added += put_in_listpack(lp, words[2 * i], words[2 * i + 1]);
        if (!hash_is_small(lp_count(lp) / 2, 0))
            return false;
    }
    *ret_added = added;
    return true;
}

/* set_in_listpack: in the one at ref, or a new one.  Out of the way of tables. */
static __attribute__((noinline)) int
set_in_listpack(struct db_ref *ref, const struct slice *words, int pairs, int64_t *ret_added)
{
    struct slice old = ref->rec != NULL ? record_blob(ref->rec) : nothing;
    size_t longest, more = measure(words, 2 * pairs, &longest);
    int64_t added;
    uint8_t *lp;

    if (!hash_is_small(0, longest) || old.len + more > LISTPACK_MAX)
        return hash_convert(ref, words, pairs, ret_added);
    if ((lp = scratch_copy(old, more)) == NULL)
        return -ENOMEM;
    if (!put_all(lp, words, pairs, &added))
        return hash_convert(ref, words, pairs, ret_added);
    if (blob_store(ref, TYPE_HASH, (struct slice){.ptr = (const char *)lp, .len = lp_bytes(lp)}) <
        0)
        return -ENOMEM;
    *ret_added = added;
    return 0;
}

int
hash_set(struct db_ref *ref, const struct slice *words, int pairs, int64_t *ret_added)
{
    debug_check(ref->rec == NULL || hash_is(ref->rec));
    debug_check(pairs > 0);
    if (ref->rec != NULL && is_table(ref->rec))
        return hash_table_set(record_root(ref->rec), words, pairs, ret_added);
    if (ref->rec != NULL && is_timed(ref->rec))
        return set_in_timed(ref, words, pairs, ret_added);
    return set_in_listpack(ref, words, pairs, ret_added);
}

static int
delete_from_listpack(struct db_ref *ref, const struct slice *fields, int count,
                     int64_t *ret_deleted)
{
    uint8_t *lp = scratch_copy(record_blob(ref->rec), 0);
    int64_t deleted = 0;

    if (lp == NULL)
        return -ENOMEM;
    for (int i = 0; i < count; i++) {
        uint32_t at = lp_find(lp, fields[i].ptr, fields[i].len, 1);

        if (at == 0)
            continue;
        lp_delete(lp, at, 2);
        deleted++;
    }
    *ret_deleted = deleted;
    if (lp_first(lp) == 0)
        db_remove(ref);
    else if (deleted > 0)
        return blob_store(ref, TYPE_HASH,
                          (struct slice){.ptr = (const char *)lp, .len = lp_bytes(lp)});
    return 0;
}

int
hash_delete(struct db_ref *ref, const struct slice *fields, int count, int64_t *ret_deleted)
{
    debug_check(hash_is(ref->rec) && hash_len(ref->rec) > 0);
    if (is_timed(ref->rec))
        return timed_delete(ref, fields, count, ret_deleted);
    if (!is_table(ref->rec))
        return delete_from_listpack(ref, fields, count, ret_deleted);
    *ret_deleted = 0;
    for (int i = 0; i < count && htable_count(record_root(ref->rec)) > 0; i++) {
        const struct hash_pair *p = htable_take(record_root(ref->rec), fields[i]);

        if (p == NULL)
            continue;
        hash_pair_free(p);
        ++*ret_deleted;
    }
    if (htable_count(record_root(ref->rec)) == 0)
        db_remove(ref);
    return 0;
}
