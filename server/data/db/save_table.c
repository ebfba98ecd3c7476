/* server/data/db/save_table.c - a linear hash table (a large hash or set), read through the view:
 * root, then bucket after bucket, each with its entries, which the type writes.  Nothing here
 * follows a live pointer: every address comes from staged bytes and is only read through
 * view_read().
 * Threads: save_value.h. */
#include <errno.h>

#include "server/data/db/save_value.h"

/* All tables have one kind of root (ltable.h). */
LT_DEFINE(table, const);

struct table_walk {
    struct save_work *work;
    save_entry_fn *save_entry;
    uint64_t entries; /* written */
};

static int
save_entries(struct table_walk *w, const struct lt_bucket *staged)
{
    int r;

    for (unsigned i = 0; i < lt_count(staged); i++)
        if ((r = w->save_entry(w->work, lt_entry(staged->slot[i]))) != 0)
            return r;
    w->entries += lt_count(staged);
    return 0;
}

/* save_chain: a staged bucket, and its children one by one; of a junction, both sides.  Recursion
 * goes as deep as hashes have bits. */
static int
save_chain(struct table_walk *w, const struct lt_bucket *staged, unsigned depth)
{
    struct lt_bucket child;
    int r;

    if (unlikely(lt_is_junction(staged))) {
        if (depth == LT_HASH_BITS)
            return -EBADMSG; /* LT7 */
        for (unsigned side = 0; side < 2; side++) {
            if ((r = view_read(w->work->view, &child, lt_side(staged, side), sizeof child)) != 0 ||
                (r = save_chain(w, &child, depth + 1)) != 0)
                return r;
        }
        return 0;
    }
    r = save_entries(w, staged);

    while (r == 0 && lt_has_child(staged)) {
        r = view_read(w->work->view, &child, lt_child(staged), sizeof child);
        if (r == 0)
            r = save_entries(w, &child);
        staged = &child;
    }
    return r;
}

/* save_segment: the first `count` buckets of one. */
static int
save_segment(struct table_walk *w, const struct lt_bucket *live, uint64_t count)
{
    int r;

    for (uint64_t done = 0; done < count;) {
        uint64_t n = count - done < SAVE_BUCKETS ? count - done : SAVE_BUCKETS;

        if ((r = view_read(w->work->view, w->work->buckets, live + done, n * sizeof *live)) != 0)
            return r;
        for (uint64_t i = 0; i < n; i++)
            if ((r = save_chain(w, &w->work->buckets[i], 0)) != 0)
                return r;
        done += n;
        if ((r = save_breath(w->work)) != 0)
            return r;
    }
    return 0;
}

static int
save_whole(struct table_walk *w, const void *live)
{
    struct save_work *work = w->work;
    struct table root;
    int r;

    if ((r = view_read(work->view, &root, live, sizeof root)) != 0)
        return r;
    rdb_put_len(work->enc, root.count);
    for (uint64_t done = 0; done < root.buckets;) {
        unsigned s = lt_segment_of(done);
        uint64_t n = lt_segment_buckets(s) < root.buckets - done ? lt_segment_buckets(s)
                                                                 : root.buckets - done;

        if ((r = save_segment(w, root.segment[s], n)) != 0)
            return r;
        done += n;
    }
    return w->entries == root.count ? 0
                                    /* else a rule is broken: better no file than a wrong one */
                                    : -EBADMSG;
}

int
save_table(struct save_work *work, const void *live, save_entry_fn *save_entry)
{
    return save_whole(&(struct table_walk){.work = work, .save_entry = save_entry}, live);
}
