/* server/exec/pubsub.c - who listens to what, and messages to them. */
#include "server/exec/pubsub.h"

#include <stdlib.h>
#include <string.h>

#include "mm/base/glob.h"
#include "mm/base/log.h"
#include "mm/base/must.h"
#include "mm/base/nametab.h"
#include "mm/base/text.h"
#include "server/exec/exec_impl.h"
#include "server/net/attachment.h"
#include "server/net/client.h"
#include "server/net/net.h"
#include "server/net/output.h"
#include "server/net/reply.h"

enum { PUBSUB_KEEP_BYTES = 64 * 1024 /* of memory for formatting */ };

/* A channel, pattern or shard channel with at least one subscriber; the name's bytes follow. */
struct channel {
    struct nametab_node node; /* first */
    enum pubsub_kind kind;
    unsigned subscribers;
    struct subscription *first, **last; /* in the order in which they came */
};

struct subscription {
    struct nametab_node node; /* first; in the client's table, with the channel's name */
    struct client *client;
    struct channel *channel;
    struct subscription *next, **link; /* among the channel's; link: what points to this one */
};

struct pubsub_client {
    struct nametab table[PUBSUB_KINDS];
    bool is_walked; /* pubsub_each() is at work: stays, even when it is empty */
};

static struct nametab channels[PUBSUB_KINDS];
static unsigned clients;

/* What the running client publishes to itself waits here until its reply is complete. */
static struct text own;

static struct channel *
channel_of(struct nametab_node *n)
{
    return (struct channel *)(void *)n;
}

static struct subscription *
subscription_of(struct nametab_node *n)
{
    return (struct subscription *)(void *)n;
}

/* ---- channels ---- */

static struct channel *
find_channel(enum pubsub_kind kind, struct slice name)
{
    struct nametab_node *n = nametab_find(&channels[kind], nametab_hash(name), name);

    return n != NULL ? channel_of(n) : NULL;
}

static struct channel *
make_channel(enum pubsub_kind kind, struct slice name)
{
    struct channel *ch = malloc(sizeof *ch + name.len);
    char *bytes;

    if (ch == NULL)
        return NULL;
    bytes = (char *)(ch + 1);
    memcpy(bytes, name.ptr, name.len);
    *ch = (struct channel){.node = {.hash = nametab_hash(name), .name = {bytes, name.len}},
                           .kind = kind};
    ch->last = &ch->first;
    if (nametab_add(&channels[kind], &ch->node))
        return ch;
    free(ch);
    return NULL;
}

static void
drop_channel_without_subscribers(struct channel *ch)
{
    if (ch->first != NULL)
        return;
    nametab_remove(&channels[ch->kind], &ch->node);
    free(ch);
}

void
pubsub_each_channel(enum pubsub_kind kind, pubsub_visitor *fn, void *ctx)
{
    nametab_each(&channels[kind], fn, ctx);
}

unsigned
pubsub_subscribers(enum pubsub_kind kind, struct slice name)
{
    const struct channel *ch = find_channel(kind, name);

    return ch != NULL ? ch->subscribers : 0;
}

unsigned
pubsub_channels(enum pubsub_kind kind)
{
    return (unsigned)channels[kind].count;
}

unsigned
pubsub_clients(void)
{
    return clients;
}

/* ---- subscriptions ---- */

unsigned
pubsub_count(const struct client *c, enum pubsub_kind kind)
{
    return c->pubsub != NULL ? (unsigned)c->pubsub->table[kind].count : 0;
}

static size_t
memory_of(const struct client *c)
{
    size_t bytes = 0;

    if (c->pubsub == NULL)
        return 0;
    for (int k = 0; k < PUBSUB_KINDS; k++)
        bytes += nametab_bytes(&c->pubsub->table[k]) +
                 c->pubsub->table[k].count * sizeof(struct subscription);
    return bytes + sizeof *c->pubsub;
}

static void
link_to_channel(struct subscription *s)
{
    struct channel *ch = s->channel;

    s->link = ch->last;
    s->next = NULL;
    *ch->last = s;
    ch->last = &s->next;
    ch->subscribers++;
}

static void
drop_subscription(struct subscription *s)
{
    struct channel *ch = s->channel;
    struct pubsub_client *p = s->client->pubsub;

    must(ch->subscribers > 0 && *s->link == s);
    nametab_remove(&p->table[ch->kind], &s->node);
    *s->link = s->next;
    if (s->next != NULL)
        s->next->link = s->link;
    else
        ch->last = s->link;
    ch->subscribers--;
    free(s);
    drop_channel_without_subscribers(ch);
}

static void
drop_client_without_subscriptions(struct client *c)
{
    struct pubsub_client *p = c->pubsub;

    if (p == NULL || p->is_walked ||
        p->table[PUBSUB_CHANNEL].count + p->table[PUBSUB_PATTERN].count +
                p->table[PUBSUB_SHARD].count >
            0)
        return;
    free(p);
    c->pubsub = NULL;
    must(clients > 0);
    clients--;
}

static bool
make_client_state(struct client *c)
{
    if (c->pubsub != NULL)
        return true;
    if ((c->pubsub = calloc(1, sizeof *c->pubsub)) == NULL)
        return false;
    clients++;
    return true;
}

bool
pubsub_subscribe(struct client *c, enum pubsub_kind kind, struct slice name)
{
    uint64_t hash = nametab_hash(name);
    struct subscription *s = NULL;
    struct channel *ch;

    if (!make_client_state(c))
        return false;
    if (nametab_find(&c->pubsub->table[kind], hash, name) != NULL)
        return true;
    if ((ch = find_channel(kind, name)) == NULL && (ch = make_channel(kind, name)) == NULL)
        goto no_channel;
    if ((s = malloc(sizeof *s)) == NULL)
        goto no_memory;
    *s = (struct subscription){
        .node = {.hash = hash, .name = ch->node.name}, .client = c, .channel = ch};
    if (!nametab_add(&c->pubsub->table[kind], &s->node))
        goto no_memory;
    link_to_channel(s);
    return true;
no_memory:
    free(s);
    drop_channel_without_subscribers(ch);
no_channel:
    drop_client_without_subscriptions(c);
    return false;
}

void
pubsub_unsubscribe(struct client *c, enum pubsub_kind kind, struct slice name)
{
    struct nametab_node *n;

    if (c->pubsub == NULL ||
        (n = nametab_find(&c->pubsub->table[kind], nametab_hash(name), name)) == NULL)
        return;
    drop_subscription(subscription_of(n));
    drop_client_without_subscriptions(c);
}

void
pubsub_each(struct client *c, enum pubsub_kind kind, pubsub_visitor *fn, void *ctx)
{
    if (c->pubsub == NULL)
        return;
    must(!c->pubsub->is_walked);
    c->pubsub->is_walked = true;
    nametab_each(&c->pubsub->table[kind], fn, ctx);
    c->pubsub->is_walked = false;
    drop_client_without_subscriptions(c);
}

static void
drop_node(void *ctx, struct nametab_node *n)
{
    (void)ctx;
    drop_subscription(subscription_of(n));
}

void
pubsub_forget(struct client *c)
{
    if (c->pubsub == NULL)
        return;
    must(!c->pubsub->is_walked); /* the walk's fn ends one at a time */
    for (int k = 0; k < PUBSUB_KINDS; k++)
        nametab_each(&c->pubsub->table[k], drop_node, NULL);
    drop_client_without_subscriptions(c);
}

static void
describe(const struct client *c, struct client_facts *facts)
{
    facts->channels = pubsub_count(c, PUBSUB_CHANNEL);
    facts->patterns = pubsub_count(c, PUBSUB_PATTERN);
    facts->shard_channels = pubsub_count(c, PUBSUB_SHARD);
}

void
pubsub_init(void)
{
    static const struct client_attachment attachment = {.bytes = memory_of,
                                                        .describe = describe,
                                                        .on_close = pubsub_forget,
                                                        .on_free = pubsub_forget};

    client_attach(&attachment);
}

/* ---- checks ---- */

static void
verify_channel(void *ctx, struct nametab_node *n)
{
    const struct channel *ch = channel_of(n);
    struct subscription *const *link = &ch->first;
    enum pubsub_kind kind = *(const enum pubsub_kind *)ctx;
    unsigned subscribers = 0;

    must(ch->kind == kind && ch->first != NULL); /* or it would have been dropped */
    for (struct subscription *s; (s = *link) != NULL; link = &s->next, subscribers++) {
        must(s->link == link && s->channel == ch && s->client->pubsub != NULL);
        must(nametab_find(&s->client->pubsub->table[kind], n->hash, n->name) == &s->node);
    }
    must(ch->last == link && ch->subscribers == subscribers);
}

void
pubsub_verify(void)
{
    unsigned n = 0;

    for (enum pubsub_kind kind = 0; kind < PUBSUB_KINDS; kind++)
        nametab_each(&channels[kind], verify_channel, &kind);
    for (const struct client *c = client_first(); c != NULL; c = c->next) {
        must(c->pubsub == NULL || pubsub_count(c, PUBSUB_CHANNEL) > 0 ||
             pubsub_count(c, PUBSUB_PATTERN) > 0 || pubsub_count(c, PUBSUB_SHARD) > 0);
        n += c->pubsub != NULL;
    }
    must(n <= clients);
}

/* ---- messages ---- */

static void
add_bulk(struct text *t, struct slice s)
{
    text_addf(t, "$%zu\r\n", s.len);
    text_add_bytes(t, s.ptr, s.len);
    text_add(t, "\r\n");
}

/* What all subscribers of a channel or pattern get; only the first byte depends on the protocol. */
static void
format_message(struct text *t, const struct channel *ch, struct slice channel, struct slice message)
{
    text_clear(t);
    if (ch->kind == PUBSUB_PATTERN) {
        text_add(t, "*4\r\n$8\r\npmessage\r\n");
        add_bulk(t, ch->node.name);
    } else {
        text_add(t,
                 ch->kind == PUBSUB_SHARD ? "*3\r\n$8\r\nsmessage\r\n" : "*3\r\n$7\r\nmessage\r\n");
    }
    add_bulk(t, channel);
    add_bulk(t, message);
}

static void
deliver(struct client *c, const struct text *t)
{
    char *to;

    if (unlikely(c->running)) { /* to oneself: RESP2 clients with subscriptions cannot publish */
        exec_state.owed |= OWED_MESSAGES;
        if (c->resp >= 3)
            t->at[0] = '>';
        text_add_bytes(&own, t->at, t->len);
        t->at[0] = '*';
        return;
    }
    if ((to = output_room(c, t->len)) != NULL) {
        memcpy(to, t->at, t->len);
        if (c->resp >= 3)
            *to = '>';
        output_filled(c, to + t->len);
    }
    net_write_later(c);
}

void
pubsub_deliver_own(struct client *c)
{
    debug_check((exec_state.owed & OWED_MESSAGES) != 0 && c->running);
    exec_state.owed &= ~(unsigned)OWED_MESSAGES;
    if (own.failed) {
        log_line(LOG_WARNING, "No memory for a message of client %s to itself: closing it",
                 c->addr);
        client_doom(c);
    } else {
        reply_raw(c, own.at, own.len);
    }
    text_free(&own);
    own = (struct text){0};
}

static unsigned
deliver_to_all(const struct channel *ch, struct slice channel, struct slice message, struct text *t)
{
    format_message(t, ch, channel, message);
    if (t->failed) {
        log_line(LOG_WARNING, "No memory to format a message of %zu bytes: it is lost",
                 message.len);
        return 0;
    }
    for (const struct subscription *s = ch->first; s != NULL; s = s->next)
        deliver(s->client, t);
    return ch->subscribers;
}

struct publication {
    struct slice channel, message;
    struct text *text;
    unsigned receivers;
};

static void
try_pattern(void *ctx, struct nametab_node *n)
{
    struct publication *p = ctx;

    if (glob_match(n->name, p->channel, false))
        p->receivers += deliver_to_all(channel_of(n), p->channel, p->message, p->text);
}

unsigned
pubsub_publish(struct slice channel, struct slice message, bool shard)
{
    static struct text text; /* kept: most messages are of a size */
    struct publication p = {.channel = channel, .message = message, .text = &text};
    const struct channel *ch = find_channel(shard ? PUBSUB_SHARD : PUBSUB_CHANNEL, channel);

    if (ch != NULL)
        p.receivers = deliver_to_all(ch, channel, message, &text);
    if (!shard && channels[PUBSUB_PATTERN].count > 0)
        nametab_each(&channels[PUBSUB_PATTERN], try_pattern, &p);
    if (text.room > PUBSUB_KEEP_BYTES || text.failed)
        text_free(&text);
    return p.receivers;
}
