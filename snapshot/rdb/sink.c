/* snapshot/rdb/sink.c - what all sinks share: the buffer, the checksum, the sticky error.  The
 * contract is in sink.h. */
#include "snapshot/rdb/sink.h"

#include "mm/base/crc64.h"
#include "mm/base/must.h"

/* so much at a time: its checksum first, then the medium, while the bytes are still at hand */
enum { PASSED_BYTES = 4 << 20 };

int
sink_fail(struct sink *s, int error, const char *step)
{
    must(error < 0 && step != NULL);
    if (s->error == 0) {
        s->error = error;
        s->failed_step = step;
    }
    return error;
}

/* pass_on: bytes to the medium, past the buffer, which is empty or is what is passed. */
static void
pass_on(struct sink *s, const void *bytes, size_t len)
{
    int r;

    if (s->error != 0)
        return;
    must(len > 0);
    if (s->with_crc)
        s->crc = crc64(s->crc, bytes, len);
    if ((r = s->ops->write(s, bytes, len)) < 0)
        sink_fail(s, r, "write"); /* unless the medium named a step of its own */
    else
        s->put_bytes += len;
}

int
sink_flush(struct sink *s)
{
    if (s->fill > 0)
        pass_on(s, s->buf, s->fill);
    s->fill = 0;
    return s->error;
}

void
sink_pass(struct sink *s, const void *bytes, size_t len)
{
    debug_check(!s->is_committed);
    if (sink_flush(s) == 0 && len > 0)
        pass_on(s, bytes, len);
}

void
sink_put_slow(struct sink *s, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    const size_t capacity = s->capacity_bytes;
    size_t room = capacity - s->fill;

    must(capacity > 0); /* a sink from one of the sink_*_open() */
    debug_check(!s->is_committed);
    if (room > len)
        room = len;
    memcpy(s->buf + s->fill, p, room); /* whole buffers: the medium sees even sizes */
    s->fill += room;
    p += room;
    len -= room;
    if (s->fill == capacity)
        sink_flush(s);
    while (len >= capacity) {
        size_t most = len < PASSED_BYTES || capacity > PASSED_BYTES ? len : PASSED_BYTES,
               whole = most - most % capacity;

        pass_on(s, p, whole);
        p += whole;
        len -= whole;
    }
    memcpy(s->buf + s->fill, p, len);
    s->fill += len;
}

uint64_t
sink_crc(const struct sink *s)
{
    return s->with_crc ? crc64(s->crc, s->buf, s->fill) : 0;
}

int
sink_commit(struct sink *s)
{
    int r;

    must(!s->is_committed); /* N4: no failed step is tried again */
    s->is_committed = true;
    if (sink_flush(s) < 0)
        return s->error;
    if ((r = s->ops->commit(s)) < 0)
        sink_fail(s, r, "commit");
    return r;
}

void
sink_close(struct sink *s)
{
    s->ops->close(s);
}
