/* server/data/db/save_listpack.c - a listpack that the RDB version has no type for: entry by entry,
 * read through the view a window at a time.
 * Threads: save_value.h. */
#include <errno.h>

#include "mm/base/real.h"
#include "server/data/db/save_value.h"
#include "snapshot/rdb/listpack.h"

enum { HEAD_BYTES = 5 /* of the longest head of an entry */ };

/* A window on the listpack: the work's buffer holds [at, at + bytes) of it. */
struct window {
    struct save_work *work;
    const struct save_item *item; /* the listpack is its blob; NULL: it only lives somewhere */
    const char *live;
    enum save_entries as;
    size_t total, at, bytes;
};

static int
read_window(struct window *w)
{
    if (w->item != NULL)
        return save_read_blob(w->work, w->item, w->at, w->work->buffer, w->bytes);
    return view_read(w->work->view, w->work->buffer, w->live + w->at, w->bytes);
}

/* look: n bytes from `at` on, as far as the listpack and the buffer go. */
static int
look(struct window *w, size_t at, size_t n, const uint8_t **ret)
{
    int r;

    if (n > w->total - at)
        n = w->total - at;
    if (n > SAVE_BUFFER_BYTES)
        n = SAVE_BUFFER_BYTES;
    if (at < w->at || at + n > w->at + w->bytes) {
        w->at = at;
        w->bytes = w->total - at < SAVE_BUFFER_BYTES ? w->total - at : SAVE_BUFFER_BYTES;
        if ((r = read_window(w)) != 0 || (r = save_breath(w->work)) != 0)
            return r;
    }
    *ret = w->work->buffer + (at - w->at);
    return 0;
}

/* save_long: an entry longer than the buffer: a string, whose bytes lie behind its head. */
static int
save_long(struct window *w, size_t at, const uint8_t *entry, const struct lp_elem *e)
{
    w->bytes = 0; /* save_string() uses the buffer */
    return save_string(w->work, w->live + at + (size_t)(e->bytes - entry), e->len, true);
}

/* save_score: a score stands as an integer or as text.  -EBADMSG: it is none. */
static int
save_score(struct save_work *w, const struct lp_elem *e)
{
    double score = 0;

    if (e->bytes == NULL)
        score = (double)e->value;
    else if (!real_parse((const char *)e->bytes, e->len, &score))
        return -EBADMSG;
    rdb_put_double(w->enc, score);
    return 0;
}

/* save_entry: the one at `at`, `size` bytes long, number `i`. */
static int
save_entry(struct window *w, size_t at, size_t size, uint32_t i)
{
    const uint8_t *entry;
    struct lp_elem e;
    int r;

    if ((r = look(w, at, size, &entry)) != 0)
        return r;
    lp_get(entry, 0, &e);
    if (size > w->at + w->bytes - at)
        return save_long(w, at, entry, &e);
    if (w->as == SAVE_SCORED && i % 2 == 1)
        return save_score(w->work, &e);
    if (e.bytes == NULL)
        rdb_put_int_string(w->work->enc, e.value);
    else
        rdb_put_string(w->work->enc, e.bytes, e.len);
    return 0;
}

/* walk: through all entries from `at` on, saving them or not; *ret_count: their number. */
static int
walk(struct window *w, size_t at, bool saves, uint32_t *ret_count)
{
    const uint8_t *entry;
    int r;

    for (*ret_count = 0; at < w->total; ++*ret_count) {
        size_t size;

        if ((r = look(w, at, HEAD_BYTES, &entry)) != 0)
            return r;
        size = lp_entry_size(entry);
        if (*entry == LP_END || size > w->total - at)
            return -EBADMSG;
        if (saves && (r = save_entry(w, at, size, *ret_count)) != 0)
            return r;
        at += size;
    }
    return 0;
}

int
save_each_entry(struct save_work *work, const char *live, size_t bytes, uint32_t *ret_count)
{
    struct window w = {.work = work, .live = live, .as = SAVE_SINGLE, .total = bytes};

    return walk(&w, 0, true, ret_count);
}

int
save_entries_of_listpack(struct save_work *work, const struct save_item *s, enum save_entries as)
{
    struct slice blob = record_blob(s->rec);
    const char *live = record_encoding(s->rec) == ENC_OUTER
                           ? blob.ptr
                           : s->live + (blob.ptr - (const char *)s->rec);
    struct window w = {.work = work, .item = s, .live = live, .as = as, .total = blob.len};
    uint32_t each = as == SAVE_SINGLE ? 1 : 2, count, written;
    const uint8_t *head;
    int r;

    if ((r = look(&w, 0, LP_EMPTY_BYTES, &head)) != 0)
        return r;
    count = lp_header_count(head);
    w.total--; /* the end's mark is no entry */
    if (count == LP_COUNT_UNKNOWN && (r = walk(&w, LP_HEADER_BYTES, false, &count)) != 0)
        return r;
    rdb_put_len(work->enc, count / each);
    if ((r = walk(&w, LP_HEADER_BYTES, true, &written)) != 0)
        return r;
    /* better no file than a wrong one */
    return written == count && count % each == 0 ? 0 : -EBADMSG;
}
