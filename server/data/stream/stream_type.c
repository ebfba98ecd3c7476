/* server/data/stream/stream_type.c - what the type table knows of streams. */
#include "server/data/stream/stream_type.h"
#include "mm/base/num.h"
#include "server/data/db/digest_value.h"
#include "server/data/db/save_value.h"
#include "server/data/stream/save_stream.h"
#include "server/data/stream/stream.h"
#include "server/data/stream/stream_impl.h"
#include "snapshot/rdb/rdb.h"

static const char *
encoding_name(const struct value *v)
{
    (void)v;
    return "stream";
}

/* elements: groups and what is pending count too, since they take time to free. */
static uint64_t
elements(const void *root)
{
    const struct stream *s = root;
    uint64_t count = s->length + s->groups.count;

    for (uint32_t i = 0; i < s->groups.count; i++)
        count += stream_group_at(s, i)->pending.count + stream_group_at(s, i)->consumers.count;
    return count;
}

/* ---- copying ---- */

static bool
copy_nodes(const struct stream *to, const struct stream *from)
{
    struct idcursor at;
    bool more;

    for (more = idcursor_from(&at, &from->nodes, (struct stream_id){0, 0}); more;
         more = idcursor_next(&at)) {
        const uint8_t *lp = *(const uint8_t *const *)idcursor_value(&at);

        if (stream_add_node(to, idcursor_id(&at), lp, lp_bytes(lp)) < 0)
            return false;
    }
    stream_set_ids(to, from->last, from->max_deleted, from->entries_added);
    stream_mend_first(to);
    return true;
}

static bool
copy_consumers(const struct stream_group *to, const struct stream_group *from)
{
    for (uint32_t i = 0; i < from->consumers.count; i++) {
        const struct stream_consumer *c = stream_consumer_at(from, i), *copy;

        if ((copy = stream_consumer_create(to, named_name(&c->named), c->seen_ms)) == NULL)
            return false;
        stream_consumer_set(copy, c->seen_ms, c->active_ms);
    }
    return true;
}

static bool
copy_pending(const struct stream_group *to, const struct stream_group *from)
{
    struct idcursor at;
    bool more;

    for (more = idcursor_from(&at, &from->pending, (struct stream_id){0, 0}); more;
         more = idcursor_next(&at)) {
        const struct stream_pending *p = idcursor_value(&at);
        const struct stream_consumer *c = stream_consumer_find(to, named_name(&p->consumer->named));

        if (stream_claim_prepare(to, c, idcursor_id(&at)) < 0)
            return false;
        stream_claim(to, c, idcursor_id(&at), p->delivered_ms, p->deliveries);
    }
    return true;
}

static bool
copy_groups(const struct stream *to, const struct stream *from)
{
    for (uint32_t i = 0; i < from->groups.count; i++) {
        const struct stream_group *g = stream_group_at(from, i), *copy;

        copy = stream_group_create(to, named_name(&g->named), g->last, g->entries_read);
        if (copy == NULL || !copy_consumers(copy, g) || !copy_pending(copy, g))
            return false;
    }
    return true;
}

/* ---- freeing ---- */

/* Where drop() goes on: STAGE 0: the nodes; n: the group n - 1; CONSUMER: of that group; PATH: in a
 * tree. */
enum { STAGE, CONSUMER, PATH, PATH_END = PATH + IDTREE_LEVELS + 1 };
_Static_assert(PATH_END <= sizeof(struct drop_cursor) / sizeof(uint64_t),
               "the cursor holds the way in a tree");

static void
free_node(const void *value)
{
    mm_free(*(const void *const *)value);
}

/* drop_group: true: it is gone. */
static bool
drop_group(const struct stream_group *g, struct drop_cursor *at, uint64_t *budget)
{
    for (; at->at[CONSUMER] < g->consumers.count; at->at[CONSUMER]++) {
        const struct stream_consumer *c = stream_consumer_at(g, (uint32_t)at->at[CONSUMER]);

        if (*budget == 0 || !idtree_drop(&c->pending, &at->at[PATH], budget, NULL))
            return false;
        at->at[PATH] = 0;
        stream_consumer_free(c);
        *budget -= *budget > 0;
    }
    if (!idtree_drop(&g->pending, &at->at[PATH], budget, NULL))
        return false;
    names_free(&g->consumers);
    mm_free(g);
    at->at[PATH] = at->at[CONSUMER] = 0;
    return true;
}

static bool
drop(const void *root, struct drop_cursor *at, uint64_t count)
{
    const struct stream *s = root;

    if (at->at[STAGE] == 0) {
        if (!idtree_drop(&s->nodes, &at->at[PATH], &count, free_node))
            return false;
        at->at[PATH] = 0;
        at->at[STAGE] = 1;
    }
    for (; at->at[STAGE] <= s->groups.count; at->at[STAGE]++) {
        if (count == 0 || !drop_group(stream_group_at(s, (uint32_t)at->at[STAGE] - 1), at, &count))
            return false;
        count -= count > 0;
    }
    names_free(&s->groups);
    mm_free(s);
    return true;
}

static const void *
copy(const void *root)
{
    const struct stream *fresh = stream_new();

    if (fresh != NULL && (!copy_nodes(fresh, root) || !copy_groups(fresh, root))) {
        drop(fresh, &(struct drop_cursor){.at = {0}}, UINT64_MAX);
        return NULL;
    }
    return fresh;
}

static bool
move(const void *root, struct move_cursor *at, struct mover *m)
{
    return stream_move(root, m, at->at);
}

/* ---- weighing, verifying ---- */

static uint64_t
weigh_nodes(const struct idtree *t, uint64_t samples)
{
    uint64_t bytes = 0, seen = 0;
    struct idcursor at;
    bool more = idcursor_from(&at, t, (struct stream_id){0, 0});

    for (; more && (samples == 0 || seen < samples); more = idcursor_next(&at), seen++)
        bytes += mm_usable(*(const void *const *)idcursor_value(&at));
    return idtree_bytes(t) + (seen == 0 ? 0 : bytes * t->count / seen);
}

static uint64_t
weigh_names(const struct names *n)
{
    return n->at == NULL ? 0 : mm_usable(n->at);
}

static uint64_t
weigh(const void *root, uint64_t samples)
{
    const struct stream *s = root;
    uint64_t bytes = mm_usable(s) + weigh_nodes(&s->nodes, samples) + weigh_names(&s->groups);

    for (uint32_t i = 0; i < s->groups.count; i++) {
        const struct stream_group *g = stream_group_at(s, i);

        bytes += mm_usable(g) + idtree_bytes(&g->pending) + weigh_names(&g->consumers);
        for (uint32_t j = 0; j < g->consumers.count; j++)
            bytes += mm_usable(stream_consumer_at(g, j)) +
                     idtree_bytes(&stream_consumer_at(g, j)->pending);
    }
    return bytes;
}

static void
verify_nodes(const struct stream *s)
{
    struct stream_id highest = {0, 0};
    struct idcursor at;
    uint64_t live = 0;
    bool more;

    idtree_verify(&s->nodes);
    for (more = idcursor_from(&at, &s->nodes, (struct stream_id){0, 0}); more;
         more = idcursor_next(&at)) {
        const uint8_t *lp = *(const uint8_t *const *)idcursor_value(&at);
        struct stream_node_sum sum;

        must(stream_node_validate(lp, lp_bytes(lp), idcursor_id(&at), &sum) == NULL); /* X1 */
        must(live == 0 || stream_id_compare(highest, sum.lowest) < 0);
        must(lp_bytes(lp) <= mm_usable(lp));
        highest = sum.highest;
        live += sum.live;
    }
    must(live == s->length && stream_id_compare(highest, s->last) <= 0); /* X2 */
}

static void
verify_group(const struct stream_group *g)
{
    uint64_t pending = 0;

    names_verify(&g->consumers);
    idtree_verify(&g->pending);
    for (uint32_t i = 0; i < g->consumers.count; i++) {
        const struct stream_consumer *c = stream_consumer_at(g, i);
        struct idcursor at;
        bool more;

        idtree_verify(&c->pending);
        for (more = idcursor_from(&at, &c->pending, (struct stream_id){0, 0}); more;
             more = idcursor_next(&at)) {
            const struct stream_pending *p = idtree_find(&g->pending, idcursor_id(&at));

            must(p != NULL && p->consumer == c); /* X3 */
            pending++;
        }
    }
    must(pending == g->pending.count); /* X3 */
}

static void
verify(const void *root)
{
    const struct stream *s = root;
    struct stream_item first = {.id = {0, 0}};

    verify_nodes(s);
    if (!stream_edge(s, false, &first))
        first.id = (struct stream_id){0, 0};
    must(stream_id_compare(first.id, s->first) == 0); /* X2 */
    names_verify(&s->groups);
    for (uint32_t i = 0; i < s->groups.count; i++)
        verify_group(stream_group_at(s, i));
}

/* ---- of every encoding ---- */

static void
stir_element(uint8_t d[DIGEST_BYTES], const struct lp_elem *e)
{
    char scratch[LP_INT_TEXT_BYTES];
    uint32_t len;
    const uint8_t *text = lp_text(e, scratch, &len);

    digest_stir(d, text, len);
}

static void
digest(const struct record *r, uint8_t d[DIGEST_BYTES])
{
    struct stream_iter it;
    struct stream_item item;

    stream_iter_init(&it, record_root(r), (struct stream_id){0, 0}, STREAM_ID_MAX, false);
    while (stream_iter_next(&it, &item)) {
        struct stream_pairs pairs = stream_item_pairs(&item);
        char id[2 * NUM_MAX_BYTES + 1], *end = num_put_unsigned(id, item.id.ms);
        struct lp_elem field, value;

        *end++ = '.';
        digest_stir(d, id, (size_t)(num_put_unsigned(end, item.id.seq) - id));
        while (stream_pairs_next(&pairs, &field, &value)) {
            stir_element(d, &field);
            stir_element(d, &value);
        }
    }
}

static uint8_t
rdb_type(const struct record *r, int rdb_version)
{
    (void)r;
    if (rdb_version < 10)
        return RDB_TYPE_STREAM;
    return rdb_version == 10 ? RDB_TYPE_STREAM_2 : RDB_TYPE_STREAM_3;
}

static int
save(struct save_work *w, const struct save_item *s)
{
    return save_stream(w, record_root(s->rec));
}

const struct type_ops stream_type = {.name = "stream",
                                     .number = 6,
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
                                     .load = load_stream};
