/* server/data/hash/timed_type.c - the type table's row of hashes with fields that expire, with the
 * saving of them. */
#include "server/data/hash/timed_type.h"

#include <errno.h>

#include "server/data/db/digest_value.h"
#include "server/data/db/save_value.h"
#include "server/data/hash/timed.h"
#include "snapshot/rdb/rdb.h"

static const char *
encoding_name(const struct value *v)
{
    return v->enc == ENC_ROOT ? "hashtable" : "listpackex";
}

TYPE_ROOT_CALLS(thash)

static bool
drop(const void *root, struct drop_cursor *at, uint64_t pairs)
{
    return thash_drop(root, at->at, pairs);
}

static bool
move(const void *root, struct move_cursor *at, struct mover *m)
{
    return thash_move(root, m, at->at);
}

/* verify_blob: triples in their order, each field once, and what the head says of them. */
static void
verify_blob(struct slice blob, bool is_intset)
{
    const uint8_t *lp = tblob_listpack(blob);
    char text[LP_INT_TEXT_BYTES];
    int64_t before = 0;
    uint32_t count;

    must(is_intset && blob.len > TBLOB_HEAD); /* RECORD_TIMED, the same bit */
    must(lp_validate(lp, blob.len - TBLOB_HEAD, &count) && count > 0 && count % 3 == 0);
    must(tblob_first(blob) == tblob_time(lp, lp_first(lp)));
    for (uint32_t at = lp_first(lp); at != 0; at = lp_next(lp, lp_next(lp, lp_next(lp, at)))) {
        struct slice field = lp_slice(lp, at, text);
        int64_t time = tblob_time(lp, at);

        must(lp_find(lp, field.ptr, field.len, 2) == at);
        if (time == RECORD_NO_EXPIRE)
            time = INT64_MAX;
        must(time >= before);
        before = time;
    }
}

static void
digest_field(void *ctx, struct slice field, struct slice value, int64_t expire_at_ms)
{
    uint8_t pair[DIGEST_BYTES] = {0};

    if (timed_is_over(expire_at_ms))
        return; /* H6 */
    digest_stir(pair, field.ptr, field.len);
    digest_stir(pair, value.ptr, value.len);
    if (expire_at_ms != RECORD_NO_EXPIRE)
        digest_add(pair, "!!hexpire!!", 11);
    digest_add(ctx, pair, DIGEST_BYTES);
}

static void
digest(const struct record *r, uint8_t d[DIGEST_BYTES])
{
    timed_each_with_time(r, digest_field, d);
}

static uint8_t
rdb_type(const struct record *r, int rdb_version)
{
    (void)rdb_version;
    return record_encoding(r) == ENC_ROOT ? RDB_TYPE_HASH_EXPIRES : RDB_TYPE_HASH_EXPIRES_LISTPACK;
}

/* ---- [sweep] ---- */

/* read_first: the smallest time in the tree of a staged root, which is not empty: down its left
 * edge. */
static int
read_first(struct save_work *w, const struct idtree *tree, uint64_t *ret)
{
    struct {
        struct idnode node;
        struct stream_id id;
        const struct idnode *child;
    } head;
    const struct idnode *live = tree->root;
    int r;

    _Static_assert(sizeof head == sizeof(struct idnode) + 24, "a node's first entry");
    if (tree->height >= IDTREE_LEVELS)
        return -EBADMSG;
    for (unsigned level = 0; level <= tree->height; level++) {
        if ((r = view_read(w->view, &head, live, sizeof head)) != 0)
            return r;
        live = head.child;
    }
    *ret = head.id.ms;
    return 0;
}

/* save_pair: when, counted from the hash's smallest time; field; value. */
static int
save_pair(struct save_work *w, const void *entry)
{
    const struct hash_pair *live = entry;
    struct tpair_tail tail;
    struct hash_pair head;
    const char *value;
    int r;

    if ((r = view_read(w->view, &head, live, sizeof head)) != 0)
        return r;
    value = live->bytes + head.field_len;
    if (tpair_is_timed(&head)) {
        if ((r = view_read(w->view, &tail, value, sizeof tail)) != 0)
            return r;
        if (tail.expire_at_ms < w->from_ms)
            return -EBADMSG; /* better no file than a wrong one */
        rdb_put_len(w->enc, (uint64_t)(tail.expire_at_ms - w->from_ms) + 1);
        head.value_len = tail.value_len;
        value += sizeof tail;
    } else {
        rdb_put_len(w->enc, 0);
    }
    if ((r = save_string(w, live->bytes, head.field_len, true)) != 0)
        return r;
    return save_string(w, value, head.value_len, true);
}

static int
save_large(struct save_work *w, const struct thash *live)
{
    struct thash root;
    uint64_t first = 0;
    int r;

    if ((r = view_read(w->view, &root, live, sizeof root)) != 0)
        return r;
    if (root.times.root != NULL && (r = read_first(w, &root.times, &first)) != 0)
        return r;
    w->from_ms = (int64_t)first;
    rdb_put_time(w->enc, first);
    return save_table(w, live, save_pair);
}

static int
save(struct save_work *w, const struct save_item *s)
{
    uint64_t first;
    int r;

    if (w->enc->version < RDB_HASH_EXPIRES_FROM_VERSION)
        return -EBADMSG; /* save_version() has seen to it */
    if (record_encoding(s->rec) == ENC_ROOT)
        return save_large(w, record_root(s->rec));
    if ((r = save_read_blob(w, s, 0, &first, sizeof first)) != 0)
        return r;
    rdb_put_time(w->enc, first);
    return save_blob_behind(w, s, TBLOB_HEAD);
}

/* load: load_hash() has entered all events of hashes. */
static void
load(struct rdb_events *events)
{
    (void)events;
}

const struct type_ops timed_hash_type = {.name = "hash",
                                         .number = 4,
                                         .encoding_name = encoding_name,
                                         .elements = elements,
                                         .copy = copy,
                                         .drop = drop,
                                         .move = move,
                                         .weigh = weigh,
                                         .verify = verify,
                                         .verify_blob = verify_blob,
                                         .has_expired = timed_has_expired,
                                         .expire = timed_expire,
                                         .rdb_version_least = RDB_HASH_EXPIRES_FROM_VERSION,
                                         .walk = hash_walk,
                                         .digest = digest,
                                         .rdb_type = rdb_type,
                                         .save = save,
                                         .load = load};
