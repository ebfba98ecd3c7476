/* server/data/stream/stream_read.c - reading streams. */
#include "server/data/stream/stream.h"

bool
stream_id_up(struct stream_id *id)
{
    if (id->seq != UINT64_MAX) {
        id->seq++;
        return true;
    }
    if (id->ms == UINT64_MAX) {
        *id = (struct stream_id){0, 0};
        return false;
    }
    *id = (struct stream_id){id->ms + 1, 0};
    return true;
}

bool
stream_id_down(struct stream_id *id)
{
    if (id->seq != 0) {
        id->seq--;
        return true;
    }
    if (id->ms == 0) {
        *id = STREAM_ID_MAX;
        return false;
    }
    *id = (struct stream_id){id->ms - 1, UINT64_MAX};
    return true;
}

/* open_node: the node at the cursor, on its first or last item. */
static void
open_node(struct stream_iter *it)
{
    const uint8_t *lp = *(const uint8_t *const *)idcursor_value(&it->at);

    stream_node_open(&it->node, lp, idcursor_id(&it->at));
    it->next = it->reverse ? stream_item_last(&it->node) : it->node.items_at;
}

void
stream_iter_init(struct stream_iter *it, const struct stream *s, struct stream_id from,
                 struct stream_id to, bool reverse)
{
    it->from = from;
    it->to = to;
    it->reverse = reverse;
    it->next = 0;
    it->ended = stream_id_compare(from, to) > 0 || s->nodes.root == NULL;
    if (it->ended)
        return;
    if (reverse)
        it->ended = !idcursor_upto(&it->at, &s->nodes, to);
    else if (!idcursor_upto(&it->at, &s->nodes, from))
        it->ended = !idcursor_from(&it->at, &s->nodes, from);
    if (!it->ended)
        open_node(it);
}

/* step: the next item, whatever it is; false: no more nodes. */
static bool
step(struct stream_iter *it, struct stream_item *ret)
{
    while (it->next == 0) {
        if (!(it->reverse ? idcursor_prev(&it->at) : idcursor_next(&it->at)))
            return false;
        open_node(it);
    }
    stream_item_read(&it->node, it->next, ret);
    return true;
}

bool
stream_iter_next(struct stream_iter *it, struct stream_item *ret)
{
    while (!it->ended && step(it, ret)) {
        if (it->reverse ? stream_id_compare(ret->id, it->from) < 0
                        : stream_id_compare(ret->id, it->to) > 0)
            break;
        it->next = it->reverse ? stream_item_prev(&it->node, ret) : stream_item_next(ret);
        if ((ret->flags & STREAM_ITEM_DELETED) != 0)
            continue;
        if (it->reverse ? stream_id_compare(ret->id, it->to) <= 0
                        : stream_id_compare(ret->id, it->from) >= 0)
            return true;
    }
    it->ended = true;
    return false;
}

bool
stream_edge(const struct stream *s, bool is_last, struct stream_item *ret)
{
    struct stream_iter it;

    stream_iter_init(&it, s, (struct stream_id){0, 0}, STREAM_ID_MAX, is_last);
    return stream_iter_next(&it, ret);
}

struct stream_id
stream_last_valid(const struct stream *s)
{
    struct stream_item item;

    return stream_edge(s, true, &item) ? item.id : s->last;
}

bool
stream_has(const struct stream *s, struct stream_id id)
{
    struct stream_iter it;
    struct stream_item item;

    stream_iter_init(&it, s, id, id, false);
    return stream_iter_next(&it, &item);
}

static bool
is_zero(struct stream_id id)
{
    return id.ms == 0 && id.seq == 0;
}

/* deleted_behind: may an entry at id, or behind it, have been deleted? */
static bool
deleted_behind(const struct stream *s, struct stream_id id)
{
    return s->length > 0 && !is_zero(s->max_deleted) && stream_id_compare(id, s->max_deleted) <= 0;
}

int64_t
stream_distance(const struct stream *s, struct stream_id id)
{
    int to_last = stream_id_compare(id, s->last), to_first = stream_id_compare(id, s->first);
    uint64_t gone = s->entries_added - s->length;

    if (s->entries_added == 0)
        return 0;
    if ((s->length == 0 && to_last < 1) || to_last == 0)
        return (int64_t)s->entries_added;
    if (to_last > 0 || to_first > 0)
        return STREAM_READ_UNKNOWN;
    if (stream_id_compare(s->first, s->max_deleted) <= 0)
        return STREAM_READ_UNKNOWN; /* something between is gone */
    return (int64_t)(to_first < 0 ? gone : gone + 1);
}

int64_t
stream_count_read(const struct stream *s, struct stream_id last, int64_t read, struct stream_id id)
{
    if (read != STREAM_READ_UNKNOWN && stream_id_compare(last, s->first) >= 0 &&
        !deleted_behind(s, last))
        return read + 1;
    return s->entries_added > 0 ? stream_distance(s, id) : read;
}

bool
stream_lag(const struct stream *s, const struct stream_group *g, int64_t *ret)
{
    int64_t read;

    *ret = 0;
    if (s->entries_added == 0 || s->length == 0)
        return true;
    if (stream_id_compare(g->last, s->first) < 0 &&
        stream_id_compare(s->max_deleted, s->first) < 0) {
        *ret = (int64_t)s->length; /* all that is left, and nothing of that was deleted */
        return true;
    }
    read = g->entries_read != STREAM_READ_UNKNOWN && !deleted_behind(s, g->last)
               ? g->entries_read
               : stream_distance(s, g->last);
    *ret = (int64_t)(s->entries_added - (uint64_t)read);
    return read != STREAM_READ_UNKNOWN;
}
