/* snapshot/rdb/rdb_source_reader.c - a source whose bytes somebody else reads: a pipe, or what a
 * thread unpacks ahead.  Contracts: rdb_dec.h, rdb_source_impl.h.
 *
 *     old stretch  [ consumed | left ]     left --> buf, then next()
 *     new stretch  [ headroom  left | new bytes ]     buf --> what stands before it
 *
 * What is left is copied twice, since the old stretch is the reader's again as soon as he reads on;
 * it is little: all else is looked at where he has put it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/fault.h"
#include "snapshot/rdb/rdb_source_impl.h"

_Static_assert((int)RDB_READER_HEADROOM >= (int)SOURCE_BUFFER_BYTES,
               "what is left fits before a stretch");

int
rdb_source_reader(const struct rdb_reader *reader, void *ctx, uint64_t size, bool is_packed,
                  bool has_sums, struct rdb_source **ret)
{
    struct rdb_source *s = fault_point(FAULT_load_alloc) ? NULL : calloc(1, sizeof *s);

    if (s == NULL)
        return -ENOMEM;
    s->buf = fault_point(FAULT_load_alloc) ? NULL : malloc(SOURCE_BUFFER_BYTES);
    if (s->buf == NULL) {
        free(s);
        return -ENOMEM;
    }
    s->fd = -1;
    s->data = s->buf;
    s->size = size;
    s->reader = reader;
    s->reader_ctx = ctx;
    s->is_packed = is_packed;
    s->is_counted = size > 0 && !is_packed;
    s->has_sums = has_sums;
    *ret = s;
    return 0;
}

/* put_aside: what is left of the stretch, which the reader may take back now. */
static void
put_aside(struct rdb_source *s)
{
    size_t left = source_ready(s);

    memmove(s->buf, s->data + s->at, left);
    s->data = s->buf;
    s->base += s->at;
    s->at = s->crc_at = 0;
    s->end = left;
}

int
reader_fill(struct rdb_source *s, size_t n)
{
    while (source_ready(s) < n) {
        uint8_t *more = NULL;
        size_t len = 0;
        int r = 0;

        put_aside(s);
        if (!s->has_ended && (r = s->reader->next(s->reader_ctx, &more, &len)) != 0)
            return r;
        if (len == 0) {
            s->has_ended = true;
            return -ENODATA;
        }
        memcpy(more - s->end, s->buf, s->end);
        s->data = more - s->end;
        s->end += len;
        if (s->base + s->end > s->size) /* longer than it was when somebody looked */
            s->size = s->is_counted ? s->base + s->end : s->size;
    }
    return 0;
}

const char *
reader_wrong(const struct rdb_source *s)
{
    return s->reader->wrong != NULL ? s->reader->wrong(s->reader_ctx) : NULL;
}

uint64_t
reader_consumed(const struct rdb_source *s)
{
    return s->reader->consumed != NULL ? s->reader->consumed(s->reader_ctx) : rdb_source_offset(s);
}
