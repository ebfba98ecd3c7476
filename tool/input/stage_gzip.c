/* tool/input/stage_gzip.c - gzip unpacked, by zlib: any number of members, their checksums
 * compared. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "tool/input/stage_impl.h"

struct gzip {
    struct stage stage; /* first */
    struct stage_in in;
    z_stream z;
    bool is_open, has_member; /* of z: inflateInit2() was called; a member is being read */
};

enum { WINDOW_BITS = 15, GZIP_ONLY = 16, MAGIC_BYTES = 2 };
static const char the_gzip[] = "gzip data";

static int
refuse(struct gzip *g, int result)
{
    const char *text = g->z.msg == NULL ? "damaged" : g->z.msg;

    if (result == Z_MEM_ERROR)
        return -ENOMEM;
    if (strcmp(text, "incorrect data check") == 0)
        return stage_damaged(&g->stage, "wrong checksum of what the gzip data holds");
    if (strcmp(text, "incorrect length check") == 0)
        return stage_damaged(&g->stage,
                             "the gzip data holds another number of bytes than its end says");
    return stage_damaged(&g->stage, "the gzip data is damaged: %s", text);
}

/* next_member: a further one begins here; -ENODATA: the file ends, as it may. */
static int
next_member(struct gzip *g)
{
    int r = stage_in_need(&g->stage, &g->in, MAGIC_BYTES);

    if (r == -ENODATA && g->in.end > g->in.at)
        return stage_too_long(&g->stage, &g->in, the_gzip);
    if (r != 0)
        return r;
    if (g->in.bytes[g->in.at] != 0x1f || g->in.bytes[g->in.at + 1] != 0x8b)
        return stage_too_long(&g->stage, &g->in, the_gzip);
    g->has_member = true;
    return inflateReset(&g->z) == Z_OK ? 0 : -EINVAL;
}

static int
unpack_some(struct gzip *g, uint8_t *dst, size_t room, size_t *ret_got)
{
    int r = stage_in_need(&g->stage, &g->in, 1), result;

    if (r != 0)
        return r == -ENODATA ? stage_cut_off(&g->stage, &g->in, the_gzip) : r;
    g->z.next_in = g->in.bytes + g->in.at;
    g->z.avail_in = (uInt)(g->in.end - g->in.at);
    g->z.next_out = dst;
    g->z.avail_out = (uInt)room;
    result = inflate(&g->z, Z_NO_FLUSH);
    g->in.at = g->in.end - g->z.avail_in;
    *ret_got = room - g->z.avail_out;
    if (result == Z_STREAM_END)
        g->has_member = false;
    else if (result != Z_OK && result != Z_BUF_ERROR && *ret_got == 0)
        return refuse(g, result); /* what was given before it goes first; zlib will say it again */
    return 0;
}

static int
gzip_read(struct stage *s, uint8_t *dst, size_t room, size_t *ret_got)
{
    enum { ROOM_MOST = 1 << 30 }; /* zlib counts in 32 bits */
    struct gzip *g = (struct gzip *)s;
    int r = 0;

    if (room > ROOM_MOST)
        room = ROOM_MOST;
    while (r == 0 && *ret_got == 0) {
        if (!g->has_member && (r = next_member(g)) != 0)
            return r == -ENODATA ? 0 : r;
        r = unpack_some(g, dst, room, ret_got);
    }
    return r;
}

static uint64_t
gzip_place(const struct stage *s)
{
    return stage_in_place(&((const struct gzip *)s)->in);
}

static void
gzip_fini(struct stage *s)
{
    struct gzip *g = (struct gzip *)s;

    if (g->is_open)
        (void)inflateEnd(&g->z);
    free(g->in.bytes);
}

struct stage *
stage_gzip(struct stage *below)
{
    struct gzip *g = calloc(1, sizeof *g);

    if (g == NULL) {
        stage_close(below);
        return NULL;
    }
    g->stage =
        (struct stage){.read = gzip_read, .place = gzip_place, .fini = gzip_fini, .below = below};
    g->in.bytes = malloc(STAGE_IN_BYTES);
    g->is_open = inflateInit2(&g->z, WINDOW_BITS | GZIP_ONLY) == Z_OK;
    g->has_member = true;
    if (g->in.bytes == NULL || !g->is_open) {
        stage_close(&g->stage);
        return NULL;
    }
    return &g->stage;
}
