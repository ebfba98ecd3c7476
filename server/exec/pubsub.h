/* server/exec/pubsub.h - publish and subscribe: channels, patterns, shard channels.
 *
 * A message is written into each subscriber's output and sent at the end of the turn, all of the
 * turn's in one write.
 * Threads: mutator. */
#ifndef SERVER_EXEC_PUBSUB_H
#define SERVER_EXEC_PUBSUB_H

#include <stdbool.h>
#include <stddef.h>

#include "mm/base/slice.h"

struct client;
struct nametab_node;

enum pubsub_kind { PUBSUB_CHANNEL, PUBSUB_PATTERN, PUBSUB_SHARD, PUBSUB_KINDS };

/* pubsub_init: subscriptions are the client's, and go with it. */
void pubsub_init(void);
/* pubsub_publish: returns the number of subscribers that got it; shard: to shard channels. */
unsigned pubsub_publish(struct slice channel, struct slice message, bool shard);
/* pubsub_deliver_own: the running client has published to itself (OWED_MESSAGES, exec_impl.h):
 * after its reply it gets that. */
void pubsub_deliver_own(struct client *c);
/* pubsub_forget: all of the client's subscriptions end, without a word (its end, RESET). */
void pubsub_forget(struct client *c);
/* pubsub_count: the client's subscriptions of a kind. */
unsigned pubsub_count(const struct client *c, enum pubsub_kind kind);
/* pubsub_subscribe: true also when it had been; false: no memory.  O(1)
 * pubsub_unsubscribe: if it was subscribed.  O(1) */
bool pubsub_subscribe(struct client *c, enum pubsub_kind kind, struct slice name);
void pubsub_unsubscribe(struct client *c, enum pubsub_kind kind, struct slice name);
/* pubsub_each: each of the client's subscriptions of a kind; fn may end the one that it is given.
 * pubsub_each_channel: each name of a kind that has a subscriber; fn changes nothing. */
typedef void pubsub_visitor(void *ctx, struct nametab_node *n);
void pubsub_each(struct client *c, enum pubsub_kind kind, pubsub_visitor *fn, void *ctx);
void pubsub_each_channel(enum pubsub_kind kind, pubsub_visitor *fn, void *ctx);
/* pubsub_subscribers: how many this name has.  O(1) */
unsigned pubsub_subscribers(enum pubsub_kind kind, struct slice name);
/* pubsub_channels, ...: how many have a subscriber: INFO. */
unsigned pubsub_channels(enum pubsub_kind kind);
unsigned pubsub_clients(void);
/* pubsub_verify: assert that channels and their subscribers know each other; slow, for tests. */
void pubsub_verify(void);

#endif
