/* tool/convert/sink_fd.c - a descriptor as a sink. */
#include "tool/convert/sink_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { WRITEOUT_BYTES = 16 << 20 };

struct sink_fd {
    struct sink sink; /* first: a sink of this kind is one */
    int fd;           /* [borrowed] */
    bool is_file;
    uint64_t written, started; /* bytes; their way to the disk has begun */
};

static int
fd_write(struct sink *s, const void *bytes, size_t len)
{
    struct sink_fd *f = (struct sink_fd *)s;
    const uint8_t *p = bytes;

    while (len > 0) {
        ssize_t n = write(f->fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        p += n;
        len -= (size_t)n;
        f->written += (uint64_t)n;
    }
    if (f->is_file && f->written - f->started >= WRITEOUT_BYTES) {
        /* a hint: what goes wrong with it, fsync() says */
        (void)sync_file_range(f->fd, (off64_t)f->started, (off64_t)(f->written - f->started),
                              SYNC_FILE_RANGE_WRITE);
        f->started = f->written;
    }
    return 0;
}

static int
fd_commit(struct sink *s)
{
    struct sink_fd *f = (struct sink_fd *)s;

    if (f->is_file && fsync(f->fd) < 0)
        return sink_fail(s, -errno, "fsync");
    return 0;
}

static void
fd_close(struct sink *s)
{
    free(s->buf);
    free(s);
}

static const struct sink_ops fd_ops = {fd_write, fd_commit, fd_close};

int
sink_fd_open(int fd, bool is_file, struct sink **ret)
{
    struct sink_fd *f = calloc(1, sizeof *f);

    if (f == NULL)
        return -ENOMEM;
    if ((f->sink.buf = malloc(SINK_BUFFER_BYTES)) == NULL) {
        free(f);
        return -ENOMEM;
    }
    f->sink.ops = &fd_ops;
    f->sink.capacity_bytes = SINK_BUFFER_BYTES;
    f->fd = fd;
    f->is_file = is_file;
    *ret = &f->sink;
    return 0;
}
