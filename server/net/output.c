/* server/net/output.c - the queue of what clients have not taken yet. */
#include "server/net/output.h"

#include <stdlib.h>
#include <string.h>

#include "mm/base/clock.h"
#include "mm/base/log_few.h"
#include "mm/base/text.h"
#include "server/config/config.h"
#include "server/net/client_evict.h"

enum { RESERVE_CHUNKS = 16, CHUNK_ROOM = OUTPUT_CHUNK_BYTES - (int)sizeof(struct output_chunk) };

/* ---- chunks ---- */

static struct output_chunk *reserve; /* of CHUNK_ROOM each, linked by next */
static unsigned reserve_count;
/* one more, for the client that runs next: as make_chunk() gives it */
static struct output_chunk *loan;

static inline size_t
chunk_bytes(size_t room)
{
    return sizeof(struct output_chunk) + room;
}

size_t
output_reserve_bytes(void)
{
    return (reserve_count + (loan != NULL)) * chunk_bytes(CHUNK_ROOM);
}

static struct output_chunk *
make_chunk(size_t room)
{
    struct output_chunk *k = reserve;

    if (room == CHUNK_ROOM && k != NULL) {
        reserve = k->next;
        reserve_count--;
    } else if (room > SIZE_MAX / 2 || (k = malloc(chunk_bytes(room))) == NULL) {
        return NULL;
    }
    k->next = k->prev = NULL;
    k->len = 0;
    k->room = room;
    return k;
}

static void
drop_chunk(struct output_chunk *k)
{
    if (k->room != CHUNK_ROOM || reserve_count == RESERVE_CHUNKS) {
        free(k);
        return;
    }
    k->next = reserve;
    reserve = k;
    reserve_count++;
}

static inline void
count(struct client *c, const struct output_chunk *k)
{
    c->out_bytes += chunk_bytes(k->room);
    client_bytes.output += chunk_bytes(k->room);
}

static inline void
uncount(struct client *c, const struct output_chunk *k)
{
    c->out_bytes -= chunk_bytes(k->room);
    client_bytes.output -= chunk_bytes(k->room);
}

/* The chunk is the last one now; len of its bytes are in use. */
static inline void
open_chunk(struct client *c, struct output_chunk *k, size_t len)
{
    c->out = k->bytes;
    c->out_len = len;
    c->out_room = k->room;
}

/* ---- the queue ---- */

/* The chunk that is on loan becomes the client's own. */
static void
claim(struct client *c)
{
    if (!c->out_is_loan)
        return;
    c->out_is_loan = false;
    count(c, c->out_first);
}

/* The last chunk, in which nothing is, goes. */
static void
drop_last(struct client *c)
{
    struct output_chunk *k = output_last(c);

    claim(c);
    uncount(c, k);
    if (k->prev != NULL) {
        k->prev->next = NULL;
        c->out_before -= k->prev->len;
        open_chunk(c, k->prev, k->prev->len);
    } else {
        c->out_first = NULL;
        c->out = NULL;
        c->out_len = c->out_room = 0;
    }
    drop_chunk(k);
}

/* No chunk in the queue is empty, but for the last one. */
static void
append(struct client *c, struct output_chunk *k)
{
    if (c->out != NULL && c->out_len == 0)
        drop_last(c);
    if (c->out == NULL) {
        c->out_first = k;
    } else {
        struct output_chunk *last = output_last(c);

        claim(c);
        last->len = c->out_len;
        last->next = k;
        k->prev = last;
        c->out_before += c->out_len;
    }
    count(c, k);
    open_chunk(c, k, 0);
}

void
output_free(struct client *c)
{
    struct output_chunk *next;

    claim(c);
    for (struct output_chunk *k = c->out_first; k != NULL; k = next) {
        next = k->next;
        uncount(c, k);
        drop_chunk(k);
    }
    c->out_first = NULL;
    c->out = NULL;
    c->out_len = c->out_room = c->out_sent = c->out_before = 0;
}

int
output_vector(const struct client *c, struct iovec *ret, int max)
{
    int n = 0;

    for (struct output_chunk *k = c->out_first; k != NULL && n < max; k = k->next) {
        size_t from = n == 0 ? c->out_sent : 0;

        ret[n++] = (struct iovec){.iov_base = k->bytes + from,
                                  .iov_len = (k->next != NULL ? k->len : c->out_len) - from};
    }
    return n;
}

void
output_sent(struct client *c, size_t bytes)
{
    struct output_chunk *k = c->out_first;

    debug_check(bytes <= client_pending_out(c));
    c->out_sent += bytes;
    while (k->next != NULL && c->out_sent >= k->len) {
        c->out_first = k->next;
        c->out_first->prev = NULL;
        c->out_sent -= k->len;
        c->out_before -= k->len;
        uncount(c, k);
        drop_chunk(k);
        k = c->out_first;
    }
    must(c->out_sent <= c->out_len || k->next != NULL);
}

void
output_lend(struct client *c)
{
    struct output_chunk *k = loan;

    if (c->out != NULL || c->close_now)
        return;
    if (unlikely(k == NULL) && (k = make_chunk(CHUNK_ROOM)) == NULL)
        return; /* output_grow() tries again, and knows what to do */
    loan = NULL;
    c->out_is_loan = true;
    c->out_first = k;
    open_chunk(c, k, 0);
}

void
output_return(struct client *c)
{
    struct output_chunk *k = c->out_first;

    if (k == NULL)
        return;
    debug_check(k->next == NULL && k->prev == NULL);
    if (likely(c->out_is_loan && loan == NULL)) {
        c->out_is_loan = false;
        loan = k;
    } else {
        claim(c);
        uncount(c, k);
        drop_chunk(k);
    }
    c->out_first = NULL;
    c->out = NULL;
    c->out_len = c->out_room = c->out_sent = 0;
}

void
output_settle(struct client *c)
{
    size_t pending = client_pending_out(c);
    struct output_chunk *k;

    claim(c);
    if (c->out_before > 0 || c->out_room < CHUNK_ROOM || pending > OUTPUT_FREE_BYTES)
        return;
    if ((k = make_chunk(pending + OUTPUT_SMALL_BYTES)) == NULL)
        return;
    memcpy(k->bytes, c->out + c->out_sent, pending);
    output_free(c);
    append(c, k);
    c->out_len = pending;
}

void
output_deliver(struct client *c)
{
    size_t pending = client_pending_out(c);

    must(!client_has_socket(c) && c->sink != NULL);
    debug_check(c->out_before == 0);
    if (c->close_now)
        c->sink->take(c->sink, NULL, 0);
    else if (pending > 0)
        c->sink->take(c->sink, c->out + c->out_sent, pending);
    c->out_len = c->out_sent = 0;
    output_return(c);
}

/* ---- limits ---- */

static bool
is_limit_passed(struct client *c, size_t more)
{
    const struct output_limit *limit = &config.output_limits[client_type(c)];
    size_t pending = client_pending_out(c) + more;

    if (!client_has_socket(c) || c->closed)
        return false; /* nobody is slow */
    if (pending <= OUTPUT_FREE_BYTES) {
        c->soft_limit_since_ms = 0;
        return false;
    }
    /* Whoever has not shown the password gets no more, but for what his socket takes at once. */
    if (client_is_stranger(c) && client_pending_out(c) > OUTPUT_FREE_BYTES && c->out_stuck)
        return true;
    if (limit->hard_bytes != 0 && pending >= limit->hard_bytes)
        return true;
    if (limit->soft_bytes == 0 || pending < limit->soft_bytes) {
        c->soft_limit_since_ms = 0;
        return false;
    }
    if (c->soft_limit_since_ms == 0)
        c->soft_limit_since_ms = clock_now.ms;
    return clock_now.ms - c->soft_limit_since_ms > limit->soft_seconds * 1000;
}

bool
output_within_limit(struct client *c, size_t more)
{
    static struct log_few closed = {.lines = 10, .seconds = 1};
    struct text t = {0};

    if (!is_limit_passed(c, more))
        return true;
    client_describe(c, &t);
    log_few(&closed, LOG_WARNING,
            "Client %s scheduled to be closed ASAP for overcoming of output buffer limits.",
            text_str(&t));
    text_free(&t);
    client_doom(c);
    return false;
}

/* ---- room ---- */

/* A muted client has no room: so whoever writes comes to output_grow(), which has none either. */
void
output_mute(struct client *c)
{
    c->is_muted = true;
    c->out_room = c->out_len;
}

void
output_unmute(struct client *c)
{
    if (!c->is_muted)
        return;
    c->is_muted = false;
    if (c->out != NULL)
        c->out_room = output_last(c)->room;
}

/* How large the next chunk is: of one who only gets messages they grow with what is pending. */
static size_t
next_room(const struct client *c, size_t bytes)
{
    size_t room = c->out == NULL ? OUTPUT_SMALL_BYTES : 2 * output_last(c)->room;

    if (room > CHUNK_ROOM)
        room = CHUNK_ROOM;
    return room < bytes ? bytes : room;
}

/* In one piece, for a client without a socket. */
static bool
enlarge(struct client *c, size_t bytes)
{
    struct output_chunk *k = output_last(c), *larger;
    size_t room = k->room, needed;

    if (__builtin_add_overflow(c->out_len, bytes, &needed) || needed > SIZE_MAX / 4)
        return false;
    while (room < needed)
        room *= 2;
    claim(c);
    uncount(c, k);
    if ((larger = realloc(k, chunk_bytes(room))) != NULL) {
        k = c->out_first = larger;
        k->room = room;
        open_chunk(c, k, c->out_len);
    }
    count(c, k);
    return larger != NULL;
}

static bool
add_room(struct client *c, size_t bytes)
{
    struct output_chunk *k;

    if (!client_has_socket(c) && c->out != NULL)
        return enlarge(c, bytes);
    if ((k = make_chunk(next_room(c, bytes))) == NULL)
        return false;
    append(c, k);
    return true;
}

char *
output_grow(struct client *c, size_t bytes)
{
    if (c->close_now || c->is_muted || !output_within_limit(c, bytes))
        return NULL;
    if (!add_room(c, bytes)) {
        log_line(LOG_WARNING, "No memory for a reply of %zu bytes: closing the client", bytes);
        client_doom(c);
        return NULL;
    }
    if (c->out_bytes > OUTPUT_CHUNK_BYTES)
        client_evict_weigh(c);
    return c->close_now ? NULL : c->out + c->out_len;
}

void
output_add(struct client *c, const char *bytes, size_t len)
{
    size_t part = c->out_room - c->out_len;
    char *p;

    if (part > len)
        part = len;
    if (part > 0) {
        memcpy(c->out + c->out_len, bytes, part);
        c->out_len += part;
    }
    if (part == len || (p = output_grow(c, len - part)) == NULL)
        return;
    memcpy(p, bytes + part, len - part);
    output_filled(c, p + (len - part));
}

/* ---- what was written already ---- */

void
output_take_back(struct client *c, size_t bytes)
{
    debug_check(bytes <= client_pending_out(c));
    while (bytes > c->out_len) {
        bytes -= c->out_len;
        drop_last(c);
        must(c->out != NULL);
    }
    c->out_len -= bytes;
}

/* The chunk with the byte at that distance; *ret_start: the distance of its own first byte, counted
 * from the first chunk's. */
static struct output_chunk *
chunk_at(const struct client *c, size_t at, size_t *ret_start)
{
    struct output_chunk *k = output_last(c);
    size_t start = c->out_before;

    for (; at + c->out_sent < start; start -= k->len)
        k = k->prev;
    *ret_start = start;
    return k;
}

char *
output_find(struct client *c, size_t at, size_t *ret_rest)
{
    size_t start;
    struct output_chunk *k = chunk_at(c, at, &start);

    debug_check(at < client_pending_out(c));
    *ret_rest = start + (k->next != NULL ? k->len : c->out_len) - (at + c->out_sent);
    return k->bytes + (at + c->out_sent - start);
}

void
output_shorten(struct client *c, size_t at, size_t bytes)
{
    size_t start;
    struct output_chunk *k = chunk_at(c, at, &start);

    if (k->next == NULL) {
        c->out_len -= bytes;
    } else {
        k->len -= bytes;
        c->out_before -= bytes;
    }
}
