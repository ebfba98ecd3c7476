/* server/data/list/list_type.c - what the type table knows of lists. */
#include "server/data/list/list_type.h"
#include "server/data/db/digest_value.h"
#include "server/data/db/save_value.h"
#include "server/data/list/list_impl.h"
#include "server/data/list/load_list.h"
#include "server/data/list/save_list.h"
#include "snapshot/rdb/rdb.h"

static const char *
encoding_name(const struct value *v)
{
    return v->enc == ENC_ROOT && ((const struct list_root *)v->root)->is_quick != 0 ? "quicklist"
                                                                                    : "listpack";
}

TYPE_ROOT_CALLS(list_root)

static bool
drop(const void *root, struct drop_cursor *at, uint64_t nodes)
{
    return list_root_drop(root, at, nodes);
}

static bool
move(const void *root, struct move_cursor *at, struct mover *m)
{
    return list_root_move(root, m, at->at);
}

static void
digest(const struct record *r, uint8_t d[DIGEST_BYTES])
{
    char scratch[LP_INT_TEXT_BYTES];
    struct list_iter it;
    struct list_elem e;

    list_iter_init(&it, r, 0, false);
    while (list_iter_next(&it, &e)) {
        struct slice text = list_text(&e, scratch);

        digest_stir(d, text.ptr, text.len);
    }
}

static uint8_t
rdb_type(const struct record *r, int rdb_version)
{
    (void)r;
    return rdb_version < RDB_LISTPACKS_FROM_VERSION ? RDB_TYPE_LIST : RDB_TYPE_LIST_QUICKLIST_2;
}

static int
save(struct save_work *w, const struct save_item *s)
{
    if (record_encoding(s->rec) == ENC_ROOT)
        return save_list(w, record_root(s->rec));
    if (rdb_type(s->rec, w->enc->version) == RDB_TYPE_LIST)
        return save_entries_of_listpack(w, s, SAVE_SINGLE);
    rdb_put_len(w->enc, 1);
    rdb_put_len(w->enc, RDB_QUICKLIST_PACKED);
    return save_blob(w, s, false);
}

const struct type_ops list_type = {.name = "list",
                                   .number = 1,
                                   .is_waited_for = true,
                                   .encoding_name = encoding_name,
                                   .elements = elements,
                                   .copy = copy,
                                   .drop = drop,
                                   .move = move,
                                   .weigh = weigh,
                                   .verify = verify,
                                   .digest = digest,
                                   .rdb_type = rdb_type,
                                   .save = save,
                                   .load = load_list};
