/* server/data/db/save_table.c - a table of pairs or of members (a large hash or set), read through
 * the view: root, then bucket after bucket, each with its entries. Nothing here follows a live
 * pointer: every address comes from staged bytes and is only read through view_read().
 * Threads: save_impl.h. */
#include <errno.h>

#include "server/data/db/save_impl.h"
#include "server/data/hash/htable.h"
#include "server/data/set/mtable.h"

/* Both tables have the same root and buckets (ltable.h); save_entry: what one of their entries
 * is. */
_Static_assert(sizeof(struct htable) == sizeof(struct mtable), "LT_DEFINE");
struct table_walk {
    struct save_work *work;
    int (*save_entry)(struct save_work *work, const void *live);
    uint64_t entries; /* written */
};

/* save_pair: a small pair is staged with one read more; of a large one field and value are read on
 * their own. */
static int
save_pair(struct save_work *work, const void *entry)
{
    const struct pair *live = entry;
    struct pair head;
    size_t bytes;
    int r;

    if ((r = view_read(work->view, &head, live, sizeof head)) != 0)
        return r;
    bytes = (size_t)head.field_len + head.value_len;
    if (bytes > SAVE_BUFFER_BYTES) {
        if ((r = save_string(work, live->bytes, head.field_len, true)) != 0)
            return r;
        return save_string(work, live->bytes + head.field_len, head.value_len, true);
    }
    if ((r = view_read(work->view, work->buffer, live->bytes, bytes)) != 0)
        return r;
    rdb_put_string(work->enc, work->buffer, head.field_len);
    rdb_put_string(work->enc, work->buffer + head.field_len, head.value_len);
    return 0;
}

/* save_member: a short one is staged with one read: its first bytes say how many more. */
static int
save_member(struct save_work *work, const void *live)
{
    enum { FIRST_BYTES = 16 }; /* no block is smaller */
    struct slice text;
    size_t head;
    int r;

    if ((r = view_read(work->view, work->buffer, live, FIRST_BYTES)) != 0)
        return r;
    text = member_text(work->buffer);
    head = (size_t)((const uint8_t *)text.ptr - work->buffer);
    if (head + text.len > FIRST_BYTES)
        return save_string(work, (const char *)live + head, text.len, true);
    rdb_put_string(work->enc, text.ptr, text.len);
    return 0;
}

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
    struct htable root;
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
save_table(struct save_work *work, const struct htable *live)
{
    return save_whole(&(struct table_walk){.work = work, .save_entry = save_pair}, live);
}

int
save_members(struct save_work *work, const struct mtable *live)
{
    return save_whole(&(struct table_walk){.work = work, .save_entry = save_member}, live);
}
