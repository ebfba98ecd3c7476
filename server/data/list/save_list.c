/* server/data/list/save_list.c - a large list, read through the view: root, branchings, nodes.
 * Nothing here follows a live pointer: every address comes from staged bytes and is only read
 * through view_read().
 * Threads: save_value.h. */
#include "server/data/list/save_list.h"

#include <errno.h>
#include <string.h>

#include "mm/base/le.h"
#include "server/data/db/save_value.h"
#include "server/data/list/list_impl.h"
#include "snapshot/rdb/rdb.h"

struct list_walk {
    struct save_work *work;
    bool as_elements;         /* the version has no nodes: the elements follow each other */
    uint64_t nodes, elements; /* written */
};

/* A node as the listpack that RDB has: a frame around what the view shows. */
struct framed {
    struct view *view;
    const uint8_t *entries; /* live */
    uint64_t bytes;         /* of the listpack */
    uint8_t head[LP_HEADER_BYTES];
};

static void
frame(struct framed *f, const struct list_node *staged, const struct list_node *live)
{
    enum { UNKNOWN = 65535 };

    f->entries = (const uint8_t *)live + staged->begin;
    f->bytes = LP_EMPTY_BYTES + (staged->end - staged->begin);
    le_store(f->head, f->bytes, 4);
    le_store(f->head + 4, staged->count < UNKNOWN ? staged->count : UNKNOWN, 2);
}

/* read_framed: any bytes of the listpack. */
static int
read_framed(void *ctx, uint64_t at, void *dst, size_t n)
{
    const struct framed *f = ctx;
    uint8_t *p = dst;
    int r;

    for (; n > 0 && at < LP_HEADER_BYTES; n--)
        *p++ = f->head[at++];
    if (n > 0 && at + n == f->bytes)
        p[--n] = 0xff;
    if (n == 0)
        return 0;
    if ((r = view_read(f->view, p, f->entries + (at - LP_HEADER_BYTES), n)) != 0)
        return r;
    return 0;
}

static int
save_packed(struct save_work *w, const struct list_node *staged, const struct list_node *live)
{
    struct framed f = {.view = w->view};
    int r;

    rdb_put_len(w->enc, RDB_QUICKLIST_PACKED);
    frame(&f, staged, live);
    if (f.bytes > SAVE_BUFFER_BYTES)
        return rdb_put_string_stream(w->enc, f.bytes, read_framed, &f);
    if ((r = read_framed(&f, 0, w->buffer, f.bytes)) != 0)
        return r;
    rdb_put_blob(w->enc, w->buffer, f.bytes);
    return 0;
}

/* save_elements: of a packed node, each on its own. */
static int
save_elements(struct save_work *w, const struct list_node *staged, const struct list_node *live)
{
    uint32_t count;
    int r =
        save_each_entry(w, (const char *)live + staged->begin, staged->end - staged->begin, &count);

    return r == 0 && count != staged->count ? -EBADMSG : r;
}

static int
save_node(struct list_walk *w, const struct list_node *live)
{
    struct list_node staged;
    int r;

    if ((r = view_read(w->work->view, &staged, live, sizeof staged)) != 0)
        return r;
    w->nodes++;
    w->elements += staged.count;
    if (w->nodes % 8 == 0 && (r = save_breath(w->work)) != 0)
        return r;
    if (staged.plain == 0)
        return w->as_elements ? save_elements(w->work, &staged, live)
                              : save_packed(w->work, &staged, live);
    if (!w->as_elements)
        rdb_put_len(w->work->enc, RDB_QUICKLIST_PLAIN);
    return save_string(w->work, (const char *)live + staged.begin, staged.end - staged.begin,
                       w->as_elements);
}

/* save_tree: levels are bounded by LIST_LEVELS_MAX. */
static int
save_tree(struct list_walk *w, const struct list_inner *live, unsigned depth)
{
    struct list_inner staged;
    int r;

    if (depth == LIST_LEVELS_MAX)
        return -EBADMSG;
    if ((r = view_read(w->work->view, &staged, live, sizeof staged)) != 0)
        return r;
    if (staged.n > LIST_BRANCHES)
        return -EBADMSG;
    for (uint32_t b = 0; b < staged.n; b++) {
        r = staged.level > 0 ? save_tree(w, staged.at[b].child, depth + 1)
                             : save_node(w, staged.at[b].child);
        if (r != 0)
            return r;
    }
    return 0;
}

int
save_list(struct save_work *work, const struct list_root *live)
{
    struct list_walk w = {.work = work,
                          .as_elements = work->enc->version < RDB_LISTPACKS_FROM_VERSION};
    struct list_root root;
    int r;

    if ((r = view_read(work->view, &root, live, sizeof root)) != 0)
        return r;
    rdb_put_len(work->enc, w.as_elements ? root.count : root.nodes);
    if (root.head != NULL && (r = save_node(&w, root.head)) != 0)
        return r;
    if (root.tree != NULL && (r = save_tree(&w, root.tree, 0)) != 0)
        return r;
    if ((r = save_node(&w, root.tail)) != 0)
        return r;
    /* Else a rule is broken: better no file than a wrong one. */
    return w.nodes == root.nodes && w.elements == root.count ? 0 : -EBADMSG;
}
