/* server/exec/keywait.h - clients that wait for a key to have something for them: BLPOP and its
 * kin, BZPOPMIN, XREAD BLOCK.
 *
 * A client waits for one or several keys, in the order in which it named them.  When a command has
 * made one of these keys ready, the clients that wait for it are served in the order in which they
 * came, after that command (after the whole transaction, in EXEC), as long as the key has
 * something.  [Redis documentation: BLPOP, "What key is served first? What client?"]
 *
 *   K1  A client is served at most once, and for the key that became ready first.
 *   K2  Serving is a write of its own: it tells events, touches WATCH, and may make other keys
 *       ready (BLMOVE): their clients come after those of the keys that are ready already.  While
 *       CLIENT PAUSE holds writers, nobody is served; it is made up for when the pause is over.
 *   K3  A key that is ready and then gone, or of another type, before its turn comes, serves
 *       nobody; its clients wait on.
 *   K4  Keys are those of a logical database: after SWAPDB the clients wait for what is there now.
 *
 * Who makes keys ready:
 *   - db_insert() and db_update(), whenever a key of a type that is waited for appears or gets
 *     another value (so every command that makes a key: RENAME, COPY, RESTORE, MOVE, SORT STORE);
 *   - SWAPDB;
 *   - a type's own commands, where an existing key gets something new for those who waited although
 *     it was there (XADD).  Lists and sorted sets need no call: nobody waits for one that has
 *     elements.
 *
 * Threads: mutator. */
#ifndef SERVER_EXEC_KEYWAIT_H
#define SERVER_EXEC_KEYWAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/base/must.h"
#include "mm/base/slice.h"
#include "server/data/db/listener.h"
#include "server/data/db/record.h"

struct client;
struct db;

/* keywait_serve: try to serve the client with this key: reply and change the data as the command
 * says, telling changes (changed.h) before the reply begins or after it is whole, and effects
 * (effect.h, EF5).  False: nothing in it for this client: it waits on, and neither replied nor
 * changed anything.  True: it was answered, be it with an error (no memory).  The key exists and
 * has the type that was asked for; with wakes_on_delete it may also be gone, or of another type:
 * look.  c->argv is a copy of the command as the client sent it (argc and argv again for
 * convenience), c->db the client's database. */
typedef bool (*keywait_serve)(struct client *c, struct slice key, int argc,
                              const struct slice *argv);

struct keywait_spec {
    enum value_type type;
    int first_key, key_count; /* the keys, in c->argv, one after the other */
    int64_t deadline_ms;      /* unix; 0: for ever */
    keywait_serve serve;
    void (*reply_timeout)(struct client *c); /* reply_null_array or reply_null */
    /* XREADGROUP: also when the key goes or changes its type */
    bool wakes_on_delete;
};

/* keywait_init: what a client's wait takes counts as the client's, and each turn of the loop serves
 * those whose keys are ready: keys that have expired; a pause that is over. */
void keywait_init(void);

/* keywait_begin: the running command of c waits; the handler replies nothing and returns.  Within
 * EXEC, and for a client without a socket, it replies as on a timeout.  Replies OOM without
 * memory. */
void keywait_begin(struct client *c, const struct keywait_spec *spec);

/* keywait_ready: this key now has something.  One branch while nobody waits.
 * keywait_gone_heard: it went, or became of another type. */
void keywait_ready_heard(struct db *db, struct slice key);
void keywait_gone_heard(struct db *db, struct slice key);

static inline void
keywait_ready(struct db *db, struct slice key)
{
    if (unlikely(key_waiters != 0))
        keywait_ready_heard(db, key);
}

/* keywait_scan: a logical database is another one now (SWAPDB, FLUSHDB): every key that is waited
 * for in it is looked at when clients are served. */
void keywait_scan(int index);

/* keywait_serve_all: after a command or transaction: serve whoever can be. */
extern bool keywait_has_ready;
void keywait_serve_ready(void);

static inline void
keywait_serve_all(void)
{
    if (unlikely(keywait_has_ready))
        keywait_serve_ready();
}

/* keywait_keys, keywait_keys_on_delete: how many keys are waited for; that also wake somebody by
 * going: INFO. */
unsigned keywait_keys(void);
unsigned keywait_keys_on_delete(void);
/* keywait_verify: assert that keys, who waits for them in which order, and the list of ready ones
 * agree; slow, for tests. Not while clients are served. */
void keywait_verify(void);

#endif
