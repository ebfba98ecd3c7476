/* server/data/set/set_type.c - what the type table knows of sets. */
#include "server/data/set/set_type.h"
#include "server/data/db/digest_value.h"
#include "server/data/db/ltable_move.h"
#include "server/data/db/save_value.h"
#include "server/data/set/set_combine.h"
#include "snapshot/rdb/rdb.h"

static const char *
encoding_name(const struct value *v)
{
    return v->enc == ENC_ROOT ? "hashtable" : v->intset ? "intset" : "listpack";
}

TYPE_ROOT_CALLS(mtable)

static bool
drop(const void *root, struct drop_cursor *at, uint64_t members)
{
    return mtable_drop(root, &at->at[0], members);
}

static bool
move(const void *root, struct move_cursor *at, struct mover *m)
{
    const struct mtable *t = root;

    return ltable_move(m, &(struct lt_moved)LT_MOVED(t, true), at->at);
}

/* verify_blob: each member once; of an intset: in rising order. */
static void
verify_blob(struct slice blob, bool is_intset)
{
    const uint8_t *bytes = slice_bytes(blob);
    char scratch[LP_INT_TEXT_BYTES];
    uint32_t count;

    if (is_intset) {
        must(intset_validate(bytes, blob.len, &count) && count > 0);
        return;
    }
    must(lp_validate(bytes, blob.len, &count) && count > 0);
    for (uint32_t at = lp_first(bytes); at != 0; at = lp_next(bytes, at)) {
        struct slice member = lp_slice(bytes, at, scratch);

        must(lp_find(bytes, member.ptr, member.len, 0) == at);
    }
}

static bool
digest_members(void *ctx, struct set_batch *b, uint32_t which)
{
    for (; which != 0; which &= which - 1) {
        struct slice text = b->text[__builtin_ctz(which)];

        digest_add(ctx, text.ptr, text.len);
    }
    return true;
}

static void
digest(const struct record *r, uint8_t d[DIGEST_BYTES])
{
    struct set s = set_of(r);

    set_each(&s, digest_members, d);
}

/* rdb_type: before version 11 there is no type for a set in a listpack. */
static uint8_t
rdb_type(const struct record *r, int rdb_version)
{
    if (record_encoding(r) == ENC_ROOT)
        return RDB_TYPE_SET;
    if (record_has(r, RECORD_INTSET))
        return RDB_TYPE_SET_INTSET;
    return rdb_version >= RDB_SET_LISTPACK_FROM_VERSION ? RDB_TYPE_SET_LISTPACK : RDB_TYPE_SET;
}

/* save_member: a short one is staged with one read: its first bytes say how many more. */
static int
save_member(struct save_work *work, const void *live)
{
    enum { FIRST_BYTES = 16 }; /* no block is smaller */
    struct slice text;
    size_t head;
    int r;

    if ((r = view_read(work->view, work->buffer, live, FIRST_BYTES)) != 0)
        return r;
    text = set_member_text(work->buffer);
    head = (size_t)((const uint8_t *)text.ptr - work->buffer);
    if (head + text.len > FIRST_BYTES)
        return save_string(work, (const char *)live + head, text.len, true);
    rdb_put_string(work->enc, text.ptr, text.len);
    return 0;
}

static int
save(struct save_work *w, const struct save_item *s)
{
    if (record_encoding(s->rec) == ENC_ROOT)
        return save_table(w, record_root(s->rec), save_member);
    if (rdb_type(s->rec, w->enc->version) == RDB_TYPE_SET)
        return save_entries_of_listpack(w, s, SAVE_SINGLE);
    return save_blob(w, s, false);
}

const struct type_ops set_type = {.name = "set",
                                  .number = 2,
                                  .encoding_name = encoding_name,
                                  .elements = elements,
                                  .copy = copy,
                                  .drop = drop,
                                  .move = move,
                                  .weigh = weigh,
                                  .verify = verify,
                                  .verify_blob = verify_blob,
                                  .walk = set_walk,
                                  .digest = digest,
                                  .rdb_type = rdb_type,
                                  .save = save,
                                  .load = load_set};
