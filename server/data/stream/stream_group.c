/* server/data/stream/stream_group.c - groups, their consumers, what is pending. */
#include <errno.h>

#include "mm/mm.h"
#include "server/data/db/db.h"
#include "server/data/stream/stream.h"

/* thing_new: a named thing of so many bytes, to be filled behind its first member; its name
 * follows. */
static void *
thing_new(size_t bytes, struct slice name)
{
    struct named *n = mm_alloc(MM_VALUE, bytes + name.len);

    if (n == NULL)
        return NULL;
    *n = (struct named){.name_at = (uint32_t)bytes, .name_len = (uint32_t)name.len};
    memcpy((char *)n + bytes, name.ptr, name.len);
    return n;
}

const struct stream_group *
stream_group_at(const struct stream *s, uint32_t i)
{
    return (const struct stream_group *)(const void *)s->groups.at[i];
}

const struct stream_group *
stream_group_find(const struct stream *s, struct slice name)
{
    uint32_t at;

    return (const struct stream_group *)(const void *)names_find(&s->groups, name, &at);
}

const struct stream_group *
stream_group_create(const struct stream *s, struct slice name, struct stream_id last,
                    int64_t entries_read)
{
    struct stream_group *g = thing_new(sizeof *g, name);

    if (g == NULL)
        return NULL;
    g->last = last;
    g->entries_read = entries_read;
    g->pending = (struct idtree){.value_bytes = sizeof(struct stream_pending)};
    g->consumers = (struct names){.at = NULL};
    if (names_add(&s->groups, &g->named) < 0) {
        mm_free(g);
        return NULL;
    }
    return g;
}

static void
free_group(const struct stream_group *g)
{
    uint64_t path[IDTREE_LEVELS + 1] = {0}, budget = UINT64_MAX;

    for (uint32_t i = 0; i < g->consumers.count; i++) {
        uint64_t own[IDTREE_LEVELS + 1] = {0};

        idtree_drop(&stream_consumer_at(g, i)->pending, own, &budget, NULL);
        stream_consumer_free(stream_consumer_at(g, i));
    }
    names_free(&g->consumers);
    idtree_drop(&g->pending, path, &budget, NULL);
    mm_free(g);
}

void
stream_group_destroy(const struct stream *s, const struct stream_group *g)
{
    enum { SMALL = 1000 };
    const struct stream *grave;

    names_remove(&s->groups, &g->named);
    if (g->pending.count + g->consumers.count <= SMALL || (grave = stream_new()) == NULL) {
        free_group(g);
        return;
    }
    if (names_add(&grave->groups, &g->named) < 0)
        free_group(g);
    db_bury(TYPE_STREAM, grave);
}

/* open_thing: the fixed part of a group or a consumer, to be written. */
static void *
open_thing(const struct named *n, size_t bytes)
{
    return mm_modify(n, bytes);
}

void
stream_group_set(const struct stream_group *g, struct stream_id last, int64_t entries_read)
{
    struct stream_group *w = open_thing(&g->named, sizeof *g);

    w->last = last;
    w->entries_read = entries_read;
}

/* ---- consumers ---- */

const struct stream_consumer *
stream_consumer_at(const struct stream_group *g, uint32_t i)
{
    return (const struct stream_consumer *)(const void *)g->consumers.at[i];
}

const struct stream_consumer *
stream_consumer_find(const struct stream_group *g, struct slice name)
{
    uint32_t at;

    return (const struct stream_consumer *)(const void *)names_find(&g->consumers, name, &at);
}

const struct stream_consumer *
stream_consumer_create(const struct stream_group *g, struct slice name, int64_t seen_ms)
{
    struct stream_consumer *c = thing_new(sizeof *c, name);

    if (c == NULL)
        return NULL;
    c->seen_ms = seen_ms;
    c->active_ms = -1;
    c->pending = (struct idtree){.value_bytes = 0};
    if (names_add(&g->consumers, &c->named) < 0) {
        mm_free(c);
        return NULL;
    }
    return c;
}

void
stream_consumer_free(const struct stream_consumer *c)
{
    mm_free(c);
}

void
stream_consumer_delete(const struct stream_group *g, const struct stream_consumer *c)
{
    uint64_t path[IDTREE_LEVELS + 1] = {0}, budget = UINT64_MAX;
    struct idcursor at;
    bool more;

    for (more = idcursor_from(&at, &c->pending, (struct stream_id){0, 0}); more;
         more = idcursor_next(&at))
        idtree_remove(&g->pending, idcursor_id(&at));
    idtree_drop(&c->pending, path, &budget, NULL);
    names_remove(&g->consumers, &c->named);
    stream_consumer_free(c);
}

void
stream_consumer_set(const struct stream_consumer *c, int64_t seen_ms, int64_t active_ms)
{
    struct stream_consumer *w;

    if (c->seen_ms == seen_ms && c->active_ms == active_ms)
        return;
    w = open_thing(&c->named, sizeof *c);
    w->seen_ms = seen_ms;
    w->active_ms = active_ms;
}

/* ---- what is pending ---- */

static struct stream_pending *
open_pending(const struct stream_pending *p)
{
    return mm_modify(p, sizeof *p);
}

int
stream_claim_prepare(const struct stream_group *g, const struct stream_consumer *c,
                     struct stream_id id)
{
    const struct stream_pending *p = idtree_find(&g->pending, id);
    bool is_new = p == NULL;

    if (!is_new && idtree_find(&c->pending, id) != NULL)
        return 0;
    if (is_new && idtree_put(&g->pending, id, &(struct stream_pending){.consumer = NULL}) < 0)
        return -ENOMEM;
    if (idtree_put(&c->pending, id, NULL) == 0)
        return 0;
    if (is_new)
        idtree_remove(&g->pending, id);
    return -ENOMEM;
}

void
stream_claim_undo(const struct stream_group *g, const struct stream_consumer *c,
                  struct stream_id id)
{
    const struct stream_pending *p = idtree_find(&g->pending, id);
    const struct stream_consumer *owner = p == NULL ? c : p->consumer;

    if (owner == c)
        return; /* it was the consumer's before; or it was undone already */
    idtree_remove(&c->pending, id);
    if (owner == NULL)
        idtree_remove(&g->pending, id);
}

void
stream_claim(const struct stream_group *g, const struct stream_consumer *c, struct stream_id id,
             int64_t delivered_ms, uint64_t deliveries)
{
    const struct stream_pending *p = idtree_find(&g->pending, id);
    struct stream_pending *w;

    if (p->consumer != NULL && p->consumer != c)
        idtree_remove(&p->consumer->pending, id);
    w = open_pending(p);
    *w = (struct stream_pending){
        .delivered_ms = delivered_ms, .deliveries = deliveries, .consumer = c};
}

void
stream_pending_set(const struct stream_pending *p, int64_t delivered_ms, uint64_t deliveries)
{
    struct stream_pending *w = open_pending(p);

    w->delivered_ms = delivered_ms;
    w->deliveries = deliveries;
}

bool
stream_ack(const struct stream_group *g, struct stream_id id)
{
    const struct stream_pending *p = idtree_find(&g->pending, id);

    if (p == NULL)
        return false;
    idtree_remove(&p->consumer->pending, id);
    idtree_remove(&g->pending, id);
    return true;
}
