/* server/data/hash/hash_type.c - what the type table knows of hashes. */
#include "server/data/hash/hash_type.h"
#include "server/data/db/digest_value.h"
#include "server/data/db/ltable_move.h"
#include "server/data/db/save_value.h"
#include "server/data/hash/hash.h"
#include "snapshot/rdb/rdb.h"

static const char *
encoding_name(const struct value *v)
{
    return v->enc == ENC_ROOT ? "hashtable" : "listpack";
}

TYPE_ROOT_CALLS(htable)

static bool
drop(const void *root, struct drop_cursor *at, uint64_t pairs)
{
    return htable_drop(root, &at->at[0], pairs);
}

static bool
move(const void *root, struct move_cursor *at, struct mover *m)
{
    const struct htable *t = root;

    return ltable_move(m, &(struct lt_moved)LT_MOVED(t, true), at->at);
}

/* verify_blob: pairs, and each field once. */
static void
verify_blob(struct slice blob, bool is_intset)
{
    const uint8_t *lp = slice_bytes(blob);
    char scratch[LP_INT_TEXT_BYTES];
    uint32_t count;

    must(!is_intset && lp_validate(lp, blob.len, &count) && count > 0 && count % 2 == 0);
    for (uint32_t at = lp_first(lp); at != 0; at = lp_next(lp, lp_next(lp, at))) {
        struct slice field = lp_slice(lp, at, scratch);

        must(lp_find(lp, field.ptr, field.len, 1) == at);
    }
}

static void
digest_pair(void *ctx, struct slice field, struct slice value)
{
    uint8_t pair[DIGEST_BYTES] = {0};

    digest_stir(pair, field.ptr, field.len);
    digest_stir(pair, value.ptr, value.len);
    digest_add(ctx, pair, DIGEST_BYTES);
}

static void
digest(const struct record *r, uint8_t d[DIGEST_BYTES])
{
    hash_each(r, digest_pair, d);
}

static uint8_t
rdb_type(const struct record *r, int rdb_version)
{
    return record_encoding(r) == ENC_ROOT || rdb_version < RDB_LISTPACKS_FROM_VERSION
               ? RDB_TYPE_HASH
               : RDB_TYPE_HASH_LISTPACK;
}

/* save_pair: a small pair is staged with one read more; of a large one field and value are read on
 * their own. */
static int
save_pair(struct save_work *work, const void *entry)
{
    const struct hash_pair *live = entry;
    struct hash_pair head;
    size_t bytes;
    int r;

    if ((r = view_read(work->view, &head, live, sizeof head)) != 0)
        return r;
    bytes = (size_t)head.field_len + head.value_len;
    if (bytes > SAVE_BUFFER_BYTES) {
        if ((r = save_string(work, live->bytes, head.field_len, true)) != 0)
            return r;
        return save_string(work, live->bytes + head.field_len, head.value_len, true);
    }
    if ((r = view_read(work->view, work->buffer, live->bytes, bytes)) != 0)
        return r;
    rdb_put_string(work->enc, work->buffer, head.field_len);
    rdb_put_string(work->enc, work->buffer + head.field_len, head.value_len);
    return 0;
}

static int
save(struct save_work *w, const struct save_item *s)
{
    if (record_encoding(s->rec) == ENC_ROOT)
        return save_table(w, record_root(s->rec), save_pair);
    if (rdb_type(s->rec, w->enc->version) == RDB_TYPE_HASH)
        return save_entries_of_listpack(w, s, SAVE_PAIRS);
    return save_blob(w, s, false);
}

const struct type_ops hash_type = {.name = "hash",
                                   .number = 4,
                                   .encoding_name = encoding_name,
                                   .elements = elements,
                                   .copy = copy,
                                   .drop = drop,
                                   .move = move,
                                   .weigh = weigh,
                                   .verify = verify,
                                   .verify_blob = verify_blob,
                                   .walk = hash_walk,
                                   .digest = digest,
                                   .rdb_type = rdb_type,
                                   .save = save,
                                   .load = load_hash};
