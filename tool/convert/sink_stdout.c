/* tool/convert/sink_stdout.c - standard output as a sink. */
#include "tool/convert/sink_stdout.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int
out_write(struct sink *s, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;

    (void)s;
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

static int
out_commit(struct sink *s)
{
    (void)s;
    return 0;
}

static void
out_close(struct sink *s)
{
    free(s->buf);
    free(s);
}

static const struct sink_ops out_ops = {out_write, out_commit, out_close};

int
sink_stdout_open(struct sink **ret)
{
    struct sink *s = calloc(1, sizeof *s);

    if (s == NULL)
        return -ENOMEM;
    if ((s->buf = malloc(SINK_BUFFER_BYTES)) == NULL) {
        free(s);
        return -ENOMEM;
    }
    s->ops = &out_ops;
    s->capacity_bytes = SINK_BUFFER_BYTES;
    *ret = s;
    return 0;
}
