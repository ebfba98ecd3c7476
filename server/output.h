/* server/output.h - room in a client's output buffer.
 *
 * The buffer is contiguous.  While a client's commands run it is usually the loop's own buffer on loan
 * (output_lend), which comes back empty after the write: no allocation per command, and one warm buffer for
 * all. Threads: mutator. */
#ifndef SERVER_OUTPUT_H
#define SERVER_OUTPUT_H

#include "mm/must.h"
#include "server/client.h"

/* output_room: where the next bytes go, with room for at least that many; NULL: the client is doomed (no
 * memory, or its output limit is passed), and what it is told is dropped. */
static inline char *output_room(struct client *c, size_t bytes);
/* output_filled: the bytes up to end were written. */
static inline void output_filled(struct client *c, const char *end);

/* output_lend: give a client without a buffer the loop's own; it grows one at need if that is away already.
 */
void output_lend(struct client *c);
/* output_return: take an empty buffer back. */
void output_return(struct client *c);

/* output_within_limit: may the client have so many bytes pending beyond those that are?  If its class's
 * limits say no, it is logged and doomed.  Looks at the clock for the soft limit, so it is called when the
 * buffer grows, after a write that left something, and from time to time. */
bool output_within_limit(struct client *c, size_t more);

/* output_mute, output_unmute: between them whatever is replied is dropped; nothing may be written or taken
 * back meanwhile that was there before.  Each may be called twice.  CLIENT REPLY OFF and SKIP mute for the
 * time of a command. */
void output_mute(struct client *c);
void output_unmute(struct client *c);

char *output_grow(struct client *c, size_t bytes);

enum {
    OUTPUT_LOAN_BYTES = 64 * 1024, /* the loop's own buffer, at first */
    /* What one who has not shown the password may leave unread: some hundred errors. */
    OUTPUT_STRANGER_BYTES = 16 * 1024
};

static inline char *
output_room(struct client *c, size_t bytes)
{
    if (likely(c->out_room - c->out_len >= bytes && c->out != NULL))
        return c->out + c->out_len;
    return output_grow(c, bytes);
}

static inline void
output_filled(struct client *c, const char *end)
{
    c->out_len = (size_t)(end - c->out);
    debug_check(c->out_len <= c->out_room);
}

#endif
