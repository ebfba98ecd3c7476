/* server/data/stream_trim.c - XTRIM: nodes go from the front, whole as long as that is right. */
#include "mm/mm.h"
#include "server/data/stream.h"
#include "server/data/stream_edit.h"

static void
take_from_length(const struct stream *s, uint64_t entries)
{
    struct stream *w = mm_modify(s, sizeof *s);

    w->length -= entries;
}

/* is_whole: may the whole node go? */
static bool
is_whole(const struct stream *s, const struct stream_trim *how, const struct stream_node *n)
{
    struct stream_item last;

    if (!how->by_id)
        return s->length - n->live >= how->length;
    stream_item_read(n, stream_item_last(n), &last);
    return stream_id_compare(last.id, how->min) < 0;
}

/* trim_node: entries from its front. */
static uint64_t
trim_node(const struct stream *s, const struct stream_trim *how, const struct stream_node *n)
{
    uint64_t gone = 0;

    for (uint32_t at = n->items_at; at != 0;) {
        struct stream_item item;

        stream_item_read(n, at, &item);
        if (how->by_id ? stream_id_compare(item.id, how->min) >= 0 : s->length - gone <= how->length)
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

uint64_t
stream_trim(const struct stream *s, const struct stream_trim *how)
{
    uint64_t gone = 0;
    struct idcursor at;

    while (idcursor_from(&at, &s->nodes, (struct stream_id){0, 0})) {
        struct stream_node n;

        if (!how->by_id && s->length <= how->length)
            break;
        stream_node_open(&n, *(const uint8_t *const *)idcursor_value(&at), idcursor_id(&at));
        if (how->limit != 0 && gone + n.live > how->limit)
            break;
        if (!is_whole(s, how, &n)) {
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
