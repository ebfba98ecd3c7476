/* server/data/zset/zset_type.c - what the type table knows of sorted sets. */
#include <stdio.h>

#include "server/data/db/digest_value.h"
#include "server/data/db/save_value.h"
#include "server/data/zset/save_zset.h"
#include "server/data/zset/zset_small.h"
#include "server/data/zset/zset_type.h"
#include "snapshot/rdb/rdb.h"

static const char *
encoding_name(const struct value *v)
{
    return v->enc == ENC_ROOT ? "skiplist" : "listpack";
}

TYPE_ROOT_CALLS(zroot)

static bool
drop(const void *root, struct drop_cursor *at, uint64_t count)
{
    return zroot_drop(root, at->at, count);
}

static bool
move(const void *root, struct move_cursor *at, struct mover *m)
{
    return zroot_move(root, m, at->at);
}

static void
verify_blob(struct slice blob, bool is_intset)
{
    must(!is_intset);
    zsmall_verify(slice_bytes(blob), blob.len);
}

/* ---- walk ---- */

struct walk {
    element_visitor visit;
    void *ctx;
};

static void
show(void *ctx, struct slice member, double score)
{
    const struct walk *w = ctx;
    char text[REAL_BYTES];

    w->visit(w->ctx, member, (struct slice){.ptr = text, .len = real_print(score, text)});
}

static void
show_entry(void *ctx, const void *entry)
{
    const struct zentry *e = entry;

    show(ctx, zentry_member(e), e->score);
}

static uint64_t
walk(const struct record *r, uint64_t cursor, element_visitor visit, void *ctx)
{
    struct walk w = {visit, ctx};

    if (record_encoding(r) == ENC_ROOT)
        return zroot_walk(record_root(r), cursor, show_entry, &w);
    zset_range(r, 0, zset_len(r), false, show, &w);
    return 0;
}

/* ---- digest: each element for itself: member, then the score with seventeen digits ---- */

static void
digest_element(void *ctx, struct slice member, double score)
{
    uint8_t element[DIGEST_BYTES] = {0};
    char text[64];
    int n = snprintf(text, sizeof text, "%.17g", score);

    digest_stir(element, member.ptr, member.len);
    digest_stir(element, text, (size_t)n);
    digest_add(ctx, element, DIGEST_BYTES);
}

static void
digest(const struct record *r, uint8_t d[DIGEST_BYTES])
{
    zset_range(r, 0, zset_len(r), false, digest_element, d);
}

/* ---- save ---- */

static uint8_t
rdb_type(const struct record *r, int rdb_version)
{
    return record_encoding(r) == ENC_ROOT || rdb_version < RDB_LISTPACKS_FROM_VERSION
               ? RDB_TYPE_ZSET_2
               : RDB_TYPE_ZSET_LISTPACK;
}

static int
save(struct save_work *w, const struct save_item *s)
{
    if (record_encoding(s->rec) == ENC_ROOT)
        return save_zroot(w, record_root(s->rec));
    if (rdb_type(s->rec, w->enc->version) == RDB_TYPE_ZSET_2)
        return save_entries_of_listpack(w, s, SAVE_SCORED);
    return save_blob(w, s, false);
}

const struct type_ops zset_type = {.name = "zset",
                                   .number = 3,
                                   .is_waited_for = true,
                                   .encoding_name = encoding_name,
                                   .elements = elements,
                                   .copy = copy,
                                   .drop = drop,
                                   .move = move,
                                   .weigh = weigh,
                                   .verify = verify,
                                   .verify_blob = verify_blob,
                                   .walk = walk,
                                   .digest = digest,
                                   .rdb_type = rdb_type,
                                   .save = save,
                                   .load = load_zset};
