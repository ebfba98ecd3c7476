/* tool/input/tape.c - what can be read once only, kept as it is read. */
#include "tool/input/tape_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/base/spill.h"

struct reader {
    struct stage stage; /* first */
    struct tape *tape;
    uint64_t at;
};

int
tape_open(struct tape *t, struct stage *live)
{
    int fd = tool_spill_open();

    if (fd < 0) {
        stage_close(live);
        return fd;
    }
    *t = (struct tape){.live = live, .fd = fd};
    return 0;
}

void
tape_close(struct tape *t)
{
    if (t->live == NULL)
        return;
    stage_close(t->live);
    close(t->fd);
    t->live = NULL;
}

bool
tape_is_whole(const struct tape *t)
{
    return t->live->has_ended || t->live->error != 0;
}

/* record: more of the live one, which goes to the tape as well. */
static int
record(struct tape *t, uint8_t *dst, size_t room, size_t *ret_got)
{
    int r = stage_read(t->live, dst, room, ret_got);

    if (r == 0)
        r = tool_spill_write(t->fd, dst, *ret_got, t->size);
    if (r == 0)
        t->size += *ret_got;
    return r;
}

static int
reader_read(struct stage *s, uint8_t *dst, size_t room, size_t *ret_got)
{
    struct reader *r = (struct reader *)s;
    uint64_t left = r->tape->size - r->at;
    int error;

    if (left > 0) {
        *ret_got = left < room ? (size_t)left : room;
        error = tool_spill_read(r->tape->fd, dst, *ret_got, r->at);
    } else {
        error = record(r->tape, dst, room, ret_got);
    }
    r->at += *ret_got;
    if (error == -EBADMSG)
        return stage_damaged(s, "%s", stage_wrong(r->tape->live));
    if (error != 0 && !stage_is_pause(error) && r->tape->live->error == 0)
        return stage_damaged(s, "cannot keep what comes: %s: %s (TMPDIR names another directory)",
                             tool_spill_dir(), strerror(-error));
    return error;
}

static uint64_t
reader_place(const struct stage *s)
{
    const struct reader *r = (const struct reader *)s;

    return s->error == 0 && r->at < r->tape->size ? r->at : stage_place(r->tape->live);
}

struct stage *
tape_reader(struct tape *t)
{
    struct reader *r = calloc(1, sizeof *r);

    if (r == NULL)
        return NULL;
    r->stage = (struct stage){.read = reader_read, .place = reader_place};
    r->tape = t;
    return &r->stage;
}

int
tape_finish(struct tape *t)
{
    enum { BUFFER_BYTES = 512 * 1024 };
    uint8_t *buffer = malloc(BUFFER_BYTES);
    size_t got = 1;
    int r = buffer == NULL ? -ENOMEM : 0;

    while (r == 0 && got > 0)
        r = record(t, buffer, BUFFER_BYTES, &got);
    free(buffer);
    return r;
}
