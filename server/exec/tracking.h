/* server/exec/tracking.h - client-side caching: clients keep what they have read, and are told when
 * it is no longer so (CLIENT TRACKING).  [Redis documentation: Client-side caching]
 *
 * A client is told keys' names, not databases'.  By default it is told of the keys that it has read
 * since, each once: the table of keys (tracking_table.c) remembers who has read which.  A client
 * that is *broadcast to* is told of all keys with its prefixes that change, at the end of the
 * loop's turn, and the table knows nothing of it (tracking_prefix.c).  A message goes to the client
 * itself, as a push of RESP3, or to another one that it has named, there also as a message of
 * subscriptions (tracking_tell.c).
 *
 *   TR1 A client that is told of changes never has a reason to believe a value that the server has
 *       replaced, for longer than until it has read all that is sent to it.  Where there is no
 *       memory to remember a key, or a change, it is told that everything has changed.
 *   TR2 What its own command changes a client is told after that command's reply: after EXEC's,
 *       after the script's.
 *   TR3 NOLOOP leaves out what the client's own commands change, never what expires or is evicted.
 *   TR4 The table holds no more than tracking-table-max-keys keys: for each further one it forgets
 *       one by lot, whose readers are told that it has changed.
 *   TR5 Nothing is looked for in the whole table: readers that have gone are taken out bit by bit,
 *       once they are an eighth of it, and a table that is dropped is freed bit by bit.
 *
 * Cost: a server that no client asks for this pays nothing: reads are looked at where MONITOR looks
 * too, changes are heard where WATCH hears of them.
 * Threads: mutator. */
#ifndef SERVER_EXEC_TRACKING_H
#define SERVER_EXEC_TRACKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/base/slice.h"

struct client;
struct cmd;

/* How a client is told.  CLIENT TRACKING sets those up to NOLOOP. */
enum tracking_mode {
    TRACKING_BCAST = 1 << 0,  /* of all keys with its prefixes */
    TRACKING_OPTIN = 1 << 1,  /* of what it reads behind CLIENT CACHING YES */
    TRACKING_OPTOUT = 1 << 2, /* but of what it reads behind CLIENT CACHING NO */
    TRACKING_NOLOOP = 1 << 3, /* but of what it changes itself: TR3 */
    TRACKING_ON = 1 << 4,
    TRACKING_CACHING = 1 << 5, /* CLIENT CACHING came before this command */
    TRACKING_BROKEN = 1 << 6   /* whom it is told instead has gone */
};

/* tracking_init: the parameter tracking-table-max-keys, and what is kept with clients. */
void tracking_init(void);

/* ---- CLIENT TRACKING ---- */

/* tracking_modes: of enum tracking_mode; 0: it is not told anything. */
unsigned tracking_modes(const struct client *c);
/* tracking_begin: the client is told from now on, in these modes; if it was before, in these from
 * now on.  redirect: who is told instead; NULL: itself.  False: no memory; it is as it was. */
bool tracking_begin(struct client *c, unsigned modes, struct client *redirect);
/* tracking_add_prefix: of a client that is broadcast to; one that it has already changes nothing.
 * False: no memory.  O(its prefixes) */
bool tracking_add_prefix(struct client *c, struct slice prefix);
/* tracking_end: it is told nothing any more. */
void tracking_end(struct client *c);
/* tracking_cache: CLIENT CACHING: the next command's keys are read otherwise than by default. */
void tracking_cache(struct client *c);
/* tracking_redirect_id: the number of who is told instead; 0: itself; -1: nobody is told. */
int64_t tracking_redirect_id(const struct client *c);
/* tracking_prefix: the i-th of a client's prefixes, by their bytes; false: it has no more. */
bool tracking_prefix(const struct client *c, unsigned i, struct slice *ret);
/* tracking_overlap: does one of its prefixes begin with these bytes, or are they the begin of one?
 * The first such, by their bytes.  O(log its prefixes) */
bool tracking_overlap(const struct client *c, struct slice prefix, struct slice *ret);

/* ---- where commands are executed ---- */

/* tracking_look: a command ran; if it read keys, who has sent it has read them. */
void tracking_look(struct client *c, const struct cmd *cmd);
/* tracking_done: the same, of a command that was refused; cmd NULL: there is none of that name. */
void tracking_done(struct client *c, const struct cmd *cmd);
/* tracking_deliver_own: TR2: the reply is complete. */
void tracking_deliver_own(struct client *c);

/* ---- where keys change: keyevent.c ---- */

/* tracking_key_changed: class: enum key_event_class. */
void tracking_key_changed(struct slice key, unsigned class);
/* tracking_emptied: all keys have changed. */
void tracking_emptied(void);

/* ---- figures ---- */

struct tracking_figures {
    unsigned clients;     /* that are told */
    uint64_t keys, items; /* in the table; of each key its readers */
    unsigned prefixes;
    size_t bytes; /* what the table and the prefixes take */
};
void tracking_figures(struct tracking_figures *ret);

/* tracking_verify: assert what is kept with keys, prefixes and clients; slow, for tests. */
void tracking_verify(void);

#endif
