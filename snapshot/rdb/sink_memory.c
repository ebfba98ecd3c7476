/* snapshot/rdb/sink_memory.c - a sink that collects into memory. */
#include "snapshot/rdb/sink.h"

#include <errno.h>
#include <stdlib.h>

#include "mm/base/fault.h"
#include "mm/base/must.h"

struct sink_memory {
    struct sink sink; /* first: a sink of this kind is one */
    uint8_t *bytes;   /* [owned] */
    size_t len, capacity_bytes;
};

static int
memory_write(struct sink *s, const void *bytes, size_t len)
{
    struct sink_memory *m = (struct sink_memory *)s;
    size_t want = m->len + len;

    if (want > m->capacity_bytes) {
        size_t capacity = want < 2 * m->capacity_bytes ? 2 * m->capacity_bytes : want;
        uint8_t *grown = fault_point(FAULT_sink_write) ? NULL : realloc(m->bytes, capacity);

        if (grown == NULL)
            return -ENOMEM;
        m->bytes = grown;
        m->capacity_bytes = capacity;
    }
    must(m->bytes != NULL); /* sink.c passes no empty piece */
    memcpy(m->bytes + m->len, bytes, len);
    m->len += len;
    return 0;
}

static int
memory_commit(struct sink *s)
{
    (void)s;
    return 0;
}

static void
memory_close(struct sink *s)
{
    struct sink_memory *m = (struct sink_memory *)s;

    free(m->bytes);
    free(s->buf);
    free(m);
}

static const struct sink_ops memory_ops = {memory_write, memory_commit, memory_close};

int
sink_memory_open(struct sink **ret)
{
    struct sink_memory *m = fault_point(FAULT_sink_buffer) ? NULL : calloc(1, sizeof *m);

    if (m == NULL)
        return -ENOMEM;
    if ((m->sink.buf = malloc(SINK_BUFFER_BYTES)) == NULL) {
        free(m);
        return -ENOMEM;
    }
    m->sink.ops = &memory_ops;
    m->sink.capacity_bytes = SINK_BUFFER_BYTES;
    *ret = &m->sink;
    return 0;
}

uint8_t *
sink_memory_take(struct sink *s, size_t *ret_len)
{
    struct sink_memory *m = (struct sink_memory *)s;
    uint8_t *taken;

    must(s->ops == &memory_ops);
    if (sink_flush(s) < 0)
        return NULL;
    if (m->bytes == NULL && memory_write(s, "", 1) == 0)
        m->len = 0; /* nothing was put: still a pointer, as NULL means an error */
    taken = m->bytes;
    *ret_len = m->len;
    m->bytes = NULL;
    m->len = m->capacity_bytes = 0;
    return taken;
}
