/* server/data/db/save_listpack.c - a listpack that the RDB version has no type for: entry by entry,
 * read through the view a window at a time.
 * Threads: save_value.h. */
#include <errno.h>

#include "server/data/db/save_value.h"
#include "snapshot/rdb/listpack.h"

enum { HEAD_BYTES = 5 /* of the longest head of an entry */ };

/* A window on the blob: the work's buffer holds [at, at + bytes). */
struct window {
    struct save_work *work;
    const struct save_item *item;
    size_t blob_bytes, at, bytes;
};

/* look: n bytes from `at` on, as far as the blob and the buffer go. */
static int
look(struct window *w, size_t at, size_t n, const uint8_t **ret)
{
    int r;

    if (n > w->blob_bytes - at)
        n = w->blob_bytes - at;
    if (n > SAVE_BUFFER_BYTES)
        n = SAVE_BUFFER_BYTES;
    if (at < w->at || at + n > w->at + w->bytes) {
        w->at = at;
        w->bytes = w->blob_bytes - at < SAVE_BUFFER_BYTES ? w->blob_bytes - at : SAVE_BUFFER_BYTES;
        if ((r = save_read_blob(w->work, w->item, at, w->work->buffer, w->bytes)) != 0 ||
            (r = save_breath(w->work)) != 0)
            return r;
    }
    *ret = w->work->buffer + (at - w->at);
    return 0;
}

/* save_long: an entry longer than the buffer: a string, whose bytes lie behind its head. */
static int
save_long(struct window *w, size_t at, const uint8_t *entry, const struct lp_elem *e)
{
    struct slice blob = record_blob(w->item->rec);
    const char *live = record_encoding(w->item->rec) == ENC_OUTER
                           ? blob.ptr
                           : w->item->live + (blob.ptr - (const char *)w->item->rec);

    w->bytes = 0; /* save_string() uses the buffer */
    return save_string(w->work, live + at + (size_t)(e->bytes - entry), e->len, true);
}

/* save_entry: the one at `at`, `size` bytes long. */
static int
save_entry(struct window *w, size_t at, size_t size)
{
    const uint8_t *entry;
    struct lp_elem e;
    int r;

    if ((r = look(w, at, size, &entry)) != 0)
        return r;
    lp_get(entry, 0, &e);
    if (size > w->at + w->bytes - at)
        return save_long(w, at, entry, &e);
    if (e.bytes == NULL)
        rdb_put_int_string(w->work->enc, e.value);
    else
        rdb_put_string(w->work->enc, e.bytes, e.len);
    return 0;
}

/* walk: through all entries, saving them or not; *ret_count: their number. */
static int
walk(struct window *w, bool saves, uint32_t *ret_count)
{
    size_t at = LP_HEADER_BYTES;
    const uint8_t *entry;
    int r;

    for (*ret_count = 0;; ++*ret_count) {
        size_t size;

        if ((r = look(w, at, HEAD_BYTES, &entry)) != 0)
            return r;
        if (*entry == LP_END)
            return 0;
        size = lp_entry_size(entry);
        if (size >= w->blob_bytes - at)
            return -EBADMSG;
        if (saves && (r = save_entry(w, at, size)) != 0)
            return r;
        at += size;
    }
}

int
save_entries_of_listpack(struct save_work *work, const struct save_item *s)
{
    struct window w = {.work = work, .item = s, .blob_bytes = record_blob(s->rec).len};
    uint32_t count, written;
    const uint8_t *head;
    int r;

    if ((r = look(&w, 0, LP_EMPTY_BYTES, &head)) != 0)
        return r;
    count = lp_header_count(head);
    if (count == LP_COUNT_UNKNOWN && (r = walk(&w, false, &count)) != 0)
        return r;
    rdb_put_len(work->enc, count);
    if ((r = walk(&w, true, &written)) != 0)
        return r;
    return written == count ? 0 : -EBADMSG; /* better no file than a wrong one */
}
