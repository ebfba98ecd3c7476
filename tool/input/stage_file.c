/* tool/input/stage_file.c - the lowest stage: a regular file by offsets, or a pipe as it comes. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mm/base/fault.h"
#include "tool/input/stage_impl.h"

struct file {
    struct stage stage; /* first */
    int fd;
    const struct stage_waits *waits;
    uint64_t from, size; /* size STAGE_STREAM: it is one */
    uint64_t at;         /* bytes given */
    struct stage_head head;
};

/* wait_for: until there is something to read, or nobody wants to wait. */
static int
wait_for(const struct file *f)
{
    struct pollfd p[2] = {{.fd = f->fd, .events = POLLIN},
                          {.fd = f->waits->wake_fd, .events = POLLIN}};

    for (;;) {
        if (poll(p, 2, f->waits->no_wait ? 0 : -1) < 0) {
            if (errno != EINTR)
                return -errno;
            continue;
        }
        if (p[1].revents != 0)
            return -ECANCELED;
        if (p[0].revents != 0)
            return 0;
        if (f->waits->no_wait)
            return -EAGAIN;
    }
}

/* read_stream: the bytes that were read before, then what comes. */
static int
read_stream(struct file *f, uint8_t *dst, size_t room, size_t *ret_got)
{
    ssize_t n;
    int r;

    if (f->at < f->head.len) {
        *ret_got = f->head.len - f->at < room ? f->head.len - (size_t)f->at : room;
        memcpy(dst, f->head.bytes + f->at, *ret_got);
        return 0;
    }
    do {
        if ((r = wait_for(f)) != 0)
            return r;
        n = fault_point(FAULT_load_read) ? (errno = EIO, -1) : read(f->fd, dst, room);
    } while (n < 0 && (errno == EINTR || errno == EAGAIN));
    *ret_got = n < 0 ? 0 : (size_t)n;
    return n < 0 ? -errno : 0;
}

/* read_regular: what was appended since the file was opened is not ours. */
static int
read_regular(struct file *f, uint8_t *dst, size_t room, size_t *ret_got)
{
    uint64_t left = f->size - f->at;
    ssize_t n;

    do {
        n = fault_point(FAULT_load_read)
                ? (errno = EIO, -1)
                : pread(f->fd, dst, left < room ? (size_t)left : room, (off_t)(f->from + f->at));
    } while (n < 0 && errno == EINTR);
    *ret_got = n < 0 ? 0 : (size_t)n;
    return n < 0 ? -errno : 0;
}

static int
file_read(struct stage *s, uint8_t *dst, size_t room, size_t *ret_got)
{
    struct file *f = (struct file *)s;
    int r = f->size == STAGE_STREAM ? read_stream(f, dst, room, ret_got)
                                    : read_regular(f, dst, room, ret_got);

    f->at += *ret_got;
    return r;
}

static uint64_t
file_place(const struct stage *s)
{
    return ((const struct file *)s)->at;
}

struct stage *
stage_file(int fd, uint64_t from, uint64_t size, const struct stage_head *head,
           const struct stage_waits *waits)
{
    struct file *f = calloc(1, sizeof *f);

    if (f == NULL)
        return NULL;
    f->stage = (struct stage){.read = file_read, .place = file_place};
    f->fd = fd;
    f->waits = waits;
    f->from = from;
    f->size = size;
    f->head = *head;
    return &f->stage;
}
