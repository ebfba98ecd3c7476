/* server/data/stream/stream_trim.c - XTRIM: nodes go from the front, whole as long as that is
 * right. */
#include "mm/mm.h"
#include "server/data/db/db.h"
#include "server/data/stream/stream.h"
#include "server/data/stream/stream_impl.h"

static void
take_from_length(const struct stream *s, uint64_t entries)
{
    struct stream *w = mm_modify(s, sizeof *s);

    w->length -= entries;
}

/* is_whole: may the whole node go, when so many entries before it do? */
static bool
is_whole(const struct stream *s, const struct stream_trim *how, const struct stream_node *n,
         uint64_t before)
{
    struct stream_item last;

    if (!how->by_id)
        return s->length - before - n->live >= how->length;
    stream_item_read(n, stream_item_last(n), &last);
    return stream_id_compare(last.id, how->min) < 0;
}

static bool
is_too_many(const struct stream_trim *how, uint64_t entries)
{
    return how->limit != 0 && entries > how->limit;
}

/* trim_node: entries from its front. */
static uint64_t
trim_node(const struct stream *s, const struct stream_trim *how, const struct stream_node *n)
{
    uint64_t gone = 0;

    for (uint32_t at = n->items_at; at != 0;) {
        struct stream_item item;

        stream_item_read(n, at, &item);
        if (how->by_id ? stream_id_compare(item.id, how->min) >= 0
                       : s->length - gone <= how->length)
            break;
        if ((item.flags & STREAM_ITEM_DELETED) == 0) {
            stream_mark_deleted(&item);
            gone++;
        }
        at = stream_item_next(&item);
    }
    if (gone == n->live) {
        stream_forget(s, n->first, n->lp, gone);
    } else if (gone > 0) {
        stream_set_items(n->lp, n->live - gone, n->deleted + gone);
        take_from_length(s, gone);
    }
    return gone;
}

/* Where the nodes that go end: at `kept`, unless all go; so many nodes, and entries in them. */
struct boundary {
    struct idcursor kept;
    bool all;
    uint64_t nodes, entries;
};

static void
open_at(const struct idcursor *at, struct stream_node *ret)
{
    stream_node_open(ret, *(const uint8_t *const *)idcursor_value(at), idcursor_id(at));
}

/* find_boundary: from both ends at once, so that it takes as long as the shorter way: O(nodes that
 * go, or that stay).  With a limit, which is about what goes, from the front alone.  False: no node
 * goes. */
static bool
find_boundary(const struct stream *s, const struct stream_trim *how, struct boundary *ret)
{
    struct idcursor front, back;
    uint64_t behind = 0, nodes_behind = 0; /* what stays for sure */
    struct stream_node n;

    *ret = (struct boundary){.all = false};
    if (!idcursor_from(&front, &s->nodes, (struct stream_id){0, 0}) ||
        !idcursor_upto(&back, &s->nodes, STREAM_ID_MAX))
        return false;
    for (;;) {
        open_at(&front, &n);
        if (is_too_many(how, ret->entries + n.live) || !is_whole(s, how, &n, ret->entries)) {
            ret->kept = front;
            return ret->nodes > 0;
        }
        ret->entries += n.live;
        ret->nodes++;
        if (!idcursor_next(&front)) {
            ret->all = true;
            return true;
        }
        if (how->limit != 0)
            continue;
        open_at(&back, &n);
        if (is_whole(s, how, &n, s->length - behind - n.live)) {
            ret->nodes = s->nodes.count - nodes_behind;
            ret->entries = s->length - behind;
            ret->all = nodes_behind == 0;
            return true;
        }
        behind += n.live;
        nodes_behind++;
        ret->kept = back;
        must(idcursor_prev(&back)); /* the node at the front goes, so back comes to one that does */
    }
}

/* bury_front: what is before the boundary leaves at once, to be freed in slices.  False: no memory,
 * and it is all there. */
static bool
bury_front(const struct stream *s, const struct boundary *b)
{
    struct stream *grave = mm_alloc(MM_VALUE, sizeof *grave);

    if (grave == NULL)
        return false;
    *grave = (struct stream){.nodes = {.value_bytes = sizeof(void *)}, .length = b->entries};
    if (b->all) {
        struct stream *w = mm_modify(s, sizeof *s);

        grave->nodes = s->nodes;
        w->nodes = (struct idtree){.value_bytes = sizeof(void *)};
    } else if (idtree_cut(&s->nodes, idcursor_id(&b->kept), b->nodes, &grave->nodes) < 0) {
        mm_free(grave);
        return false;
    }
    take_from_length(s, b->entries);
    db_bury(TYPE_STREAM, grave);
    return true;
}

/* trim_many: whole nodes, if there are many of them.  Returns how many entries went. */
static uint64_t
trim_many(const struct stream *s, const struct stream_trim *how)
{
    enum { FEW_NODES = 16 };
    struct boundary b;

    if (s->nodes.count <= FEW_NODES || !find_boundary(s, how, &b) || b.nodes <= FEW_NODES)
        return 0;
    return bury_front(s, &b) ? b.entries : 0;
}

uint64_t
stream_trim(const struct stream *s, const struct stream_trim *how)
{
    uint64_t gone = trim_many(s, how);
    struct idcursor at;

    while (idcursor_from(&at, &s->nodes, (struct stream_id){0, 0})) {
        struct stream_node n;

        if (!how->by_id && s->length <= how->length)
            break;
        open_at(&at, &n);
        if (is_too_many(how, gone + n.live))
            break;
        if (!is_whole(s, how, &n, 0)) {
            if (!how->approximately)
                gone += trim_node(s, how, &n);
            break;
        }
        stream_forget(s, n.first, n.lp, n.live);
        gone += n.live;
    }
    if (gone > 0)
        stream_mend_first(s);
    return gone;
}
