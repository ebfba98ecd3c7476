/* server/exec/tracking_impl.h - client-side caching: what a client is, and the parts.
 * Threads: mutator. */
#ifndef SERVER_EXEC_TRACKING_IMPL_H
#define SERVER_EXEC_TRACKING_IMPL_H

#include "mm/base/nametab.h"
#include "mm/base/text.h"
#include "server/exec/tracking.h"

struct prefix;

/* A client that is or was told of changes, or that is told instead of another one. */
struct tracking_client {
    struct client *client;   /* NULL: it is gone, and the table still has its number */
    unsigned modes;          /* enum tracking_mode */
    uint32_t number;         /* its place in tracking_clients */
    uint64_t items;          /* keys, in the table and in what is left of others, with its number */
    uint64_t redirect_id;    /* 0: itself */
    struct client *redirect; /* NULL: itself, or it is gone */
    /* those that are told through this client, and its place among another one's */
    struct tracking_client *redirectors, *next_redirector, **redirector_link;
    struct subscription_to **prefixes; /* [owned] in the order of their bytes */
    unsigned prefix_count, prefix_room;
    struct text pending; /* TR2; owed when the reply is complete */
};

/* One client is told of one prefix's keys. */
struct subscription_to {
    struct prefix *prefix;
    struct tracking_client *owner;
    struct subscription_to *next, **link; /* among the prefix's */
};

/* Clients by their numbers, with gaps. */
extern struct tracking_clients {
    struct tracking_client **at;
    uint32_t count, room; /* numbers given, free ones too */
    uint32_t on;          /* how many are told */
    uint32_t alive;       /* how many of them have not gone */
} tracking_clients;

/* tracking_forget_gone: a client that is gone, and with the number of which nothing is left. */
void tracking_forget_gone(struct tracking_client *t);

/* ---- tracking_tell.c ---- */

/* tracking_tell: an array of keys, as RESP; tracking_tell_key: of one; tracking_tell_all: that all
 * have changed. */
void tracking_tell(struct tracking_client *t, struct slice array);
void tracking_tell_key(struct tracking_client *t, struct slice key);
void tracking_tell_all(struct tracking_client *t);
/* tracking_drop_pending: the client goes. */
void tracking_drop_pending(struct tracking_client *t);

/* ---- tracking_pool.c ---- */

/* tracking_pool_take: bytes > 0, aligned for any type; NULL: no memory.  tracking_pool_give: back;
 * bytes as taken.  tracking_pool_bytes: what is held for all.  O(1) */
void *tracking_pool_take(size_t bytes);
void tracking_pool_give(void *block, size_t bytes);
size_t tracking_pool_bytes(void);

/* ---- tracking_table.c ---- */

/* tracking_table_add: t has read the key.  O(log readers), and a move of their numbers. */
void tracking_table_add(struct tracking_client *t, struct slice key);
/* tracking_table_changed: its readers are told, but for `but`, and it is forgotten. */
void tracking_table_changed(struct slice key, const struct tracking_client *but);
/* tracking_table_drop: forget all keys, and tell nobody.  O(1) */
void tracking_table_drop(void);
/* tracking_table_gone: a client has gone; what it has read may be forgotten. */
void tracking_table_gone(const struct tracking_client *t);
/* tracking_table_note: the number of clients or keys, or the limit of keys, is another one: is
 * there something to do, or to hear of? */
void tracking_table_note(void);
/* tracking_table_work: TR5, and what is above a limit that was lowered: the loop's task, for so
 * long. */
void tracking_table_work(unsigned slice_us);
void tracking_table_init(void);
uint64_t tracking_table_keys(void);
uint64_t tracking_table_items(void);
size_t tracking_table_bytes(void);
void tracking_table_verify(void);

/* ---- tracking_prefix.c ---- */

/* tracking_prefix_add: false: no memory.  tracking_prefix_leave: t is broadcast to no longer. */
bool tracking_prefix_add(struct tracking_client *t, struct slice prefix);
void tracking_prefix_leave(struct tracking_client *t);
/* tracking_prefix_overlap: as tracking_overlap(). */
bool tracking_prefix_overlap(const struct tracking_client *t, struct slice prefix,
                             struct slice *ret);
/* tracking_prefix_changed: the client with the id `by` has changed the key; 0: none has.
 * O(different lengths of prefixes) */
void tracking_prefix_changed(struct slice key, uint64_t by);
/* tracking_prefix_tell: what has changed since: the loop's task, at the end of a turn. */
void tracking_prefix_tell(unsigned slice_us);
void tracking_prefix_init(void);
unsigned tracking_prefix_count(void);
struct slice tracking_prefix_name(const struct prefix *p);
size_t tracking_prefix_bytes(void);
void tracking_prefix_verify(void);

#endif
