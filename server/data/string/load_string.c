/* server/data/string/load_string.c - from RDB to strings: short ones are collected, long ones go to
 * their block at once. */
#include <errno.h>
#include <string.h>

#include "server/data/db/blob.h"
#include "server/data/db/load_value.h"
#include "server/data/string/string_type.h"

enum {
    /* strings up to here are collected; longer ones go to their block at once */
    SHORT_BYTES = 65536,
    TRUSTED_BYTES = 512 << 20 /* a claimed length up to here is set aside as address space */
};

static int
on_begin(void *ctx, uint64_t len)
{
    struct load_state *s = ctx;
    uint64_t room = len < TRUSTED_BYTES ? len : TRUSTED_BYTES;
    char *block;

    if (s->skip)
        return 0;
    s->claimed_len = len;
    if (len <= SHORT_BYTES) {
        s->form = LOAD_BYTES;
        return load_reserve(&s->bytes, len + 1);
    }
    if ((block = blob_alloc(room)) == NULL)
        return -ENOMEM;
    s->value =
        (struct value){.type = TYPE_STRING, .enc = ENC_OUTER, .blob = {.ptr = block, .len = 0}};
    s->block = block;
    s->form = LOAD_BLOCK;
    return 0;
}

/* move_block: a string longer than what was set aside for it: twice as much, now that its bytes are
 * really there. */
static int
move_block(struct load_state *s)
{
    struct slice *old = &s->value.blob;
    uint64_t room = old->len * 2 < s->claimed_len ? old->len * 2 : s->claimed_len;
    char *block = blob_alloc(room);

    if (block == NULL)
        return -ENOMEM;
    memcpy(block, old->ptr, old->len);
    mm_free(old->ptr);
    old->ptr = s->block = block;
    return 0;
}

static int
on_bytes(void *ctx, struct slice piece)
{
    struct load_state *s = ctx;
    struct slice *blob = &s->value.blob;

    if (s->skip)
        return 0;
    if (s->form == LOAD_BYTES)
        return load_add(&s->bytes, piece.ptr, piece.len);
    while (blob->len + piece.len > mm_usable(blob->ptr))
        if (move_block(s) < 0)
            return -ENOMEM;
    memcpy(s->block + blob->len, piece.ptr, piece.len);
    blob->len += piece.len;
    return 0;
}

void
load_string(struct rdb_events *events)
{
    events->string_begin = on_begin;
    events->string_bytes = on_bytes;
}
