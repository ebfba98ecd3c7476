/* server/exec/keyhold.h - keys that stay as they are while they are taken elsewhere (MIGRATE): who
 * would change one waits, as for CLIENT PAUSE, and everybody else goes on.
 *
 *   HD1 A command that names a held key, and may change data, waits until the key is released; so
 *       do FLUSHALL, FLUSHDB and SWAPDB while any key is held, and a transaction with one of these.
 *       Reading commands do not wait.
 *   HD2 What changes a held key all the same is noted: it expires, is evicted, or is written by a
 *       script that does not name it, by a client that is served because of another key, by COPY
 *       from another logical database or behind SELECT in a transaction.  Fields of a hash that
 *       expire are no change, since they would elsewhere too; but they go.
 *
 * Threads: mutator. */
#ifndef SERVER_EXEC_KEYHOLD_H
#define SERVER_EXEC_KEYHOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/base/slice.h"

struct client;
struct cmd;
struct db;
struct keyhold;

/* keyhold_take: from now on; the name is copied.  0; -ENOMEM; -EEXIST: it is held already.  O(1) */
int keyhold_take(int db_index, struct slice name, struct keyhold **ret);
/* keyhold_release: those who wait try again. */
void keyhold_release(struct keyhold *h);
/* keyhold_was_changed: HD2, since it was taken, or since keyhold_accept().
 * keyhold_was_touched: or fields have expired: its bytes are not what they were. */
bool keyhold_was_changed(const struct keyhold *h);
bool keyhold_was_touched(const struct keyhold *h);
void keyhold_accept(struct keyhold *h);
/* keyhold_is_held: by anybody. */
bool keyhold_is_held(int db_index, struct slice name);

/* How many keys are held; read before each command. */
extern unsigned keyhold_count;

/* ---- for this folder ---- */

/* keyhold_init: the loop asks whether those who wait may try again. */
void keyhold_init(void);
/* keyhold_stops: must this command wait (HD1)?  flags: the command's, and of EXEC also those of
 * what it runs.  O(keys that it names) */
bool keyhold_stops(const struct client *c, const struct cmd *cmd, uint32_t flags);
/* keyhold_note: this has happened to the key (keyevent.h).  keyhold_note_all: every key of a
 * logical database may have. */
void keyhold_note(const struct db *db, struct slice name, const char *event);
void keyhold_note_all(int db_index);
/* keyhold_verify: assert that the figures agree; slow, for tests. */
void keyhold_verify(void);

#endif
