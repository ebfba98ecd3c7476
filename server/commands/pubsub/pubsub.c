/* server/commands/pubsub/pubsub.c - SUBSCRIBE, PUBLISH and their kin. */
#include "server/exec/pubsub.h"
#include "mm/base/glob.h"
#include "mm/base/nametab.h"
#include "server/exec/cmd.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/output.h"
#include "server/net/reply.h"

#include "server/commands/pubsub/pubsub.def"

/* How each kind's commands are called in their replies. */
static const struct {
    const char *subscribe, *unsubscribe;
} words[PUBSUB_KINDS] = {
    [PUBSUB_CHANNEL] = {"subscribe", "unsubscribe"},
    [PUBSUB_PATTERN] = {"psubscribe", "punsubscribe"},
    [PUBSUB_SHARD] = {"ssubscribe", "sunsubscribe"},
};

/* The number in such a reply: channels and patterns together, shard channels on their own. */
static int64_t
subscriptions(const struct client *c, enum pubsub_kind kind)
{
    if (kind == PUBSUB_SHARD)
        return pubsub_count(c, PUBSUB_SHARD);
    return (int64_t)pubsub_count(c, PUBSUB_CHANNEL) + pubsub_count(c, PUBSUB_PATTERN);
}

/* Tell it what it listens to now.  name NULL: to nothing, and it did not before.  leaves: the
 * subscription goes only when its name, which may be given, has been told. */
static void
reply_subscription(struct client *c, enum pubsub_kind kind, const struct slice *name, bool leaves)
{
    bool was_muted = c->is_muted;

    output_unmute(c); /* CLIENT REPLY does not hold messages back, nor this */
    reply_push(c, 3);
    reply_bulk_text(c, leaves ? words[kind].unsubscribe : words[kind].subscribe);
    if (name != NULL)
        reply_bulk(c, name->ptr, name->len);
    else
        reply_null(c);
    if (name != NULL && leaves)
        pubsub_unsubscribe(c, kind, *name);
    reply_int(c, subscriptions(c, kind));
    if (was_muted)
        output_mute(c);
}

static void
subscribe(struct client *c, enum pubsub_kind kind)
{
    for (int i = 1; i < c->argc; i++) {
        if (!pubsub_subscribe(c, kind, c->argv[i])) {
            reply_error(c, "OOM no memory for a subscription");
            return;
        }
        reply_subscription(c, kind, &c->argv[i], false);
    }
}

struct leaving {
    struct client *client;
    enum pubsub_kind kind;
};

static void
leave(void *ctx, struct nametab_node *n)
{
    const struct leaving *l = ctx;

    reply_subscription(l->client, l->kind, &n->name, true);
}

static void
unsubscribe(struct client *c, enum pubsub_kind kind)
{
    struct leaving l = {.client = c, .kind = kind};

    for (int i = 1; i < c->argc; i++)
        reply_subscription(c, kind, &c->argv[i], true);
    if (c->argc > 1)
        return;
    if (pubsub_count(c, kind) == 0) {
        reply_subscription(c, kind, NULL, true);
        return;
    }
    pubsub_each(c, kind, leave, &l);
}

void
cmd_subscribe(struct client *c)
{
    subscribe(c, PUBSUB_CHANNEL);
}

void
cmd_psubscribe(struct client *c)
{
    subscribe(c, PUBSUB_PATTERN);
}

/* Unlike its kin it is refused where each command has to have exactly one reply. */
void
cmd_ssubscribe(struct client *c)
{
    if (c->in_exec)
        reply_error(c, "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
    else
        subscribe(c, PUBSUB_SHARD);
}

void
cmd_unsubscribe(struct client *c)
{
    unsubscribe(c, PUBSUB_CHANNEL);
}

void
cmd_punsubscribe(struct client *c)
{
    unsubscribe(c, PUBSUB_PATTERN);
}

void
cmd_sunsubscribe(struct client *c)
{
    unsubscribe(c, PUBSUB_SHARD);
}

void
cmd_publish(struct client *c)
{
    reply_int(c, pubsub_publish(c->argv[1], c->argv[2], false));
}

void
cmd_spublish(struct client *c)
{
    reply_int(c, pubsub_publish(c->argv[1], c->argv[2], true));
}

/* ---- PUBSUB ---- */

struct listing {
    struct client *client;
    const struct slice *pattern; /* NULL: all */
    size_t count;
};

static void
list_one(void *ctx, struct nametab_node *n)
{
    struct listing *l = ctx;

    if (l->pattern != NULL && !glob_match(*l->pattern, n->name, false))
        return;
    reply_bulk(l->client, n->name.ptr, n->name.len);
    l->count++;
}

static void
list_channels(struct client *c, enum pubsub_kind kind)
{
    struct listing l = {.client = c, .pattern = c->argc > 2 ? &c->argv[2] : NULL};
    size_t token;

    if (c->argc > 3) {
        reply_subcommand_syntax(c);
        return;
    }
    token = reply_array_deferred(c);
    pubsub_each_channel(kind, list_one, &l);
    reply_array_close(c, token, l.count);
}

static void
count_subscribers(struct client *c, enum pubsub_kind kind)
{
    reply_array(c, (size_t)(c->argc - 2) * 2);
    for (int i = 2; i < c->argc; i++) {
        reply_bulk(c, c->argv[i].ptr, c->argv[i].len);
        reply_int(c, pubsub_subscribers(kind, c->argv[i]));
    }
}

void
cmd_pubsub_channels(struct client *c)
{
    list_channels(c, PUBSUB_CHANNEL);
}

void
cmd_pubsub_shardchannels(struct client *c)
{
    list_channels(c, PUBSUB_SHARD);
}

void
cmd_pubsub_numsub(struct client *c)
{
    count_subscribers(c, PUBSUB_CHANNEL);
}

void
cmd_pubsub_shardnumsub(struct client *c)
{
    count_subscribers(c, PUBSUB_SHARD);
}

void
cmd_pubsub_numpat(struct client *c)
{
    reply_int(c, pubsub_channels(PUBSUB_PATTERN));
}
