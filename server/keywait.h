/* server/keywait.h - clients that wait for a key to have something for them: BLPOP and its kin, BZPOPMIN,
 * XREAD BLOCK.
 *
 * A client waits for one or several keys, in the order in which it named them.  When a command has made one
 * of these keys ready, the clients that wait for it are served in the order in which they came, after that
 * command (after the whole transaction, in EXEC), as long as the key has something.  [Redis documentation:
 * BLPOP, "What key is served first? What client?"]
 *
 *   K1  A client is served at most once, and for the key that became ready first.
 *   K2  Serving is a write of its own: it tells events, touches WATCH, and may make other keys ready
 * (BLMOVE). K3  A key that is ready and then gone, or of another type, before its turn comes, serves nobody;
 * its clients wait on.
 *
 * Threads: mutator. */
#ifndef SERVER_KEYWAIT_H
#define SERVER_KEYWAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "server/data/db.h"
#include "server/slice.h"

struct client;

/* keywait_serve: try to serve the client with this key (which exists and has the type that was asked for):
 * reply and change the data as the command says, telling events.  False: nothing in it for this client; it
 * waits on.  argv is a copy of the command as the client sent it. */
typedef bool (*keywait_serve)(struct client *c, struct slice key, int argc, const struct slice *argv);

struct keywait_spec {
    enum value_type type;
    int first_key, key_count; /* the keys, in c->argv, one after the other */
    int64_t deadline_ms;      /* unix; 0: for ever */
    keywait_serve serve;
    void (*reply_timeout)(struct client *c); /* reply_null_array or reply_null */
    bool wakes_on_delete;                    /* XREADGROUP: also when the key goes or changes its type */
};

/* keywait_begin: the running command of c waits; the handler replies nothing and returns.  Not within EXEC
 * (there it answers as on a timeout).  Replies OOM without memory. */
void keywait_begin(struct client *c, const struct keywait_spec *spec);

/* keywait_ready: this key now has something (a push, a ZADD, an XADD, RENAME, COPY, RESTORE, SWAPDB ...). One
 * branch while nobody waits. */
extern unsigned keywait_clients;
void keywait_ready_heard(struct db *db, struct slice key);

static inline void
keywait_ready(struct db *db, struct slice key)
{
    if (unlikely(keywait_clients != 0))
        keywait_ready_heard(db, key);
}

/* keywait_serve_all: after a command or transaction: serve whoever can be. */
void keywait_serve_all(void);

/* keywait_timeout: a blocking command's timeout argument in seconds (a double, 0: for ever) -> deadline.
 * False, and an error was replied. */
bool keywait_timeout(struct client *c, int arg, int64_t *ret_deadline_ms);

#endif
