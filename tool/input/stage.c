/* tool/input/stage.c - what all stages share, and the one that is no codec: peek. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/must.h"
#include "tool/input/stage_impl.h"

int
stage_read(struct stage *s, uint8_t *dst, size_t room, size_t *ret_got)
{
    int r;

    *ret_got = 0;
    if (s->error != 0 || s->has_ended)
        return s->error;
    r = s->read(s, dst, room, ret_got);
    if (stage_is_pause(r))
        return r;
    if (r != 0)
        *ret_got = 0;
    s->error = r;
    s->has_ended = *ret_got == 0;
    return r;
}

void
stage_close(struct stage *s)
{
    while (s != NULL) {
        struct stage *below = s->below;

        if (s->fini != NULL)
            s->fini(s);
        free(s);
        s = below;
    }
}

/* stage_place: by the one that stands on the file: what is above has read it through that. */
uint64_t
stage_place(const struct stage *s)
{
    while (s->below != NULL && s->below->below != NULL)
        s = s->below;
    return s->place(s);
}

const char *
stage_wrong(const struct stage *s)
{
    while (s->wrong[0] == '\0' && s->below != NULL)
        s = s->below;
    return s->wrong;
}

int
stage_damaged(struct stage *s, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(s->wrong, sizeof s->wrong, format, args);
    va_end(args);
    return -EBADMSG;
}

int
stage_in_need(struct stage *s, struct stage_in *in, size_t n)
{
    must(n <= STAGE_IN_BYTES);
    if (in->end - in->at >= n)
        return 0;
    memmove(in->bytes, in->bytes + in->at, in->end - in->at);
    in->base += in->at;
    in->end -= in->at;
    in->at = 0;
    while (in->end < n) {
        size_t got;
        int r = stage_read(s->below, in->bytes + in->end, STAGE_IN_BYTES - in->end, &got);

        if (r != 0 || got == 0)
            return r != 0 ? r : -ENODATA;
        in->end += got;
    }
    return 0;
}

int
stage_in_block(struct stage *s, struct stage_in *in, size_t n, size_t *ret_ready)
{
    size_t want = n == 0 ? 1 : n < STAGE_IN_BYTES ? n : STAGE_IN_BYTES, ready;
    int r = stage_in_need(s, in, want);

    ready = in->end - in->at;
    *ret_ready = ready < want ? ready : want;
    return r == -ENODATA ? 0 : r;
}

int
stage_cut_off(struct stage *s, struct stage_in *in, const char *of_what)
{
    in->at = in->end; /* the place that the message names is the file's end */
    return stage_damaged(s, "the file ends in the middle of the %s", of_what);
}

int
stage_too_long(struct stage *s, struct stage_in *in, const char *of_what)
{
    size_t at = in->at, more;
    int r;

    for (more = in->end - at; more < STAGE_IN_BYTES - at; more = in->end - at)
        if ((r = stage_in_need(s, in, more + 1)) == -ENODATA)
            return stage_damaged(s, "%zu more byte%s after the %s", more, more == 1 ? "" : "s",
                                 of_what);
        else if (r != 0)
            return r;
    return stage_damaged(s, "more bytes after the %s", of_what);
}

/* ---- the first bytes, once more ---- */

struct peek {
    struct stage stage; /* first */
    struct stage_head head;
    size_t at;
};

static int
peek_read(struct stage *s, uint8_t *dst, size_t room, size_t *ret_got)
{
    struct peek *p = (struct peek *)s;
    size_t n = p->head.len - p->at < room ? p->head.len - p->at : room;

    if (n == 0)
        return stage_read(s->below, dst, room, ret_got);
    memcpy(dst, p->head.bytes + p->at, n);
    p->at += n;
    *ret_got = n;
    return 0;
}

static uint64_t
below_place(const struct stage *s)
{
    return s->below->place(s->below);
}

struct stage *
stage_peek(struct stage *below, struct stage_head *ret)
{
    struct peek *p = calloc(1, sizeof *p);
    size_t got;

    if (p == NULL) {
        stage_close(below);
        return NULL;
    }
    p->stage = (struct stage){.read = peek_read, .place = below_place, .below = below};
    /* an error is below, and comes again behind the bytes that came before it */
    while (p->head.len < STAGE_HEAD_BYTES &&
           stage_read(below, p->head.bytes + p->head.len, STAGE_HEAD_BYTES - p->head.len, &got) ==
               0 &&
           got > 0)
        p->head.len += got;
    *ret = p->head;
    return &p->stage;
}
