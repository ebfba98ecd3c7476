/* server/data/stream/save_stream.c - a stream, read through the view: root, nodes, groups.  Nothing
 * here follows a live pointer: every address comes from staged bytes and is only read through
 * view_read().  What is written: snapshot/rdb/rdb_dec_stream.c.
 * Threads: save_value.h. */
#include "server/data/stream/save_stream.h"

#include <errno.h>

#include "mm/base/le.h"
#include "server/data/db/save_value.h"
#include "server/data/stream/stream.h"

enum { FIRST_WITH_COUNTERS = 10, FIRST_WITH_ACTIVE = 11, STAGED_NAMES = 64 };

/* What is done with an entry of a tree, whose node is staged. */
typedef int (*entry_saver)(struct save_work *w, const struct idnode *n, unsigned at);

struct tree_walk {
    struct save_work *work;
    entry_saver save;
    unsigned height;
    uint64_t entries;
};

union staged_node {
    struct idnode node;
    char bytes[IDNODE_BYTES];
};

/* stage_node: -EBADMSG where a rule is broken: better no file than a wrong one. */
static int
stage_node(struct save_work *w, const struct idnode *live, union staged_node *ret)
{
    int r = view_read(w->view, &ret->node, live, sizeof ret->node);
    size_t bytes =
        sizeof ret->node + ret->node.count * (sizeof(struct stream_id) + ret->node.value_bytes);

    if (r != 0)
        return r;
    if (bytes > sizeof *ret)
        return -EBADMSG;
    return view_read(w->view, ret->bytes, live, bytes);
}

static int
save_nodes(struct tree_walk *t, const struct idnode *live, unsigned level)
{
    union staged_node staged;
    int r = stage_node(t->work, live, &staged);

    for (unsigned i = 0; r == 0 && i < staged.node.count; i++) {
        if (level < t->height) {
            r = save_nodes(t, idnode_child(&staged.node, i), level + 1);
        } else {
            t->entries++;
            r = t->save(t->work, &staged.node, i);
        }
    }
    return r != 0 ? r : save_breath(t->work);
}

/* save_tree: the number of its entries, then each. */
static int
save_tree(struct save_work *w, const struct idtree *staged, entry_saver save)
{
    struct tree_walk t = {.work = w, .save = save, .height = staged->height};
    int r = 0;

    if (staged->height >= IDTREE_LEVELS)
        return -EBADMSG;
    rdb_put_len(w->enc, staged->count);
    if (staged->root != NULL)
        r = save_nodes(&t, staged->root, 0);
    if (r == 0 && t.entries != staged->count)
        r = -EBADMSG;
    return r;
}

static void
put_raw_id(struct save_work *w, struct stream_id id)
{
    uint8_t bytes[STREAM_ID_BYTES];

    stream_id_store(bytes, id);
    sink_put(w->enc->out, bytes, sizeof bytes);
}

static void
put_id(struct save_work *w, struct stream_id id)
{
    rdb_put_len(w->enc, id.ms);
    rdb_put_len(w->enc, id.seq);
}

static void
put_ms(struct save_work *w, int64_t ms)
{
    uint8_t bytes[8];

    le_store(bytes, (uint64_t)ms, sizeof bytes);
    sink_put(w->enc->out, bytes, sizeof bytes);
}

static int
save_listpack(struct save_work *w, const struct idnode *n, unsigned at)
{
    uint8_t key[STREAM_ID_BYTES], bytes[4];
    const char *live = idnode_child(n, at);
    int r;

    stream_id_store(key, idnode_id(n, at));
    rdb_put_blob(w->enc, key, sizeof key);
    if ((r = view_read(w->view, bytes, live, sizeof bytes)) != 0)
        return r;
    return save_string(w, live, le_load(bytes, 4), false);
}

static int
save_pending(struct save_work *w, const struct idnode *n, unsigned at)
{
    const struct stream_pending *p = idnode_value(n, at);

    put_raw_id(w, idnode_id(n, at));
    put_ms(w, p->delivered_ms);
    rdb_put_len(w->enc, p->deliveries);
    return 0;
}

static int
save_pending_id(struct save_work *w, const struct idnode *n, unsigned at)
{
    put_raw_id(w, idnode_id(n, at));
    return 0;
}

static int
save_consumer(struct save_work *w, const struct named *live)
{
    struct stream_consumer c;
    int r = view_read(w->view, &c, live, sizeof c);

    if (r != 0 ||
        (r = save_string(w, (const char *)live + c.named.name_at, c.named.name_len, true)) != 0)
        return r;
    put_ms(w, c.seen_ms);
    if (w->enc->version >= FIRST_WITH_ACTIVE)
        put_ms(w, c.active_ms);
    else if (c.active_ms != c.seen_ms) /* what a reader takes it for */
        w->lost |= SAVE_LOST_ACTIVE;
    return save_tree(w, &c.pending, save_pending_id);
}

/* save_named: each of several things. */
static int
save_named(struct save_work *w, const struct names *staged,
           int (*save)(struct save_work *w, const struct named *live))
{
    const struct named *live[STAGED_NAMES];
    int r = 0;

    rdb_put_len(w->enc, staged->count);
    for (uint32_t at = 0; r == 0 && at < staged->count;) {
        uint32_t n = staged->count - at < STAGED_NAMES ? staged->count - at : STAGED_NAMES;

        r = view_read(w->view, live, staged->at + at, n * sizeof *live);
        for (uint32_t i = 0; r == 0 && i < n; i++)
            r = save(w, live[i]);
        at += n;
    }
    return r;
}

static int
save_group(struct save_work *w, const struct named *live)
{
    struct stream_group g;
    int r = view_read(w->view, &g, live, sizeof g);

    if (r != 0 ||
        (r = save_string(w, (const char *)live + g.named.name_at, g.named.name_len, true)) != 0)
        return r;
    put_id(w, g.last);
    if (w->enc->version >= FIRST_WITH_COUNTERS)
        rdb_put_len(w->enc, (uint64_t)g.entries_read);
    else
        w->lost |= SAVE_LOST_COUNTERS;
    if ((r = save_tree(w, &g.pending, save_pending)) != 0)
        return r;
    return save_named(w, &g.consumers, save_consumer);
}

int
save_stream(struct save_work *w, const struct stream *live)
{
    struct stream s;
    int r = view_read(w->view, &s, live, sizeof s);

    if (r != 0 || (r = save_tree(w, &s.nodes, save_listpack)) != 0)
        return r;
    rdb_put_len(w->enc, s.length);
    put_id(w, s.last);
    if (w->enc->version >= FIRST_WITH_COUNTERS) {
        put_id(w, s.first);
        put_id(w, s.max_deleted);
        rdb_put_len(w->enc, s.entries_added);
    } else if (s.entries_added != s.length || s.max_deleted.ms != 0 || s.max_deleted.seq != 0) {
        w->lost |= SAVE_LOST_COUNTERS; /* a reader takes them for the length, and for none */
    }
    return save_named(w, &s.groups, save_group);
}
