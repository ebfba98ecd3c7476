/* server/net/output.h - what a client is told and has not taken yet: room to write into, and the
 * queue of it.
 *
 * The output is a queue of chunks.  Replies are written into the last one; what is sent leaves the
 * first, and a chunk goes as soon as it is sent, so that memory follows what is pending.  While a
 * client's commands run it is usually one chunk from a small reserve (output_lend), which comes
 * back empty after the write: no allocation per command, and one warm buffer for all.  A client
 * without a socket (tests, internal work) has one chunk, which grows: whoever reads its replies
 * wants them in one piece.  They stay there, or go to a sink when its command is done.
 *
 *       first               last
 *     +--------+--------+--------+    out_before  bytes in the chunks before the last
 *     |ssss....|........|....    |    out         the last one's bytes: out_len of out_room
 *     +--------+--------+--------+    out_sent    of the first, s: sent already
 *
 * How much may be pending is not for the chunks to say: client-output-buffer-limit
 * (output_within_limit), maxmemory-clients (client_evict.h) and maxmemory (client_bytes) do, or
 * nobody, as in Redis.
 * Threads: mutator. */
#ifndef SERVER_NET_OUTPUT_H
#define SERVER_NET_OUTPUT_H

#include <sys/uio.h>

#include "mm/base/must.h"
#include "server/net/client.h"

enum {
    /* of a chunk with its head; more only for what is larger in one piece */
    OUTPUT_CHUNK_BYTES = 64 * 1024,
    /* so much may always be pending: Redis does not count its first buffer either */
    OUTPUT_FREE_BYTES = 16 * 1024,
    OUTPUT_SMALL_BYTES = 1024 /* the first chunk of a client that does not run: mostly a message */
};

struct output_chunk {
    struct output_chunk *next, *prev;
    /* of a chunk behind which there is another: the last one's is the client's out_len */
    size_t len;
    size_t room;
    char bytes[];
};

/* Who takes the replies of a client without a socket: turns them into values, counts them, drops
 * them.  Of c->sink, for each command once. */
struct output_sink {
    /* take: all that the command has replied, len > 0 bytes in one piece, good until take()
     * returns; it must not have the client execute anything.  NULL, 0: there was no memory for the
     * reply, and the client is of no more use. */
    void (*take)(struct output_sink *s, const char *bytes, size_t len);
};
/* output_deliver: the command of a client with a sink is done: the sink takes what it has replied,
 * if that is anything, and the buffer goes back. */
void output_deliver(struct client *c);

/* output_room: where the next bytes go, with room for at least that many; NULL: the client is
 * doomed (no memory, or its output limit is passed), or muted, and what it is told is dropped. */
static inline char *output_room(struct client *c, size_t bytes);
/* output_filled: the bytes up to end were written. */
static inline void output_filled(struct client *c, const char *end);

/* output_add: these bytes, in as many pieces as there is room for: no chunk is left half empty for
 * them. */
void output_add(struct client *c, const char *bytes, size_t len);

/* output_lend: give a client without a chunk one of the reserve; it gets one at need if that is not
 * possible. */
void output_lend(struct client *c);
/* output_return: nothing is pending: its chunk goes. */
void output_return(struct client *c);
/* output_settle: its commands run no longer and something is pending: do not keep a large chunk for
 * that. */
void output_settle(struct client *c);
/* output_free: drop all of it. */
void output_free(struct client *c);

/* output_vector: what is to be sent next, at most `max` pieces; returns their number. */
int output_vector(const struct client *c, struct iovec *ret, int max);
/* output_sent: so much of it was. */
void output_sent(struct client *c, size_t bytes);

/* output_within_limit: may the client have so many bytes pending beyond those that are?  If its
 * class's limits say no, it is logged and doomed.  Looks at the clock for the soft limit, so it is
 * called whenever the queue gets another chunk, before each write, and from time to time. */
bool output_within_limit(struct client *c, size_t more);

/* output_mute, output_unmute: between them whatever is replied is dropped; nothing may be written
 * or taken back meanwhile that was there before.  Each may be called twice.  CLIENT REPLY OFF and
 * SKIP mute for the time of a command. */
void output_mute(struct client *c);
void output_unmute(struct client *c);

/* output_take_back: the last bytes that were replied, as many; they are all pending. */
void output_take_back(struct client *c, size_t bytes);
/* output_find: the byte at that distance from the first one pending, and in *ret_rest how many
 * follow in its chunk, itself included; it was written in one piece with what is of interest behind
 * it. */
char *output_find(struct client *c, size_t at, size_t *ret_rest);
/* output_shorten: the chunk in which p stands has so many bytes less at its end.  O(chunks behind
 * it) */
void output_shorten(struct client *c, size_t at, size_t bytes);

/* output_reserve_bytes: the memory of chunks that nobody uses. */
size_t output_reserve_bytes(void);

char *output_grow(struct client *c, size_t bytes);

static inline struct output_chunk *
output_last(const struct client *c)
{
    return (struct output_chunk *)(void *)(c->out - offsetof(struct output_chunk, bytes));
}

static inline bool
output_has_room(const struct client *c, size_t bytes)
{
    return c->out_room - c->out_len >= bytes && c->out != NULL;
}

static inline char *
output_room(struct client *c, size_t bytes)
{
    if (likely(output_has_room(c, bytes)))
        return c->out + c->out_len;
    return output_grow(c, bytes);
}

static inline void
output_filled(struct client *c, const char *end)
{
    debug_check(end >= c->out + c->out_len);
    c->out_len = (size_t)(end - c->out);
    debug_check(c->out_len <= c->out_room);
}

#endif
