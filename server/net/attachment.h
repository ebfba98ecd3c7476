/* server/net/attachment.h - what features on the floors above keep with a client, and what the
 * client has to know of it: what it takes, what CLIENT LIST says of it, and who is told that the
 * client goes.
 *
 * A feature says so once, at start; the order is the one of client_attach()'s calls.
 * Threads: mutator. */
#ifndef SERVER_NET_ATTACHMENT_H
#define SERVER_NET_ATTACHMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;

/* What a client's line in CLIENT LIST says that net does not know; each feature fills in its own.
 * As client_facts() begins: of a client with which nothing is kept. */
struct client_facts {
    const char *command; /* the last one's name in full; NULL: there was none */
    const char *user;    /* for whom it acts; "default", if nothing else is said */
    unsigned channels, patterns, shard_channels;
    int queued_commands; /* of its transaction; -1: it has begun none */
    size_t queued_bytes; /* the memory of those */
    bool watch_is_lost;  /* a key has changed that it watches */
    /* it caches keys; by prefixes; whom that is told instead is gone */
    bool is_tracking, is_broadcast_to, redirect_is_broken;
    int64_t redirect_id; /* whom it is told instead; 0: itself; -1: it does not cache */
};

/* Each may be NULL. */
struct client_attachment {
    /* The memory that the feature keeps for the client.  Asked only of a client with which
     * something is kept: client_is_plain(). */
    size_t (*bytes)(const struct client *c);
    void (*describe)(const struct client *c, struct client_facts *facts);
    /* on_close: it leaves the loop: its socket is closed, and nothing that is told it arrives.  It
     * is still in the list of clients. */
    void (*on_close)(struct client *c);
    /* on_free: its memory goes; a client without a socket was not closed before. */
    void (*on_free)(struct client *c);
};

enum { CLIENT_ATTACHMENTS_MAX = 16 };

/* client_attach: from now on; at start.  The struct stays where it is.  Twice is as good as
 * once. */
void client_attach(const struct client_attachment *a);

/* For client.c.  O(attachments) */
void client_facts(const struct client *c, struct client_facts *ret);
size_t client_attached_bytes(const struct client *c);
void client_attached_close(struct client *c);
void client_attached_free(struct client *c);

#endif
