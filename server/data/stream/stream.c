/* server/data/stream/stream.c - adding entries and deleting them. */
#include "server/data/stream/stream.h"
#include "mm/mm.h"

#include <errno.h>

#include "server/data/stream/stream_impl.h"

const struct stream *
stream_new(void)
{
    struct stream *s = mm_alloc(MM_VALUE, sizeof *s);

    if (s != NULL)
        *s = (struct stream){.nodes = {.value_bytes = sizeof(void *)}};
    return s;
}

static struct stream *
open_root(const struct stream *s)
{
    return mm_modify(s, sizeof *s);
}

struct stream_limits stream_limits = {.node_bytes = 4096, .node_entries = 100};

static uint64_t
node_max_bytes(void)
{
    uint64_t most = stream_limits.node_bytes;

    return most == 0 || most > STREAM_NODE_MAX_BYTES ? STREAM_NODE_MAX_BYTES : most;
}

/* node_fits: may another entry of so many bytes be added to the node? */
static bool
node_fits(const uint8_t *lp, const struct slice *words, int pairs)
{
    uint64_t bytes = lp_bytes(lp), live, deleted;

    for (int i = 0; i < 2 * pairs; i++)
        bytes += words[i].len;
    if (bytes >= node_max_bytes())
        return false;
    stream_node_items(lp, &live, &deleted);
    return stream_limits.node_entries == 0 || live + deleted < stream_limits.node_entries;
}

const uint8_t *
stream_node_copy(const uint8_t *lp, size_t bytes)
{
    uint8_t *copy = mm_alloc(MM_VALUE, bytes + STREAM_NODE_SLACK);

    if (copy != NULL)
        memcpy(copy, lp, bytes);
    return copy;
}

/* set_node: the node at the cursor moves to another block; the old one is freed. */
static void
set_node(const struct idcursor *at, const uint8_t *lp)
{
    const uint8_t *const *slot = idcursor_value(at);
    const uint8_t *old = *slot, **w;

    w = mm_modify(slot, sizeof *slot);
    *w = lp;
    mm_free(old);
}

/* grow_node: so that the node at the cursor takes so many bytes more.  NULL: no memory. */
static const uint8_t *
grow_node(const struct idcursor *at, const uint8_t *lp, size_t more)
{
    size_t bytes = lp_bytes(lp), need = bytes + more, room = 2 * bytes;
    uint8_t *fresh;

    if (room > node_max_bytes())
        room = node_max_bytes();
    if (room < need)
        room = need;
    if ((fresh = mm_alloc(MM_VALUE, room + STREAM_NODE_SLACK)) == NULL)
        return NULL;
    memcpy(fresh, lp, bytes);
    set_node(at, fresh);
    return fresh;
}

/* fit_node: the node at the cursor gets no more entries: a smaller block, if there is one. */
static void
fit_node(const struct idcursor *at)
{
    const uint8_t *lp = *(const uint8_t *const *)idcursor_value(at), *fresh;
    uint32_t bytes = lp_bytes(lp);

    if (mm_size_class(bytes + STREAM_NODE_SLACK) < mm_usable(lp) &&
        (fresh = stream_node_copy(lp, bytes)) != NULL)
        set_node(at, fresh);
}

static int
append_to_node(const struct idcursor *at, struct stream_id id, const struct slice *words, int pairs)
{
    const uint8_t *lp = *(const uint8_t *const *)idcursor_value(at);
    struct stream_bytes item;
    struct stream_node n;

    stream_node_open(&n, lp, idcursor_id(at));
    if (stream_build_item(&n, id, words, pairs, &item) < 0)
        return -ENOMEM;
    if (lp_bytes(lp) + item.len + STREAM_NODE_SLACK > mm_usable(lp) &&
        (lp = grow_node(at, lp, item.len)) == NULL)
        return -ENOMEM;
    stream_item_append(lp, &item);
    return 0;
}

static int
append_new_node(const struct stream *s, struct stream_id id, const struct slice *words, int pairs)
{
    struct stream_bytes whole;
    struct idcursor at;

    if (stream_build_item(NULL, id, words, pairs, &whole) < 0)
        return -ENOMEM;
    if (stream_add_node(s, id, whole.at, whole.len) < 0)
        return -ENOMEM;
    if (s->nodes.count > 1 && idcursor_upto(&at, &s->nodes, id) && idcursor_prev(&at))
        fit_node(&at);
    return 0;
}

int
stream_add_node(const struct stream *s, struct stream_id id, const uint8_t *lp, size_t bytes)
{
    const uint8_t *node = stream_node_copy(lp, bytes);
    uint64_t live, deleted;

    if (node == NULL)
        return -ENOMEM;
    if (idtree_put(&s->nodes, id, &node) < 0) {
        mm_free(node);
        return -ENOMEM;
    }
    stream_node_items(node, &live, &deleted);
    open_root(s)->length += live;
    return 0;
}

int
stream_append(const struct stream *s, struct stream_id id, const struct slice *words, int pairs)
{
    struct idcursor at;
    struct stream *w;
    int r;

    debug_check(stream_id_compare(id, s->last) > 0 && pairs > 0); /* X2 */
    if (idcursor_upto(&at, &s->nodes, STREAM_ID_MAX) &&
        node_fits(*(const uint8_t *const *)idcursor_value(&at), words, pairs)) {
        if ((r = append_to_node(&at, id, words, pairs)) < 0)
            return r;
        w = open_root(s);
        w->length++;
    } else {
        if ((r = append_new_node(s, id, words, pairs)) < 0)
            return r;
        w = open_root(s);
    }
    w->entries_added++;
    w->last = id;
    if (w->length == 1)
        w->first = id;
    return 0;
}

void
stream_forget(const struct stream *s, struct stream_id node, const uint8_t *lp, uint64_t entries)
{
    idtree_remove(&s->nodes, node);
    mm_free(lp);
    open_root(s)->length -= entries;
}

bool
stream_delete(const struct stream *s, struct stream_id id)
{
    struct stream_iter it;
    struct stream_item item;
    struct stream *w;

    stream_iter_init(&it, s, id, id, false);
    if (!stream_iter_next(&it, &item))
        return false;
    if (it.node.live == 1) {
        stream_forget(s, it.node.first, it.node.lp, 1);
    } else {
        stream_mark_deleted(&item);
        stream_set_items(it.node.lp, it.node.live - 1, it.node.deleted + 1);
        open_root(s)->length--;
    }
    w = open_root(s);
    if (stream_id_compare(id, w->max_deleted) > 0)
        w->max_deleted = id;
    return true;
}

void
stream_mend_first(const struct stream *s)
{
    struct stream_item item;
    struct stream_id first = {0, 0};

    if (stream_edge(s, false, &item))
        first = item.id;
    if (stream_id_compare(first, s->first) != 0)
        open_root(s)->first = first;
}

void
stream_set_ids(const struct stream *s, struct stream_id last, struct stream_id max_deleted,
               uint64_t entries_added)
{
    struct stream *w = open_root(s);

    w->last = last;
    w->max_deleted = max_deleted;
    w->entries_added = entries_added;
}
