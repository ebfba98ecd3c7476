/* server/exec/tracking_tell.c - what a client that caches keys is told, and when. */
#include <stdio.h>

#include "mm/base/log.h"
#include "mm/base/must.h"
#include "mm/base/num.h"
#include "server/exec/exec_impl.h"
#include "server/exec/tracking_impl.h"
#include "server/net/client.h"
#include "server/net/net.h"
#include "server/net/output.h"
#include "server/net/reply.h"

static unsigned pending_clients; /* whose reply is not complete, and who are told something then */

/* must_wait: is the client's own command under way, so that its reply comes first (TR2)? */
static bool
must_wait(const struct client *c)
{
    if (c == exec_state.served)
        return true;
    return c->running && (c != exec_state.beginner || c->is_muted);
}

static void
put_off(struct client *c, struct slice head, struct slice tail)
{
    struct text *pending = &c->tracking->pending;

    if (pending->len == 0 && !pending->failed) {
        pending_clients++;
        exec_state.owed |= OWED_INVALIDATIONS;
    }
    text_add_bytes(pending, head.ptr, head.len);
    text_add_bytes(pending, tail.ptr, tail.len);
}

static void
send(struct client *c, struct slice head, struct slice tail)
{
    if (must_wait(c)) {
        put_off(c, head, tail);
        return;
    }
    output_add(c, head.ptr, head.len);
    output_add(c, tail.ptr, tail.len);
    net_write_later(c);
}

static void
settle_pending(struct tracking_client *t)
{
    text_free(&t->pending);
    t->pending = (struct text){0};
    must(pending_clients > 0);
    if (--pending_clients == 0)
        exec_state.owed &= ~(unsigned)OWED_INVALIDATIONS;
}

void
tracking_drop_pending(struct tracking_client *t)
{
    if (t->pending.len > 0 || t->pending.failed)
        settle_pending(t);
}

void
tracking_deliver_own(struct client *c)
{
    struct tracking_client *t = c->tracking;

    if (t == NULL || (t->pending.len == 0 && !t->pending.failed))
        return;
    if (t->pending.failed) {
        log_line(LOG_WARNING, "No memory for what client %s is told of its keys: closing it",
                 c->addr);
        client_doom(c);
    } else {
        output_add(c, t->pending.at, t->pending.len);
    }
    net_write_later(c);
    settle_pending(t);
}

static void
tell_broken(struct tracking_client *t)
{
    char text[64];
    int n;

    t->modes |= TRACKING_BROKEN;
    if (t->client->resp < 3)
        return;
    n = snprintf(text, sizeof text, ">2\r\n$21\r\ntracking-redir-broken\r\n:%llu\r\n",
                 (unsigned long long)t->redirect_id);
    send(t->client, (struct slice){text, (size_t)n}, SLICE(""));
}

/* tell: array.ptr NULL: all keys. */
static void
tell(struct tracking_client *t, struct slice array)
{
    struct client *c = t->redirect_id != 0 ? t->redirect : t->client;
    struct slice head;

    must(t->client != NULL);
    if (c == NULL) { /* who it had named is gone */
        tell_broken(t);
        return;
    }
    if (c->is_reader) /* within the data that it gets, there is no place for it */
        return;
    if (c->resp >= 3)
        head = SLICE(">2\r\n$10\r\ninvalidate\r\n");
    else if (t->redirect_id != 0 && client_is_subscriber(c))
        head = SLICE("*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n");
    else
        return; /* RESP2 has no form for it */
    if (array.ptr == NULL)
        array = c->resp >= 3 ? SLICE("_\r\n") : SLICE("$-1\r\n");
    send(c, head, array);
}

void
tracking_tell(struct tracking_client *t, struct slice array)
{
    tell(t, array);
}

void
tracking_tell_all(struct tracking_client *t)
{
    tell(t, (struct slice){NULL, 0});
}

void
tracking_tell_key(struct tracking_client *t, struct slice key)
{
    static struct text text; /* kept: most keys are short */
    enum { KEEP_BYTES = 64 * 1024 };

    text_clear(&text);
    text_addf(&text, "*1\r\n$%zu\r\n", key.len);
    text_add_bytes(&text, key.ptr, key.len);
    text_add(&text, "\r\n");
    if (text.failed)
        tracking_tell_all(t); /* TR1 */
    else
        tell(t, (struct slice){text.at, text.len});
    if (text.room > KEEP_BYTES || text.failed)
        text_free(&text);
}
