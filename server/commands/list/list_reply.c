/* server/commands/list/list_reply.c - elements of lists as bulk strings, straight from the entries:
 * room for a whole run of them is taken once. */
#include <string.h>

#include "mm/base/num.h"
#include "server/commands/list/list.h"
#include "server/net/net.h"
#include "server/net/output.h"

enum {
    SHORT_STRINGS = 64, /* lengths that an entry's first byte says */
    /* what a reply is longer than its entry, at most: "$20 20 digits" of one byte */
    OVERHEAD_BYTES = 28,
    /* short strings are copied in steps of so many bytes, beyond their end too */
    STEP = 16,
    RUN_MAX = 4096 /* elements for which room is taken at a time */
};

static char heads[SHORT_STRINGS][8]; /* "$12\r\n" */

static inline char *
put_end(char *p)
{
    p[0] = '\r';
    p[1] = '\n';
    return p + 2;
}

static void
make_heads(void)
{
    for (int i = 0; i < SHORT_STRINGS; i++) {
        char *p = heads[i];

        *p = '$';
        put_end(num_put_unsigned(p + 1, (uint64_t)i));
    }
}

/* put_short: an entry that is a string of up to 63 bytes; whether so many bytes may be read is
 * known. */
static inline char *
put_short(char *out, const uint8_t *bytes, size_t len)
{
    memcpy(out, heads[len], sizeof heads[0]);
    out += 4 + (len > 9);
    memcpy(out, bytes, STEP);
    if (unlikely(len > STEP))
        memcpy(out + STEP, bytes + STEP, SHORT_STRINGS - STEP);
    return put_end(out + len);
}

static char *
put_text(char *out, const void *bytes, size_t len)
{
    *out = '$';
    out = put_end(num_put_unsigned(out + 1, len));
    memcpy(out, bytes, len);
    return put_end(out + len);
}

static char *
put_entry(char *out, const uint8_t *p)
{
    char digits[NUM_MAX_BYTES], *end;
    struct lp_elem e;

    lp_entry_get(p, &e);
    if (e.bytes != NULL)
        return put_text(out, e.bytes, e.len);
    end = num_put(digits, e.value);
    return put_text(out, digits, (size_t)(end - digits));
}

/* put_entries: up to `count`; *at moves on. */
static char *
put_entries(char *out, const uint8_t **at, const uint8_t *end, uint64_t count)
{
    const uint8_t *p = *at;

    for (; count > 0; count--) {
        size_t len = (size_t)*p - 0x80;

        if (likely(len < SHORT_STRINGS && (size_t)(end - p) > SHORT_STRINGS)) {
            out = put_short(out, p + 1, len);
            p += len + 2; /* its first byte, and its length again at its end */
        } else {
            out = put_entry(out, p);
            p += lp_entry_size(p);
        }
    }
    debug_check(p <= end);
    *at = p;
    return out;
}

static void
reply_text(struct client *c, const void *bytes, size_t len)
{
    if (len < NET_DIRECT_BYTES) {
        reply_bulk(c, bytes, len);
        return;
    }
    reply_bulk_begin(c, len);
    reply_raw(c, bytes, len);
    reply_bulk_end(c);
}

static void
reply_run(void *ctx, const struct list_run *run)
{
    const uint8_t *at = run->at;
    struct client *c = ctx;

    if (run->plain) {
        reply_text(c, at, (size_t)(run->end - at));
        return;
    }
    if (unlikely(heads[0][0] == '\0'))
        make_heads();
    for (uint64_t left = run->count, n; left > 0; left -= n) {
        char *out;

        n = left < RUN_MAX ? left : RUN_MAX;
        out = output_room(c, (size_t)(run->end - at) + n * OVERHEAD_BYTES + SHORT_STRINGS);
        if (out == NULL)
            return;
        output_filled(c, put_entries(out, &at, run->end, n));
    }
}

void
reply_elements(struct client *c, const struct record *r, uint64_t first, uint64_t count)
{
    list_runs(r, first, count, reply_run, c);
}

void
reply_element(struct client *c, const struct list_elem *e)
{
    if (e->ptr == NULL)
        reply_bulk_int(c, e->value);
    else
        reply_text(c, e->ptr, e->len);
}
