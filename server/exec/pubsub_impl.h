/* server/exec/pubsub_impl.h - the inside of publish and subscribe, for pubsub.c and
 * commands/pubsub/pubsub.c.
 * Threads: mutator. */
#ifndef SERVER_EXEC_PUBSUB_IMPL_H
#define SERVER_EXEC_PUBSUB_IMPL_H

#include "mm/base/nametab.h"
#include "server/exec/pubsub.h"

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

/* pubsub_find: NULL: it has no subscribers. */
struct channel *pubsub_find(enum pubsub_kind kind, struct slice name);
struct nametab *pubsub_table(enum pubsub_kind kind);
/* pubsub_subscribe: true also when it had been; false: no memory.  O(1) */
bool pubsub_subscribe(struct client *c, enum pubsub_kind kind, struct slice name);
/* pubsub_unsubscribe: if it was subscribed.  O(1) */
void pubsub_unsubscribe(struct client *c, enum pubsub_kind kind, struct slice name);
/* pubsub_each: each of the client's subscriptions of a kind; fn may end the one that it is
 * given. */
void pubsub_each(struct client *c, enum pubsub_kind kind,
                 void (*fn)(void *ctx, struct nametab_node *n), void *ctx);

#endif
