/* server/output.c - room in a client's output buffer. */
#include "server/output.h"

#include <stdlib.h>
#include <string.h>

#include "server/auth.h"
#include "server/client_evict.h"
#include "server/config.h"
#include "server/log.h"
#include "server/server.h"
#include "server/text.h"

enum { LOAN_MAX_BYTES = 1024 * 1024 /* a loan that grew beyond this is not kept */ };

static struct {
    char *at;
    size_t room;
} loan;

void
output_lend(struct client *c)
{
    if (c->out != NULL || c->close_now)
        return;
    if (loan.at == NULL) {
        if ((loan.at = malloc(OUTPUT_LOAN_BYTES)) == NULL)
            return; /* output_grow() tries again, and knows what to do */
        loan.room = OUTPUT_LOAN_BYTES;
    }
    c->out = loan.at;
    c->out_room = loan.room;
    c->out_len = c->out_sent = 0;
    loan.at = NULL;
}

void
output_return(struct client *c)
{
    if (c->out == NULL)
        return;
    if (loan.at == NULL && c->out_room >= OUTPUT_LOAN_BYTES && c->out_room <= LOAN_MAX_BYTES) {
        loan.at = c->out;
        loan.room = c->out_room;
    } else {
        free(c->out);
    }
    c->out = NULL;
    c->out_room = c->out_len = c->out_sent = 0;
}

static bool
is_limit_passed(struct client *c, size_t more)
{
    const struct output_limit *limit = &config.output_limits[client_type(c)];
    size_t pending = client_pending_out(c) + more;

    if (c->fd < 0)
        return false; /* detached: nobody is slow */
    if (limit->hard_bytes != 0 && pending >= limit->hard_bytes)
        return true;
    if (pending > OUTPUT_STRANGER_BYTES && auth_is_stranger(c))
        return true;
    if (limit->soft_bytes == 0 || pending < limit->soft_bytes) {
        c->soft_limit_since_ms = 0;
        return false;
    }
    if (c->soft_limit_since_ms == 0)
        c->soft_limit_since_ms = server.now_ms;
    return server.now_ms - c->soft_limit_since_ms > limit->soft_seconds * 1000;
}

bool
output_within_limit(struct client *c, size_t more)
{
    struct text t = {0};

    if (!is_limit_passed(c, more))
        return true;
    client_describe(c, &t);
    log_line(LOG_WARNING, "Client %s scheduled to be closed ASAP for overcoming of output buffer limits.",
             text_str(&t));
    text_free(&t);
    client_doom(c);
    return false;
}

/* Move what is pending to the buffer's start, when that frees at least half of it. */
static void
compact(struct client *c)
{
    if (c->out_sent < c->out_room / 2)
        return;
    memmove(c->out, c->out + c->out_sent, client_pending_out(c));
    c->out_len -= c->out_sent;
    c->out_sent = 0;
}

/* A muted client has no room: so whoever writes comes to output_grow(), which has none either. */
void
output_mute(struct client *c)
{
    if (c->is_muted)
        return;
    c->is_muted = true;
    c->out_hidden = c->out_room - c->out_len;
    c->out_room = c->out_len;
}

void
output_unmute(struct client *c)
{
    if (!c->is_muted)
        return;
    c->is_muted = false;
    if (c->out != NULL) /* it may have been doomed */
        c->out_room += c->out_hidden;
}

char *
output_grow(struct client *c, size_t bytes)
{
    size_t room, needed;
    char *p;

    if (c->close_now || c->is_muted)
        return NULL;
    if (!output_within_limit(c, bytes))
        return NULL;
    if (c->out != NULL)
        compact(c);
    if (c->out == NULL || c->out_room - c->out_len < bytes) {
        if (__builtin_add_overflow(c->out_len, bytes, &needed) || needed > SIZE_MAX / 2)
            goto doom;
        for (room = c->out_room > 0 ? c->out_room : 1024; room < needed;)
            room *= 2;
        if ((p = realloc(c->out, room)) == NULL)
            goto doom;
        c->out = p;
        c->out_room = room;
        if (room > OUTPUT_LOAN_BYTES)
            client_evict_weigh(c);
        if (c->close_now)
            return NULL;
    }
    return c->out + c->out_len;
doom:
    log_line(LOG_WARNING, "No memory for a reply of %zu bytes: closing the client", bytes);
    client_doom(c);
    return NULL;
}
