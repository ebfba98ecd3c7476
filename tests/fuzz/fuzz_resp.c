/* tests/fuzz/fuzz_resp.c - the request parser against bytes that mean harm.
 *
 * Properties: the same commands, and the same error, whether the bytes come at once or in pieces;
 * no look outside of the buffer (each state of it is a block of exactly its size); a stranger's
 * half-sent command is never one that needs more than the limits for strangers. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/must.h"
#include "mm/base/text.h"
#include "server/net/resp.h"

enum { MAX_BULK = 4096, MAX_BULK_OF_STRANGER = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reader {
    struct resp parser;
    struct resp_vector v;
    char *buf;
    size_t len;
    struct text commands;
    const char *error;
    bool is_stranger;
};

static enum resp_result
parse(struct reader *r, size_t pos, size_t *ret_used)
{
    const char *at = r->buf + pos;

    if (r->is_stranger)
        return resp_next_of_stranger(&r->parser, at, r->len - pos, &r->v, ret_used, &r->error);
    return resp_next(&r->parser, at, r->len - pos, &r->v, ret_used, &r->error);
}

static void
check_limits(const struct reader *r)
{
    const struct resp *p = &r->parser;

    must(p->want <= RESP_STRANGER_ARGS);
    must(!p->in_bulk || p->bulk_len <= RESP_STRANGER_BULK_BYTES);
    must(r->error != NULL ||
         r->len <= RESP_INLINE_MAX_BYTES + RESP_STRANGER_ARGS * (RESP_STRANGER_BULK_BYTES + 64));
}

static void
note_command(struct reader *r, int first)
{
    for (int i = first; i < r->v.count; i++) {
        text_addf(&r->commands, "%zu:", r->v.at[i].len);
        text_add_bytes(&r->commands, r->v.at[i].ptr, r->v.at[i].len);
    }
    text_add(&r->commands, "\n");
}

static void
feed(struct reader *r, const uint8_t *bytes, size_t len)
{
    char *buf = malloc(r->len + len + 1);
    size_t pos = 0;

    if (r->len > 0)
        memcpy(buf, r->buf, r->len);
    memcpy(buf + r->len, bytes, len);
    free(r->buf);
    r->buf = buf;
    r->len += len;
    r->buf[r->len] = '\0';
    r->v.count = 0;
    while (r->error == NULL) {
        int first = r->v.count;
        size_t used = 0;
        enum resp_result result = parse(r, pos, &used);
        must((result == RESP_ERROR) == (r->error != NULL));
        if (result == RESP_COMMAND)
            note_command(r, first);
        if (result != RESP_COMMAND && result != RESP_NOTHING)
            break;
        must(used > 0 && used <= r->len - pos);
        pos += used;
    }
    memmove(r->buf, r->buf + pos, r->len - pos + 1);
    r->len -= pos;
    if (r->is_stranger)
        check_limits(r);
}

static void
finish(struct reader *r)
{
    resp_reset(&r->parser);
    resp_vector_free(&r->v);
    text_free(&r->commands);
    free(r->buf);
}

/* The first byte says how the rest is cut, and whether a stranger sends it. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool is_stranger = size > 0 && data[0] >= 128;
    uint64_t max_bulk = is_stranger ? MAX_BULK_OF_STRANGER : MAX_BULK;
    struct reader whole = {.v.max_bulk_bytes = max_bulk, .is_stranger = is_stranger},
                  pieces = {.v.max_bulk_bytes = max_bulk, .is_stranger = is_stranger};
    size_t step = size > 0 ? 1 + data[0] % 31 : 1;

    if (size == 0)
        return 0;
    feed(&whole, data + 1, size - 1);
    for (size_t at = 1; at < size && pieces.error == NULL; at += step)
        feed(&pieces, data + at, step < size - at ? step : size - at);
    must(whole.commands.len == pieces.commands.len);
    must(memcmp(text_str(&whole.commands), text_str(&pieces.commands), whole.commands.len) == 0);
    must((whole.error == NULL) == (pieces.error == NULL));
    must(whole.error == NULL || strcmp(whole.error, pieces.error) == 0);
    finish(&whole);
    finish(&pieces);
    return 0;
}
