/* snapshot/rdb/sink_socket.c - a sink whose bytes go to sockets.  The contract is in
 * sink_socket.h. */
#include "snapshot/rdb/sink_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "mm/base/fault.h"
#include "mm/base/must.h"
#include "mm/base/os.h"
#include "mm/base/spare.h"

/* How long a cancel, or memory that runs short, may go unnoticed. */
enum { LOOK_MS = 50 };

struct sink_socket {
    struct sink sink; /* first: a sink of this kind is one */
    struct sink_socket_options o;
    bool has_begun; /* the head was sent */
};

/* send_some: what the socket takes.  0, or -errno: it is the reader's end. */
static int
send_some(struct sink_reader *r, const uint8_t *bytes, size_t len, int64_t now_us)
{
    while (r->done < len) {
        ssize_t n = fault_point(FAULT_copy_send)
                        ? (errno = ECONNRESET, -1)
                        : send(r->fd, bytes + r->done, len - r->done, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
        r->done += (size_t)n;
        r->progress_us = now_us;
    }
    return 0;
}

/* find_slow: those that are to be dropped, of the `count` that were waited for. */
static void
find_slow(const struct sink_socket *s, struct sink_reader *const *waiting, unsigned count,
          int64_t waited_us, int64_t now_us)
{
    bool is_short =
        s->o.is_short != NULL && atomic_load_explicit(s->o.is_short, memory_order_relaxed);

    for (unsigned i = 0; i < count; i++) {
        struct sink_reader *r = waiting[i];

        if (is_short && (r->patience_us -= waited_us) <= 0)
            r->error = -EDQUOT;
        else if (now_us - r->progress_us >= s->o.timeout_us)
            r->error = -ETIMEDOUT;
    }
}

/* wait_for: until one of them takes more, or it is time to look. */
static void
wait_for(const struct sink_socket *s, struct sink_reader *const *waiting, unsigned count)
{
    struct pollfd p[SINK_READERS_MAX];
    int64_t begin_us = os_monotonic_us(), now_us;

    for (unsigned i = 0; i < count; i++)
        p[i] = (struct pollfd){.fd = waiting[i]->fd, .events = POLLOUT};
    (void)poll(p, count, LOOK_MS);
    now_us = os_monotonic_us();
    find_slow(s, waiting, count, now_us - begin_us, now_us);
}

/* send_round: what each socket takes at this moment.  How many have not taken all of it: those are
 * in `waiting`. */
static unsigned
send_round(struct sink_socket *s, const uint8_t *bytes, size_t len, struct sink_reader **waiting)
{
    int64_t now_us = os_monotonic_us();
    unsigned count = 0;

    for (unsigned i = 0; i < s->o.count; i++) {
        struct sink_reader *r = &s->o.readers[i];

        if (r->error == 0)
            r->error = send_some(r, bytes, len, now_us);
        if (r->error == 0 && r->done < len)
            waiting[count++] = r;
    }
    return count;
}

/* end_piece: 0, or the error of the last one that was dropped, if all were. */
static int
end_piece(const struct sink_socket *s)
{
    int error = 0;
    bool is_one_left = false;

    for (unsigned i = 0; i < s->o.count; i++) {
        struct sink_reader *r = &s->o.readers[i];

        r->done = 0;
        is_one_left |= r->error == 0;
        if (r->error != 0)
            error = r->error;
    }
    return is_one_left ? 0 : error;
}

static int
send_all(struct sink_socket *s, const void *bytes, size_t len)
{
    struct sink_reader *waiting[SINK_READERS_MAX];
    int64_t now_us = os_monotonic_us();
    unsigned count;

    /* Only what a reader lets wait counts: not how long it took until there was a piece. */
    for (unsigned i = 0; i < s->o.count; i++)
        s->o.readers[i].progress_us = now_us;
    while ((count = send_round(s, bytes, len, waiting)) > 0) {
        if (s->sink.cancel != NULL && atomic_load_explicit(s->sink.cancel, memory_order_acquire))
            return -ECANCELED;
        wait_for(s, waiting, count);
    }
    return end_piece(s);
}

static int
send_text(struct sink_socket *s, const char *text)
{
    return text[0] == '\0' ? 0 : send_all(s, text, strlen(text));
}

/* begin: the head, once. */
static int
begin(struct sink_socket *s)
{
    if (s->has_begun)
        return 0;
    s->has_begun = true;
    return send_text(s, s->o.head);
}

static int
socket_write(struct sink *sink, const void *bytes, size_t len)
{
    struct sink_socket *s = (struct sink_socket *)sink;
    int r;

    if ((r = begin(s)) < 0 || (r = send_all(s, bytes, len)) < 0)
        sink_fail(sink, r, "send");
    return r;
}

static int
socket_commit(struct sink *sink)
{
    struct sink_socket *s = (struct sink_socket *)sink;
    int r;

    if ((r = begin(s)) < 0 || (r = send_text(s, s->o.tail)) < 0)
        sink_fail(sink, r, "send");
    return r;
}

static void
socket_close(struct sink *sink)
{
    spare_give(sink->buf, SINK_BUFFER_BYTES);
    free(sink);
}

static const struct sink_ops socket_ops = {socket_write, socket_commit, socket_close};

int
sink_socket_open(const struct sink_socket_options *o, struct sink **ret)
{
    struct sink_socket *s = fault_point(FAULT_sink_buffer) ? NULL : calloc(1, sizeof *s);

    must(o->count > 0 && o->count <= SINK_READERS_MAX);
    if (s == NULL)
        return -ENOMEM;
    if ((s->sink.buf = spare_take(SINK_BUFFER_BYTES)) == NULL) {
        free(s);
        return -ENOMEM;
    }
    s->sink.ops = &socket_ops;
    s->sink.capacity_bytes = SINK_BUFFER_BYTES;
    s->o = *o;
    for (unsigned i = 0; i < o->count; i++) {
        o->readers[i].error = 0;
        o->readers[i].done = 0;
        o->readers[i].patience_us = o->patience_us;
    }
    *ret = &s->sink;
    return 0;
}
