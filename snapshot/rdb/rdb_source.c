/* snapshot/rdb/rdb_source.c - where the decoder's bytes come from.  Contracts: rdb_dec.h,
 * rdb_source_impl.h. */
#include "snapshot/rdb/rdb_source_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mm/base/crc64.h"
#include "mm/base/fault.h"

/* open_regular: a descriptor of a regular file, and its size; or -errno. */
static int
open_regular(const char *path, uint64_t *ret_size)
{
    struct stat st;
    int fd, r;

    if (fault_point(FAULT_load_open))
        return -EACCES;
    if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) <
        0) /* a FIFO is refused below, not waited for */
        return -errno;
    r = fstat(fd, &st) < 0    ? -errno
        : S_ISDIR(st.st_mode) ? -EISDIR
        : S_ISREG(st.st_mode) ? 0
                              : -ESPIPE;
    if (r < 0) {
        close(fd);
        return r;
    }
    *ret_size = (uint64_t)st.st_size;
    return fd;
}

static struct rdb_source *
new_source(void)
{
    return fault_point(FAULT_load_alloc) ? NULL : calloc(1, sizeof(struct rdb_source));
}

int
rdb_source_file(const char *path, struct rdb_source **ret)
{
    struct rdb_source *s = new_source();
    int r = -ENOMEM;

    if (s == NULL)
        return -ENOMEM;
    if (!fault_point(FAULT_load_alloc))
        s->buf = malloc(SOURCE_BUFFER_BYTES);
    if (s->buf == NULL || (r = open_regular(path, &s->size)) < 0) {
        free(s->buf);
        free(s);
        return r;
    }
    s->fd = r;
    s->data = s->buf;
    s->is_counted = true;
    *ret = s;
    return 0;
}

int
rdb_source_memory(const void *bytes, size_t len, struct rdb_source **ret)
{
    struct rdb_source *s = new_source();

    if (s == NULL)
        return -ENOMEM;
    s->fd = -1;
    s->data = bytes;
    s->end = s->size = len;
    s->is_counted = true;
    *ret = s;
    return 0;
}

void
rdb_source_close(struct rdb_source *s)
{
    if (s->fd >= 0)
        close(s->fd);
    if (s->reader != NULL && s->reader->close != NULL)
        s->reader->close(s->reader_ctx);
    frame_free(s->frame);
    free(s->buf);
    free(s);
}

uint64_t
rdb_source_offset(const struct rdb_source *s)
{
    return s->base + s->at;
}

uint64_t
rdb_source_consumed(const struct rdb_source *s)
{
    if (s->frame != NULL)
        return frame_consumed(s);
    return s->is_packed ? reader_consumed(s) : rdb_source_offset(s);
}

bool
rdb_source_is_packed(const struct rdb_source *s)
{
    return s->is_packed;
}

uint64_t
rdb_source_size(const struct rdb_source *s)
{
    return s->size;
}

const char *
source_wrong(const struct rdb_source *s)
{
    return s->reader != NULL ? reader_wrong(s) : s->frame != NULL ? frame_wrong(s->frame) : NULL;
}

uint64_t
source_most_left(const struct rdb_source *s)
{
    enum { ANY = 62 }; /* bits: so that nothing that is added to it overflows */

    return s->frame != NULL ? frame_most_left(s) : (uint64_t)1 << ANY;
}

void
source_move(struct rdb_source *s, uint64_t offset)
{
    debug_check(rdb_source_offset(s) == 0);
    s->base += offset;
    if (s->size > 0)
        s->size += offset;
}

uint64_t
source_crc(struct rdb_source *s)
{
    if (s->with_crc)
        s->crc = crc64(s->crc, s->data + s->crc_at, s->at - s->crc_at);
    s->crc_at = s->at;
    return s->crc;
}

static ssize_t
read_once(int fd, uint8_t *dst, size_t len)
{
    if (fault_point(FAULT_load_read)) {
        errno = EIO;
        return -1;
    }
    return read(fd, dst, len);
}

ssize_t
source_read(struct rdb_source *s, uint8_t *dst, size_t room, uint64_t from)
{
    uint64_t unread = s->size - from; /* what was appended since the file was opened is not ours */
    ssize_t got;

    debug_check(from <= s->size);
    if (s->fd < 0)
        return 0;
    do {
        got = read_once(s->fd, dst, unread < room ? (size_t)unread : room);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

static int
file_fill(struct rdb_source *s, size_t n)
{
    while (s->end < n) {
        ssize_t got =
            source_read(s, s->buf + s->end, SOURCE_BUFFER_BYTES - s->end, s->base + s->end);

        if (got <= 0)
            return got == 0 ? -ENODATA : (int)got;
        s->end += (size_t)got;
        debug_check(s->base + s->end <= s->size);
    }
    return 0;
}

int
source_fill(struct rdb_source *s, size_t n)
{
    size_t ready = source_ready(s);

    debug_check(ready < n); /* source_need() asks for what is missing only */
    if (s->buf == NULL)
        return -ENODATA;
    must(n <= SOURCE_BUFFER_BYTES);
    source_crc(s);
    if (s->reader != NULL)
        return reader_fill(s, n);
    memmove(s->buf, s->buf + s->at, ready);
    s->base += s->at;
    s->at = s->crc_at = 0;
    s->end = ready;
    return s->frame != NULL ? frame_fill(s, n) : file_fill(s, n);
}
