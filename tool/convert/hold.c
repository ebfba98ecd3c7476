/* tool/convert/hold.c - bytes that wait, in memory or on disk. */
#include "tool/convert/hold.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "tool/base/spill.h"

static int
hold_write(struct sink *s, const void *bytes, size_t len)
{
    struct hold *st = (struct hold *)s;

    if (st->fd < 0) {
        int fd = tool_spill_open();

        if (fd < 0)
            return sink_fail(s, fd, "temporary file");
        st->fd = fd;
    }
    return tool_spill_write(st->fd, bytes, len, s->put_bytes);
}

static int
hold_commit(struct sink *s)
{
    (void)s;
    return 0;
}

static void
hold_end(struct sink *s)
{
    hold_close((struct hold *)s);
}

static const struct sink_ops hold_ops = {hold_write, hold_commit, hold_end};

int
hold_open(struct hold *s)
{
    *s = (struct hold){.fd = -1};
    s->sink.ops = &hold_ops;
    s->sink.capacity_bytes = HOLD_BYTES;
    s->sink.buf = malloc(HOLD_BYTES);
    return s->sink.buf == NULL ? -ENOMEM : 0;
}

void
hold_close(struct hold *s)
{
    if (s->fd >= 0)
        (void)close(s->fd); /* nobody reads it any more */
    s->fd = -1;
    free(s->sink.buf);
    s->sink.buf = NULL;
}

void
hold_clear(struct hold *s)
{
    /* a large file goes at once: the disk's room is somebody's */
    if (s->fd >= 0 && ftruncate(s->fd, 0) < 0)
        sink_fail(&s->sink, -errno, "temporary file");
    s->sink.put_bytes = s->sink.fill = 0;
}

int
hold_read(struct hold *s, uint64_t offset, void *dst, size_t n)
{
    uint64_t written = s->sink.put_bytes;
    size_t there = 0;
    int r;

    if (sink_error(&s->sink) < 0)
        return sink_error(&s->sink);
    must(offset + n <= hold_bytes(s));
    if (offset < written) {
        there = written - offset < n ? (size_t)(written - offset) : n;
        if ((r = tool_spill_read(s->fd, dst, there, offset)) < 0)
            return r;
    }
    if (n > there)
        memcpy((uint8_t *)dst + there, s->sink.buf + (offset + there - written), n - there);
    return 0;
}

int
hold_copy(struct hold *s, uint64_t offset, uint64_t len, struct sink *to)
{
    enum { PIECE_BYTES = 64 * 1024 };
    uint8_t piece[PIECE_BYTES];
    int r;

    if (sink_error(&s->sink) < 0)
        return sink_error(&s->sink);
    if (offset >= s->sink.put_bytes && len > 0) { /* all of it is in memory */
        sink_put(to, s->sink.buf + (offset - s->sink.put_bytes), (size_t)len);
        return 0;
    }
    while (len > 0) {
        size_t n = len < PIECE_BYTES ? (size_t)len : PIECE_BYTES;

        if ((r = hold_read(s, offset, piece, n)) < 0)
            return r;
        sink_put(to, piece, n);
        offset += n;
        len -= n;
    }
    return 0;
}

int
hold_copy_all(struct hold *s, struct sink *to)
{
    int r = hold_copy(s, 0, hold_bytes(s), to);

    hold_clear(s);
    return r;
}
